#include "src/pool/placement.h"

#include <doctest/doctest.h>

#include <set>

using pgring::Placement;
using pgring::PoolHome;

TEST_CASE("placement: a pool lives on no more shards than its size can feed") {
  Placement placement{4};
  CHECK(placement.home({"a", "r"}, 1).parts() == 1);
  CHECK(placement.home({"b", "r"}, 7).parts() == 1);
  CHECK(placement.home({"c", "r"}, 8).parts() == 2);
  CHECK(placement.home({"d", "r"}, 100).parts() == 4);
}

TEST_CASE("placement: a home stays where it is, whatever its size becomes") {
  Placement placement{4};
  auto& home = placement.home({"a", "r"}, 100);
  CHECK(&placement.home({"a", "r"}, 1) == &home);
  CHECK(home.parts() == 4);
}

TEST_CASE("placement: the parts' shares add up to the whole, none differs by more than one") {
  for (std::uint32_t total = 0; total < 50; ++total) {
    for (std::uint32_t parts = 1; parts <= 8; ++parts) {
      std::uint32_t sum = 0;
      for (std::uint32_t part = 0; part < parts; ++part) {
        const auto share = PoolHome::share(total, parts, part);
        CHECK(share >= total / parts);
        CHECK(share <= total / parts + 1);
        sum += share;
      }
      CHECK(sum == total);
    }
  }
}

TEST_CASE("placement: small pools spread over the shards") {
  Placement placement{4};
  std::set<std::uint32_t> used;
  for (const char* name : {"a", "b", "c", "d"})
    used.insert(placement.home({name, "r"}, 1).shards[0]);
  CHECK(used.size() == 4);
}

TEST_CASE("placement: a new client goes to the part with the fewest") {
  Placement placement{3};
  auto& home = placement.home({"a", "r"}, 100);
  home.clients[0] = 5;
  home.clients[1] = 3;
  home.clients[2] = 4;
  CHECK(Placement::least_loaded(home) == 1);
}
