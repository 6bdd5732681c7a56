#include "src/config/lookup_place.h"

namespace pgring {
namespace {

// Nothing: several, and none of them is called as databases without a server of their own have it.
std::optional<std::string> usual_server(const Config& config) {
  std::string usual = DatabaseConfig{}.server;
  if (config.servers.contains(usual)) return usual;
  if (config.servers.size() == 1) return config.servers.begin()->first;
  return std::nullopt;
}

}  // namespace

std::optional<LookupPlace> lookup_place(const Config& config, const DatabaseConfig* database) {
  if (config.auth.role.empty()) return std::nullopt;
  LookupPlace place{.server = {}, .dbname = config.auth.database, .query = config.auth.query};
  if (database == nullptr) {
    auto server = usual_server(config);
    if (!server) return std::nullopt;
    place.server = std::move(*server);
    return place;
  }
  place.server = database->server;
  if (!database->auth_database.empty()) place.dbname = database->auth_database;
  if (!database->auth_query.empty()) place.query = database->auth_query;
  return place;
}

std::optional<StoredSecret> lookup_login_secret(const Config& config) {
  const Secret& own = config.auth.password;
  if (!own.empty()) {
    const auto kind = classify_secret(own.reveal());
    return StoredSecret{own.clone(), kind ? *kind : SecretKind::plain};
  }
  const auto user = config.users.find(config.auth.role);
  if (user == config.users.end()) return std::nullopt;
  return StoredSecret{user->second.text.clone(), user->second.kind};
}

}  // namespace pgring
