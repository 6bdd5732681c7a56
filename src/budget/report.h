// The budget in words and rows: for the console, the log, and clients that waited too long.
//
// What:   budget_lines() is SHOW BUDGET, explain_wait() says why clients of a pool wait, superusers_among_pools()
//         what a DBA should know of the roles. All of them only read.
// Owner:  nobody; called with the budget locked (BudgetDesk::read).
// Cost:   by number of pools and limits: not for the way of a query.
#pragma once

#include <array>
#include <compare>
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
  std::optional<Count> others;  // not ours, subtracted in `limit`
  Count waiting = 0;            // clients of its pools nothing is coming for
  std::string source;           // where the limit comes from

  [[nodiscard]] Count used() const { return count[0] + count[1] + count[2] + count[3]; }
  // nullopt: there is no limit.
  [[nodiscard]] std::optional<Count> headroom() const;
};

// All of them: for each instance its ceiling, then the limits below it, then its pools.
[[nodiscard]] std::vector<BudgetLine> budget_lines(const Budget& budget, ring::Instant now);

// Why clients of a pool wait.
struct WaitExplanation {
  Reason reason = Reason::none;  // none: it is not the budget (PAUSE)
  std::string limit;             // in a line: which limit, how much is used, who has most of it
  std::string detail;            // as sentences: also where it comes from, and all who hold it
  std::string hint;              // what can be done about it
};
[[nodiscard]] WaitExplanation explain_wait(const Budget& budget, PoolId id, ring::Instant now);
// What the budget knows nothing of: an operator has paused the database.
// No more than keep_free permits (at least two) are left below the ceiling of that server's instance.
[[nodiscard]] bool is_near_ceiling(const Budget& budget, const std::string& server,
                                   ring::Instant now);

[[nodiscard]] WaitExplanation explain_pause(const std::string& database);

// A pool whose role is a superuser on its server.
struct SuperuserPool {
  std::string server, role;
  std::string database;  // of the first such pool
  friend auto operator<=>(const SuperuserPool&, const SuperuserPool&) = default;
};
// One for each server and role.
[[nodiscard]] std::vector<SuperuserPool> superusers_among_pools(const Budget& budget);

}  // namespace pgring
