// What an audit found. Owner: the Server that asks. Source: the views pg_settings, pg_locks, pg_cursors and others.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "src/session/parameters.h"

namespace pgring {

// For SHOW PINS: state that nothing shows (LOAD, setseed …).
inline constexpr std::string_view forever_pin = "state until the session ends";

struct Audit {
  ParameterList settings;    // set in this session
  std::string session_user;  // SET SESSION AUTHORIZATION
  std::string pins;          // what else there is, by name; empty: nothing

  void row(std::span<const std::byte> body);  // a DataRow's
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  bool malformed_ = false;
};

}  // namespace pgring
