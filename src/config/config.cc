#include "src/config/config.h"

#include <fmt/format.h>
#include <algorithm>

namespace pgring {

bool asks_for_secrets(const Config& config) {
  if (!config.access.hba) return config.auth.method != AuthMethod::trust;
  const auto& rules = config.access.hba->rules();
  return std::any_of(rules.begin(), rules.end(), [](const HbaRule& rule) {
    return rule.method == HbaMethod::password || rule.method == HbaMethod::md5 ||
           rule.method == HbaMethod::scram_sha_256;
  });
}

bool is_console_database(std::string_view name) { return name == "pgring" || name == "pgbouncer"; }

const DatabaseConfig* find_database(const Config& config, std::string_view name) {
  // A client that asks for a database called "*" means no entry of its own.
  const auto own = name == "*" ? config.databases.end() : config.databases.find(name);
  if (own != config.databases.end()) return &own->second;
  const auto any = config.databases.find(std::string_view("*"));
  return any == config.databases.end() ? nullptr : &any->second;
}

std::string_view database_name_on_server(const DatabaseConfig& database, std::string_view name) {
  return database.dbname.empty() ? name : std::string_view(database.dbname);
}

PoolMode effective_pool_mode(const Config& config, const DatabaseConfig& database,
                             std::string_view role) {
  const auto entry = config.roles.find(role);
  const bool has_own = entry != config.roles.end() && entry->second.pool_mode.has_value();
  return has_own ? *entry->second.pool_mode : database.pool_mode;
}

OnSessionState effective_on_session_state(const Config& config, const DatabaseConfig& database,
                                          std::string_view role) {
  const auto entry = config.roles.find(role);
  const bool has_own = entry != config.roles.end() && entry->second.on_session_state.has_value();
  return has_own ? *entry->second.on_session_state : database.on_session_state;
}

Share effective_share(const Config& config, const DatabaseConfig& database, std::string_view role) {
  const auto entry = config.roles.find(role);
  const bool has_own = entry != config.roles.end() && entry->second.share.has_value();
  return has_own ? *entry->second.share : database.share;
}

std::uint32_t effective_max_pinned(const Config& config, const DatabaseConfig& database,
                                   std::string_view role) {
  if (database.max_pinned) return *database.max_pinned;
  return std::max(effective_pool_size(config, database, role) * 3 / 4, 1U);
}

std::uint32_t effective_pool_size(const Config& config, const DatabaseConfig& database,
                                  std::string_view role) {
  const auto entry = config.roles.find(role);
  const bool has_own = entry != config.roles.end() && entry->second.pool_size.has_value();
  return has_own ? *entry->second.pool_size : database.pool_size;
}

std::uint32_t effective_reserve(const Config& config, const DatabaseConfig& database,
                                std::string_view role) {
  if (database.reserve_pool_timeout == duration_off) return 0;
  const auto entry = config.roles.find(role);
  const bool has_own = entry != config.roles.end() && entry->second.reserve_pool_size.has_value();
  return has_own ? *entry->second.reserve_pool_size : database.reserve_pool_size;
}

std::uint32_t effective_weight(const Config& config, const DatabaseConfig& database,
                               std::string_view role) {
  const auto entry = config.roles.find(role);
  return database.weight * (entry == config.roles.end() ? 1 : entry->second.weight);
}

std::string unix_socket_path(std::string_view dir, std::uint32_t port) {
  return fmt::format("{}/.s.PGSQL.{}", dir, port);
}

}  // namespace pgring
