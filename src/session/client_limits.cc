// The time limits of a client: [timeouts] query, transaction, idle_transaction, client_idle, client_login, and the
// idle_session_timeout of its session.
#include <algorithm>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {

bool Client::over_limit(ring::Instant since, ring::Duration limit, ring::Instant& earliest) const {
  if (limit <= ring::Duration{0}) return false;
  const auto deadline = since + limit;
  if (deadline <= shard_.now()) return true;
  earliest = std::min(earliest, deadline);
  return false;
}

// idle_session_timeout, which in transaction mode PostgreSQL cannot keep: none of its sessions is the client's.
ring::Duration Client::idle_session_limit() const {
  if (pool_ == nullptr || pool_->settings().mode == PoolMode::session) return ring::Duration{0};
  return idle_limit_ ? *idle_limit_ : pool_->parameters().idle_limit();
}

void Client::arm_timer() {
  // One lazy timer: set when a limit may come to apply, looked at when it is due.
  const auto& limits = shard_.config().timeouts;
  ring::Duration shortest = ring::Duration::max();
  for (const ring::Duration limit :
       {ring::Duration{limits.query}, ring::Duration{limits.transaction},
        ring::Duration{limits.idle_transaction}, ring::Duration{limits.client_idle},
        idle_session_limit()}) {
    if (limit > ring::Duration{0}) shortest = std::min(shortest, limit);
  }
  if (shortest == ring::Duration::max()) return;
  const auto deadline = shard_.now() + shortest;
  if (!timer_.pending() || timer_.deadline > deadline) shard_.loop().timers().set(timer_, deadline);
}

void Client::timer_due() {
  const auto& limits = shard_.config().timeouts;
  ring::Instant earliest = ring::Instant::max();
  switch (phase_) {
    case Phase::closing:
      return close();
    case Phase::startup:
    case Phase::authenticating:
      return login_timed_out();
    case Phase::idle:
      if (begun_ != Begun::no && over_limit(transaction_, limits.transaction, earliest)) {
        return fatal(wire::sqlstate::transaction_timeout,
                     "terminating connection due to transaction timeout (timeouts.transaction)");
      }
      if (begun_ != Begun::no && over_limit(requested_, limits.idle_transaction, earliest)) {
        return fatal(wire::sqlstate::idle_in_transaction_session_timeout,
                     "terminating connection due to idle transaction (timeouts.idle_transaction)");
      }
      if (over_limit(requested_, limits.client_idle, earliest)) {
        return fatal(wire::sqlstate::idle_session_timeout,
                     "terminating connection due to idle client (timeouts.client_idle)");
      }
      if (begun_ == Begun::no && over_limit(requested_, idle_session_limit(), earliest)) {
        return fatal(wire::sqlstate::idle_session_timeout,
                     "terminating connection due to idle-session timeout");
      }
      break;
    case Phase::linked: {
      const bool running = !server_->queue().empty();
      if (running && over_limit(requested_, limits.query, earliest)) {
        return fatal(wire::sqlstate::query_canceled,
                     "terminating connection due to query timeout (timeouts.query)");
      }
      const bool open = server_->transaction_status() != 'I';
      if (open && over_limit(transaction_, limits.transaction, earliest)) {
        return fatal(wire::sqlstate::transaction_timeout,
                     "terminating connection due to transaction timeout (timeouts.transaction)");
      }
      if (open && !running && over_limit(requested_, limits.idle_transaction, earliest)) {
        return fatal(wire::sqlstate::idle_in_transaction_session_timeout,
                     "terminating connection due to idle transaction (timeouts.idle_transaction)");
      }
      // Tied to it: the server connection itself has no limit, unless it is the client's own.
      if (!open && !running && between_messages() &&
          over_limit(requested_, idle_session_limit(), earliest)) {
        return fatal(wire::sqlstate::idle_session_timeout,
                     "terminating connection due to idle-session timeout");
      }
      break;
    }
    case Phase::cancelling:
      return disconnect("cancel request took too long");
    case Phase::replicating:
      return wait_expired("The database is paused.", "RESUME in the console ends the pause.");
    case Phase::waiting:
      if (begun_ != Begun::no && over_limit(transaction_, limits.transaction, earliest)) {
        return fatal(wire::sqlstate::transaction_timeout,
                     "terminating connection due to transaction timeout (timeouts.transaction)");
      }
      break;
    case Phase::login_waiting:
    case Phase::console:
      break;
  }
  if (earliest != ring::Instant::max()) shard_.loop().timers().set(timer_, earliest);
  // Another limit may come to apply before: a transaction falls idle, a query begins.
  if (phase_ == Phase::linked) arm_timer();
}

bool Client::waits() const { return phase_ == Phase::waiting || phase_ == Phase::login_waiting; }

}  // namespace pgring
