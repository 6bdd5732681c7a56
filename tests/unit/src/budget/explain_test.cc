// Goal: a client that waits is told the limit in force, what it is made of, who holds it, for how long,
// and what can be done about that limit.
#include <doctest/doctest.h>

#include <algorithm>

#include "src/budget/report.h"
#include "tests/unit/src/budget/budget_bench.h"

using namespace pgring;
using namespace pgring::budget_bench;

TEST_CASE("explain: with very many holders the largest are named and the rest counted") {
  Bench bench;
  std::vector<PoolId> pools;
  for (int i = 0; i < 12; ++i) pools.push_back(bench.add("shop", "r" + std::to_string(i)));
  bench.learn(limits_of(18));
  for (const PoolId id : pools) bench.open(id, 1);
  bench.open(pools[11], 1);
  bench.wait(pools[0], 1, bench.now);
  const auto why = bench.why(pools[0]);
  CHECK(why.reason == Reason::ceiling);
  CHECK(contains(why.detail, "held by shop/r11 2; shop/r0 1;"));
  CHECK(contains(why.detail, "; 4 other pools 4."));
}

TEST_CASE("explain: a cap of the configuration is named by its key, and raising it is the hint") {
  Bench bench{{.max_connections = Count{2}, .keep_free = 2}};
  const PoolId id = bench.add("shop", "web");
  bench.learn(limits_of(100));
  bench.open(id, 2);
  bench.wait(id, 1, bench.now);
  const auto why = bench.why(id);
  CHECK(why.reason == Reason::ceiling);
  CHECK(why.limit == "server.main.max_connections: 2 of 2; shop/web has 2");
  CHECK(contains(why.hint, "raise server.main.max_connections."));
}

TEST_CASE("explain: a limit of the entry, PostgreSQL's database or a role has its own hint") {
  const auto explain = [](const PoolTerms& terms, const ServerLimits& limits) {
    Bench bench;
    const PoolId id = bench.add(terms);
    bench.learn(limits);
    bench.open(id, 2);
    bench.wait(id, 1, bench.now);
    return bench.why(id);
  };
  PoolTerms terms{.server = "main", .database = "shop", .dbname = "shop_1", .role = "web"};
  auto limits = limits_of(100);
  SUBCASE("entry") {
    terms.database_max = Count{2};
    const auto why = explain(terms, limits);
    CHECK(why.reason == Reason::database);
    CHECK(contains(why.limit, "database.shop.max_connections: 2 of 2"));
    CHECK(contains(why.hint, "raise database.shop.max_connections."));
  }
  SUBCASE("database") {
    limits.databases["shop_1"] = Count{3};
    limits.others_by_database["shop_1"] = 1;
    const auto why = explain(terms, limits);
    CHECK(why.reason == Reason::database);
    CHECK(contains(why.limit, "CONNECTION LIMIT of database shop_1: 2 of 2"));
    CHECK(contains(why.detail, "(CONNECTION LIMIT 3 - others 1)"));
    CHECK(contains(why.hint, "ALTER DATABASE \"shop_1\" CONNECTION LIMIT"));
  }
  SUBCASE("role of PostgreSQL") {
    terms.role_max = Count{9};
    limits.roles["web"].limit = Count{2};
    const auto why = explain(terms, limits);
    CHECK(why.reason == Reason::role);
    CHECK(contains(why.limit, "CONNECTION LIMIT of role web: 2 of 2"));
    CHECK(contains(why.hint, "ALTER ROLE \"web\" CONNECTION LIMIT"));
  }
  SUBCASE("role of the configuration") {
    terms.role_max = Count{2};
    limits.roles["web"].limit = Count{9};
    const auto why = explain(terms, limits);
    CHECK(why.reason == Reason::role);
    CHECK(contains(why.limit, "role.web.max_connections: 2 of 2"));
    CHECK(contains(why.hint, "raise role.web.max_connections."));
  }
}

TEST_CASE("explain: what passes by itself is named too") {
  Bench bench;
  PoolTerms terms{.server = "main", .database = "shop", .dbname = "shop", .role = "web"};
  SUBCASE("opening") {
    const PoolId id = bench.add(terms);
    bench.wait(id, 1, bench.now);
    CHECK(bench.why(id).reason == Reason::opening);
    CHECK(bench.why(id).limit == "1 being opened");
  }
  SUBCASE("moving") {
    const PoolId id = bench.add(terms);
    bench.learn(limits_of(100));
    bench.open(id, 1);
    bench.board(id).show_idle(1, bench.now);
    bench.wait(id, 1, bench.now);
    CHECK(bench.why(id).reason == Reason::moving);
  }
  SUBCASE("server") {
    const PoolId id = bench.add(terms);
    bench.wait(id, 2, bench.now);
    CHECK(bench.why(id).reason == Reason::server);
    CHECK(contains(bench.why(id).limit, "server main: limits not known yet"));
  }
  SUBCASE("burst") {
    const PoolId id = bench.add(terms);
    bench.learn(limits_of(100));
    bench.wait(id, 20, bench.now);
    CHECK(bench.why(id).reason == Reason::burst);
    CHECK(contains(bench.why(id).limit, "8 being opened"));
  }
  SUBCASE("reserve") {
    terms.size = 1;
    terms.reserve = 2;
    const PoolId id = bench.add(terms);
    bench.learn(limits_of(100));
    bench.open(id, 1);
    bench.wait(id, 1, bench.now);
    CHECK(bench.why(id).reason == Reason::reserve);
    CHECK(bench.why(id).limit == "pool_size: 1 of 1; 2 more after 5s");
    CHECK(contains(bench.why(id).hint, "reserve_pool_timeout"));
  }
  SUBCASE("backoff") {
    const PoolId id = bench.add(terms);
    bench.wait(id, 1, bench.now);
    bench.fail(id, Failure::other);
    CHECK(bench.why(id).reason == Reason::backoff);
    CHECK(contains(bench.why(id).limit, "next in 1"));  // 15 s, jittered
    CHECK(contains(bench.why(id).hint, "server login failed"));
  }
  SUBCASE("hysteresis") {
    const PoolId rich = bench.add("shop", "rich");
    const PoolId poor = bench.add("shop", "poor");
    bench.learn(limits_of(6));
    bench.open(rich, 1);
    bench.board(rich).show_idle(1, bench.now);
    bench.wait(poor, 1, bench.now);
    CHECK(bench.why(poor).reason == Reason::hysteresis);
    CHECK(contains(bench.why(poor).limit, "server main: 1 of 1; shop/rich has 1"));
  }
}
