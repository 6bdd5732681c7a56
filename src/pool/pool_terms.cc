#include "src/pool/pool_terms.h"

#include <algorithm>

#include "src/pool/placement.h"

namespace pgring {
namespace {

// One at work and one beside it, should the first be held up by a lock.
constexpr Count lookup_connections_max = 2;

}  // namespace

bool is_configured(const Config& config, const PoolKey& key) {
  if (key.is_for_lookups())
    return config.auth.role == key.role && config.servers.contains(key.server);
  return find_database(config, key.database) != nullptr;
}

PoolTerms pool_terms(const Config& config, const PoolKey& key) {
  if (key.is_for_lookups()) {
    return {.server = key.server,
            .database = key.database,
            .dbname = key.dbname,
            .role = key.role,
            .size = lookup_connections_max,
            .for_lookups = true};
  }
  const DatabaseConfig& database = *find_database(config, key.database);
  const auto role = config.roles.find(key.role);
  PoolTerms terms;
  terms.server = database.server;
  terms.database = key.database;
  terms.dbname = database_name_on_server(database, key.database);
  terms.role = key.role;
  terms.size = effective_pool_size(config, database, key.role);
  terms.size_min = std::min(terms.size, database.min_pool_size);
  terms.reserve = effective_reserve(config, database, key.role);
  terms.reserve_after = database.reserve_pool_timeout;
  terms.weight = effective_weight(config, database, key.role);
  terms.database_max = database.max_connections;
  if (role != config.roles.end()) terms.role_max = role->second.max_connections;
  return terms;
}

}  // namespace pgring
