// auth.role, auth.query and what belongs to them: where PostgreSQL is asked, and what cannot be.
#include "src/config/lookup_check.h"

#include <doctest/doctest.h>

#include <string>

#include "src/config/lookup_place.h"
#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

TEST_CASE("lookup check: with a role alone the rest has good defaults") {
  const auto loaded = good("[auth]\nrole = \"asker\"\n" + std::string{good_tail});
  CHECK(print(loaded.warnings).empty());
  const AuthConfig& auth = loaded.config.auth;
  CHECK(auth.query == "SELECT role_name, secret FROM pgring.secret_of($1)");
  CHECK(auth.database == "postgres");
  CHECK(auth.query_cache == std::chrono::seconds(10));
}

TEST_CASE("lookup check: without a role nothing of it makes sense") {
  for (const std::string line : {"query = \"SELECT $1, $1\"", "password = \"x\"",
                                 "database = \"app\"", "query_cache = \"1s\""}) {
    CAPTURE(line);
    const std::string error = error_in("[auth]\n" + line);
    CHECK(contains(error, "f.toml:2:"));
    CHECK(contains(error, "nobody asks PostgreSQL for secrets: auth.role is not set"));
    CHECK(contains(error, "pgring setup-sql"));
  }
  CHECK(contains(error_in("[database.x]\nauth_query = \"SELECT $1, $1\""),
                 "f.toml:2:14: error: database.x.auth_query: nobody asks PostgreSQL"));
  CHECK(contains(error_in("[database.x]\nauth_database = \"y\""), "auth.role is not set"));
}

TEST_CASE("lookup check: a query has to say where the name stands") {
  const std::string error = error_in("[auth]\nrole = \"asker\"\nquery = \"SELECT 1, 2\"");
  CHECK(contains(error, "f.toml:3:9: error: auth.query: the query does not say where the role's"));
  CHECK(contains(error, "hint: for example SELECT role_name, secret FROM pgring.secret_of($1)"));
  CHECK(contains(error_in("[auth]\nrole = \"asker\"\nquery = \"\""), "$1 is missing"));
  CHECK(contains(error_in("[auth]\nrole = \"asker\"\n[database.x]\nauth_query = \"SELECT 1, 2\""),
                 "database.x.auth_query: the query does not say"));
}

TEST_CASE("lookup check: names PostgreSQL could not have, and a secret nobody can log in with") {
  const std::string role(role_name_size_max + 1, 'r');
  CHECK(contains(error_in("[auth]\nrole = \"" + role + "\""), "64 bytes long"));
  CHECK(contains(error_in("[auth]\nrole = \"asker\"\ndatabase = \"\""), "the name is empty"));
  CHECK(contains(error_in("[auth]\nrole = \"asker\"\npassword = "
                          "\"SCRAM-SHA-256$4096:AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
                          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""),
                 "with a SCRAM secret nobody can log in to PostgreSQL"));
}

TEST_CASE("lookup check: where PostgreSQL is asked no userlist need be") {
  CHECK(print(good("[auth]\nrole = \"asker\"\nfile = \"\"\n" + std::string{good_tail}).warnings)
            .empty());
  CHECK(contains(error_in("[auth]\nfile = \"\""), "or set auth.role to have PostgreSQL asked"));
}

TEST_CASE("lookup place: a database's own keys go before those of [auth]") {
  const auto loaded = good(
      "[auth]\nrole = \"asker\"\n[server.a]\n[server.b]\n[database.x]\nserver = \"a\"\n"
      "[database.y]\nserver = \"b\"\nauth_database = \"secrets\"\nauth_query = \"SELECT $1, "
      "$1\"\n");
  const Config& config = loaded.config;
  const auto x = lookup_place(config, find_database(config, "x"));
  const auto y = lookup_place(config, find_database(config, "y"));
  CHECK(x == LookupPlace{"a", "postgres", AuthConfig{}.query});
  CHECK(y == LookupPlace{"b", "secrets", "SELECT $1, $1"});
  // The console's roles are whose, where there are several servers and none is the usual one?
  CHECK_FALSE(lookup_place(config, nullptr));
}

TEST_CASE("lookup place: the console and unknown databases are asked about at the usual server") {
  const std::string auth = "[auth]\nrole = \"asker\"\n";
  const auto one = good(auth + "[server.only]\n[database.x]\nserver = \"only\"\n");
  CHECK(lookup_place(one.config, nullptr)->server == "only");
  const auto two = good(auth + "[server.main]\n[server.other]\n[database.x]\nserver = \"other\"\n");
  CHECK(lookup_place(two.config, nullptr)->server == "main");
  CHECK_FALSE(lookup_place(good(good_tail).config, nullptr));
}

TEST_CASE("lookup login: the role's own password, else the one that is stored for it") {
  const auto own = good(
      "[auth]\nrole = \"asker\"\npassword = \"own\"\n[role.asker]\npassword = "
      "\"stored\"\n" +
      std::string{good_tail});
  CHECK(lookup_login_secret(own.config)->text.reveal() == "own");
  const auto stored = good("[auth]\nrole = \"asker\"\n[role.asker]\npassword = \"stored\"\n" +
                           std::string{good_tail});
  CHECK(lookup_login_secret(stored.config)->text.reveal() == "stored");
  CHECK_FALSE(
      lookup_login_secret(good("[auth]\nrole = \"asker\"\n" + std::string{good_tail}).config));
}
