#include "src/pool/placement.h"

#include <doctest/doctest.h>

#include <optional>
#include <set>

#include "src/pool/pool_terms.h"

using pgring::BudgetDesk;
using pgring::Config;
using pgring::FoundSecret;
using pgring::LookupPlace;
using pgring::Placement;
using pgring::PoolKeys;
using pgring::Secret;
using pgring::SecretKind;

namespace {

// A server with one database for each name, of that pool_size.
Config config_of(std::initializer_list<std::pair<const char*, std::uint32_t>> databases) {
  Config config;
  config.servers["main"] = {};
  for (const auto& [name, size] : databases) config.databases[name].pool_size = size;
  return config;
}

struct Fixture {
  explicit Fixture(std::uint32_t shards, Config its_config)
      : config{std::move(its_config)}, placement{shards, budget} {
    budget.start({.open = [](auto, auto, auto) {}, .shed = [](auto, auto) {}});
    placement.configure(config, {});
  }
  BudgetDesk budget{1};
  Config config;
  Placement placement;
};

}  // namespace

TEST_CASE("placement: a pool lives on no more shards than its size can feed") {
  Fixture with{4, config_of({{"a", 1}, {"b", 7}, {"c", 8}, {"d", 100}})};
  CHECK(with.placement.home({"a", "r"}, with.config).parts() == 1);
  CHECK(with.placement.home({"b", "r"}, with.config).parts() == 1);
  CHECK(with.placement.home({"c", "r"}, with.config).parts() == 2);
  CHECK(with.placement.home({"d", "r"}, with.config).parts() == 4);
}

TEST_CASE("placement: a home stays where it is, whatever its size becomes") {
  Fixture with{4, config_of({{"a", 100}})};
  auto& home = with.placement.home({"a", "r"}, with.config);
  with.config.databases["a"].pool_size = 1;
  with.placement.configure(with.config, {});
  CHECK(&with.placement.home({"a", "r"}, with.config) == &home);
  CHECK(home.parts() == 4);
  CHECK(&with.placement.home(home.budget_id) == &home);
}

TEST_CASE("placement: all homes are listed once, by key") {
  Fixture with{4, config_of({{"a", 100}, {"b", 1}})};
  CHECK(with.placement.homes().empty());
  for (const char* name : {"b", "a", "b"}) (void)with.placement.home({name, "r"}, with.config);
  const auto homes = with.placement.homes();
  REQUIRE(homes.size() == 2);
  CHECK(homes[0]->key.database == "a");
  CHECK(homes[1]->key.database == "b");
}

TEST_CASE("placement: small pools spread over the shards") {
  Fixture with{4, config_of({{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}})};
  std::set<std::uint32_t> used;
  for (const char* name : {"a", "b", "c", "d"})
    used.insert(with.placement.home({name, "r"}, with.config).shards[0]);
  CHECK(used.size() == 4);
}

TEST_CASE("placement: a new client goes to the part with the fewest") {
  Fixture with{3, config_of({{"a", 100}})};
  auto& home = with.placement.home({"a", "r"}, with.config);
  home.clients[0] = 5;
  home.clients[1] = 3;
  home.clients[2] = 4;
  CHECK(Placement::least_loaded(home) == 1);
}

TEST_CASE("placement: the pool that asks for secrets is one of its own, with one part") {
  Config config = config_of({{"a", 100}});
  config.auth.role = "asker";
  Fixture with{4, std::move(config)};
  const LookupPlace place{"main", "postgres", "SELECT $1, $1"};
  auto& home = with.placement.home(lookup_key(with.config, place), with.config);
  CHECK(home.key.is_for_lookups());
  CHECK(home.parts() == 1);
  // A client's names cannot be those of it.
  CHECK(&with.placement.home({home.key.database, "asker"}, config_of({{"auth.query", 1}})) !=
        &home);
  const LookupPlace elsewhere{"main", "secrets", "SELECT $1, $1"};
  CHECK(&with.placement.home(lookup_key(with.config, elsewhere), with.config) != &home);
  CHECK(is_configured(with.config, home.key));
  with.config.auth.role = "another";
  CHECK_FALSE(is_configured(with.config, home.key));
}

TEST_CASE("pool keys: what a login revealed is new, or known already") {
  const auto keys_of = [](unsigned char byte) {
    wire::ScramKeys keys;
    keys.client_key.fill(byte);
    return keys;
  };
  const auto found = [](const char* text, SecretKind kind) {
    return FoundSecret{.secret = {Secret{text}, kind}, .why_none = {}};
  };
  PoolKeys keys;
  CHECK_FALSE(keys.set(std::nullopt, nullptr));
  CHECK(keys.set(keys_of(1), nullptr));
  CHECK_FALSE(keys.set(keys_of(1), nullptr));
  CHECK(keys.set(keys_of(2), nullptr));
  const auto md5 = found("md50123456789abcdef0123456789abcdef", SecretKind::md5);
  CHECK(keys.set(std::nullopt, &md5));
  CHECK_FALSE(keys.set(std::nullopt, &md5));
  CHECK(keys.found()->text == md5.secret.text);
  CHECK(keys.get()->client_key == keys_of(2).client_key);
  // With a SCRAM secret nobody can log in: what was there before is not the role's any more.
  const auto scram = found("SCRAM-SHA-256$…", SecretKind::scram_sha_256);
  CHECK(keys.set(std::nullopt, &scram));
  CHECK_FALSE(keys.found());
}
