#include "src/config/budget_check.h"

#include <doctest/doctest.h>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {

// The only warning of a sound configuration; fails the test if there is not exactly one.
std::string only_warning(std::string_view text) {
  const LoadedConfig loaded = good(text);
  CAPTURE(print(loaded.warnings));
  REQUIRE(loaded.warnings.size() == 1);
  return to_string(loaded.warnings.front());
}

bool is_silent(std::string_view text) { return good(text).warnings.empty(); }

}  // namespace

TEST_CASE("budget check: what the keys may be, and the word for no limit") {
  CHECK(contains(error_in("[server.x]\nmax_connections = 0"),
                 "f.toml:2:19: error: server.x.max_connections: 0 is out of range (expected an "
                 "integer from 1 to 262143, or \"auto\")"));
  CHECK(contains(error_in("[server.x]\nmax_connections = 0"),
                 "hint: write \"auto\" for as many as PostgreSQL has room for"));
  CHECK(contains(error_in("[server.x]\nmax_connections = \"unlimited\""), "or \"auto\""));
  CHECK(contains(error_in("[server.x]\nkeep_free = -1"),
                 "f.toml:2:13: error: server.x.keep_free: -1 is out of range (expected an integer "
                 "from 0 to 262143)"));
  CHECK(contains(error_in("[database.x]\nmax_connections = 0"), "hint: write \"unlimited\""));
  CHECK(contains(error_in("[role.x]\nmax_connections = 0"), "hint: write \"unlimited\""));
  CHECK(contains(error_in("[database.x]\nreserve_pool_size = -1"), "from 0 to 100000"));
  CHECK(contains(error_in("[role.x]\nreserve_pool_size = \"3\""), "write it without quotes: 3"));
  CHECK(contains(error_in("[database.x]\nreserve_pool_timeout = 5"), "add the unit: \"5s\""));
  CHECK(contains(error_in("[role.x]\nmin_pool_size = 1"), "belongs in [database.NAME]"));
}

TEST_CASE("budget check: a weight is from 1 to 1000, and the hint says what it means") {
  for (const std::string section : {"database", "role"}) {
    for (const std::string weight : {"0", "-1", "1001"}) {
      CHECK(error_in("[" + section + ".x]\nweight = " + weight) ==
            "f.toml:2:10: error: " + section + ".x.weight: " + weight +
                " is out of range (expected an integer from 1 to 1000)\n"
                "    2 | weight = " +
                weight +
                "\n"
                "      |          ^\n"
                "      hint: weights are relative: a pool of weight 2 gets twice as much as one of "
                "weight 1");
    }
    good("[" + section + ".x]\nweight = 1000\n" + std::string(good_tail));
  }
}

TEST_CASE("budget check: PgBouncer's words lead to the keys") {
  CHECK(contains(error_in("[listen]\nmax_db_connections = 3"),
                 "PgBouncer's max_db_connections is \"max_connections\" in [database.NAME] here"));
  CHECK(contains(error_in("[listen]\nmax_user_connections = 3"),
                 "PgBouncer's max_user_connections is \"max_connections\" in [role.NAME] here"));
  CHECK(contains(error_in("[database.x]\nreserve_pool = 3"),
                 "PgBouncer's reserve_pool is \"reserve_pool_size\" in [database.NAME] here"));
  CHECK(contains(error_in("[timeouts]\nreserve_pool_timeout = \"1s\""),
                 "\"reserve_pool_timeout\" belongs in [database.NAME]"));
}

TEST_CASE("budget check: a key that several sections have names them all") {
  CHECK(contains(error_in("[listen]\nmax_connections = 3"),
                 "\"max_connections\" belongs in [server.NAME], [database.NAME] or [role.NAME]"));
  CHECK(contains(error_in("[server.x]\nweight = 3"),
                 "\"weight\" belongs in [database.NAME] or [role.NAME]"));
}

TEST_CASE("budget check: a minimum fits into the pool, and into the role's where it is forced") {
  CHECK(error_in("[database.x]\npool_size = 2\nmin_pool_size = 3") ==
        "f.toml:3:17: error: database.x.min_pool_size: 3 is more than pool_size (2)\n"
        "    3 | min_pool_size = 3\n"
        "      |                 ^\n"
        "      hint: lower min_pool_size or raise pool_size");
  const std::string forced = "[database.x]\nuser = \"u\"\nmin_pool_size = 3\n";
  CHECK(contains(error_in(forced + "[role.u]\npool_size = 2"),
                 "f.toml:3:17: error: database.x.min_pool_size: 3 is more than role.u.pool_size "
                 "(2)"));
  good(forced + "pool_size = 2\n[role.u]\npool_size = 3\n" + std::string(good_tail));
  // Other roles' pools are only kept smaller by their own size.
  good("[database.x]\nmin_pool_size = 3\n[role.u]\npool_size = 2\n" + std::string(good_tail));
}

