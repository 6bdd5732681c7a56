// B1, the permits, and B3.
#include "tests/simulation/budget/checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim::budget {

using pgring::PermitState;
using pgring::PoolId;

void Checks::fail(const std::string& kind, const std::string& text) {
  if (failure_) return;
  const double at = static_cast<double>(model_.now_.time_since_epoch().count()) / 1e6;
  failure_ = Failure{kind, fmt::format("{} at {:.6f} ms: {}\n{}", kind, at, text, state())};
}

// The counts, for whoever reads of a failure.
std::string Checks::state() const {
  std::string text;
  const auto add = [&](const pgring::LimitNode& node) {
    const auto limit = pgring::Budget::limit_of(node, model_.now_);
    text += fmt::format(" {}/{}", node.used(), limit ? fmt::to_string(*limit) : "-");
  };
  for (std::size_t id = 0; id < model_.pools_.size(); ++id) {
    const auto& its = pool(id);
    const auto board = its.board->totals();
    text += fmt::format(
        "  pool {}: {} opening, {} open, {} closing, {} lost; {} idle, {} waiting, {} inbound, {} "
        "to "
        "shed, {}; ceiling, entry, database, role",
        id, its.count[0], its.count[1], its.count[2], its.count[3], board.idle, board.waiting,
        board.inbound, its.board->to_shed(), name_of(its.reason));
    for (const auto* const node : its.nodes) add(*node);
    text += '\n';
  }
  return text;
}

const pgring::Budget::Pool& Checks::pool(std::size_t id) const {
  return model_.budget_.pool(static_cast<PoolId>(id));
}

void Checks::learned(const std::string& server, const pgring::ServerLimits& facts, Instant asked) {
  auto known = known_.find(server);
  if (known == known_.end()) {
    // By another name that told of the same start, if there is one. Names that were one stay it.
    std::size_t instance = told_.size();
    for (std::size_t i = 0; i < told_.size(); ++i) {
      if (told_[i].facts.id == facts.id) instance = i;
    }
    if (instance == told_.size()) told_.push_back({.facts = facts, .asked = asked});
    known = known_.emplace(server, instance).first;
  }
  // An answer to an earlier question says nothing new.
  if (asked < told_[known->second].asked) return;
  for (std::size_t i = 0; i < told_.size(); ++i) {
    if (told_[i].facts.id == facts.id) known->second = i;
  }
  auto& told = told_[known->second];
  if (asked >= told.asked) told = {.facts = facts, .asked = asked};
}

const pgring::ServerLimits* Checks::facts_of(PoolId id) const {
  const auto at = known_.find(pool(id).terms.server);
  return at == known_.end() ? nullptr : &told_[at->second].facts;
}

// The limits, computed anew.

bool Checks::same_ceiling(PoolId a, PoolId b) const {
  const auto& one = pool(a).terms.server;
  const auto& other = pool(b).terms.server;
  if (one == other) return true;
  const auto at = known_.find(one);
  const auto other_at = known_.find(other);
  return at != known_.end() && other_at != known_.end() && at->second == other_at->second;
}

Checks::Limit Checks::ceiling_of(PoolId id) const {
  const auto& name = pool(id).terms.server;
  // One, until the first login has told what there is.
  if (!known_.contains(name)) return 1;
  std::int64_t cap = no_limit;
  std::int64_t keep_free = 0;
  for (const auto& [other, terms] : model_.servers_) {
    const auto at = known_.find(other);
    if (at == known_.end() || at->second != known_.at(name)) continue;
    keep_free = std::max<std::int64_t>(keep_free, terms.keep_free);
    if (terms.max_connections) cap = std::min<std::int64_t>(cap, *terms.max_connections);
  }
  const auto* const facts = facts_of(id);
  const std::int64_t free = std::int64_t{facts->max_connections} - facts->superuser_reserved -
                            facts->reserved - keep_free - facts->others;
  return std::min(cap, std::max<std::int64_t>(free, 0));
}

Checks::Limit Checks::role_limit(PoolId id) const {
  const auto& terms = pool(id).terms;
  Limit limit;
  for (std::size_t other = 0; other < model_.pools_.size(); ++other) {
    const auto& its = pool(other).terms;
    if (its.role == terms.role && its.role_max && same_ceiling(id, static_cast<PoolId>(other)))
      limit = std::min<std::int64_t>(limit.value_or(no_limit), *its.role_max);
  }
  const auto* const facts = facts_of(id);
  if (facts == nullptr) return limit;
  const auto& role = facts->roles.at(terms.role);
  if (role.superuser || !role.limit) return limit;
  const auto others = facts->others_by_role.find(terms.role);
  const std::int64_t taken = others == facts->others_by_role.end() ? 0 : others->second;
  return std::min(limit.value_or(no_limit), std::max<std::int64_t>(*role.limit - taken, 0));
}

