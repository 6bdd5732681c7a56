#include "src/budget/shares.h"

#include <algorithm>

namespace pgring {
namespace {

// The narrowest limit first: who gives for it gives for those above it too.
constexpr std::size_t narrowest_first[] = {3, 2, 1, 0};

std::int64_t number_of(std::optional<Count> limit) {
  constexpr std::int64_t unlimited = std::int64_t{1} << 40;
  return limit ? std::int64_t{*limit} : unlimited;
}

ring::Instant instant(std::int64_t count) { return ring::Instant{ring::Duration{count}}; }

}  // namespace

Shares::Shares(std::span<Demand> demands, const BudgetTimes& times, ring::Instant now,
               std::uint64_t plan)
    : times_{times}, now_{now}, plan_{plan} {
  states_.reserve(demands.size());
  for (Demand& demand : demands) states_.push_back({.demand = &demand, .pool = demand.pool});
}

bool Shares::is_relievable(Reason reason) {
  return reason == Reason::ceiling || reason == Reason::database || reason == Reason::role;
}

bool Shares::before(const Demand& a, const Demand& b) {
  const std::uint64_t share_a = std::uint64_t{a.pool->held()} * b.pool->terms.weight;
  const std::uint64_t share_b = std::uint64_t{b.pool->held()} * a.pool->terms.weight;
  if (share_a != share_b) return share_a < share_b;
  if (a.pool->gained != b.pool->gained) return a.pool->gained < b.pool->gained;
  return a.board.oldest < b.board.oldest;
}

bool Shares::is_larger(const State& a, const State& b) {
  return a.held() * b.pool->terms.weight > b.held() * a.pool->terms.weight;
}

bool Shares::is_bound(const State& state, const LimitNode& node) {
  const auto& nodes = state.pool->nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] == &node) return state.pool->is_bound(i);
  }
  return false;
}

bool Shares::is_needed() const {
  return std::ranges::any_of(states_, [](const State& state) {
    const auto& pool = *state.pool;
    if (state.demand->unmet > 0 && is_relievable(pool.reason)) return true;
    if (pool.held() > pool.terms.size + pool.terms.reserve) return true;
    return pool.of(PermitState::open) > 0 &&
           std::ranges::any_of(pool.nodes, [](const LimitNode* node) {
             return node->limit && node->used() > *node->limit;
           });
  });
}

void Shares::plan() {
  count_room();
  shrink_excess();
  // News of a refusal closes nothing that is open, but there is no room behind it.
  for (LimitNode* const node : nodes_) {
    node->room += number_of(Budget::limit_of(*node, now_)) - number_of(node->limit);
  }
  relieve();
}

void Shares::count_room() {
  constexpr auto closing = static_cast<std::size_t>(PermitState::closing);
  for (const State& state : states_) {
    for (std::size_t i = 0; i < state.pool->nodes.size(); ++i) {
      LimitNode& node = *state.pool->nodes[i];
      if (node.plan != plan_) {
        node.plan = plan_;
        node.exempt = 0;
        node.room = number_of(node.limit) - node.used() + node.count[closing];
        nodes_.push_back(&node);
      }
      if (!state.pool->is_bound(i)) node.exempt += state.pool->used() - state.pool->count[closing];
    }
  }
}

void Shares::change_room(const State& state, int change) {
  for (std::size_t i = 0; i < state.pool->nodes.size(); ++i) {
    state.pool->nodes[i]->room += change;
    if (!state.pool->is_bound(i)) state.pool->nodes[i]->exempt -= change;
  }
}

void Shares::give_one(State& donor) {
  change_room(donor, +1);
  ++donor.give;
}

bool Shares::is_stuck(const State& state) const { return now_ < state.pool->stuck_until; }

// 0: it can give one at once; 1: when one is released; 2: that did not come about.
int Shares::unready(const State& state) const {
  if (state.has_unused()) return 0;
  return is_stuck(state) ? 2 : 1;
}

// Whose connection is missed least: idle ones first, then of the largest share.
Shares::State* Shares::largest(const LimitNode& node) {
  State* best = nullptr;
  for (State& state : states_) {
    if (state.left() == 0 || !is_bound(state, node)) continue;
    if (best == nullptr || unready(state) < unready(*best) ||
        (unready(state) == unready(*best) && is_larger(state, *best)))
      best = &state;
  }
  return best;
}

