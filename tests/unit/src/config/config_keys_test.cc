#include "src/config/config_keys.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "ring/capabilities.h"
#include "src/config/config_names.h"
#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {

// The line before a key of this section, and a sound rest behind it that does not define it again.
std::string section_with(const ConfigKey& key, std::string_view line) {
  const std::string name = key.is_named ? "x" : "";
  std::string text = key.is_named ? fmt::format("[{}.{}]\n", key.section, name)
                                  : fmt::format("[{}]\n", key.section);
  text += line;
  return text + "\n" + std::string(good_tail);
}

}  // namespace

TEST_CASE("config keys: each one is read, so a value of no key's type is an error that names it") {
  for (const ConfigKey& key : config_keys()) {
    const std::string text = section_with(key, fmt::format("{} = 1979-05-27", key.name));
    const auto result = parse_config(text, "f.toml");
    CAPTURE(text);
    REQUIRE_FALSE(result);
    const std::string path = key.is_named ? fmt::format("{}.x.{}", key.section, key.name)
                                          : fmt::format("{}.{}", key.section, key.name);
    const auto& errors = result.error().errors;
    CHECK(std::any_of(errors.begin(), errors.end(), [&](const Diagnostic& d) {
      return d.key == path &&
             d.at == Position{2, static_cast<std::uint32_t>(key.name.size() + 4)} &&
             contains(d.message, "a date or time where ");
    }));
  }
}

TEST_CASE("config keys: each has a type and one sentence of meaning, and stands once") {
  std::set<std::string> seen;
  for (const ConfigKey& key : config_keys()) {
    CAPTURE(key.name);
    CHECK_FALSE(key.type.empty());
    CHECK(key.meaning.ends_with('.'));
    CHECK(seen.insert(fmt::format("{}.{}", key.section, key.name)).second);
  }
  CHECK(seen.size() == 98);
}

TEST_CASE("config keys: ring.disable knows the ring's capabilities, all of them and no others") {
  auto capabilities = ring::Capabilities::all();
  for (const auto& word : Words<RingFeature>::words) {
    CAPTURE(word.name);
    CHECK(capabilities.set(word.name, false));
  }
  CHECK(capabilities.describe() == ring::Capabilities{}.describe());
}

TEST_CASE("config rows: an empty file with one database shows every key with its default") {
  const LoadedConfig loaded = good(good_tail);
  const auto rows = config_rows(loaded.config);
  CHECK(std::is_sorted(rows.begin(), rows.end(),
                       [](const ConfigRow& a, const ConfigRow& b) { return a.key < b.key; }));
  for (const ConfigRow& row : rows) {
    CAPTURE(row.key);
    CHECK(row.value == row.default_value);
  }
  const auto find = [&](std::string_view key) -> const ConfigRow& {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const ConfigRow& row) { return row.key == key; });
    REQUIRE(found != rows.end());
    return *found;
  };
  CHECK(find("listen.port").value == "6432");
  CHECK_FALSE(find("listen.port").changeable);
  CHECK(find("listen.address").value == "127.0.0.1");
  CHECK(find("listen.unix_socket_mode").value == "0777");
  CHECK(find("shards.count").value == "auto");
  CHECK(find("ring.client_buffer_size").value == "4KiB");
  CHECK(find("database.app.max_clients").value == "unlimited");
  CHECK(find("server.main.max_replication").value == "10");
  CHECK(find("timeouts.query_wait").value == "2m");
  CHECK(find("timeouts.query").value == "off");
  CHECK(find("timeouts.server_lifetime").value == "1h");
  CHECK(find("auth.method").value == "scram-sha-256");
  CHECK(find("log.connections").value == "true");
  CHECK(find("log.level").changeable);
}

TEST_CASE("config keys: max_replication is a number, 0 is none, and nothing is unlimited") {
  const auto with = [](std::string_view value) {
    return fmt::format("[server.main]\nmax_replication = {}\n[database.app]\n", value);
  };
  CHECK(good(with("0")).config.servers.at("main").max_replication == 0);
  CHECK(good(with("25")).config.servers.at("main").max_replication == 25);
  for (const auto* value : {"-1", "262144", "\"unlimited\"", "\"auto\""}) {
    CAPTURE(value);
    const auto result = parse_config(with(value), "f.toml");
    REQUIRE_FALSE(result);
    CHECK(result.error().errors.at(0).key == "server.main.max_replication");
  }
}

TEST_CASE("config rows: secrets are shown as stars") {
  const LoadedConfig loaded = good(
      "[server.main]\n[database.app]\nuser = \"u\"\npassword = \"hunter2\"\n"
      "[role.r]\npassword = \"hunter3\"\n");
  int stars = 0;
  for (const ConfigRow& row : config_rows(loaded.config)) {
    CHECK_FALSE(contains(row.value, "hunter"));
    stars += row.value == "***";
  }
  CHECK(stars == 2);
}

TEST_CASE("config rows: what a reload cannot change is named with both values") {
  const LoadedConfig running = good(good_tail);
  const LoadedConfig wanted = good(std::string(good_tail) +
                                   "pool_size = 3\n[listen]\nport = 7000\nmax_clients = 5\n"
                                   "[shards]\ncount = 2\n[database.other]\n");
  const auto changes = fixed_changes(running.config, wanted.config);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].key == "listen.port");
  CHECK(changes[0].running == "6432");
  CHECK(changes[0].wanted == "7000");
  CHECK(changes[1].key == "shards.count");
  CHECK(fixed_changes(running.config, running.config).empty());
}
