#include "src/config/budget_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "src/base/join.h"

namespace pgring {
namespace {

constexpr std::size_t names_shown_max = 4;

// Where nothing of that name is, its limit is none: what is missing is reported elsewhere.
Limit server_limit(const Config& config, const DatabaseConfig& database) {
  const auto server = config.servers.find(database.server);
  return server == config.servers.end() ? Limit{} : server->second.max_connections;
}

Limit role_limit(const Config& config, std::string_view role) {
  const auto entry = config.roles.find(role);
  return entry == config.roles.end() ? Limit{} : entry->second.max_connections;
}

// Its role is known, so its minimum is opened without a client.
bool opens_at_start(const DatabaseConfig& database) {
  return !database.wildcard && !database.user.empty() && database.min_pool_size > 0;
}

struct Bound {
  std::string key;  // as it is best called in a message
  std::uint32_t value = 0;
};

// What a pool's minimum has to fit into, the nearest first.
std::vector<Bound> bounds_of_minimum(const Config& config, const DatabaseConfig& database) {
  std::vector<Bound> bounds;
  const auto role = config.roles.find(database.user);
  const bool has_role = !database.user.empty() && role != config.roles.end();
  if (has_role && role->second.pool_size) {
    bounds.push_back({entry_key("role", database.user) + ".pool_size", *role->second.pool_size});
  } else {
    bounds.push_back({"pool_size", database.pool_size});
  }
  if (database.max_connections) bounds.push_back({"max_connections", *database.max_connections});
  if (const Limit limit = has_role ? role->second.max_connections : Limit{}) {
    bounds.push_back({entry_key("role", database.user) + ".max_connections", *limit});
  }
  if (const Limit limit = server_limit(config, database)) {
    bounds.push_back({entry_key("server", database.server) + ".max_connections", *limit});
  }
  return bounds;
}

void check_minimum(const Config& config, ConfigSource& source, const std::string& name,
                   const DatabaseConfig& database) {
  for (const Bound& bound : bounds_of_minimum(config, database)) {
    if (database.min_pool_size <= bound.value) continue;
    source.error(
        entry_key("database", name) + ".min_pool_size",
        fmt::format("{} is more than {} ({})", database.min_pool_size, bound.key, bound.value),
        fmt::format("lower min_pool_size or raise {}", bound.key));
    return;  // the others would say the same again
  }
}

// Minima that add up against one limit.
struct Minima {
  std::uint64_t sum = 0;
  std::uint32_t largest = 0;
  std::vector<std::string> parts;  // 'app (5)'

  void add(const std::string& name, std::uint32_t minimum) {
    sum += minimum;
    largest = std::max(largest, minimum);
    parts.push_back(fmt::format("{} ({})", entry_key("database", name), minimum));
  }

  // True also where one alone is too many: check_minimum has reported that.
  [[nodiscard]] bool fits(Limit limit) const { return !limit || sum <= *limit || largest > *limit; }

  [[nodiscard]] std::string list() const {
    std::vector<std::string> shown = parts;
    if (shown.size() > names_shown_max) {
      shown.resize(names_shown_max);
      shown.push_back(fmt::format("{} more", parts.size() - names_shown_max));
    }
    return join(shown, ", ");
  }
};

// What is opened at start on one server, and as one role of it.
void check_sums(const Config& config, ConfigSource& source) {
  std::map<std::string, Minima> by_server;
  std::map<std::pair<std::string, std::string>, Minima> by_role;  // (role, server)
  for (const auto& [name, database] : config.databases) {
    if (!opens_at_start(database)) continue;
    by_server[database.server].add(name, database.min_pool_size);
    by_role[{database.user, database.server}].add(name, database.min_pool_size);
  }
  const std::string hint = "raise max_connections or lower a min_pool_size";
  for (const auto& [server, minima] : by_server) {
    const auto entry = config.servers.find(server);
    if (entry == config.servers.end() || minima.fits(entry->second.max_connections)) continue;
    source.error(entry_key("server", server) + ".max_connections",
                 fmt::format("{} is less than the {} connections opened at start (min_pool_size): "
                             "{}",
                             *entry->second.max_connections, minima.sum, minima.list()),
                 hint);
  }
  for (const auto& [key, minima] : by_role) {
    const auto& [role, server] = key;
    const Limit limit = role_limit(config, role);
    if (minima.fits(limit)) continue;
    source.error(entry_key("role", role) + ".max_connections",
                 fmt::format("{} is less than the {} connections opened at start (min_pool_size) "
                             "as this role on [{}]: {}",
                             *limit, minima.sum, entry_key("server", server), minima.list()),
                 hint);
  }
}

// The smallest size a pool of this database can have, over the roles that are configured.
std::uint32_t smallest_pool(const Config& config, const DatabaseConfig& database) {
  if (!database.user.empty()) return effective_pool_size(config, database, database.user);
  std::uint32_t size = database.pool_size;
  for (const auto& [name, role] : config.roles)
    size = std::min(size, role.pool_size.value_or(size));
  return size;
}

void check_reserve_timeout(const Config& config, ConfigSource& source, const std::string& key,
                           const DatabaseConfig& database) {
  const std::string own_key = key + ".reserve_pool_timeout";
  const std::string& at = source.has(own_key) ? own_key : key + ".reserve_pool_size";
  const Duration query_wait = config.timeouts.query_wait;
  if (database.reserve_pool_timeout == duration_off) {
    source.warning(own_key, "the reserve is never used: its timeout is \"off\"",
                   "write a wait such as \"5s\", or leave reserve_pool_size out");
  } else if (query_wait != duration_off && database.reserve_pool_timeout >= query_wait) {
    source.warning(
        at,
        fmt::format("the reserve is never used: it opens after {}, and clients give up after {} "
                    "(timeouts.query_wait)",
                    format_duration(database.reserve_pool_timeout), format_duration(query_wait)),
        "make reserve_pool_timeout shorter than query_wait");
  }
}

void check_reserve(const Config& config, ConfigSource& source, const std::string& name,
                   const DatabaseConfig& database) {
  if (database.reserve_pool_size == 0) return;
  const std::string key = entry_key("database", name);
  check_reserve_timeout(config, source, key, database);
  const std::uint32_t size = smallest_pool(config, database);
  std::vector<Bound> limits;
  if (database.max_connections) limits.push_back({"max_connections", *database.max_connections});
  if (const Limit limit = server_limit(config, database)) {
    limits.push_back({entry_key("server", database.server) + ".max_connections", *limit});
  }
  for (const Bound& limit : limits) {
    if (size < limit.value) continue;
    source.warning(key + ".reserve_pool_size",
                   fmt::format("the reserve is never used: a pool of {} reaches {} ({}) without it",
                               size, limit.key, limit.value),
                   "lower pool_size, or leave reserve_pool_size out");
    return;
  }
}

}  // namespace

void check_budget(const Config& config, ConfigSource& source) {
  for (const auto& [name, database] : config.databases) {
    check_minimum(config, source, name, database);
    check_reserve(config, source, name, database);
  }
  check_sums(config, source);
}

}  // namespace pgring
