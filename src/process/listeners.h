// The sockets pgring listens on, made on the main thread before any shard runs.
//
// TCP: one socket per address and shard (SO_REUSEPORT, Linux 3.9): the kernel spreads new connections. Unix: one
// socket; accepting from one socket on several rings would give all connections to the first (io_uring accept
// waits exclusively), so one shard accepts, and clients go to their pool's shard after the startup packet.
// Owner:  the caller; the Unix socket's path is removed by remove_unix_socket().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/config/config.h"

namespace pgring {

struct ListeningSocket {
  int socket = -1;
  std::uint32_t shard = 0;
};

struct Listeners {
  std::vector<ListeningSocket> sockets;
  std::string unix_path;           // empty: none
  std::uint64_t unix_inode = 0;    // of that path: a successor may have put its own there
  std::vector<std::string> names;  // for the log
};

// The error says which address and why.
[[nodiscard]] Result<Listeners, std::string> open_listeners(const ListenConfig& config,
                                                            std::uint32_t shards);
void remove_unix_socket(const Listeners& listeners);

}  // namespace pgring