TEST_CASE("budget check: a minimum fits into each limit it counts against") {
  CHECK(contains(error_in("[database.x]\nmax_connections = 2\nmin_pool_size = 3"),
                 "f.toml:3:17: error: database.x.min_pool_size: 3 is more than max_connections "
                 "(2)"));
  CHECK(contains(error_in("[database.x]\nmax_connections = 2\nmin_pool_size = 3"),
                 "hint: lower min_pool_size or raise max_connections"));
  CHECK(contains(error_in("[server.s]\nmax_connections = 2\n[database.x]\nserver = \"s\"\n"
                          "min_pool_size = 3"),
                 "f.toml:5:17: error: database.x.min_pool_size: 3 is more than "
                 "server.s.max_connections (2)"));
  CHECK(contains(error_in("[role.u]\nmax_connections = 2\n[database.x]\nuser = \"u\"\n"
                          "min_pool_size = 3"),
                 "f.toml:5:17: error: database.x.min_pool_size: 3 is more than "
                 "role.u.max_connections (2)"));
  good(
      "[server.s]\nmax_connections = 3\n[role.u]\nmax_connections = 3\n[database.x]\n"
      "server = \"s\"\nuser = \"u\"\nmax_connections = 3\nmin_pool_size = 3\n" +
      std::string(good_tail));
}

TEST_CASE("budget check: one minimum above several limits is one error") {
  CHECK(contains(error_in("[server.s]\nmax_connections = 1\n[role.u]\nmax_connections = 1\n"
                          "[database.x]\nserver = \"s\"\nuser = \"u\"\npool_size = 2\n"
                          "max_connections = 1\nmin_pool_size = 3"),
                 "f.toml:10:17: error: database.x.min_pool_size: 3 is more than pool_size (2)"));
}

TEST_CASE("budget check: what is opened at start fits into the server's limit together") {
  const std::string pools =
      "[database.a]\nuser = \"u\"\nmin_pool_size = 3\n[database.\"b c\"]\nuser = \"v\"\n"
      "min_pool_size = 4\n";
  CHECK(only_error("[server.main]\nmax_connections = 6\n" + pools) ==
        "f.toml:2:19: error: server.main.max_connections: 6 is less than the 7 connections opened "
        "at start (min_pool_size): database.a (3), database.\"b c\" (4)\n"
        "    2 | max_connections = 6\n"
        "      |                   ^\n"
        "      hint: raise max_connections or lower a min_pool_size");
  good("[server.main]\nmax_connections = 7\n" + pools);
  good("[server.main]\n" + pools);
  // Pools that wait for a client, and those of another server, open nothing here.
  good("[server.main]\nmax_connections = 7\n[server.other]\n" + pools +
       "[database.d]\nmin_pool_size = 5\n[database.\"*\"]\nuser = \"u\"\nmin_pool_size = 5\n"
       "[database.e]\nserver = \"other\"\nuser = \"u\"\nmin_pool_size = 5\n");
}

TEST_CASE("budget check: what is opened at start as one role fits into its limit, per server") {
  const std::string text =
      "[server.main]\n[server.other]\n[role.u]\nmax_connections = 6\n"
      "[database.a]\nuser = \"u\"\nmin_pool_size = 3\n"
      "[database.b]\nuser = \"u\"\nmin_pool_size = 4\n";
  CHECK(contains(only_error(text),
                 "f.toml:4:19: error: role.u.max_connections: 6 is less than the 7 connections "
                 "opened at start (min_pool_size) as this role on [server.main]: database.a (3), "
                 "database.b (4)"));
  good(text + "server = \"other\"\n");
}

TEST_CASE("budget check: a long list of databases is cut") {
  std::string text = "[server.main]\nmax_connections = 5\n";
  for (int i = 1; i <= 6; ++i) {
    text += fmt::format("[database.d{}]\nuser = \"u\"\nmin_pool_size = 1\n", i);
  }
  CHECK(contains(only_error(text),
                 "5 is less than the 6 connections opened at start (min_pool_size): database.d1 "
                 "(1), database.d2 (1), database.d3 (1), database.d4 (1), 2 more\n"));
}

