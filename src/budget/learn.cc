#include "src/budget/learn.h"

#include <algorithm>

namespace pgring {

ServerLimits limits_of(const Learned& learned) {
  const Facts& facts = learned.facts;
  ServerLimits limits;
  limits.id = {facts.system_identifier, facts.started_us};
  limits.max_connections = facts.max_connections;
  limits.superuser_reserved = facts.superuser_reserved;
  limits.reserved = facts.reserved;
  limits.others = learned.others.total;
  limits.estimated = learned.others.estimated;
  limits.others_by_role = learned.others.by_role;
  limits.others_by_database = learned.others.by_database;
  for (const auto& role : facts.roles)
    limits.roles[role.name] = {.limit = role.connection_limit, .superuser = role.superuser};
  for (const auto& database : facts.databases)
    limits.databases[database.name] = database.connection_limit;
  return limits;
}

std::vector<std::uint32_t> alive_pids(const Learned& learned) {
  std::vector<std::uint32_t> pids;
  pids.reserve(learned.facts.backends.size());
  // After a restart another process may have the number of one that was lost.
  for (const auto& backend : learned.facts.backends) {
    if (backend.client) pids.push_back(backend.pid);
  }
  std::ranges::sort(pids);
  return pids;
}

}  // namespace pgring
