// SQL text: any bytes come to an end as tokens that follow each other, what the prefilter lets pass has no
// traits, and what is read of a PREPARE lies in the text; fingerprints and plain SETs likewise.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/sql_fingerprint.h"
#include "wire/sql_identifier.h"
#include "wire/sql_lexer.h"
#include "wire/sql_prepare.h"
#include "wire/sql_set.h"
#include "wire/sql_settings.h"
#include "wire/sql_traits.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool lies_in(std::string_view part, std::string_view text) {
  return part.empty() ||
         (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The input lies in a block of its very size: a read beyond it is found.
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  wire::SqlLexer lexer(sql);
  std::size_t end = 0;
  for (auto token = lexer.next(); token.kind != wire::SqlTokenKind::end; token = lexer.next()) {
    require(token.length > 0 && token.offset >= end);
    end = token.offset + token.length;
    require(end <= lexer.text().size());
  }

  const wire::SqlTraits traits = wire::sql_traits(sql);
  require((traits.bits == 0 && !traits.defines) || wire::may_have_traits(sql));
  require(traits.bits == 0 || traits.statements > 0);

  // Where literals end is found without a grammar, and must not lead beyond the text.
  (void)wire::sql_fingerprint(sql);
  require(wire::without_literals(sql, 100).size() <= 100);
  (void)wire::sets_unnamed(sql);
  require(!wire::plain_set(sql) || traits.has(wire::SqlTrait::settings));

  const auto prepare = wire::parse_prepare(sql);
  if (!prepare) return 0;
  require(traits.statements == 1);
  require(prepare->name.size() <= wire::identifier_size_max);
  require(prepare->name_offset + std::size_t{prepare->name_length} <= size);
  require(lies_in(prepare->types, sql) && lies_in(prepare->body, sql));
  // The name can be written again and means the same.
  if (prepare->kind == wire::SqlPrepare::Kind::deallocate_all) return 0;
  std::string again = "EXECUTE \"";
  for (const char c : prepare->name) again.append(c == '"' ? 2 : 1, c);
  again.push_back('"');
  const auto execute = wire::parse_prepare(again);
  require(execute && execute->name == prepare->name);
  return 0;
}
