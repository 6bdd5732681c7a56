// What may share: no bytes make a text share that holds two statements, sets anything as far as sql_traits sees, or whose
// tokens say that it writes; less knowledge of the session and the narrower mode never let more pass.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/sql_lexer.h"
#include "wire/sql_prepare.h"
#include "wire/sql_set.h"
#include "wire/sql_sharing.h"
#include "wire/sql_traits.h"
#include "wire/sql_transaction_end.h"
#include "wire/sql_word.h"

namespace {

using wire::SharingMode;
using wire::SharingTerms;
using wire::SqlForm;
using wire::SqlSharing;

void require(bool condition) {
  if (!condition) std::abort();
}

// By the tokens alone: it begins as one of the four, no word of it writes, nothing stands behind a semicolon.
void require_read(std::string_view sql) {
  wire::SqlLexer lexer(sql);
  bool begun = false;
  bool ended = false;
  for (auto token = lexer.next(); token.kind != wire::SqlTokenKind::end; token = lexer.next()) {
    require(!ended || token.kind == wire::SqlTokenKind::semicolon);
    ended = ended || token.kind == wire::SqlTokenKind::semicolon;
    require(token.kind != wire::SqlTokenKind::escaped_identifier);
    if (token.kind != wire::SqlTokenKind::word) {
      require(begun || token.kind == wire::SqlTokenKind::left_parenthesis);
      continue;
    }
    const wire::SqlWord word = wire::find_sql_word(lexer.text(token));
    require(begun || word == wire::SqlWord::select || word == wire::SqlWord::values ||
            word == wire::SqlWord::table || word == wire::SqlWord::with);
    require(word != wire::SqlWord::insert && word != wire::SqlWord::update &&
            word != wire::SqlWord::delete_from && word != wire::SqlWord::merge &&
            word != wire::SqlWord::into);
    begun = true;
  }
  require(begun && !lexer.unterminated());
}

void check(std::string_view sql, SharingTerms terms) {
  const SqlSharing sharing = wire::sql_sharing(sql, terms);
  require(!to_string(sharing.refusal).empty());
  require(sharing.offset + sharing.length <= sql.size());
  // White space around a text means nothing.
  const std::string spaced = " " + std::string(sql) + "\n";
  if (spaced.size() <= wire::shared_text_size_max) {
    require(wire::sql_sharing(spaced, terms).refusal == sharing.refusal);
  }
  if (!sharing.shares()) return;

  const wire::SqlTraits traits = wire::sql_traits(sql);
  require(traits.bits == 0 && !traits.defines && traits.statements == 1);
  const auto end = wire::read_transaction_end(sql);
  require(end.kind == wire::SqlTransactionEnd::Kind::other && end.alone);
  require(!wire::plain_set(sql) && !wire::parse_prepare(sql));
  if (terms.mode == SharingMode::reads) {
    require(!sharing.writes);
    require_read(sql);
  }

  SharingTerms wider = terms;
  wider.mode = SharingMode::all;
  require(wire::sql_sharing(sql, wider) == sharing);
  wider.form = SqlForm::parse;
  require(wire::sql_sharing(sql, wider) == sharing);
  wider.standard_conforming_strings = true;
  wider.ascii_safe_encoding = true;
  require(wire::sql_sharing(sql, wider) == sharing);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The input lies in a block of its very size: a read beyond it is found.
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  for (const SharingMode mode : {SharingMode::reads, SharingMode::all}) {
    for (const SqlForm form : {SqlForm::query, SqlForm::parse}) {
      for (const bool known : {false, true}) {
        check(sql, {.mode = mode,
                    .form = form,
                    .standard_conforming_strings = known,
                    .ascii_safe_encoding = known});
      }
    }
  }
  return 0;
}
