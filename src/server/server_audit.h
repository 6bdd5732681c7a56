// What an audit found. Owner: the Server that asks. Source: the views pg_settings, pg_locks, pg_cursors and others.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "src/server/pin_reason.h"
#include "src/session/parameters.h"

namespace pgring {

struct Audit {
  ParameterList settings;    // set in this session
  std::string session_user;  // SET SESSION AUTHORIZATION
  PinReasons pins;           // what else there is

  void row(std::span<const std::byte> body);  // a DataRow's
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  bool malformed_ = false;
};

}  // namespace pgring
