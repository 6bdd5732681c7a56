#include "src/pool/placement.h"

#include <doctest/doctest.h>

#include <set>

using pgring::BudgetDesk;
using pgring::Config;
using pgring::Placement;

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
