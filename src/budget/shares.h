// Who gives up connections for whom: max-min fairness by weight over the pools of one instance.
//
// What:   from the counts as they are, how many connections each pool should give up: what exceeds a limit
//         that fell, and what pools that wait and have less than their share need. Converges: a pool only
//         gives to one that has less than itself, even after the gift; with hysteresis against ping-pong.
// Owner:  Budget. Life: one call of settle().
// Cost:   is_needed() is a pass over the pools; plan() is of the order of pools that wait times pools that
//         have connections, and is called only when somebody waits at a limit or exceeds one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/budget/budget.h"

namespace pgring {

// A pool as one decision sees it: the boards may change meanwhile.
struct Demand {
  Budget::Pool* pool = nullptr;
  PoolBoard::Totals board;
  Count unmet = 0;      // waiters nothing is coming for
  Count below_min = 0;  // connections it has less than size_min
  Count allowed = 0;    // Budget::allowed
};

class Shares {
 public:
  // demands: of all pools of one instance. plan: a number never used before.
  Shares(std::span<Demand> demands, const BudgetTimes& times, ring::Instant now,
         std::uint64_t plan);

  [[nodiscard]] bool is_needed() const;
  // Computes to_shed for each pool. REQUIRES: reasons as they are without giving up anything.
  void plan();
  [[nodiscard]] Count to_shed(std::size_t demand) const { return states_[demand].give; }

  // a before b: has less by weight; then whose last gain is longer ago; then whose waiter is older.
  [[nodiscard]] static bool before(const Demand& a, const Demand& b);
  // Another connection less would help.
  [[nodiscard]] static bool is_relievable(Reason reason);

 private:
  struct State {
    Demand* demand = nullptr;
    Budget::Pool* pool = nullptr;
    Count give = 0;
    Count get = 0;
    bool settled = false;  // needs nothing more, or cannot be helped
    [[nodiscard]] std::int64_t held() const { return std::int64_t{pool->held()} - give + get; }
    [[nodiscard]] Count left() const {
      const Count open = pool->of(PermitState::open);
      return open > give ? open - give : 0;
    }
    [[nodiscard]] bool has_unused() const {
      return demand->board.waiting == 0 && demand->board.idle > give;
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
  [[nodiscard]] int rank(const State& needy, bool patient, State& donor, bool& too_fresh) const;
  [[nodiscard]] bool is_stuck(const State& state) const;
  [[nodiscard]] int unready(const State& state) const;
  [[nodiscard]] State* largest(const LimitNode& node);
  [[nodiscard]] bool is_needed_to_ask(const LimitNode& node) const;
  void count_room();
  static void change_room(const State& state, int change);
  static void give_one(State& donor);
  [[nodiscard]] static bool is_bound(const State& state, const LimitNode& node);
  // Of a it is more by weight than b has.
  [[nodiscard]] static bool is_larger(const State& a, const State& b);

  const BudgetTimes& times_;
  ring::Instant now_;
  std::uint64_t plan_;
  std::vector<State> states_;
  std::vector<LimitNode*> nodes_;  // of all pools, each once
};

}  // namespace pgring