// Where lost ones are part of the excess: the last one that is open, which can ask whether they are gone.
bool Shares::is_needed_to_ask(const LimitNode& node) const {
  if (node.count[static_cast<std::size_t>(PermitState::lost)] == 0) return false;
  Count left = 0;
  for (const State& state : states_) {
    if (std::ranges::find(state.pool->nodes, &node) != state.pool->nodes.end())
      left += state.left();
  }
  return left <= 1;
}

void Shares::shrink_excess() {
  for (State& state : states_) {
    const auto& terms = state.pool->terms;
    while (state.left() > 0 && state.held() > std::int64_t{terms.size} + terms.reserve)
      give_one(state);
  }
  for (const LimitNode* const node : nodes_) {
    // Those it does not bind do not take from the others.
    while (node->room + node->exempt < 0 && !is_needed_to_ask(*node)) {
      State* const donor = largest(*node);
      if (donor == nullptr) break;
      give_one(*donor);
    }
  }
}

void Shares::relieve() {
  for (State& state : states_) {
    state.settled =
        state.demand->unmet == 0 || state.give > 0 || !is_relievable(state.pool->reason);
  }
  for (;;) {
    State* next = nullptr;
    for (State& state : states_) {
      if (state.settled || state.give > 0 || state.get >= state.demand->unmet ||
          state.pool->sized() + state.get >= state.demand->allowed)
        continue;
      if (next == nullptr || is_larger(*next, state) ||
          (!is_larger(state, *next) && before(*state.demand, *next->demand)))
        next = &state;
    }
    if (next == nullptr) return;
    if (!help(*next)) next->settled = true;
  }
}

// Makes room for one more connection of this pool at all its limits. False: impossible now.
bool Shares::help(State& needy) {
  std::vector<State*> donors;
  const auto undo = [&] {
    for (State* const donor : donors) {
      change_room(*donor, -1);
      --donor->give;
    }
    return false;
  };
  for (const std::size_t index : narrowest_first) {
    const LimitNode& node = *needy.pool->nodes[index];
    // Once as a rule; a limit that some are exempt from may be exceeded.
    while (node.room <= 0 && needy.pool->is_bound(index)) {
      const Choice choice = choose_donor(needy, node);
      if (choice.donor == nullptr) {
        if (needy.get == 0 && choice.too_fresh) needy.pool->reason = Reason::hysteresis;
        return undo();
      }
      give_one(*choice.donor);
      donors.push_back(choice.donor);
    }
  }
  change_room(needy, -1);
  ++needy.get;
  return true;
}

constexpr int rank_none = 3;

// How little a connection of `donor` is missed: 0 unused, 1 of a larger share, 2 it is the other's turn.
int Shares::rank(const State& needy, bool patient, State& donor, bool& too_fresh) const {
  const std::int64_t held = donor.held();
  const std::int64_t needy_held = needy.held();
  const bool over_share =
      (held - 1) * needy.pool->terms.weight >= (needy_held + 1) * donor.pool->terms.weight;
  const bool above_min = held - 1 >= std::int64_t{donor.pool->terms.size_min} || needy_held == 0;
  const bool unused = donor.has_unused();
  const std::int64_t since = donor.demand->board.idle_since;
  const bool rested =
      unused && since != PartBoard::nobody && instant(since) + times_.hysteresis <= now_;
  if (above_min && unused && (over_share || rested)) return 0;
  if (above_min && over_share) return 1;
  if (patient && donor.pool->gained + times_.hysteresis <= now_) return 2;
  if ((above_min && unused) || needy_held == 0) too_fresh = true;
  return rank_none;
}

Shares::Choice Shares::choose_donor(const State& needy, const LimitNode& node) {
  Choice choice;
  int best = 2 * rank_none;
  const std::int64_t oldest = needy.demand->board.oldest;
  const bool patient = needy.held() == 0 && oldest != PartBoard::nobody &&
                       instant(oldest) + times_.hysteresis <= now_;
  for (State& state : states_) {
    if (&state == &needy || state.left() == 0 || state.get > 0) continue;
    if (std::ranges::find(state.pool->nodes, &node) == state.pool->nodes.end()) continue;
    const int rank_of_it = rank(needy, patient, state, choice.too_fresh);
    const int its = 2 * rank_of_it + (is_stuck(state) ? 1 : 0);
    if (rank_of_it == rank_none || its > best) continue;
    const bool better =
        its < best || is_larger(state, *choice.donor) ||
        (!is_larger(*choice.donor, state) && state.pool->gained < choice.donor->pool->gained);
    if (!better) continue;
    best = its;
    choice.donor = &state;
  }
  return choice;
}

}  // namespace pgring