TEST_CASE("budget check: a section that cannot be read is not called a limit of none or zero") {
  const std::string text = errors_of(
      "[server.main\nmax_connections = 9\n[database.a]\nuser = \"u\"\nmin_pool_size = 3\n");
  CHECK(contains(text, "f.toml:1:"));
  CHECK_FALSE(contains(text, "min_pool_size:"));
}

TEST_CASE("budget check: a reserve that can never be used is warned about") {
  const std::string tail = std::string(good_tail);
  CHECK(only_warning(tail + "reserve_pool_size = 2\nreserve_pool_timeout = \"off\"\n") ==
        "f.toml:5:24: warning: database.app.reserve_pool_timeout: the reserve is never used: its "
        "timeout is \"off\"\n"
        "    5 | reserve_pool_timeout = \"off\"\n"
        "      |                        ^\n"
        "      hint: write a wait such as \"5s\", or leave reserve_pool_size out");
  const std::string late = tail + "reserve_pool_size = 2\n";
  CHECK(contains(
      only_warning(late + "reserve_pool_timeout = \"30s\"\n[timeouts]\nquery_wait = \"30s\"\n"),
      "f.toml:5:24: warning: database.app.reserve_pool_timeout: the reserve is never used: it "
      "opens after 30s, and clients give up after 30s (timeouts.query_wait)"));
  CHECK(contains(only_warning(late + "[timeouts]\nquery_wait = \"3s\"\n"),
                 "f.toml:4:21: warning: database.app.reserve_pool_size: the reserve is never used: "
                 "it opens after 5s, and clients give up after 3s"));
  CHECK(contains(only_warning(late + "pool_size = 8\nmax_connections = 8\n"),
                 "f.toml:4:21: warning: database.app.reserve_pool_size: the reserve is never used: "
                 "a pool of 8 reaches max_connections (8) without it"));
  CHECK(contains(only_warning("[server.s]\nmax_connections = 15\n" + late + "server = \"s\"\n"),
                 "a pool of 20 reaches server.s.max_connections (15) without it"));
}

TEST_CASE("budget check: a reserve that some pool can use is not") {
  const std::string late = std::string(good_tail) + "reserve_pool_size = 2\n";
  CHECK(is_silent(late));
  CHECK(is_silent(late + "[timeouts]\nquery_wait = \"off\"\n"));
  CHECK(is_silent(late + "reserve_pool_timeout = \"1d\"\n[timeouts]\nquery_wait = \"off\"\n"));
  CHECK(is_silent(late + "pool_size = 8\nmax_connections = 9\n"));
  CHECK(is_silent(late + "pool_size = 8\nmax_connections = 8\n[role.r]\npool_size = 7\n"));
  CHECK(is_silent(std::string(good_tail) + "reserve_pool_timeout = \"off\"\n"));
}

TEST_CASE("config: the reserve is the role's, else the database's, and none where it is off") {
  const LoadedConfig loaded = good(
      "[server.main]\n[database.app]\nreserve_pool_size = 4\n[database.none]\n"
      "[database.off]\nreserve_pool_timeout = \"off\"\n"
      "[role.more]\nreserve_pool_size = 9\n[role.zero]\nreserve_pool_size = 0\n[role.other]\n");
  const Config& config = loaded.config;
  const auto reserve = [&](std::string_view database, std::string_view role) {
    return effective_reserve(config, *find_database(config, database), role);
  };
  CHECK(reserve("app", "unknown") == 4);
  CHECK(reserve("app", "other") == 4);
  CHECK(reserve("app", "more") == 9);
  CHECK(reserve("app", "zero") == 0);
  CHECK(reserve("none", "other") == 0);
  CHECK(reserve("none", "more") == 9);
  CHECK(reserve("off", "more") == 0);
}

TEST_CASE("config: a pool's weight is the database's times the role's") {
  const LoadedConfig loaded = good(
      "[server.main]\n[database.app]\nweight = 1000\n[database.plain]\n[role.r]\nweight = 1000\n");
  const Config& config = loaded.config;
  CHECK(effective_weight(config, config.databases.at("plain"), "x") == 1);
  CHECK(effective_weight(config, config.databases.at("plain"), "r") == 1000);
  CHECK(effective_weight(config, config.databases.at("app"), "x") == 1000);
  CHECK(effective_weight(config, config.databases.at("app"), "r") == 1'000'000);
}
