// sql_set.h: SET and RESET of one setting, where the text says all there is to know.
//
// What:   SET [SESSION] name = value with one plain value, SET name TO DEFAULT, RESET name. If PostgreSQL answers such a
//         statement with CommandComplete, the setting has the value as if set_config had been given it.
//         Not told: lists; settings whose SET is not what set_config is (search_path takes a list, role and
//         session_authorization change more, transaction_… end by themselves); those that change how text is
//         read; escapes, and anything but ASCII.
// Source: PostgreSQL docs sql-set, sql-reset; guc_funcs.c (flatten_set_variable_args, GUC_LIST_QUOTE).
#ifndef WIRE_SQL_SET_H_
#define WIRE_SQL_SET_H_

#include <optional>
#include <string>
#include <string_view>

namespace wire {

struct PlainSet {
  std::string name;                  // as PostgreSQL reads it
  std::optional<std::string> value;  // none: back to its default
  friend bool operator==(const PlainSet&, const PlainSet&) = default;
};

[[nodiscard]] std::optional<PlainSet> plain_set(std::string_view sql);

}  // namespace wire

#endif  // WIRE_SQL_SET_H_
