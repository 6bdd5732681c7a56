#include "src/config/lookup_check.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "src/config/toml_document.h"

namespace pgring {
namespace {

void check_name(ConfigSource& source, const std::string& key, const std::string& name) {
  if (name.size() <= role_name_size_max) return;
  source.error(key,
               fmt::format("the name is {} bytes long (PostgreSQL's limit is {})", name.size(),
                           role_name_size_max),
               {});
}

// Not whether it is right: that only PostgreSQL knows.
void check_query(ConfigSource& source, const std::string& key, const std::string& query) {
  if (query.find("$1") == std::string::npos) {
    source.error(key, "the query does not say where the role's name stands: $1 is missing",
                 fmt::format("for example {}", AuthConfig{}.query));
  }
  if (query.find('\0') != std::string::npos) source.error(key, "the query has a zero byte", {});
}

}  // namespace

void check_lookups(const Config& config, ConfigSource& source) {
  const AuthConfig& auth = config.auth;
  const bool is_on = !auth.role.empty();
  constexpr std::array dependent{"auth.password", "auth.query", "auth.database",
                                 "auth.query_cache"};
  for (const char* const key : dependent) {
    if (is_on || !source.has(key)) continue;
    source.error(key, "nobody asks PostgreSQL for secrets: auth.role is not set",
                 "set auth.role to the role that `pgring setup-sql` makes, pgring_auth");
  }
  for (const auto& [name, database] : config.databases) {
    const std::string key = entry_key("database", name);
    for (const char* const own : {".auth_query", ".auth_database"}) {
      if (!is_on && source.has(key + own))
        source.error(key + own, "nobody asks PostgreSQL for secrets: auth.role is not set", {});
    }
    if (!database.auth_query.empty()) check_query(source, key + ".auth_query", database.auth_query);
    check_name(source, key + ".auth_database", database.auth_database);
  }
  if (!is_on) return;
  check_name(source, "auth.role", auth.role);
  check_name(source, "auth.database", auth.database);
  check_query(source, "auth.query", auth.query);
  if (auth.database.empty()) {
    source.error("auth.database", "the name is empty",
                 "name the database in which `pgring setup-sql` was run, such as postgres");
  }
  const auto kind = classify_secret(auth.password.reveal());
  if (!kind) {
    source.error("auth.password", kind.error(), {});
  } else if (*kind == SecretKind::scram_sha_256) {
    source.error("auth.password",
                 "with a SCRAM secret nobody can log in to PostgreSQL: it is for checking others",
                 "give the password itself, such as { file = \"/etc/pgring/auth.password\" }");
  }
}

}  // namespace pgring
