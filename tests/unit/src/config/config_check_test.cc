#include <doctest/doctest.h>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

TEST_CASE("config check: unknown keys name the near, the right section or PgBouncer's word") {
  CHECK(error_in("[database.x]\npool_sise = 3") ==
        "f.toml:2:1: error: database.x.pool_sise: unknown key \"pool_sise\" in [database.x]\n"
        "    2 | pool_sise = 3\n"
        "      | ^\n"
        "      hint: did you mean \"pool_size\"?");
  CHECK(contains(error_in("[listen]\npool_mode = \"session\""),
                 "hint: \"pool_mode\" belongs in [database.NAME]"));
  CHECK(contains(error_in("[listen]\nmax_client_conn = 3"),
                 "hint: PgBouncer's max_client_conn is \"max_clients\" in [listen] here"));
  CHECK(contains(error_in("[listen]\nserver_idle_timeout = 3"),
                 "PgBouncer's server_idle_timeout is \"server_idle\" in [timeouts] here"));
  CHECK(contains(error_in("[shards]\nbanana = 3"), "hint: the keys here are: count, pin"));
}

TEST_CASE("config check: unknown and misshapen sections") {
  CHECK(contains(error_in("[lsten]"), "f.toml:1:2: error: lsten: unknown section [lsten]"));
  CHECK(contains(error_in("[lsten]"), "did you mean [listen]?"));
  CHECK(contains(error_in("[databases.x]"), "did you mean [database.NAME]?"));
  CHECK(contains(error_in("port = 1"), "key \"port\" stands outside of any section"));
  CHECK(contains(error_in("log = 1"), "f.toml:1:1: error: log: an integer where a section"));
  CHECK(contains(error_in("[[log]]"), "log: an array where a section"));
  CHECK(contains(error_in("[role]\nx = 1"), "hint: entries have names: [role.main]"));
  CHECK(contains(error_in("[role.\"*\"]"), "only databases have an entry for all other names"));
  CHECK(contains(error_in("[role.\"\"]"), "the name of a [role.NAME] is empty"));
  CHECK(contains(error_in("[role." + std::string(64, 'r') + "]"), "64 bytes long"));
}

TEST_CASE("config check: each type says what was found, expected, and how to write it") {
  CHECK(contains(error_in("[timeouts]\nquery = 30"), "hint: add the unit: \"30s\" for seconds"));
  CHECK(contains(error_in("[timeouts]\nquery = 0"), "hint: write \"off\""));
  for (const char* never : {"\"off\"", "\"0s\"", "\"0ms\"", "\"0h0m\"", "\"none\"", "0"}) {
    CAPTURE(never);
    const std::string text = error_in(fmt::format("[timeouts]\nserver_login_retry = {}", never));
    CHECK(contains(text, "f.toml:2:22: error: timeouts.server_login_retry: "));
    CHECK(contains(text, "hint: this one cannot be off"));
  }
  CHECK(contains(error_in("[ring]\nclient_buffer_size = 4096"), "hint: add the unit: \"4KiB\""));
  CHECK(contains(error_in("[ring]\nclient_buffer_size = \"1B\""), "expected 512B to 1MiB"));
  CHECK(contains(error_in("[ring]\ndisable = [\"min_wait\", \"min_wiat\"]"),
                 "f.toml:2:24: error: ring.disable: \"min_wiat\" is not a ring feature"));
  CHECK(contains(error_in("[listen]\nport = \"6432\""), "hint: write it without quotes: 6432"));
  CHECK(contains(error_in("[listen]\naddress = \"::1\""), "hint: write [\"::1\"]"));
  CHECK(contains(error_in("[listen]\nunix_socket_mode = 0o777"), "permissions are text: \"0777\""));
  CHECK(contains(error_in("[listen]\nunix_socket_mode = \"0888\""), "is not file permissions"));
  CHECK(contains(error_in("[shards]\ncount = 0"), "an integer from 1 to 256, or \"auto\""));
  CHECK(contains(error_in("[shards]\npin = 1"), "hint: write true"));
  CHECK(contains(error_in("[database.x]\nmax_clients = 0"), "hint: write \"unlimited\""));
  CHECK(contains(error_in("[database.x]\npool_size = 0"), "0 is out of range"));
  CHECK(contains(error_in("[database.x]\npool_mode = \"transcation\""),
                 "hint: did you mean \"transaction\"?"));
  CHECK(contains(error_in("[role.x]\npassword = \"\""), "the password is empty"));
  CHECK(contains(error_in("[role.x]\npassword = \"SCRAM-SHA-256$x\""), "SCRAM secret is damaged"));
  CHECK(contains(error_in("[console]\nadmins = [\"a\", \"a\"]"), "\"a\" is listed twice"));
  CHECK(contains(error_in("[database.x]\nconnect_query = \"a\\u0000b\""), "a zero byte"));
}