Checks::Limit Checks::database_limit(PoolId id) const {
  const auto& terms = pool(id).terms;
  const auto* const facts = facts_of(id);
  if (facts == nullptr || facts->roles.at(terms.role).superuser) return {};
  const auto& limit = facts->databases.at(terms.dbname);
  if (!limit) return {};
  const auto others = facts->others_by_database.find(terms.dbname);
  const std::int64_t taken = others == facts->others_by_database.end() ? 0 : others->second;
  return std::max<std::int64_t>(*limit - taken, 0);
}

template <class Same>
std::int64_t Checks::used_by(Same same) const {
  std::int64_t used = 0;
  for (std::size_t id = 0; id < model_.pools_.size(); ++id) {
    if (same(static_cast<PoolId>(id))) used += pool(id).used();
  }
  return used;
}

// With no connection alive nobody could ask what has changed, or which of the lost ones are gone: one may be
// tried. What PostgreSQL keeps for superusers stays out of reach (after_step).
bool Checks::is_probe(PoolId id, std::span<const pgring::BudgetAction> since) const {
  std::int64_t before = 0;
  for (std::size_t other = 0; other < model_.pools_.size(); ++other) {
    if (!same_ceiling(id, static_cast<PoolId>(other))) continue;
    before += pool(other).used() - pool(other).of(PermitState::lost);
  }
  for (const auto& action : since) {
    if (action.kind == pgring::BudgetAction::Kind::open && same_ceiling(id, action.pool)) --before;
  }
  return before == 0;
}

void Checks::issued(std::span<const pgring::BudgetAction> since) {
  const PoolId id = since.front().pool;
  for (const auto* const node : pool(id).nodes) issued_at_[node] = model_.now_;
  const auto& terms = pool(id).terms;
  const auto over = [](std::int64_t used, Limit limit) { return limit && used > *limit; };
  const std::int64_t all = used_by([&](PoolId other) { return same_ceiling(id, other); });
  const bool probe = is_probe(id, since);
  if (over(all, ceiling_of(id)) && !probe)
    fail("B1 ceiling", fmt::format("pool {}: {} of {}", id, all, *ceiling_of(id)));
  const std::int64_t role = used_by([&](PoolId other) {
    return same_ceiling(id, other) && pool(other).terms.role == terms.role;
  });
  if (over(role, role_limit(id)) && !probe)
    fail("B1 role", fmt::format("pool {}: {} of {}", id, role, *role_limit(id)));
  const auto same_database = [&](PoolId other) {
    return same_ceiling(id, other) && pool(other).terms.dbname == terms.dbname;
  };
  // Superusers may have come after it, in the same decision.
  const std::int64_t database =
      used_by(same_database) - std::ranges::count_if(since, [&](const auto& action) {
        return action.kind == pgring::BudgetAction::Kind::open && same_database(action.pool) &&
               model_.postgres_.is_superuser(pool(action.pool).terms.role);
      });
  if (over(database, database_limit(id)) && !probe)
    fail("B1 database", fmt::format("pool {}: {} of {}", id, database, *database_limit(id)));
  const std::int64_t entry = used_by([&](PoolId other) {
    return same_ceiling(id, other) && pool(other).terms.database == terms.database;
  });
  if (over(entry, terms.database_max) && !probe)
    fail("B1 entry", fmt::format("pool {}: {}", id, entry));
  const auto& cap = model_.servers_.at(terms.server).max_connections;
  if (over(all, cap) && !probe) fail("B1 cap", fmt::format("pool {}: {} of {}", id, all, *cap));
  const std::int64_t used = pool(id).sized();
  const std::int64_t oldest = pool(id).board->oldest();
  const bool reserve = oldest != pgring::PartBoard::nobody &&
                       Instant{Duration{oldest}} + terms.reserve_after <= model_.now_;
  if (used > terms.size + (reserve ? std::int64_t{terms.reserve} : 0) && !probe)
    fail("B1 pool", fmt::format("pool {}: {} of {}", id, used, terms.size));
}

void Checks::check_permits(PoolId id) {
  const auto& model = model_.pools_[id];
  for (const auto state : {PermitState::opening, PermitState::open, PermitState::closing}) {
    const auto at = static_cast<std::size_t>(state);
    if (pool(id).count[at] != model.permits[at])
      fail("permits", fmt::format("pool {} state {}: {} counted, {} are there", id, at,
                                  pool(id).count[at], model.permits[at]));
  }
  const auto real = model_.postgres_.used_by(id);
  if (real > pool(id).used())
    fail("slots", fmt::format("pool {} has {} permits and {} slots", id, pool(id).used(), real));
}

// B3.

