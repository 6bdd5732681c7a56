// B2: nobody waits without a reason that is true and ends.
#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/budget/checks.h"

namespace sim::budget {

using pgring::Budget;
using pgring::PermitState;
using pgring::PoolId;
using pgring::Reason;

namespace {

bool is_full(const pgring::LimitNode& node, Instant now) {
  const auto limit = Budget::limit_of(node, now);
  return limit && node.used() >= *limit;
}

}  // namespace

void Checks::check_reason(PoolId id) {
  const auto& needs = pool(id);
  Watch& watch = watches_[id];
  const Instant now = model_.now_;
  const bool waiting = needs.board->waiting() > 0;
  const Reason reason = waiting ? model_.budget_.reason(id, now) : Reason::opening;
  const auto full = [&](std::size_t index) { return is_full(*needs.nodes[index], now); };
  bool holds = true;
  switch (reason) {
    case Reason::ceiling:
      holds = full(0);
      break;
    case Reason::database:
      holds = full(1) || (full(2) && !needs.superuser);
      break;
    case Reason::role:
      holds = full(3);
      break;
    case Reason::hysteresis:
      holds = full(0) || full(1) || full(2) || full(3);
      break;
    case Reason::server:
      holds = !needs.instance->limits || now < needs.instance->doubted_until;
      break;
    case Reason::pool:
      holds = needs.sized() >= needs.terms.size + needs.terms.reserve;
      break;
    case Reason::reserve:
      holds = needs.sized() >= needs.terms.size;
      break;
    case Reason::burst:
      holds = needs.of(PermitState::opening) > 0;
      break;
    case Reason::backoff:
      holds = now < needs.retry_at;
      break;
    case Reason::none:
    case Reason::opening:
    case Reason::moving:
      break;
  }
  // Nothing stops it: the part asks at its next look.
  if (reason != Reason::none) watch.free_since = now;
  if (!holds || now - watch.free_since > ask_interval + seek_interval)
    fail("B2 reason", fmt::format("pool {}: {} waiters, and what stops them is said to be '{}'", id,
                                  needs.unmet(), name_of(reason)));
}

// A waiter and an idle connection of the same pool.
void Checks::check_unused(PoolId id) {
  const auto& board = *model_.pools_[id].board;
  std::int64_t idle = pgring::PartBoard::nobody;
  for (std::uint32_t part = 0; part < board.size(); ++part) {
    if (!model_.pools_[id].parts[part].paused) idle = std::min(idle, board.part(part).idle_since());
  }
  const std::int64_t both = std::max(idle, board.oldest());
  if (both == pgring::PartBoard::nobody) return;
  const Duration bound = seek_interval + model_.setup_.rested + model_.setup_.order_slack +
                         2 * (model_.setup_.mail + model_.setup_.quiesce);
  if (model_.now_ - Instant{Duration{both}} > bound)
    fail("B2 unused", fmt::format("pool {}: a waiter and an idle connection for {} us", id,
                                  (model_.now_ - Instant{Duration{both}}).count() / 1000));
}

// Whether a connection less of `donor` would let `needy` have one.
bool Checks::can_help(PoolId needy, PoolId donor) const {
  const auto& needs = pool(needy);
  if (needs.sized() >= Budget::allowed(needs, model_.now_)) return false;
  const auto& mine = needs.nodes;
  const auto& its = pool(donor).nodes;
  bool full = false;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    if (!is_full(*mine[i], model_.now_)) continue;
    if (!needs.is_bound(i)) continue;
    full = true;
    const std::int64_t limit = *Budget::limit_of(*mine[i], model_.now_);
    const std::int64_t lost = mine[i]->count[static_cast<std::size_t>(PermitState::lost)];
    if (mine[i] != its[i] || limit <= lost || mine[i]->used() > limit) return false;
  }
  return full;
}

// An idle connection of another pool, at a limit where somebody waits.
void Checks::check_evictable(PoolId id) {
  const auto& needs = pool(id);
  auto& since = watches_[id].evictable_since;
  const bool unmet = needs.unmet() > 0 && model_.now_ >= needs.retry_at;
  if (!unmet) return since.clear();
  since.resize(model_.pools_.size(), Instant::max());
  const Duration bound = model_.budget_.times().hysteresis + 3 * seek_interval +
                         4 * model_.setup_.mail + 4 * model_.setup_.network + model_.closing_max_ +
                         model_.setup_.login;
  Instant issued{};
  for (const auto* const node : needs.nodes) {
    const auto at = issued_at_.find(node);
    if (is_full(*node, model_.now_) && at != issued_at_.end())
      issued = std::max(issued, at->second);
  }
  for (PoolId donor = 0; donor < model_.pools_.size(); ++donor) {
    const auto& has = pool(donor);
    const bool evictable = donor != id && has.board->waiting() == 0 && has.board->idle() > 0 &&
                           !model_.pools_[donor].parts[0].paused &&
                           (has.held() > has.terms.size_min || needs.held() == 0) &&
                           can_help(id, donor);
    if (!evictable) {
      since[donor] = Instant::max();
      continue;
    }
    // All this time it has been idle, of use here, and nobody has been given anything.
    since[donor] = std::min(since[donor], model_.now_);
    const Instant idle{Duration{has.board->idle_since()}};
    if (model_.now_ - std::max({since[donor], idle, issued}) > bound)
      fail("B2 evictable",
           fmt::format("pool {} waits ({}), pool {} has had an idle connection for {} ms", id,
                       name_of(needs.reason), donor, (model_.now_ - idle).count() / 1000000));
  }
}

// What no budget can help: time does not count.
bool Checks::is_excused(PoolId id) const {
  const auto& model = model_.pools_[id];
  const auto& postgres = model_.postgres_;
  if (postgres.state != Postgres::State::up || model.parts[0].paused) return true;
  for (const auto* const node : pool(id).nodes) {
    const auto lost = node->count[static_cast<std::size_t>(PermitState::lost)];
    if (node->limit && *node->limit <= lost) return true;
  }
  return pool(id).held() == 0 && !postgres.has_room(model.role, model.database);
}

// Somebody of every pool is served from time to time.
void Checks::check_served(PoolId id) {
  Watch& watch = watches_[id];
  const auto& model = model_.pools_[id];
  const bool waiting = pool(id).board->waiting() > 0;
  if (!waiting || !watch.waiting || is_excused(id)) watch.waiting_since = model_.now_;
  watch.waiting = waiting;
  if (!waiting) return;
  const Instant since = std::max(watch.waiting_since, model.served_at);
  const auto& times = model_.budget_.times();
  const auto pools = static_cast<std::int64_t>(model_.pools_.size());
  const Duration turn = times.hysteresis + model_.length_max_ + model_.closing_max_ +
                        model_.setup_.login + 4 * model_.setup_.network + 4 * model_.setup_.mail +
                        2 * seek_interval;
  const Duration bound =
      (pools + 1) * turn + 2 * times.backoff_max + 2 * facts_interval + 2 * maintain_interval;
  if (model_.now_ - since > bound)
    fail("B2 served",
         fmt::format("pool {}: nobody served for {} ms; the reason given is '{}'", id,
                     (model_.now_ - since).count() / 1000000, name_of(pool(id).reason)));
}

}  // namespace sim::budget
