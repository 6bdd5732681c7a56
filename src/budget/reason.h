// Why a client waits for a server connection. The console shows it by name; each has a bound.
#pragma once

#include <cstdint>
#include <string_view>

namespace pgring {

enum class Reason : std::uint8_t {
  none,     // nothing keeps it: a permit may be issued
  opening,  // a connection is being opened for it; bound: timeouts.server_connect
  moving,   // an idle one is on its way from another shard; bound: a turn of each of the two loops
  server,  // the server's limits are not known yet, or it is down; bound: the first login, or backoff
  ceiling,     // all connections the server lets us have are in use; bound: the longest transaction
  database,    // the database's limit, likewise
  role,        // the role's limit, likewise
  pool,        // pool_size, likewise
  reserve,     // reserve_pool_timeout has not passed; bound: it
  burst,       // as many are opening at once as may; bound: timeouts.server_connect
  backoff,     // the last attempt failed; bound: the backoff
  hysteresis,  // the connection it could have was used a moment ago; bound: BudgetTimes::hysteresis
};

[[nodiscard]] std::string_view name_of(Reason reason);

}  // namespace pgring