void Checks::linked(const Client& client) {
  const PoolModel& model = model_.pools_[client.pool];
  const Duration bound = model_.setup_.order_slack + model_.setup_.rested +
                         2 * (model_.setup_.mail + model_.setup_.quiesce);
  for (std::uint32_t index = 0; index < model.parts.size(); ++index) {
    const Part& part = model.parts[index];
    const bool own = index == client.part;
    // Those a connection is on its way for are served already; more than so many are not promised at once.
    const std::size_t next = own ? 0 : model.board->part(index).inbound();
    if (part.paused || part.waiters.size() <= next || next >= pgring::PartBoard::shown) continue;
    const Client& other = model_.clients_[part.waiters[next]];
    // The boards tell times, so between parts those of one instant have no order.
    const bool before = own ? other.turn < client.turn : other.since + bound < client.since;
    if (before)
      fail("B3 order",
           fmt::format("pool {}: a client of part {} that came {} us later than one of part {} is "
                       "served before it",
                       client.pool, client.part, (client.since - other.since).count() / 1000,
                       index));
  }
}

// Under constant overload of all pools: no connection should belong to somebody else.
void Checks::check_shares() {
  const auto begin = model_.end_ - model_.setup_.calm / 4;
  if (!settled_ && model_.now_ >= begin) {
    settled_ = true;
    sheds_before_ = model_.sheds_;
    opened_before_ = 0;
    for (const auto& model : model_.pools_) opened_before_ += model.opened;
  }
}

// A name that could never log in, because another name of the instance, as far as anybody knows a server of its
// own, has all that a role or a database may have.
bool Checks::only_strangers_wait() const {
  return std::ranges::all_of(model_.clients_, [&](const Client& client) {
    return !client.waiting || !known_.contains(pool(client.pool).terms.server);
  });
}

void Checks::at_end() {
  if (!model_.setup_.overload) {
    for (std::size_t id = 0; id < model_.pools_.size(); ++id) {
      const auto& now = pool(id);
      const auto real = model_.postgres_.used_by(static_cast<PoolId>(id));
      if (now.used() != real || now.of(PermitState::open) != real)
        fail("quiet", fmt::format("pool {}: {} permits, {} open, {} slots", id, now.used(),
                                  now.of(PermitState::open), real));
      if (now.board->to_shed() != 0) fail("quiet", fmt::format("pool {} should shed", id));
      if (now.board->inbound() != 0) fail("quiet", fmt::format("pool {}: promises left", id));
    }
    return;
  }
  bool rotation = false;
  for (std::size_t needy = 0; needy < model_.pools_.size(); ++needy) {
    const auto& has_less = pool(needy);
    if (has_less.unmet() == 0) continue;
    rotation = rotation || has_less.held() == 0;
    for (std::size_t donor = 0; donor < model_.pools_.size(); ++donor) {
      const auto& has_more = pool(donor);
      if (donor == needy || has_more.held() <= has_more.terms.size_min) continue;
      if (!can_help(static_cast<PoolId>(needy), static_cast<PoolId>(donor))) continue;
      const std::int64_t a = std::int64_t{has_more.held()} - 1;
      const std::int64_t b = std::int64_t{has_less.held()} + 1;
      if (a * has_less.terms.weight >= b * has_more.terms.weight)
        fail("B3 shares",
             fmt::format("pool {} waits with {} (weight {}), pool {} has {} (weight {})", needy,
                         has_less.held(), has_less.terms.weight, donor, has_more.held(),
                         has_more.terms.weight));
    }
  }
  std::uint64_t opened = 0;
  for (const auto& model : model_.pools_) opened += model.opened;
  if (!rotation && (model_.sheds_ != sheds_before_ || opened != opened_before_))
    fail("B3 ping-pong", fmt::format("{} given up, {} opened, and nothing changed outside",
                                     model_.sheds_ - sheds_before_, opened - opened_before_));
}

void Checks::after_step() {
  const auto& postgres = model_.postgres_;
  watches_.resize(model_.pools_.size());
  if (model_.now_ != moment_) {
    moment_ = model_.now_;
    steps_at_moment_ = 0;
  }
  if (++steps_at_moment_ > 100'000) fail("livelock", "no time passes");
  if (model_.now_ > model_.end_ + model_.work_ + std::chrono::minutes{1} && !only_strangers_wait())
    fail("over", fmt::format("{} clients are not served to the end", model_.clients_left_));
  if (model_.steps_ % 16 == 0 && !model_.budget_.consistent()) fail("consistent", "it is not");
  if (std::ranges::any_of(told_,
                          [&](const Told& told) {
                            return told.facts.id.started_us ==
                                   static_cast<std::int64_t>(postgres.starts());
                          }) &&
      // A name that has told nothing yet has one permit, whatever others of the instance have.
      postgres.used_by_us() > postgres.for_everybody() + model_.servers_.size() - known_.size())
    fail("B1 reserved", fmt::format("{} of {}", postgres.used_by_us(), postgres.for_everybody()));
  for (PoolId id = 0; id < model_.pools_.size(); ++id) {
    check_permits(id);
    check_reason(id);
    check_unused(id);
    check_evictable(id);
    check_served(id);
  }
  if (model_.setup_.overload) check_shares();
}

}  // namespace sim::budget