TEST_CASE("config check: addresses and sockets to listen on") {
  CHECK(contains(error_in("[listen]\naddress = []\nunix_socket_dir = \"\""),
                 "f.toml:2:11: error: listen.address: pgring would listen on nothing"));
  CHECK(contains(error_in("[listen]\naddress = [\"127.0.0.1:6432\"]"),
                 "hint: the port has its own key: port = 6432"));
  CHECK(contains(error_in("[listen]\naddress = [\"300.0.0.1\"]"), "is not an IP address"));
  CHECK(contains(error_in("[listen]\naddress = [\"::1\", \"0:0::1\"]"),
                 "\"::1\" and \"0:0::1\" are the same address"));
  CHECK(contains(error_in("[listen]\naddress = [\"*\", \"::1\"]"), "already holds every other"));
  CHECK(contains(error_in("[listen]\nunix_socket_dir = \"run\""), "is not an absolute path"));
  // "/" + 92 + "/.s.PGSQL.6432" is 107 bytes and fits; one more does not.
  good("[listen]\nunix_socket_dir = \"/" + std::string(92, 'd') + "\"\n" + std::string(good_tail));
  CHECK(contains(error_in("[listen]\nunix_socket_dir = \"/" + std::string(93, 'd') + "\""),
                 "the socket's path is 108 bytes long (at most 107)"));
}

TEST_CASE("config check: databases, servers and roles that do not go together") {
  CHECK(contains(error_in("[database.x]\nserver = \"mian\""),
                 "f.toml:2:10: error: database.x.server: [server.mian] does not exist"));
  CHECK(contains(error_in("[database.x]\nserver = \"mian\""), "did you mean \"main\"?"));
  CHECK(contains(only_error("[database.app]\n"), "f.toml:1:11: error: database.app.server"));
  CHECK(contains(only_error("[server.main]\n"), "f.toml: error: database: there is no database"));
  CHECK(contains(error_in("[database.pgring]"), "is the name of the console"));
  CHECK(contains(error_in("[database.pgbouncer]"), "is the name of the console"));
  CHECK(contains(error_in("[database.\"*\"]\ndbname = \"d\"\nuser = \"u\""),
                 "f.toml:2:10: error: database.\"*\".dbname"));
  CHECK(contains(error_in("[database.x]\npassword = \"p\""), "a password without the role"));
  CHECK(contains(error_in("[server.x]\nhost = \"a,b\""), "is not an IP address, a host name or"));
  CHECK(contains(error_in("[server.x]\nhost = \"\""), "is not an IP address, a host name or"));
}

TEST_CASE("config check: trust beyond the loopback and a login without a limit are warned about") {
  const LoadedConfig loaded = good(
      "[listen]\naddress = [\"127.0.0.1\", \"10.0.0.1\"]\n[auth]\nmethod = \"trust\"\n"
      "[timeouts]\nclient_login = \"off\"\n" +
      std::string(good_tail));
  REQUIRE(loaded.warnings.size() == 2);
  CHECK(to_string(loaded.warnings[0])
            .starts_with("f.toml:4:10: warning: auth.method: \"trust\" lets everybody who reaches "
                         "10.0.0.1 in"));
  CHECK(loaded.warnings[1].key == "timeouts.client_login");
  CHECK(good("[auth]\nmethod = \"trust\"\n" + std::string(good_tail)).warnings.empty());
}

TEST_CASE("config: lookups follow own entry, then \"*\", and the role's settings go first") {
  const LoadedConfig loaded = good(
      "[server.main]\n[database.app]\ndbname = \"real\"\n[database.\"*\"]\npool_size = 7\n"
      "[role.r]\npool_mode = \"session\"\npool_size = 2\n");
  const Config& config = loaded.config;
  REQUIRE(find_database(config, "app") != nullptr);
  CHECK(database_name_on_server(*find_database(config, "app"), "app") == "real");
  REQUIRE(find_database(config, "other") != nullptr);
  CHECK(find_database(config, "other")->wildcard);
  CHECK(find_database(config, "*")->wildcard);
  CHECK(database_name_on_server(*find_database(config, "other"), "other") == "other");
  CHECK(effective_pool_size(config, *find_database(config, "other"), "x") == 7);
  CHECK(effective_pool_size(config, *find_database(config, "other"), "r") == 2);
  CHECK(effective_pool_mode(config, *find_database(config, "app"), "r") == PoolMode::session);
  CHECK(find_database(good(good_tail).config, "other") == nullptr);
}
