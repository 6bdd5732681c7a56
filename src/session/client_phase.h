// What a client is at.
#pragma once

#include <cstdint>

namespace pgring {

enum class ClientPhase : std::uint8_t {
  startup,         // the startup packet is awaited
  authenticating,  // a password message is awaited
  login_waiting,   // authenticated; waits for a server connection that tells or checks parameters
  idle,
  waiting,      // for a server connection
  linked,       // has one
  replicating,  // has a connection to PostgreSQL of its own, or is about to
  console,      // talks to pgring itself
  cancelling,   // carried a CancelRequest that is on its way
  closing,
};

}  // namespace pgring
