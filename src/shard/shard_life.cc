// How a shard ends: what is left to do, and who is told.
#include <algorithm>

#include "src/console/session.h"
#include "src/server/walsender.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {

bool Shard::finished() const {
  return life_ != Life::serving && clients_.empty() && !has_work() &&
         shared_.working_shards.load() == 0;
}

bool Shard::only_consoles() const {
  for (const Client* client = clients_.front(); client != nullptr;
       client = ClientList::next(*client)) {
    if (client->phase() != Client::Phase::console) return false;
  }
  return true;
}

void Shard::close_consoles() {
  for (Client* client = clients_.front(); client != nullptr;) {
    Client* const next = ClientList::next(*client);
    client->fatal(wire::sqlstate::admin_shutdown, "pgring is shutting down");
    client = next;
  }
}

bool Shard::has_work() const {
  const bool listening =
      std::ranges::any_of(listeners_, [](const auto& listener) { return listener->running(); });
  const bool open =
      std::ranges::any_of(pools_, [](const auto& entry) { return !entry.second->drained(); });
  return listening || open || !cancels_.empty() || !walsenders_.empty() || !only_consoles();
}

void Shard::stop_listening() {
  for (const auto& listener : listeners_) listener->stop();
}

void Shard::apply_life() {
  life_ = shared_.life.load(std::memory_order_relaxed);
  if (life_ == Life::serving) return;
  stop_listening();
  for (Client* client = clients_.front(); client != nullptr;) {
    Client* const next = ClientList::next(*client);
    if (life_ == Life::stopping) {
      client->fatal(wire::sqlstate::admin_shutdown,
                    "terminating connection due to administrator command");
    } else if (life_ == Life::finishing) {
      client->close_when_idle();
    }
    client = next;
  }
}

void Shard::maintain_life() {
  if (life_ == Life::stopping) {
    for (const auto& [walsender, owned] : walsenders_) owned->stop();
  }
  const bool pools_are_idle = only_consoles();
  for (const auto& [key, pool] : pools_) {
    if (life_ == Life::stopping) {
      pool->stop();
    } else if (pools_are_idle || life_ == Life::finishing) {
      pool->end("pgring is shutting down");
    }
  }
  count_work();
}

void Shard::count_work() {
  if (has_work() == works_) return;
  works_ = !works_;
  if (works_) {
    shared_.working_shards.fetch_add(1);
  } else if (shared_.working_shards.fetch_sub(1) == 1) {
    for (const auto& shard : shared_.shards) {
      Shard* const target = shard.get();
      target->post([target] { target->close_consoles(); });
    }
  }
}

}  // namespace pgring
