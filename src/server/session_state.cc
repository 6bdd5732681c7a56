#include "src/server/session_state.h"

#include <array>

namespace pgring {

StateAdvice state_advice(std::uint32_t traits) {
  using wire::SqlTrait;
  struct Entry {
    SqlTrait trait = SqlTrait::settings;
    StateAdvice advice;
  };
  constexpr std::array<Entry, 7> entries{{
      {SqlTrait::advisory_lock,
       {"a session-level advisory lock",
        "Use pg_advisory_xact_lock, which the end of the transaction releases, or on_session_state "
        "= \"pin\"."}},
      {SqlTrait::temporary,
       {"a temporary object",
        "Create it with ON COMMIT DROP in the transaction that uses it, or set on_session_state = "
        "\"pin\"."}},
      {SqlTrait::held_cursor,
       {"a cursor WITH HOLD",
        "Use the cursor in its transaction, without WITH HOLD, or set on_session_state = "
        "\"pin\"."}},
      {SqlTrait::listen,
       {"LISTEN",
        "Use a database entry with pool_mode = \"session\", or set on_session_state = \"pin\"."}},
      {SqlTrait::prepare,
       {"PREPARE",
        "Use the driver's prepared statements (extended protocol), or set on_session_state = "
        "\"pin\"."}},
      {SqlTrait::load, {"LOAD", "Set session_preload_libraries, or on_session_state = \"pin\"."}},
      {SqlTrait::other_state,
       {"state of the session",
        "Use a database entry with pool_mode = \"session\", or set on_session_state = \"pin\"."}},
  }};
  for (const Entry& entry : entries) {
    if ((traits & static_cast<std::uint32_t>(entry.trait)) != 0) return entry.advice;
  }
  return entries.back().advice;
}

}  // namespace pgring
