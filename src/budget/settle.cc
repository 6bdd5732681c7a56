// Decisions: who gets the next permit, what stops the others, who gives up a connection.
#include <algorithm>

#include "src/base/check.h"
#include "src/budget/budget.h"
#include "src/budget/shares.h"

namespace pgring {
namespace {

// Connections of one pool that may be opening at once, over all shards.
constexpr Count opening_max = 8;

constexpr std::size_t index_of(PermitState state) { return static_cast<std::size_t>(state); }

Count alive_at(const LimitNode& node) {
  return node.used() - node.count[index_of(PermitState::lost)];
}

}  // namespace

Demand Budget::demand_of(Pool& pool, ring::Instant now) {
  Demand demand{.pool = &pool, .board = pool.board->totals()};
  const Count missing = demand.board.short_of();
  const Count opening = pool.of(PermitState::opening);
  demand.unmet = missing > opening ? missing - opening : 0;
  demand.below_min = demand.board.open ? pool.below_min() : 0;
  demand.allowed = allowed(pool, demand.board.oldest, now);
  return demand;
}

// With none alive nobody could ask what the limits are now, or which of the lost ones are gone: one may be
// tried against what is known. Not against the configuration, except for lost ones, and not out of what
// PostgreSQL reserves.
bool Budget::is_probe(const Pool& pool, ring::Instant now) const {
  const Instance& instance = *pool.instance;
  if (alive_at(instance.ceiling) > 0) return false;
  const bool lost = instance.ceiling.used() > 0;
  if (!lost && (!instance.limits || now - instance.learned < times_.facts_age)) return false;
  if (pool.superuser && instance.limits &&
      std::uint64_t{instance.ceiling.used()} + instance.limits->superuser_reserved +
              instance.limits->reserved >=
          instance.limits->max_connections)
    return false;
  return std::ranges::none_of(pool.nodes, [](const LimitNode* node) {
    return node->configured && alive_at(*node) >= *node->configured;
  });
}

Reason Budget::stopped_by(const Demand& demand, ring::Instant now) const {
  const Pool& pool = *demand.pool;
  const Instance& instance = *pool.instance;
  if (now < pool.retry_at) return Reason::backoff;
  const bool known = instance.limits || instance.silent;
  if ((!known || now < instance.doubted_until) && alive_at(instance.ceiling) > 0)
    return Reason::server;
  if (pool.of(PermitState::opening) >= opening_max) return Reason::burst;
  Reason reason = Reason::none;
  if (pool.sized() >= demand.allowed) {
    reason = pool.sized() < pool.terms.size + pool.terms.reserve ? Reason::reserve : Reason::pool;
  }
  for (std::size_t i = 0; i < pool.nodes.size() && reason == Reason::none; ++i) {
    const auto limit = limit_of(*pool.nodes[i], now);
    // To be kept ready is no reason to go beyond a limit that others wait at.
    const bool bound = pool.is_bound(i) || demand.unmet == 0;
    if (limit && bound && pool.nodes[i]->used() >= *limit) reason = pool.nodes[i]->reason;
  }
  return reason != Reason::none && is_probe(pool, now) ? Reason::none : reason;
}

Reason Budget::reason(PoolId id, ring::Instant now) const {
  Pool& pool = *pools_[id];
  const Demand demand = demand_of(pool, now);
  if (demand.unmet == 0)
    return pool.of(PermitState::opening) > 0 ? Reason::opening : Reason::moving;
  const Reason reason = stopped_by(demand, now);
  // What the latest decision found: giving it another pool's connection is a matter of moments.
  return Shares::is_relievable(reason) && pool.reason == Reason::hysteresis ? pool.reason : reason;
}

void Budget::issue(Demand& demand, ring::Instant now, BudgetActions& actions) {
  Pool& pool = *demand.pool;
  const auto part = pool.board->hungriest(pool.turn);
  if (!part) {  // closed since we looked
    demand.unmet = demand.below_min = 0;
    return;
  }
  pool.turn = *part + 1;
  pool.gained = now;
  add(pool, PermitState::opening, +1);
  if (demand.unmet > 0) --demand.unmet;
  if (demand.below_min > 0) --demand.below_min;
  actions.push_back({.kind = BudgetAction::Kind::open, .pool = pool.id, .part = *part});
}

// Whether a connection that is only to be kept ready would take what somebody who waits at a limit needs.
bool Budget::is_in_the_way(const Demand& kept, const std::vector<Demand>& demands,
                           ring::Instant now) {
  return std::ranges::any_of(demands, [&](const Demand& other) {
    if (other.unmet == 0 || !Shares::is_relievable(other.pool->reason)) return false;
    for (std::size_t i = 0; i < kept.pool->nodes.size(); ++i) {
      const LimitNode* const node = kept.pool->nodes[i];
      const auto limit = limit_of(*node, now);
      if (node == other.pool->nodes[i] && limit && node->used() + other.unmet >= *limit)
        return true;
    }
    return false;
  });
}

void Budget::serve(std::vector<Demand>& demands, bool waiters, ring::Instant now,
                   BudgetActions& actions) {
  for (;;) {
    Demand* next = nullptr;
    for (Demand& demand : demands) {
      if (waiters ? demand.unmet == 0 : demand.unmet > 0 || demand.below_min == 0) continue;
      demand.pool->reason = stopped_by(demand, now);
      if (demand.pool->reason != Reason::none) continue;
      if (!waiters && is_in_the_way(demand, demands, now)) continue;
      if (next == nullptr || Shares::before(demand, *next)) next = &demand;
    }
    if (next == nullptr) return;
    issue(*next, now, actions);
  }
}

void Budget::settle(Instance& instance, ring::Instant now, BudgetActions& actions) {
  std::vector<Demand> demands;
  demands.reserve(instance.pools.size());
  for (Pool* const pool : instance.pools) {
    pool->reason = Reason::none;
    demands.push_back(demand_of(*pool, now));
  }
  // Waiters first; connections that are only to be kept ready take what is left.
  serve(demands, true, now, actions);
  serve(demands, false, now, actions);
  relieve(demands, now, actions);

  instance.due = false;
  for (const Demand& demand : demands) {
    const Pool& pool = *demand.pool;
    instance.due = instance.due || pool.board->to_shed() > 0 || demand.unmet > 0 ||
                   demand.below_min > 0 || !pool.lost.empty();
  }
  if (instance.due) tick_at(now + times_.tick);
}

void Budget::relieve(std::vector<Demand>& demands, ring::Instant now, BudgetActions& actions) {
  Shares shares{demands, times_, now, ++plans_};
  const bool needed = shares.is_needed();
  if (needed) shares.plan();
  for (std::size_t i = 0; i < demands.size(); ++i) {
    Pool& pool = *demands[i].pool;
    const Count shed = needed ? shares.to_shed(i) : 0;
    pool.board->set_to_shed(shed);
    if (shed == 0) {
      pool.shed_told = 0;
      pool.shed_since = {};
      continue;
    }
    if (pool.shed_since == ring::Instant{}) pool.shed_since = now;
    if (now - pool.shed_since >= times_.hysteresis) pool.stuck_until = now + times_.stuck;
    // Its parts look at every release; those with idle connections are told, and again if nothing came of it.
    if (shed <= pool.shed_told && now - pool.shed_told_at < times_.tick) continue;
    pool.shed_told = shed;
    pool.shed_told_at = now;
    for (std::uint32_t part = 0; part < pool.board->size(); ++part) {
      if (pool.board->part(part).idle() > 0)
        actions.push_back({.kind = BudgetAction::Kind::shed, .pool = pool.id, .part = part});
    }
  }
}

void Budget::tick(ring::Instant now, BudgetActions& actions) {
  next_tick_.reset();
  for (const auto& instance : instances_) {
    if (!instance->due) continue;
    forget_old_lost(*instance, now);
    settle(*instance, now, actions);
  }
}

}  // namespace pgring
