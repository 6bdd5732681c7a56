// Who gives up connections for whom: max-min fairness by weight over the pools of one instance.
//
// What:   from the counts as they are, how many connections each pool should give up: what exceeds a limit
//         that fell, and what pools that wait and have less than their share need. Converges: a pool only
//         gives to one that has less than itself, even after the gift; with hysteresis against ping-pong.
// Owner:  Budget. Life: one call of settle().
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "src/budget/budget.h"

namespace pgring {

class Shares {
 public:
  // pools: all of one instance.
  Shares(std::span<Budget::Pool* const> pools, const BudgetTimes& times, ring::Instant now);

  // Computes to_shed for each pool; sets the reason of those that are not given what they need.
  void plan();
  [[nodiscard]] Count to_shed(std::size_t pool) const { return states_[pool].give; }

  // a before b: has less by weight; then whose last gain is longer ago; then whose waiter is older.
  [[nodiscard]] static bool before(const Budget::Pool& a, const Budget::Pool& b);

 private:
  struct State {
    Budget::Pool* pool = nullptr;
    Count give = 0;
    Count get = 0;
    Count idle = 0;
    Count waiting = 0;
    bool settled = false;  // needs nothing more, or cannot be helped
    [[nodiscard]] std::int64_t held() const { return std::int64_t{pool->held()} - give + get; }
    [[nodiscard]] Count left() const {
      const Count open = pool->of(PermitState::open);
      return open > give ? open - give : 0;
    }
  };
  struct Choice {
    State* donor = nullptr;
    bool too_fresh = false;  // there is one, if its connection stays idle a little longer
  };

  void shrink_excess();
  void relieve();
  [[nodiscard]] bool help(State& needy);
  [[nodiscard]] Choice choose_donor(const State& needy, const LimitNode& node);
  [[nodiscard]] State* largest(const LimitNode& node);
  // Slots of a node that are free or soon will be, and nobody has been given yet.
  [[nodiscard]] std::int64_t& room(const LimitNode& node);
  void give_one(State& donor);
  [[nodiscard]] static bool at(const Budget::Pool& pool, const LimitNode& node);

  const BudgetTimes& times_;
  ring::Instant now_;
  std::vector<State> states_;
  std::map<const LimitNode*, std::int64_t> room_;
};

}  // namespace pgring
