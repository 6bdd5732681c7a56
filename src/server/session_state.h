// What of a session's state PostgreSQL is asked for, and when.
//
// What:   the traits of the texts that ran on a server connection *suggest* that they left something behind; then an audit
//         asks PostgreSQL what there is before anybody else gets the connection (server_audit.cc). Settings go with
//         the client; everything else pins it to the connection.
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/sql_traits.h"

namespace pgring {

// Besides wire::SqlTrait: a text that was not read, or a change that no text explains.
inline constexpr std::uint32_t unseen_text = 1U << 31;
// And what is known of a text, not by its words (src/pool/text_marks.h).
inline constexpr std::uint32_t unproven_text = 1U << 30;
inline constexpr std::uint32_t suspect_text = 1U << 29;
// It sets one setting, which its text tells (wire/sql_set.h).
inline constexpr std::uint32_t plain_set_text = 1U << 28;

// Explains a ParameterStatus that comes while such a text runs.
inline constexpr std::uint32_t explains_settings =
    wire::SqlTrait::settings | wire::SqlTrait::settings_local | wire::SqlTrait::execute |
    wire::SqlTrait::load | wire::SqlTrait::rollback | unseen_text | plain_set_text;
inline constexpr std::uint32_t resets_all =
    static_cast<std::uint32_t>(wire::SqlTrait::reset_all) | unseen_text;

// State that stays with the server connection, and that an audit can see.
inline constexpr std::uint32_t touches_pins =
    wire::SqlTrait::advisory_lock | wire::SqlTrait::temporary | wire::SqlTrait::held_cursor |
    wire::SqlTrait::listen | wire::SqlTrait::prepare;

// State that stays until the session ends, and that nothing shows.
inline constexpr std::uint32_t touches_forever = wire::SqlTrait::load | wire::SqlTrait::other_state;

// What is there afterwards is the client's own, whoever else had the connection since the last audit: it was said.
inline constexpr std::uint32_t shows_state = static_cast<std::uint32_t>(wire::SqlTrait::settings) |
                                             unseen_text | touches_pins | suspect_text;

// Of a client that is not pinned: ask.
inline constexpr std::uint32_t touches_state = shows_state | unproven_text;

// Of a client that is pinned: the reason may be gone.
inline constexpr std::uint32_t may_unpin =
    wire::SqlTrait::settings | wire::SqlTrait::advisory_unlock | wire::SqlTrait::unlisten |
    wire::SqlTrait::close | wire::SqlTrait::drop | wire::SqlTrait::deallocate |
    wire::SqlTrait::discard_all | unseen_text | unproven_text | suspect_text;

// What to say of a text that may leave such state where that is not allowed (on_session_state = "error").
struct StateAdvice {
  std::string_view what;
  std::string_view instead;
};
[[nodiscard]] StateAdvice state_advice(std::uint32_t traits);

}  // namespace pgring
