// sql_prepare.h: PREPARE, EXECUTE and DEALLOCATE taken apart.
//
// What:   parse_prepare reads a text that is one such statement and nothing else, of the shape that
//         PostgreSQL's grammar gives it. EXPLAIN EXECUTE and CREATE TABLE … AS EXECUTE are read as an EXECUTE. Nullopt for every other text: several statements, one that
//         has not that shape or leaves something unclosed, one whose name is written U&"…". `types` and
//         `body` are not looked into, but for their parentheses; an unquoted name may be a reserved
//         word, which PostgreSQL refuses.
// Source: PostgreSQL docs sql-prepare, sql-execute, sql-deallocate, sql-explain, sql-createtableas; src/backend/parser/gram.y.
#ifndef WIRE_SQL_PREPARE_H_
#define WIRE_SQL_PREPARE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wire {

struct SqlPrepare {
  enum class Kind : std::uint8_t { prepare, execute, deallocate, deallocate_all };
  Kind kind = Kind::prepare;
  // As PostgreSQL has it (sql_identifier.h). Empty for deallocate_all.
  std::string name;
  // Where the name stands in the text, its quotes included; 0 and 0 for deallocate_all.
  std::uint32_t name_offset = 0;
  std::uint32_t name_length = 0;
  std::string_view types;  // PREPARE: what is inside of the parentheses, "" if there are none
  // PREPARE: the statement behind AS, without the semicolon. EXECUTE: the arguments with their
  // parentheses, "" if there are none. Both are views into the text.
  std::string_view body;
};

[[nodiscard]] std::optional<SqlPrepare> parse_prepare(std::string_view sql);

}  // namespace wire

#endif  // WIRE_SQL_PREPARE_H_
