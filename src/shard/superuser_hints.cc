#include "src/shard/superuser_hints.h"

#include "src/budget/report.h"
#include "src/log/log.h"

namespace pgring {

void SuperuserHints::check(BudgetDesk& budget) {
  const auto found =
      budget.read([](const Budget& all, auto) { return superusers_among_pools(all); });
  const std::scoped_lock lock{mutex_};
  for (const auto& [server, role, database] : found) {
    if (!told_.emplace(server, role).second) continue;
    log::warning(
        "applications log in as a superuser",
        {{"server", server},
         {"role", role},
         {"database", database},
         {"advice",
          "PostgreSQL would let it take the slots reserved for you; pgring holds it to the "
          "same ceiling. Give applications a role without SUPERUSER."}});
  }
}

}  // namespace pgring
