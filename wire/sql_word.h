// sql_word.h: the keywords and function names that tell what SQL may do to a session.
//
// What:   find_sql_word is a table look-up that first asks for length and first letter, which few
//         words of ordinary queries get past. Hot path: see sql_traits.h.
#ifndef WIRE_SQL_WORD_H_
#define WIRE_SQL_WORD_H_

#include <cstdint>
#include <string_view>

namespace wire {

enum class SqlWord : std::uint8_t {
  none,
  // clang-format off
  abort, all, alter, analyse, analyze, as, atomic, begin, call, checkpoint, close, commit, constraints,
  copy, create, deallocate, declare, delete_from, discard, do_block, drop, end, execute, explain, fetch,
  function, global, hold, insert, into, listen, load, local, lock, merge, move, notify, on, or_keyword,
  prepare, prepared, procedure, release, replace, reset, rollback, savepoint, select, set, show, start,
  table, temp, temporary, to, transaction, truncate, unlisten, update, vacuum, values, verbose, with,
  work,
  // clang-format on
  // Functions, and names that stand for something besides the grammar.
  advisory_lock,
  advisory_unlock,
  pg_settings,
  pg_temp,
  sequence_value,
  set_config,
  state_function,  // changes state that no other word here stands for
};

// A name or keyword without quotes, in any case.
[[nodiscard]] SqlWord find_sql_word(std::string_view word) noexcept;

// What stands between the quotes of a quoted name: `name` is what it is, so only the functions and names
// can be found, and only in small letters.
[[nodiscard]] SqlWord find_quoted_sql_word(std::string_view name) noexcept;

}  // namespace wire

#endif  // WIRE_SQL_WORD_H_
