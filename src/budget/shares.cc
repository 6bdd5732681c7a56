#include "src/budget/shares.h"

#include <algorithm>

namespace pgring {
namespace {

constexpr std::int64_t unlimited = std::int64_t{1} << 40;

bool is_relievable(Reason reason) {
  return reason == Reason::ceiling || reason == Reason::database || reason == Reason::role;
}

ring::Instant instant(std::int64_t count) { return ring::Instant{ring::Duration{count}}; }

}  // namespace

Shares::Shares(std::span<Budget::Pool* const> pools, const BudgetTimes& times, ring::Instant now)
    : times_{times}, now_{now} {
  states_.reserve(pools.size());
  for (Budget::Pool* const pool : pools) {
    states_.push_back(
        {.pool = pool, .idle = pool->board->idle(), .waiting = pool->board->waiting()});
  }
}

bool Shares::before(const Budget::Pool& a, const Budget::Pool& b) {
  const std::uint64_t share_a = std::uint64_t{a.held()} * b.terms.weight;
  const std::uint64_t share_b = std::uint64_t{b.held()} * a.terms.weight;
  if (share_a != share_b) return share_a < share_b;
  if (a.gained != b.gained) return a.gained < b.gained;
  return a.board->oldest() < b.board->oldest();
}

bool Shares::at(const Budget::Pool& pool, const LimitNode& node) {
  return std::ranges::find(pool.nodes, &node) != pool.nodes.end();
}

std::int64_t& Shares::room(const LimitNode& node) {
  const auto [at, made] = room_.try_emplace(&node, unlimited);
  if (made) {
    if (const auto limit = Budget::limit_of(node, now_)) {
      const Count closing = node.count[static_cast<std::size_t>(PermitState::closing)];
      at->second = std::int64_t{*limit} - node.used() + closing;
    }
  }
  return at->second;
}

void Shares::give_one(State& donor) {
  for (const LimitNode* const node : donor.pool->nodes) ++room(*node);
  ++donor.give;
}

void Shares::plan() {
  shrink_excess();
  relieve();
}

// Whose connection is missed least: idle ones first, then of the largest share.
Shares::State* Shares::largest(const LimitNode& node) {
  State* best = nullptr;
  const auto is_idle = [](const State& state) {
    return state.waiting == 0 && state.idle > state.give;
  };
  for (State& state : states_) {
    if (!at(*state.pool, node) || state.left() == 0) continue;
    if (best == nullptr || is_idle(state) > is_idle(*best) ||
        (is_idle(state) == is_idle(*best) &&
         state.held() * best->pool->terms.weight > best->held() * state.pool->terms.weight))
      best = &state;
  }
  return best;
}

void Shares::shrink_excess() {
  for (State& state : states_) {
    const auto& terms = state.pool->terms;
    while (state.left() > 0 && state.held() > std::int64_t{terms.size} + terms.reserve)
      give_one(state);
  }
  for (const State& state : states_) {
    for (const LimitNode* const node : state.pool->nodes) {
      while (room(*node) < 0) {
        State* const donor = largest(*node);
        if (donor == nullptr) break;
        give_one(*donor);
      }
    }
  }
}

void Shares::relieve() {
  for (State& state : states_)
    state.settled = !is_relievable(state.pool->reason) || state.pool->unmet() == 0;
  for (;;) {
    State* next = nullptr;
    for (State& state : states_) {
      if (state.settled || state.get >= state.pool->unmet() ||
          state.pool->sized() + state.get >= Budget::allowed(*state.pool, now_))
        continue;
      const auto share = [](const State& of, const State& other) {
        return of.held() * other.pool->terms.weight;
      };
      if (next == nullptr || share(state, *next) < share(*next, state) ||
          (share(state, *next) == share(*next, state) && before(*state.pool, *next->pool)))
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
      for (const LimitNode* const node : donor->pool->nodes) --room(*node);
      --donor->give;
    }
    return false;
  };
  for (const LimitNode* const node : needy.pool->nodes) {
    if (room(*node) > 0) continue;
    const Choice choice = choose_donor(needy, *node);
    if (choice.donor == nullptr) {
      if (needy.get == 0) needy.pool->reason = choice.too_fresh ? Reason::hysteresis : node->reason;
      return undo();
    }
    give_one(*choice.donor);
    donors.push_back(choice.donor);
    // With a limit that is exceeded still, nobody gets anything: the excess goes first.
    if (room(*node) <= 0) return undo();
  }
  for (const LimitNode* const node : needy.pool->nodes) --room(*node);
  ++needy.get;
  return true;
}

Shares::Choice Shares::choose_donor(const State& needy, const LimitNode& node) {
  Choice choice;
  int best_rank = 3;
  const std::int64_t needy_held = needy.held();
  const bool needy_patient = needy_held == 0 && needy.pool->board->oldest() != PartBoard::nobody &&
                             instant(needy.pool->board->oldest()) + times_.hysteresis <= now_;
  for (State& state : states_) {
    if (&state == &needy || !at(*state.pool, node) || state.left() == 0 || state.get > 0) continue;
    const std::int64_t held = state.held();
    const bool over_share =
        (held - 1) * needy.pool->terms.weight >= (needy_held + 1) * state.pool->terms.weight;
    const bool above_min = held - 1 >= std::int64_t{state.pool->terms.size_min} || needy_held == 0;
    const bool unused = state.waiting == 0 && state.idle > state.give;
    const std::int64_t since = state.pool->board->idle_since();
    const bool rested =
        unused && since != PartBoard::nobody && instant(since) + times_.hysteresis <= now_;
    int rank = 3;
    if (above_min && unused && (over_share || rested)) {
      rank = 0;
    } else if (above_min && over_share) {
      rank = 1;
    } else if (needy_patient && state.pool->gained + times_.hysteresis <= now_) {
      rank = 2;
    } else if ((above_min && unused) || needy_held == 0) {
      choice.too_fresh = true;
    }
    if (rank == 3) continue;
    const auto larger = [&] {
      const std::int64_t a = held * choice.donor->pool->terms.weight;
      const std::int64_t b = choice.donor->held() * state.pool->terms.weight;
      return a > b || (a == b && state.pool->gained < choice.donor->pool->gained);
    };
    if (rank < best_rank || (rank == best_rank && larger())) {
      best_rank = rank;
      choice.donor = &state;
    }
  }
  return choice;
}

}  // namespace pgring
