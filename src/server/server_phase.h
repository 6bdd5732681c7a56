// What a server connection is at.
#pragma once

#include <cstdint>

namespace pgring {

enum class ServerPhase : std::uint8_t {
  connecting,
  logging_in,
  ready,
  moving,  // idle, and about to go to another shard
  closing,
};
// What a Query of our own is for.
enum class ServerOwn : std::uint8_t {
  none,
  limits,  // idle_session_timeout after the login
  connect_query,
  replay,
  reset,
  facts,
  audit,
  idle_limit,  // a client's own goes, before nobody uses the connection
  lookup,      // auth.query, for a login
};

}  // namespace pgring
