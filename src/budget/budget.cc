#include "src/budget/budget.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/budget/shares.h"

namespace pgring {
namespace {

// Connections of one pool that may be opening at once, over all shards.
constexpr Count opening_max = 8;

constexpr std::size_t index_of(PermitState state) { return static_cast<std::size_t>(state); }

Count minus(Count from, std::uint64_t what) {
  return what >= from ? 0 : from - static_cast<Count>(what);
}

std::optional<Count> smaller(std::optional<Count> a, std::optional<Count> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

Count others_at(const std::map<std::string, Count>& by_name, const std::string& name) {
  const auto at = by_name.find(name);
  return at == by_name.end() ? 0 : at->second;
}

}  // namespace

Budget::Budget(std::uint64_t seed, const BudgetTimes& times) : times_{times}, random_{seed} {}

Budget::~Budget() = default;

Count Budget::Pool::unmet() const {
  const std::uint64_t coming =
      std::uint64_t{of(PermitState::opening)} + board->inbound() + board->idle();
  const Count waiting = board->waiting();
  return coming >= waiting ? 0 : waiting - static_cast<Count>(coming);
}

std::optional<Count> Budget::limit_of(const LimitNode& node, ring::Instant now) {
  return node.news && now < node.news_until ? smaller(node.limit, node.news) : node.limit;
}

Count Budget::allowed(const Pool& pool, ring::Instant now) {
  const std::int64_t oldest = pool.board->oldest();
  const bool long_waited = oldest != PartBoard::nobody &&
                           ring::Instant{ring::Duration{oldest}} + pool.terms.reserve_after <= now;
  return pool.terms.size + (long_waited ? pool.terms.reserve : 0);
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
  settle(now, actions);
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
  pool.terms = terms;
  attach(pool);
  settle(now, actions);
}

// Puts the pool where its terms and its server's instance say, with all it counts for.
void Budget::attach(Pool& pool) {
  for (LimitNode* const node : pool.nodes) {
    for (std::size_t i = 0; node != nullptr && i < permit_states; ++i)
      node->count[i] -= pool.count[i];
  }
  const auto server = servers_.find(pool.terms.server);
  POOLER_CHECK(server != servers_.end());
  Instance& instance = *server->second.instance;
  pool.instance = &instance;
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
  pool.nodes[1]->limit = pool.terms.database_max;
  refresh_limits(instance);
}

// The instance's servers' own terms and what it said of itself, made into limits.
void Budget::refresh_limits(Instance& instance) {
  instance.cap.reset();
  instance.keep_free = 0;
  for (const auto& [name, server] : servers_) {
    if (server.instance != &instance) continue;
    instance.cap = smaller(instance.cap, server.terms.max_connections);
    instance.keep_free = std::max(instance.keep_free, server.terms.keep_free);
  }
  instance.ceiling.limit = instance.cap;
  for (auto& [name, node] : instance.roles) {
    node.limit.reset();
    for (const auto& pool : pools_) {
      if (pool->nodes[3] == &node) node.limit = smaller(node.limit, pool->terms.role_max);
    }
  }
  if (!instance.limits) return;
  const ServerLimits& said = *instance.limits;
  const auto free =
      minus(said.max_connections, std::uint64_t{said.superuser_reserved} + said.reserved +
                                      instance.keep_free + said.others);
  instance.ceiling.limit = smaller(instance.cap, free);
  for (auto& [name, node] : instance.databases) {
    node.limit.reset();
    const auto found = said.databases.find(name);
    if (found != said.databases.end() && found->second)
      node.limit = minus(*found->second, others_at(said.others_by_database, name));
  }
  for (auto& [name, node] : instance.roles) {
    const auto found = said.roles.find(name);
    if (found != said.roles.end() && found->second.limit && !found->second.superuser) {
      node.limit =
          smaller(node.limit, minus(*found->second.limit, others_at(said.others_by_role, name)));
    }
  }
}

// A server has told which instance it is: all names of one instance share its budget.
void Budget::join(Server& server, const InstanceId& id) {
  if (server.instance->id == id) return;
  Instance* target = nullptr;
  for (const auto& instance : instances_) {
    if (instance->id == id) target = instance.get();
  }
  Instance* const left = server.instance;
  const bool shared = std::ranges::any_of(servers_, [&](const auto& other) {
    return &other.second != &server && other.second.instance == left;
  });
  if (target == nullptr && !shared) {
    left->id = id;  // the first login, or it was started again
    return;
  }
  if (target == nullptr) {
    instances_.push_back(std::make_unique<Instance>());
    target = instances_.back().get();
    target->id = id;
    target->ceiling.name = left->ceiling.name;
  }
  server.instance = target;
  for (const auto& pool : pools_) {
    if (&servers_.at(pool->terms.server) == &server) attach(*pool);
  }
  refresh_limits(*left);
  if (!shared) std::erase_if(instances_, [left](const auto& each) { return each.get() == left; });
}

// Requests and permits.

void Budget::ask(PoolId, ring::Instant now, BudgetActions& actions) { settle(now, actions); }

void Budget::opened(PoolId id, ring::Instant now, BudgetActions& actions) {
  Pool& pool = *pools_[id];
  move(id, PermitState::opening, PermitState::open);
  pool.failures = 0;
  pool.retry_at = {};
  settle(now, actions);
}

void Budget::closing(PoolId id, PermitState from) { move(id, from, PermitState::closing); }

void Budget::lost(PoolId id, PermitState from, std::uint32_t pid, ring::Instant now) {
  move(id, from, PermitState::lost);
  pools_[id]->lost.push_back({pid, now});
  if (!next_tick_) next_tick_ = now + times_.tick;
}

void Budget::returned(PoolId id, PermitState from, ring::Instant now, BudgetActions& actions) {
  add(*pools_[id], from, -1);
  settle(now, actions);
}

bool Budget::claim_shed(PoolId id) {
  Pool& pool = *pools_[id];
  const Count wanted = pool.board->to_shed();
  if (wanted == 0 || pool.of(PermitState::open) == 0) return false;
  pool.board->set_to_shed(wanted - 1);
  move(id, PermitState::open, PermitState::closing);
  return true;
}

ring::Duration Budget::jittered(ring::Duration time) {
  // Three quarters to five quarters: many pools that failed together do not come back together.
  const auto quarter = time.count() / 4;
  if (quarter == 0) return time;
  const auto range = static_cast<std::uint64_t>(quarter) * 2 + 1;
  return ring::Duration{time.count() - quarter + static_cast<std::int64_t>(random_() % range)};
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
    case Failure::starting:
    case Failure::other:
      break;
  }
  if (node != nullptr) {
    // What is open is what there is room for; one more is tried when the news is old.
    node->news = node->count[index_of(PermitState::open)];
    node->news_until = pool.retry_at;
  }
  if (!next_tick_) next_tick_ = now + times_.tick;
}

// What servers say.

void Budget::learned(const std::string& name, const ServerLimits& limits,
                     std::span<const std::uint32_t> alive, ring::Instant asked, ring::Instant now,
                     BudgetActions& actions) {
  const auto at = servers_.find(name);
  if (at == servers_.end())
    return;  // taken out of the configuration meanwhile: nothing is due to it
  Server& server = at->second;
  const bool restarted = server.instance->id.has_value() && server.instance->id != limits.id;
  join(server, limits.id);
  Instance& instance = *server.instance;
  instance.limits = limits;
  instance.learned = now;
  refresh_limits(instance);
  const auto old_news = [](LimitNode& node) { node.news.reset(); };
  old_news(instance.ceiling);
  for (auto& [key, node] : instance.databases) old_news(node);
  for (auto& [key, node] : instance.roles) old_news(node);
  return_lost(server, alive, asked, now, restarted);
  settle(now, actions);
}

void Budget::return_lost(const Server& server, std::span<const std::uint32_t> alive,
                         ring::Instant asked, ring::Instant now, bool restarted) {
  for (const auto& pool : pools_) {
    if (pool->instance != server.instance) continue;
    const bool own = &servers_.at(pool->terms.server) == &server;
    std::erase_if(pool->lost, [&](const Pool::Lost& lost) {
      // Lost after the question was asked: the answer says nothing of it.
      const bool seen = lost.since >= asked || std::ranges::binary_search(alive, lost.pid);
      const bool over = (restarted && own) || !seen || now - lost.since >= times_.lost_max;
      if (over) add(*pool, PermitState::lost, -1);
      return over;
    });
  }
}

void Budget::forget_old_lost(ring::Instant now) {
  for (const auto& pool : pools_) {
    std::erase_if(pool->lost, [&](const Pool::Lost& lost) {
      const bool over = now - lost.since >= times_.lost_max;
      if (over) add(*pool, PermitState::lost, -1);
      return over;
    });
  }
}

void Budget::tick(ring::Instant now, BudgetActions& actions) {
  forget_old_lost(now);
  settle(now, actions);
}

// Decisions.

Reason Budget::stopped_by(const Pool& pool, ring::Instant now) const {
  const Instance& instance = *pool.instance;
  const auto& all = instance.ceiling.count;
  const Count alive = all[index_of(PermitState::opening)] + all[index_of(PermitState::open)] +
                      all[index_of(PermitState::closing)];
  if (now < pool.retry_at) return Reason::backoff;
  if (!instance.limits && alive > 0) return Reason::server;
  if (pool.of(PermitState::opening) >= opening_max) return Reason::burst;
  if (pool.sized() >= allowed(pool, now)) {
    return pool.sized() < pool.terms.size + pool.terms.reserve ? Reason::reserve : Reason::pool;
  }
  for (const LimitNode* const node : pool.nodes) {
    const auto limit = limit_of(*node, now);
    if (!limit || node->used() < *limit) continue;
    // With none alive nobody could ever ask which of the lost ones are gone: one more, out of what is
    // kept free for others, but not out of what PostgreSQL reserves.
    if (node == &instance.ceiling && alive == 0 && node->used() > 0 && instance.limits &&
        node->used() <
            minus(instance.limits->max_connections,
                  std::uint64_t{instance.limits->superuser_reserved} + instance.limits->reserved) &&
        (!instance.cap || node->used() < *instance.cap))
      continue;
    return node->reason;
  }
  return Reason::none;
}

void Budget::issue(Pool& pool, ring::Instant now, BudgetActions& actions) {
  const auto part = pool.board->hungriest(pool.turn);
  POOLER_CHECK(part.has_value());
  pool.turn = *part + 1;
  pool.gained = now;
  add(pool, PermitState::opening, +1);
  actions.push_back({.kind = BudgetAction::Kind::open, .pool = pool.id, .part = *part});
}

void Budget::settle(ring::Instant now, BudgetActions& actions) {
  // Waiters first; connections that are only to be kept ready take what is left.
  const auto serve = [&](auto need) {
    for (;;) {
      Pool* next = nullptr;
      for (const auto& pool : pools_) {
        if (need(*pool) == 0) continue;
        pool->reason = stopped_by(*pool, now);
        if (pool->reason != Reason::none || !pool->board->hungriest(0)) continue;
        if (next == nullptr || Shares::before(*pool, *next)) next = pool.get();
      }
      if (next == nullptr) return;
      issue(*next, now, actions);
    }
  };
  for (const auto& pool : pools_) pool->reason = Reason::none;
  serve([](const Pool& pool) { return pool.unmet(); });
  serve([](const Pool& pool) { return pool.unmet() > 0 ? 0 : pool.below_min(); });

  bool due = false;
  for (const auto& instance : instances_) {
    std::vector<Pool*> pools;
    for (const auto& pool : pools_) {
      if (pool->instance == instance.get()) pools.push_back(pool.get());
    }
    Shares shares{pools, times_, now};
    shares.plan();
    for (std::size_t i = 0; i < pools.size(); ++i) {
      Pool& pool = *pools[i];
      const Count shed = shares.to_shed(i);
      pool.board->set_to_shed(shed);
      due = due || shed > 0 || pool.unmet() > 0 || pool.below_min() > 0 || !pool.lost.empty();
      for (std::uint32_t part = 0; shed > 0 && part < pool.board->size(); ++part) {
        if (pool.board->part(part).idle() > 0)
          actions.push_back({.kind = BudgetAction::Kind::shed, .pool = pool.id, .part = part});
      }
    }
  }
  next_tick_ = due ? std::optional{now + times_.tick} : std::nullopt;
}

}  // namespace pgring
