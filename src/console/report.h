// What one shard tells about itself, for the console to add up.
//
// What:   plain values copied out on the shard's thread, so that the console's shard reads nothing
//         that another thread writes.
// Cost:   pools and counters by number of pools and server connections; clients only where they are
//         asked for, waiters and the copies of statements likewise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/pool/pool.h"

namespace pgring {
class Shard;
}

namespace pgring::console {

using WallTime = std::chrono::system_clock::time_point;

// A pool's part on one shard.
struct PoolReport {
  PoolKey key;
  PoolMode mode = PoolMode::transaction;
  std::uint64_t clients = 0;  // those waiting included
  std::uint64_t waiting = 0;
  std::uint64_t cancels_sent = 0, cancels_waiting = 0;
  std::uint64_t active = 0, being_canceled = 0, idle = 0, tested = 0, opening = 0;
  std::uint64_t connections = 0;  // those closing included
  std::uint64_t wait_us_max = 0;  // of the client that waits longest
  PoolStats stats;
  PoolStats period;             // what the last completed period added
  std::uint64_t period_us = 0;  // its length; 0: none yet
  PinCounts pinned;             // now
  PinCounts pins;               // since start
};

// One row of SHOW CLIENTS or SHOW SERVERS.
struct ConnectionReport {
  std::string user, database, application_name;
  std::string_view state;                 // static
  std::string_view replication = "none";  // likewise
  PeerAddress peer, local;
  std::uint32_t unix_port = 0;  // what stands for a port where the address is a Unix socket
  WallTime connected{}, requested{};
  std::uint64_t wait_us = 0;
  std::uint64_t id = 0, link = 0;  // 0: none
  std::uint64_t remote_pid = 0;
  std::uint64_t statements = 0;  // prepared by name
  std::string tls;               // version/cipher; empty: none
  bool close_needed = false;
};

// One row of SHOW WAITS.
struct WaitReport {
  PoolId pool = 0;
  std::uint64_t id = 0;
  std::string user, database, application_name;
  WallTime since{};
  std::uint64_t wait_us = 0;
  Reason coming =
      Reason::none;  // opening, moving: a connection is coming for it; none: the budget knows
  bool paused = false;
};

// One row of SHOW PINS.
struct PinReport {
  std::string user, database, application_name;
  PeerAddress peer;
  std::uint32_t port = 0;
  std::uint64_t id = 0;
  std::uint64_t remote_pid = 0;
  ring::Instant at{};  // the clock of all shards, so that pins can be put in order
  WallTime since{};    // the same on the wall
  std::uint64_t lasts_us = 0;
  PinReasons reasons;
};

// On how many server connections a statement is, and how many Parses these have spared PostgreSQL; by its id.
struct CopiesReport {
  std::uint64_t servers = 0;
  std::uint64_t spared = 0;
};
using StatementCopies = std::unordered_map<std::uint64_t, CopiesReport>;

struct ShardReport {
  std::vector<PoolReport> pools;
  std::vector<ConnectionReport> connections;
  std::vector<WaitReport> waits;
  std::vector<PinReport> pins;
  StatementCopies copies;
  std::uint64_t clients = 0, clients_in_login = 0;
  std::uint64_t turns = 0, completions = 0, enters = 0, starved = 0, overflows = 0, sends = 0,
                gathers = 0;
  std::uint64_t moves_in = 0, moves_out = 0;
  std::uint64_t accept_errors = 0, client_buffers = 0, server_buffers = 0;
  std::string capabilities;
};

enum class Detail : std::uint8_t { none, clients, servers, waits, pins, statements };

// On the shard's thread.
[[nodiscard]] ShardReport report_of(Shard& shard, Detail detail);

}  // namespace pgring::console
