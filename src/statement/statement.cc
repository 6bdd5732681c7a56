#include "src/statement/statement.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "src/base/check.h"
#include "src/base/utf8.h"
#include "wire/byte_reader.h"
#include "wire/sql_fingerprint.h"
#include "wire/sql_lexer.h"
#include "wire/sql_sharing.h"

namespace pgring {
namespace {

// Unique in the process, so that a connection that moves to another shard, or a pool that is another's by a reload,
// meets no name twice.
std::atomic<std::uint64_t> last_id{0};

// plancache.c: only what is planned is checked against its first description.
bool is_planned(std::string_view text) {
  wire::SqlLexer lexer{text};
  const wire::SqlToken first = lexer.next();
  if (first.kind == wire::SqlTokenKind::left_parenthesis) return true;
  constexpr std::array<std::string_view, 8> words{"select", "insert", "update", "delete",
                                                  "merge",  "with",   "values", "table"};
  const std::string_view word = lexer.text(first);
  return std::ranges::any_of(words, [word](std::string_view known) {
    return std::ranges::equal(word, known, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  });
}

bool shares_by_any_terms(std::string_view text) {
  return wire::sql_sharing(text, {.form = wire::SqlForm::parse, .ascii_safe_encoding = false}) ==
         wire::SqlSharing{};
}

}  // namespace

std::optional<std::vector<std::uint32_t>> parse_parameter_description(
    std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const std::uint32_t count = reader.read_u16();
  // Before there is room made for them: the body may be cut.
  if (!reader.ok() || reader.remaining() != std::size_t{count} * 4) return std::nullopt;
  std::vector<std::uint32_t> types(count);
  for (std::uint32_t& type : types) type = reader.read_u32();
  return types;
}

std::optional<std::string> comparable_columns(std::span<const std::byte> row_description) {
  wire::ByteReader reader{row_description};
  std::string columns;
  for (std::uint32_t left = reader.read_u16(); left > 0; --left) {
    const auto name = reader.read_cstring();
    (void)reader.read_bytes(6);                      // table and column it comes from
    const auto type = reader.read_bytes(4 + 2 + 4);  // type, its length, its modifier
    (void)reader.read_bytes(2);                      // format
    if (!name || !reader.ok()) return std::nullopt;
    columns += *name;
    columns += '\0';
    columns += wire::as_text(type);
  }
  if (!reader.at_end()) return std::nullopt;
  // Rows without columns are not the same as no rows.
  return columns + 'T';
}

Statement::Statement(StatementTable& table, std::uint64_t id, StatementKey key)
    : table_{table},
      id_{id},
      name_{std::string{own_statement_prefix} + std::to_string(id)},
      key_{std::move(key)},
      traits_{wire::sql_traits(key_.text)},
      fingerprint_{wire::sql_fingerprint(key_.text)},
      shares_{shares_by_any_terms(key_.text)},
      has_fixed_rows_{is_planned(key_.text)} {}

Statement::~Statement() { table_.forget(*this); }

StatementTable::~StatementTable() { POOLER_CHECK(statements_.empty()); }

StatementRef StatementTable::intern(StatementKey key) {
  const std::scoped_lock lock{mutex_};
  const auto at = statements_.find(&key);
  if (at != statements_.end()) {
    if (StatementRef known = at->second.statement.lock()) return known;
    statements_.erase(
        at);  // it is on its way out; forget() will find another in its place, or nothing
  }
  auto made = std::make_shared<Statement>(
      *this, last_id.fetch_add(1, std::memory_order_relaxed) + 1, std::move(key));
  statements_.emplace(&made->key(), Entry{.statement = made, .which = made.get()});
  bytes_ += made->key().text.size();
  return made;
}

void StatementTable::forget(const Statement& statement) {
  const std::scoped_lock lock{mutex_};
  bytes_ -= statement.key().text.size();
  const auto at = statements_.find(&statement.key());
  if (at != statements_.end() && at->second.which == &statement) statements_.erase(at);
}

std::vector<StatementTable::Row> StatementTable::rows(std::size_t text_max) const {
  const std::scoped_lock lock{mutex_};
  std::vector<Row> rows;
  rows.reserve(statements_.size());
  // Not locked: the last share must not go in here, where its statement could not be forgotten.
  for (const auto& [key, entry] : statements_) {
    const auto users = static_cast<std::uint64_t>(entry.statement.use_count());
    if (users == 0) continue;
    rows.push_back({.id = entry.which->id(),
                    .name = entry.which->name(),
                    .text = std::string{utf8_prefix(key->text, text_max)},
                    .size = key->text.size(),
                    .users = users});
  }
  return rows;
}

std::size_t StatementTable::size() const {
  const std::scoped_lock lock{mutex_};
  return statements_.size();
}

std::size_t StatementTable::bytes() const {
  const std::scoped_lock lock{mutex_};
  return bytes_;
}

}  // namespace pgring
