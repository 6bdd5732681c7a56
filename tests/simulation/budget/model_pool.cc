// The parts of a pool: what src/pool/pool.cc does with waiters and idle connections.
#include <algorithm>

#include "tests/simulation/budget/checks.h"
#include "tests/simulation/budget/model.h"

namespace sim::budget {

using pgring::PermitState;
using pgring::PoolId;
using Stage = Connection::Stage;

namespace {

std::int64_t count_of(Instant when) { return when.time_since_epoch().count(); }

}  // namespace

void Model::show_idle(PoolId pool, std::uint32_t part) {
  const auto& idle = pools_[pool].parts[part].idle;
  pools_[pool].board->part(part).show_idle(
      static_cast<std::uint32_t>(idle.size()),
      idle.empty() ? std::nullopt : std::optional{connections_[idle.front()].used});
}

void Model::show_waiters(PoolId pool, std::uint32_t part) {
  const auto& waiters = pools_[pool].parts[part].waiters;
  std::array<Instant, pgring::PartBoard::shown> since;
  const std::size_t shown = std::min(waiters.size(), since.size());
  for (std::size_t i = 0; i < shown; ++i) since[i] = clients_[waiters[i]].since;
  pools_[pool].board->part(part).show_waiting(static_cast<std::uint32_t>(waiters.size()),
                                              std::span{since}.first(shown));
}

void Model::acquire(std::uint32_t id) {
  Client& client = clients_[id];
  Part& part = pools_[client.pool].parts[client.part];
  client.since = now_;
  client.turn = ++turns_;
  if (!part.paused && part.waiters.empty() && !part.idle.empty()) return link(id, part.idle.back());
  client.waiting = true;
  part.waiters.push_back(id);
  show_waiters(client.pool, client.part);
  if (client.impatient) after(client.pause, Kind::patience_over, id, 0);
  seek(client.pool, client.part);
}

void Model::link(std::uint32_t id, std::uint32_t connection) {
  Client& client = clients_[id];
  client.waiting = false;
  checks_->linked(client);
  not_idle(connection);
  connections_[connection].stage = Stage::busy;
  connections_[connection].client = id;
  ++pools_[client.pool].served;
  pools_[client.pool].served_at = now_;
  after(client.length, Kind::transaction_over, connection, 0);
}

void Model::leave(std::uint32_t id) {
  Client& client = clients_[id];
  if (!client.waiting) return;
  client.waiting = false;
  std::erase(pools_[client.pool].parts[client.part].waiters, id);
  show_waiters(client.pool, client.part);
  client_next(id);
}

bool Model::claim(Connection& connection) {
  if (setup_.mistake == Mistake::gives_nothing_up) return false;
  if (!budget_.claim_shed(connection.pool)) return false;
  set_permit(connection, PermitState::closing);
  ++sheds_;
  return true;
}

void Model::put_back(std::uint32_t id) {
  Connection& connection = connections_[id];
  PoolModel& pool = pools_[connection.pool];
  Part& part = part_of(connection);
  bool wanted_elsewhere = false;
  connection.used = now_;
  if (part.paused) return retire(id);
  if (pool.board->to_shed() > 0 && claim(connection)) return retire(id);
  if (pool.parts.size() > 1 && setup_.mistake != Mistake::no_promises) {
    const auto own = count_of(part.waiters.empty() ? now_ : clients_[part.waiters.front()].since);
    const auto hungrier = pool.board->promise_to_hungrier(connection.part, own, setup_.order_slack);
    if (hungrier.part) return give(id, *hungrier.part);
    wanted_elsewhere = hungrier.others;
  }
  connection.stage = Stage::idle;
  part.idle.push_back(id);
  show_idle(connection.pool, connection.part);
  serve_waiters(connection.pool, connection.part);
  if (wanted_elsewhere && !part.idle.empty())
    look_again(connection.pool, connection.part, now_ + setup_.rested);
}

void Model::look_again(PoolId pool, std::uint32_t index, Instant when) {
  Part& part = pools_[pool].parts[index];
  if (part.seek_at <= when) return;
  part.seek_at = when;
  after(when - now_, Kind::seek, pool, index);
}

void Model::offer(PoolId pool, std::uint32_t index) {
  Part& part = pools_[pool].parts[index];
  if (pools_[pool].parts.size() == 1 || !part.waiters.empty() ||
      setup_.mistake == Mistake::no_promises)
    return;
  while (!part.idle.empty()) {
    const std::uint32_t id = part.idle.front();
    const bool tired = now_ - connections_[id].used >= setup_.rested;
    const auto hungrier = pools_[pool].board->promise_to_hungrier(
        index, tired ? pgring::PartBoard::nobody : count_of(now_), setup_.order_slack);
    if (hungrier.others && !hungrier.part)
      look_again(pool, index, connections_[id].used + setup_.rested);
    if (!hungrier.part) return;
    give(id, *hungrier.part);
  }
}

void Model::serve_waiters(PoolId pool, std::uint32_t index) {
  Part& part = pools_[pool].parts[index];
  while (!part.paused && !part.waiters.empty() && !part.idle.empty()) {
    const bool last = setup_.mistake == Mistake::last_in_first_out;
    const std::uint32_t client = last ? part.waiters.back() : part.waiters.front();
    if (last) {
      part.waiters.pop_back();
    } else {
      part.waiters.pop_front();
    }
    show_waiters(pool, index);
    link(client, part.idle.back());
  }
  if (!part.waiters.empty()) seek(pool, index);
}

void Model::seek(PoolId pool, std::uint32_t index) {
  Part& part = pools_[pool].parts[index];
  const auto& board = pools_[pool].board->part(index);
  if (part.paused || part.waiters.size() <= board.inbound()) return;
  const Loan loan = borrow(pool, index);
  if (loan == Loan::none && part.waiters.size() > part.opening + board.inbound() &&
      now_ >= part.ask_again) {
    ask_budget([&](auto& actions) { budget_.ask(pool, now_, actions); });
    if (budget_.pool(pool).reason != pgring::Reason::none) part.ask_again = now_ + ask_interval;
  }
  look_again(pool, index, now_ + (loan == Loan::later ? setup_.rested : seek_interval));
}

// Asks another part for an idle connection. Also when one is being opened for the waiter: that takes longer.
Model::Loan Model::borrow(PoolId pool, std::uint32_t index) {
  PoolModel& model = pools_[pool];
  const auto parts = static_cast<std::uint32_t>(model.parts.size());
  Loan loan = Loan::none;
  for (std::uint32_t i = 1; i < parts; ++i) {
    const std::uint32_t lender = (index + i) % parts;
    const auto& other = model.board->part(lender);
    if (other.idle() == 0 || other.waiting() > 0) continue;
    loan = Loan::later;
    if (other.idle_since() > count_of(now_ - setup_.rested)) continue;
    const auto waiting = static_cast<std::uint32_t>(model.parts[index].waiters.size());
    if (model.board->part(index).promise(waiting))
      post(model.parts[lender].shard, {}, Kind::lend_comes, pool, lender * 256 + index);
    return Loan::coming;
  }
  return loan;
}

void Model::lend(PoolId pool, std::uint32_t lender, std::uint32_t borrower) {
  Part& part = pools_[pool].parts[lender];
  if (part.idle.empty() || !part.waiters.empty() || part.paused) {
    // The borrower counts on it: it looks again.
    pools_[pool].board->part(borrower).promise_over();
    return post(pools_[pool].parts[borrower].shard, {}, Kind::no_loan, pool, borrower);
  }
  give(part.idle.front(), borrower);
}

void Model::give(std::uint32_t id, std::uint32_t part) {
  not_idle(id);
  Connection& connection = connections_[id];
  connection.stage = Stage::moving;
  connection.part = part;
  post(part_of(connection).shard, about(setup_.quiesce), Kind::connection_comes, id, 0);
}

void Model::arrived(std::uint32_t id) {
  Connection& connection = connections_[id];
  pools_[connection.pool].board->part(connection.part).promise_over();
  if (connection.end_seen) return ended(id, connection.end);
  put_back(id);
}

void Model::shed(PoolId pool, std::uint32_t index) {
  Part& part = pools_[pool].parts[index];
  while (pools_[pool].board->to_shed() > 0 && !part.idle.empty()) {
    const std::uint32_t id = part.idle.front();
    if (!claim(connections_[id])) return;
    retire(id);
  }
}

void Model::maintain(PoolId pool, std::uint32_t index) {
  Part& part = pools_[pool].parts[index];
  const std::vector<std::uint32_t> idle = part.idle;
  for (const std::uint32_t id : idle) {
    const auto& facts = budget_.pool(pool);
    if (now_ - connections_[id].used > idle_max && facts.held() > facts.terms.size_min) retire(id);
  }
  shed(pool, index);
  if (!part.idle.empty() && now_ >= facts_due_) {
    const std::uint32_t id = part.idle.back();
    not_idle(id);
    ask_facts(id);
  }
  tick_if_due();
  if (budget_.pool(pool).terms.size_min > 0 && !part.paused)
    ask_budget([&](auto& actions) { budget_.ask(pool, now_, actions); });
  after(maintain_interval, Kind::maintain, pool, index);
}

void Model::pause(PoolId pool, bool paused) {
  auto& parts = pools_[pool].parts;
  for (std::uint32_t index = 0; index < parts.size(); ++index) {
    parts[index].paused = paused;
    pools_[pool].board->part(index).show_closed(paused);
    if (paused) {
      while (!parts[index].idle.empty()) retire(parts[index].idle.back());
    } else {
      serve_waiters(pool, index);
    }
  }
}

}  // namespace sim::budget
