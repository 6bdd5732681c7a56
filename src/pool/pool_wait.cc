// Clients that wait: how long, what they are told, and what they wait for.
#include <algorithm>
#include <chrono>

#include "src/budget/report.h"
#include "src/pool/pool.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"

namespace pgring {

// The server's own error, where no connection can be had before the next attempt.
std::optional<wire::ParsedError> Pool::hopeless() {
  auto failure = home_.failure.at(shard_.now());
  if (failure && budget().held(home_.budget_id) > 0) failure.reset();
  return failure;
}

void Pool::refuse_waiters(const wire::ParsedError& error) {
  refuse_lookups(error);
  while (Client* const client = waiters_.front()) {
    waiters_.erase(*client);
    show_waiters();
    client->server_refused(error);
  }
}

void Pool::refuse_everywhere() {
  for (std::uint32_t part = 0; part < home_.parts(); ++part) {
    if (part == part_ || home_.board.part(part).closed()) continue;
    Shard& shard = *shard_.shared().shards[home_.shards[part]];
    shard.post([&shard, &home = home_, part, error = *last_failure_] {
      shard.pool(home.key, home, part).refuse_waiters(error);
    });
  }
  refuse_waiters(wire::ParsedError{*last_failure_});
}

// In microseconds.
std::uint64_t Pool::waited(const Client& client) const {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(shard_.now() - client.requested_at())
          .count());
}

void Pool::arm_waiters_timer() {
  const Client* const oldest = waiters_.front();
  if (oldest == nullptr) return;
  const auto& limits = shard_.config().timeouts;
  auto deadline = ring::Instant::max();
  // The first waiter without a notice is not always the oldest waiter, but it is looked for often enough.
  for (const Client* client = oldest; client != nullptr;
       client = decltype(waiters_)::next(*client)) {
    if (limits.query_wait > Duration::zero())
      deadline = std::min(deadline, client->requested_at() + limits.query_wait);
    if (client->waiting_noticed()) continue;
    if (limits.query_wait_notify > Duration::zero()) {
      deadline = std::min(deadline, client->requested_at() + limits.query_wait_notify);
    }
    break;
  }
  if (deadline != ring::Instant::max()) shard_.loop().timers().set(waiters_timer_, deadline);
}

WaitExplanation Pool::explain() {
  const auto now = shard_.now();
  if (paused_) return explain_pause(key_.database);
  show_busy();
  auto why = budget().read([&](const Budget& all, ring::Instant at) {
    return explain_wait(all, home_.budget_id, std::max(at, now));
  });
  if (const auto failure = home_.failure.at(now))
    why.detail += " The last attempt to open one failed: " + failure->message;
  return why;
}

void Pool::show_busy() {
  std::optional<ring::Instant> since;
  for (const Server* server = all_.front(); server != nullptr; server = ServerList::next(*server)) {
    if (server->client() != nullptr && (!since || server->used() < *since)) since = server->used();
  }
  board().show_busy(since);
}

void Pool::waiters_due() {
  const auto& limits = shard_.config().timeouts;
  const auto now = shard_.now();
  std::optional<WaitExplanation> why;  // for all whose time is over now
  while (Client* const client = waiters_.front()) {
    if (limits.query_wait <= Duration::zero() || now - client->requested_at() < limits.query_wait)
      break;
    if (!why) why = explain();
    waiters_.erase(*client);
    show_waiters();
    client->wait_expired(why->detail, why->hint);
  }
  for (Client* client = waiters_.front(); client != nullptr;
       client = decltype(waiters_)::next(*client)) {
    if (client->waiting_noticed()) continue;
    if (limits.query_wait_notify <= Duration::zero() ||
        now - client->requested_at() < limits.query_wait_notify)
      break;
    client->notify_waiting();
  }
  arm_waiters_timer();
}

}  // namespace pgring
