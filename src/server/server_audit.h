// What an audit found. Owner: the Server that asks. Source: the views pg_settings, pg_locks, pg_cursors and others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/server/pin_reason.h"
#include "src/session/parameters.h"

namespace pgring {

// In a server connection's overrides: a setting of connect_query's that went back to PostgreSQL's default.
inline constexpr std::string_view was_reset = "\x01(reset)";

struct Audit {
  ParameterList settings;                        // set in this session
  std::string session_user;                      // SET SESSION AUTHORIZATION
  std::optional<std::string> statement_timeout;  // the session's, where another was set to ask
  std::string statement_timeout_default;         // likewise: what RESET makes of it
  PinReasons pins;                               // what else there is
  std::uint32_t answers_due = 1;                 // that have rows of these
  std::uint32_t answers = 1;                     // … still to come
  bool sets_anew = false;                        // all settings, along with it
  std::string sql;                               // what was asked; to ask again

  // What was found of it is forgotten.
  void restart();
  void row(std::span<const std::byte> body);  // a DataRow's
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  bool malformed_ = false;
};

}  // namespace pgring
