// The keys that say what becomes of session state: on_session_state, max_pinned, max_prepared_statements.
#include <doctest/doctest.h>

#include "src/config/config_keys.h"
#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {

const DatabaseConfig& app(const LoadedConfig& loaded) {
  const DatabaseConfig* const found = find_database(loaded.config, "app");
  REQUIRE(found != nullptr);
  return *found;
}

LoadedConfig with(std::string_view rest) {
  return good(std::string(good_tail) + std::string(rest));
}

}  // namespace

TEST_CASE("config on_session_state: pin unless it says otherwise, and each word means itself") {
  CHECK(app(with("")).on_session_state == OnSessionState::pin);
  CHECK(app(with("on_session_state = \"pin\"")).on_session_state == OnSessionState::pin);
  CHECK(app(with("on_session_state = \"error\"")).on_session_state == OnSessionState::error);
  CHECK(app(with("on_session_state = \"ignore\"")).on_session_state == OnSessionState::ignore);
}

TEST_CASE("config on_session_state: the role's goes before the database's, if it has one") {
  const LoadedConfig loaded = with(
      "on_session_state = \"error\"\n[role.own]\non_session_state = \"ignore\"\n"
      "[role.pins]\non_session_state = \"pin\"\n[role.none]\npool_size = 3\n");
  const Config& config = loaded.config;
  CHECK(effective_on_session_state(config, app(loaded), "own") == OnSessionState::ignore);
  CHECK(effective_on_session_state(config, app(loaded), "pins") == OnSessionState::pin);
  CHECK(effective_on_session_state(config, app(loaded), "none") == OnSessionState::error);
  CHECK(effective_on_session_state(config, app(loaded), "unknown") == OnSessionState::error);
}

TEST_CASE("config on_session_state: another word is an error at its place, with the near one") {
  CHECK(error_in("[database.x]\non_session_state = \"pinn\"") ==
        "f.toml:2:20: error: database.x.on_session_state: \"pinn\" is not a way with session state "
        "(expected \"pin\", \"error\" or \"ignore\")\n"
        "    2 | on_session_state = \"pinn\"\n"
        "      |                    ^\n"
        "      hint: did you mean \"pin\"?");
  CHECK(contains(error_in("[role.r]\npool_size = 1\non_session_state = \"none\""),
                 "f.toml:3:20: error: role.r.on_session_state: \"none\" is not a way"));
  CHECK(contains(error_in("[database.x]\non_session_state = true"),
                 "f.toml:2:20: error: database.x.on_session_state: a boolean where "));
  CHECK(contains(error_in("[listen]\non_session_state = \"pin\""),
                 "f.toml:2:1: error: listen.on_session_state: unknown key"));
}

TEST_CASE("config max_pinned: three quarters of the pool's size, at least one, or its own value") {
  const auto effective = [](std::string_view rest, std::string_view role) {
    const LoadedConfig loaded = with(rest);
    return effective_max_pinned(loaded.config, app(loaded), role);
  };
  CHECK(effective("", "r") == 15);
  CHECK(effective("pool_size = 8", "r") == 6);
  CHECK(effective("pool_size = 3", "r") == 2);
  CHECK(effective("pool_size = 1", "r") == 1);
  CHECK(effective("pool_size = 100000", "r") == 75'000);
  CHECK(effective("pool_size = 8\n[role.r]\npool_size = 40", "r") == 30);
  CHECK(effective("pool_size = 8\n[role.r]\npool_size = 40", "other") == 6);
  CHECK(effective("pool_size = 8\nmax_pinned = 1", "r") == 1);
  CHECK(effective("pool_size = 8\nmax_pinned = 50\n[role.r]\npool_size = 40", "r") == 50);
}

TEST_CASE("config max_pinned: out of its range, or of another type, it is an error at its place") {
  for (const auto* value : {"0", "-1", "100001"}) {
    CAPTURE(value);
    const std::string error = error_in(fmt::format("[database.x]\nmax_pinned = {}", value));
    CHECK(contains(error, "f.toml:2:14: error: database.x.max_pinned: "));
    CHECK(contains(error, "out of range"));
  }
  CHECK(contains(error_in("[database.x]\nmax_pinned = \"3\""),
                 "f.toml:2:14: error: database.x.max_pinned: "));
  CHECK(contains(error_in("[database.x]\nmax_pined = 3"), "did you mean \"max_pinned\"?"));
  CHECK(app(with("max_pinned = 100000")).max_pinned == 100'000);
}

TEST_CASE("config max_prepared_statements: 200 unless it says otherwise, and 0 switches them off") {
  CHECK(app(with("")).max_prepared_statements == 200);
  CHECK(app(with("max_prepared_statements = 0")).max_prepared_statements == 0);
  CHECK(app(with("max_prepared_statements = 1000000")).max_prepared_statements == 1'000'000);
  for (const auto* value : {"-1", "1000001"}) {
    CAPTURE(value);
    const std::string error =
        error_in(fmt::format("[database.x]\nmax_prepared_statements = {}", value));
    CHECK(contains(error, "f.toml:2:27: error: database.x.max_prepared_statements: "));
    CHECK(contains(error, "out of range"));
  }
  CHECK(contains(error_in("[database.x]\nmax_prepared_statements = \"off\""),
                 "f.toml:2:27: error: database.x.max_prepared_statements: "));
}

TEST_CASE("config rows: what becomes of session state is shown with its defaults, and reloaded") {
  const LoadedConfig loaded = with("on_session_state = \"error\"\n[role.r]\n");
  const auto rows = config_rows(loaded.config);
  const auto find = [&](std::string_view key) -> const ConfigRow& {
    for (const ConfigRow& row : rows) {
      if (row.key == key) return row;
    }
    FAIL(std::string(key));
    std::abort();
  };
  CHECK(find("database.app.on_session_state").value == "error");
  CHECK(find("database.app.on_session_state").default_value == "pin");
  CHECK(find("database.app.on_session_state").changeable);
  CHECK(find("database.app.max_prepared_statements").value == "200");
  CHECK(find("database.app.max_prepared_statements").changeable);
  CHECK(find("database.app.max_pinned").changeable);
  CHECK(find("role.r.on_session_state").changeable);
}
