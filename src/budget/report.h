// The budget in words and rows: for the console, and for clients that waited too long.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/budget/budget.h"

namespace pgring {

// One limit, or one pool, and what counts against it.
struct BudgetLine {
  std::string server;  // the names of the instance's [server] entries
  std::string scope;   // ceiling, entry, database, role, pool
  std::string name;
  std::optional<Count> limit;  // in force
  std::array<Count, permit_states> count{};
  Count waiting = 0;   // clients of its pools nothing is coming for
  std::string source;  // where the limit comes from
};

// All of them: for each instance its ceiling, then the limits below it, then its pools.
[[nodiscard]] std::vector<BudgetLine> budget_lines(const Budget& budget, ring::Instant now);

// Why a waiter of this pool has no connection: the limit, and who holds what counts against it.
[[nodiscard]] std::string explain_wait(const Budget& budget, PoolId id, ring::Instant now);

}  // namespace pgring
