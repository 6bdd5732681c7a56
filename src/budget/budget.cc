#include "src/budget/budget.h"

#include <algorithm>

#include "src/base/check.h"

namespace pgring {
namespace {

constexpr std::size_t index_of(PermitState state) { return static_cast<std::size_t>(state); }

}  // namespace

Budget::Budget(std::uint64_t seed, const BudgetTimes& times) : times_{times}, random_{seed} {}

Budget::~Budget() = default;

Count Budget::Pool::unmet() const {
  const Count missing = board->totals().short_of();
  const Count opening = of(PermitState::opening);
  return opening >= missing ? 0 : missing - opening;
}

std::optional<Count> Budget::limit_of(const LimitNode& node, ring::Instant now) {
  if (!node.news || now >= node.news_until) return node.limit;
  return node.limit ? std::min(*node.limit, *node.news) : *node.news;
}

Count Budget::allowed(const Pool& pool, std::int64_t oldest, ring::Instant now) {
  const bool long_waited = oldest != PartBoard::nobody &&
                           ring::Instant{ring::Duration{oldest}} + pool.terms.reserve_after <= now;
  return pool.terms.size + (long_waited ? pool.terms.reserve : 0);
}

Count Budget::allowed(const Pool& pool, ring::Instant now) {
  return allowed(pool, pool.board->oldest(), now);
}

// Counting.

void Budget::add(Pool& pool, PermitState state, int change) {
  const auto apply = [&](Count& count) {
    POOLER_CHECK(change > 0 || count > 0);
    count = change > 0 ? count + 1 : count - 1;
  };
  apply(pool.count[index_of(state)]);
  for (LimitNode* const node : pool.nodes) apply(node->count[index_of(state)]);
}

void Budget::move(PoolId id, PermitState from, PermitState to) {
  add(*pools_[id], from, -1);
  add(*pools_[id], to, +1);
}

bool Budget::consistent() const {
  std::map<const LimitNode*, std::array<Count, permit_states>> sums;
  for (const auto& pool : pools_) {
    if (pool->lost.size() != pool->of(PermitState::lost)) return false;
    for (const LimitNode* const node : pool->nodes) {
      for (std::size_t i = 0; i < permit_states; ++i) sums[node][i] += pool->count[i];
    }
  }
  return std::ranges::all_of(sums, [](const auto& sum) { return sum.first->count == sum.second; });
}

// Configuration.

void Budget::set_server(const std::string& name, const ServerTerms& terms, ring::Instant now,
                        BudgetActions& actions) {
  Server& server = servers_[name];
  server.terms = terms;
  if (server.instance == nullptr) {
    instances_.push_back(std::make_unique<Instance>());
    server.instance = instances_.back().get();
    server.instance->ceiling.name = name;
  }
  refresh_limits(*server.instance);
  settle(*server.instance, now, actions);
}

PoolId Budget::add_pool(const PoolTerms& terms, PoolBoard& board) {
  auto pool = std::make_unique<Pool>();
  pool->id = static_cast<PoolId>(pools_.size());
  pool->terms = terms;
  pool->board = &board;
  pools_.push_back(std::move(pool));
  attach(*pools_.back());
  return pools_.back()->id;
}

void Budget::set_pool(PoolId id, const PoolTerms& terms, ring::Instant now,
                      BudgetActions& actions) {
  Pool& pool = *pools_[id];
  Instance& before = *pool.instance;
  pool.terms = terms;
  attach(pool);
  if (pool.instance != &before) settle(before, now, actions);
  settle(*pool.instance, now, actions);
}

// Puts the pool where its terms and its server's instance say, with all it counts for.
void Budget::attach(Pool& pool) {
  for (LimitNode* const node : pool.nodes) {
    for (std::size_t i = 0; node != nullptr && i < permit_states; ++i)
      node->count[i] -= pool.count[i];
  }
  Instance* const before = pool.instance;
  if (before != nullptr) std::erase(before->pools, &pool);
  const auto server = servers_.find(pool.terms.server);
  POOLER_CHECK(server != servers_.end());
  Instance& instance = *server->second.instance;
  pool.instance = &instance;
  instance.pools.push_back(&pool);
  const auto node = [](std::map<std::string, LimitNode>& nodes, const std::string& name,
                       Reason reason) {
    LimitNode& found = nodes[name];
    found.reason = reason;
    found.name = name;
    return &found;
  };
  pool.nodes = {&instance.ceiling, node(instance.entries, pool.terms.database, Reason::database),
                node(instance.databases, pool.terms.dbname, Reason::database),
                node(instance.roles, pool.terms.role, Reason::role)};
  for (LimitNode* const each : pool.nodes) {
    for (std::size_t i = 0; i < permit_states; ++i) each->count[i] += pool.count[i];
  }
  refresh_limits(instance);
  if (before != nullptr && before != &instance) refresh_limits(*before);
}

// Requests and permits.

void Budget::ask(PoolId id, ring::Instant now, BudgetActions& actions) {
  settle(*pools_[id]->instance, now, actions);
}

void Budget::opened(PoolId id, ring::Instant now, BudgetActions& actions) {
  Pool& pool = *pools_[id];
  move(id, PermitState::opening, PermitState::open);
  pool.failures = 0;
  pool.retry_at = {};
  settle(*pool.instance, now, actions);
}

bool Budget::is_wanted(PoolId id) const {
  const Pool& pool = *pools_[id];
  return pool.held() <= pool.terms.size_min ||
         pool.board->totals().short_of() >= pool.of(PermitState::opening);
}

void Budget::closing(PoolId id, PermitState from) {
  Pool& pool = *pools_[id];
  move(id, from, PermitState::closing);
  pool.shed_since = pool.stuck_until = {};
  // One less is to be given up: what is computed next will know better, but that may be a while.
  if (const Count wanted = pool.board->to_shed(); wanted > 0) pool.board->set_to_shed(wanted - 1);
}

void Budget::lost(PoolId id, PermitState from, std::uint32_t pid, LostBy by, ring::Instant now) {
  move(id, from, PermitState::lost);
  pools_[id]->lost.push_back({.pid = pid, .since = now, .seen = now, .by = by});
  pools_[id]->instance->due = true;
  tick_at(now + times_.tick);
}

void Budget::returned(PoolId id, PermitState from, ring::Instant now, BudgetActions& actions) {
  add(*pools_[id], from, -1);
  settle(*pools_[id]->instance, now, actions);
}

bool Budget::claim_shed(PoolId id) {
  const Pool& pool = *pools_[id];
  if (pool.board->to_shed() == 0 || pool.of(PermitState::open) == 0) return false;
  closing(id, PermitState::open);
  return true;
}

ring::Duration Budget::jittered(ring::Duration time) {
  // Three quarters to five quarters: many pools that failed together do not come back together.
  const auto quarter = time.count() / 4;
  if (quarter == 0) return time;
  const auto range = static_cast<std::uint64_t>(quarter) * 2 + 1;
  return ring::Duration{time.count() - quarter + static_cast<std::int64_t>(random_() % range)};
}

void Budget::retry_now(PoolId id, ring::Instant now, BudgetActions& actions) {
  Pool& pool = *pools_[id];
  if (now >= pool.retry_at) return;
  pool.failures = 0;
  pool.retry_at = {};
  settle(*pool.instance, now, actions);
}

void Budget::failed(PoolId id, Failure failure, ring::Duration retry, ring::Instant now) {
  Pool& pool = *pools_[id];
  // Those that were opened together fail together: one failure, not as many as there were.
  if (now >= pool.retry_at) {
    ring::Duration wait = times_.backoff_min;
    for (Count n = 0; n < pool.failures && wait < times_.backoff_max; ++n) wait *= 2;
    wait = std::min(wait, times_.backoff_max);
    ++pool.failures;
    pool.retry_at = now + jittered(failure == Failure::other ? retry : wait);
  }
  Instance& instance = *pool.instance;
  LimitNode* node = nullptr;
  switch (failure) {
    case Failure::instance_full:
      node = pool.nodes[0];
      break;
    case Failure::database_full:
      node = pool.nodes[2];
      break;
    case Failure::role_full:
      node = pool.nodes[3];
      break;
    case Failure::full:
      break;
    case Failure::starting:
    case Failure::other:
      if (!instance.silent && instance.ceiling.count[index_of(PermitState::open)] == 0)
        instance.doubted_until = now + times_.backoff_max;
      break;
  }
  if (node != nullptr) {
    // What is open is what there is room for; one more is tried when the news is old.
    node->news = node->count[index_of(PermitState::open)];
    node->news_since = now;
    node->news_until = pool.retry_at;
  }
  tick_at(now + times_.tick);
}

void Budget::tick_at(ring::Instant when) {
  if (!next_tick_ || when < *next_tick_) next_tick_ = when;
}

}  // namespace pgring
