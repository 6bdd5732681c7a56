// sql_reset.h: statements that take settings back.
//
// What:   read_reset reads a text that is one such statement and nothing else: RESET of a setting or of all, SET … TO
//         DEFAULT, SET ROLE NONE, DISCARD ALL. Nullopt for every other text, and where a name is written U&"…".
//         LOCAL is not among them.
// Source: PostgreSQL docs sql-reset, sql-set, sql-set-role, sql-set-session-authorization, sql-discard;
//         src/backend/parser/gram.y (VariableResetStmt, set_rest).
#ifndef WIRE_SQL_RESET_H_
#define WIRE_SQL_RESET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wire {

struct SqlReset {
  enum class Kind : std::uint8_t { one, all, discard_all };
  Kind kind = Kind::one;
  std::string name;                // of one: the setting; not folded beyond what PostgreSQL folds
  std::string_view tag = "RESET";  // of its CommandComplete
};

[[nodiscard]] std::optional<SqlReset> read_reset(std::string_view sql);

}  // namespace wire

#endif  // WIRE_SQL_RESET_H_
