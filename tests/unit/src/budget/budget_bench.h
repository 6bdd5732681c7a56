// A budget of the server "main", driven by hand: a test writes its boards as the shards would.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/budget/budget.h"
#include "src/budget/report.h"
#include "tests/unit/src/budget/boards.h"

namespace pgring::budget_bench {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr ring::Instant start{std::chrono::hours{1}};

inline ServerLimits limits_of(Count max_connections) {
  ServerLimits limits;
  limits.id = {.system_identifier = 7, .started_us = 1};
  limits.max_connections = max_connections;
  limits.superuser_reserved = 3;
  return limits;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// A budget with the server "main" and as many pools as a test wants.
class Bench {
 public:
  explicit Bench(const ServerTerms& terms = {.max_connections = std::nullopt, .keep_free = 2}) {
    budget_.set_server("main", terms, now, actions_);
  }

  PoolId add(const PoolTerms& terms) {
    boards_.push_back(std::make_unique<PoolBoard>(1));
    boards_.back()->part(0).show_closed(false);
    return budget_.add_pool(terms, *boards_.back());
  }
  PoolId add(const std::string& database, const std::string& role) {
    return add({.server = "main", .database = database, .dbname = database, .role = role});
  }
  PartBoard& board(PoolId id) { return boards_[id]->part(0); }

  void learn(const ServerLimits& limits) {
    budget_.learned("main", limits, {}, now, now, actions_);
  }
  // Clients that asked at `since`.
  void wait(PoolId id, Count clients, ring::Instant since) {
    show_waiting(board(id), clients, since);
    budget_.ask(id, now, actions_);
  }
  // Gives the pool so many open connections, and leaves nobody waiting.
  void open(PoolId id, Count connections) {
    for (Count i = 0; i < connections; ++i) {
      // One may be opening already, for min_pool_size.
      if (budget_.pool(id).of(PermitState::opening) == 0) wait(id, 1, now);
      board(id).show_waiting(0, {});
      REQUIRE(budget_.pool(id).of(PermitState::opening) == 1);
      budget_.opened(id, now, actions_);
    }
  }
  void fail(PoolId id, Failure failure) {
    budget_.failed(id, failure, seconds{15}, now);
    budget_.returned(id, PermitState::opening, now, actions_);
  }

  [[nodiscard]] WaitExplanation why(PoolId id) const { return explain_wait(budget_, id, now); }
  [[nodiscard]] BudgetLine line(std::string_view scope, std::string_view name) const {
    const auto lines = budget_lines(budget_, now);
    const auto at = std::ranges::find_if(
        lines, [&](const auto& each) { return each.scope == scope && each.name == name; });
    REQUIRE(at != lines.end());
    return *at;
  }
  [[nodiscard]] Budget& budget() { return budget_; }

  ring::Instant now = start;

 private:
  Budget budget_{1};
  BudgetActions actions_;
  std::vector<std::unique_ptr<PoolBoard>> boards_;
};

}  // namespace pgring::budget_bench
