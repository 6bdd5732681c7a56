// sql_traits.h: what SQL text may leave behind in a session, or rely on there.
//
// What:   sql_traits reads a text as PostgreSQL's scanner does and says by its words what it may do. It
//         knows no grammar beyond that: a bit may be set for a text that does nothing of the kind, and a
//         text that PostgreSQL refuses has bits too. A bit that is not set is sure, but for what no text
//         shows: functions, triggers, rules, defaults and views that do it; what EXECUTE and Bind run,
//         whose text came earlier; FETCH from a cursor, likewise. sql_lexer.h says what is taken as given.
//         What a DO block says, also in strings that it may EXECUTE, is read as far as it may leave what nothing
//         shows afterwards (`load`, `other_state`); not what it puts together.
//         may_have_traits is false only if sql_traits would find no bit and nothing that defines; true proves nothing. It is what
//         the hot path asks of every Query and Parse: one pass over the text, sixteen bytes at a time.
// Source: PostgreSQL docs "SQL Commands", sql-syntax-lexical; src/backend/parser/gram.y.
#ifndef WIRE_SQL_TRAITS_H_
#define WIRE_SQL_TRAITS_H_

#include <cstdint>
#include <string_view>

namespace wire {

// "Statement": by the words it begins with, EXPLAIN aside. "Name": wherever it stands outside of strings
// and comments, qualified or quoted or not.
enum class SqlTrait : std::uint32_t {
  // Statements SET (for the session), RESET, DISCARD and DO; name set_config; UPDATE of pg_settings; any
  // U&"…", whose escapes could spell each of the names here.
  settings = 1U << 0,
  settings_local = 1U << 1,  // SET LOCAL
  reset_all = 1U << 2,       // RESET ALL, DISCARD ALL
  discard_all = 1U << 3,
  advisory_lock = 1U << 4,  // pg_[try_]advisory_lock[_shared]: until the session ends
  advisory_unlock = 1U << 5,
  temporary = 1U << 6,                 // CREATE TEMP …, SELECT INTO TEMP, name pg_temp
  temporary_on_commit_drop = 1U << 7,  // besides `temporary`: all of that says ON COMMIT DROP
  held_cursor = 1U << 8,               // DECLARE … WITH HOLD
  listen = 1U << 9,
  unlisten = 1U << 10,
  load = 1U << 11,
  prepare = 1U << 12,  // not PREPARE TRANSACTION
  execute = 1U << 13,  // also EXPLAIN EXECUTE, CREATE TABLE … AS EXECUTE
  deallocate = 1U << 14,
  other_state = 1U << 15,  // dblink_connect, setseed, a backup's start, making a replication slot
  sequence_value = 1U << 16,  // lastval and currval: what nextval left in the session
  begin = 1U << 17,           // BEGIN, START TRANSACTION
  plain_begin = 1U << 18,  // besides `begin`: there is nothing else in the text, no option either
  commit = 1U << 19,       // COMMIT, END; also with AND CHAIN
  rollback = 1U << 20,     // ROLLBACK, ABORT; not to a savepoint
  call = 1U << 21,
  copy = 1U << 22,
  close = 1U << 23,
  drop = 1U << 24,  // DROP, ALTER: may take away what a pin is for
};

[[nodiscard]] constexpr std::uint32_t operator|(SqlTrait a, SqlTrait b) noexcept {
  return static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b);
}
[[nodiscard]] constexpr std::uint32_t operator|(std::uint32_t a, SqlTrait b) noexcept {
  return a | static_cast<std::uint32_t>(b);
}

struct SqlTraits {
  std::uint32_t bits = 0;
  std::uint32_t statements = 0;  // those that are not empty
  // One of them may change what the names in other texts stand for, in every session: not a statement that is
  // known to define nothing (queries, transactions, settings, cursors …); SELECT INTO.
  bool defines = false;

  [[nodiscard]] constexpr bool has(SqlTrait trait) const noexcept {
    return (bits & static_cast<std::uint32_t>(trait)) != 0;
  }
  [[nodiscard]] constexpr bool has_any(std::uint32_t traits) const noexcept {
    return (bits & traits) != 0;
  }
  friend bool operator==(const SqlTraits&, const SqlTraits&) = default;
};

[[nodiscard]] SqlTraits sql_traits(std::string_view sql) noexcept;

[[nodiscard]] bool may_have_traits(std::string_view sql) noexcept;

}  // namespace wire

#endif  // WIRE_SQL_TRAITS_H_
