// Where auth.query is asked for a login's secret, and with what text.
//
// Life:   owns its texts: it is part of the cache's key, which outlives configurations.
// Errors: nothing, where nobody is asked.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "src/config/config.h"

namespace pgring {

struct LookupPlace {
  std::string server;  // [server.NAME]
  std::string dbname;  // as PostgreSQL calls it
  std::string query;
  friend auto operator<=>(const LookupPlace&, const LookupPlace&) = default;
};

// Of a login to that database; null: to the console, or to a database that does not exist, which is told to those only
// who have a secret. Those are asked about at the server "main", or at the only one there is.
[[nodiscard]] std::optional<LookupPlace> lookup_place(const Config& config,
                                                      const DatabaseConfig* database);

// What auth.role logs in to PostgreSQL with: auth.password, else what is stored for the role. Nothing: none is.
[[nodiscard]] std::optional<StoredSecret> lookup_login_secret(const Config& config);

}  // namespace pgring
