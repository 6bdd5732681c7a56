// Goal: what a DBA reads of the budget is what is in force, and says where it comes from.
#include <doctest/doctest.h>

#include <algorithm>

#include "src/budget/report.h"
#include "tests/unit/src/budget/budget_bench.h"

using namespace pgring;
using namespace pgring::budget_bench;

TEST_CASE("budget report: the ceiling's line has its terms, what is used and what is left") {
  Bench bench;
  const PoolId web = bench.add("shop", "web");
  CHECK(bench.line("ceiling", "main").source == "not known before the first login");
  CHECK_FALSE(bench.line("ceiling", "main").limit.has_value());
  CHECK_FALSE(bench.line("ceiling", "main").headroom().has_value());
  CHECK_FALSE(bench.line("ceiling", "main").others.has_value());
  auto limits = limits_of(20);
  limits.others = 5;
  bench.learn(limits);
  bench.open(web, 4);
  const BudgetLine line = bench.line("ceiling", "main");
  CHECK(line.server == "main");
  CHECK(line.limit == Count{10});
  CHECK(line.used() == 4);
  CHECK(line.headroom() == Count{6});
  CHECK(line.others == Count{5});
  CHECK(line.source ==
        "max_connections 20 - superuser_reserved_connections 3 - keep_free 2 - others 5");
}

TEST_CASE("budget report: an estimate is marked with the grant that would end it") {
  Bench bench{{.max_connections = Count{9}, .keep_free = 2}};
  auto limits = limits_of(20);
  limits.reserved = 1;
  limits.estimated = true;
  bench.learn(limits);
  // In lines that keep the table narrow.
  CHECK(bench.line("ceiling", "main").source ==
        "max_connections 20 - superuser_reserved_connections 3 - reserved_connections 1 - "
        "keep_free 2 - others 0;\n"
        "others estimated: GRANT pg_read_all_stats to count them;\n"
        "at most server.main.max_connections 9");
}

TEST_CASE("budget report: the configuration's own cap is named by its key") {
  Bench bench{{.max_connections = Count{6}, .keep_free = 2}};
  CHECK(contains(bench.line("ceiling", "main").source, "at most server.main.max_connections 6"));
  bench.learn(limits_of(100));
  CHECK(bench.line("ceiling", "main").limit == Count{6});
}

TEST_CASE("budget report: limits of entry, database and role say where they come from") {
  Bench bench;
  const PoolId id = bench.add({.server = "main",
                               .database = "shop",
                               .dbname = "shop_1",
                               .role = "web",
                               .size = 8,
                               .size_min = 1,
                               .reserve = 3,
                               .weight = 2,
                               .database_max = Count{7},
                               .role_max = Count{9}});
  auto limits = limits_of(100);
  limits.databases["shop_1"] = Count{50};
  limits.others_by_database["shop_1"] = 4;
  limits.roles["web"].limit = Count{8};
  limits.others_by_role["web"] = 2;
  bench.learn(limits);
  bench.open(id, 2);
  CHECK(bench.line("entry", "shop").limit == Count{7});
  CHECK(bench.line("entry", "shop").source == "database.shop.max_connections 7");
  CHECK(bench.line("database", "shop_1").limit == Count{46});
  CHECK(bench.line("database", "shop_1").others == Count{4});
  CHECK(bench.line("database", "shop_1").source == "CONNECTION LIMIT 50 - others 4");
  CHECK(bench.line("role", "web").limit == Count{6});
  CHECK(bench.line("role", "web").source ==
        "role.web.max_connections 9; CONNECTION LIMIT 8 - others 2");
  const BudgetLine pool = bench.line("pool", "shop/web");
  CHECK(pool.limit == Count{8});
  CHECK(pool.source == "pool_size 8 + reserve_pool_size 3; min_pool_size 1; weight 2");
  CHECK(pool.used() == 2);
}

TEST_CASE("budget report: a limit that fell leaves no headroom, and says so without wrapping") {
  Bench bench;
  const PoolId id = bench.add("shop", "web");
  bench.learn(limits_of(20));
  bench.open(id, 10);
  bench.learn(limits_of(10));
  const BudgetLine line = bench.line("ceiling", "main");
  CHECK(line.limit == Count{5});
  CHECK(line.used() == 10);
  CHECK(line.headroom() == Count{0});
}

TEST_CASE("budget report: every state a permit can have has its column and counts") {
  Bench bench;
  const PoolId id = bench.add("shop", "web");
  bench.learn(limits_of(20));
  bench.open(id, 3);
  bench.budget().closing(id, PermitState::open);
  bench.budget().lost(id, PermitState::open, 77, LostBy::silence, bench.now);
  bench.wait(id, 1, bench.now);
  for (const auto& [scope, name] : {std::pair{"ceiling", "main"},
                                    {"database", "shop"},
                                    {"role", "web"},
                                    {"pool", "shop/web"}}) {
    CAPTURE(scope);
    const BudgetLine line = bench.line(scope, name);
    CHECK(line.count == std::array<Count, permit_states>{1, 1, 1, 1});
    CHECK(line.used() == 4);
  }
}

TEST_CASE("budget report: limits of a database a pool has left are not shown") {
  Bench bench;
  PoolTerms terms{.server = "main", .database = "shop", .dbname = "old", .role = "web"};
  const PoolId id = bench.add(terms);
  BudgetActions actions;
  terms.dbname = "new";
  bench.budget().set_pool(id, terms, bench.now, actions);
  const auto lines = budget_lines(bench.budget(), bench.now);
  CHECK(std::ranges::none_of(lines, [](const auto& line) { return line.name == "old"; }));
  CHECK(std::ranges::any_of(lines, [](const auto& line) { return line.name == "new"; }));
}

TEST_CASE("budget report: two names of one instance share its lines") {
  Bench bench;
  BudgetActions actions;
  bench.budget().set_server("second", {.max_connections = std::nullopt, .keep_free = 2}, bench.now,
                            actions);
  (void)bench.add("shop", "web");
  bench.learn(limits_of(20));
  bench.budget().learned("second", limits_of(20), {}, bench.now, bench.now, actions);
  const auto lines = budget_lines(bench.budget(), bench.now);
  CHECK(std::ranges::count(lines, "ceiling", &BudgetLine::scope) == 1);
  CHECK(lines.front().server == "main,second");
}

TEST_CASE(
    "explain: at the ceiling all who hold it are named, those with most first, and for how long") {
  Bench bench;
  const PoolId web = bench.add("shop", "web");
  const PoolId job = bench.add("shop", "job");
  bench.learn(limits_of(12));
  bench.open(web, 2);
  bench.open(job, 5);
  bench.now += seconds{60};
  bench.board(job).show_busy(bench.now - milliseconds{12'700});
  bench.board(web).show_busy(bench.now - milliseconds{370});
  bench.wait(web, 1, bench.now);
  const auto why = bench.why(web);
  CHECK(why.reason == Reason::ceiling);
  CHECK(why.limit == "server main: 7 of 7; shop/job has 5, longest for 12s");
  CHECK(why.detail ==
        "Pool shop/web has 2 server connections. The limit that stops it is server main: 7 of 7 "
        "(max_connections 12 - superuser_reserved_connections 3 - keep_free 2 - others 0), held by "
        "shop/job 5, "
        "longest for 12s; shop/web 2, longest for 370ms.");
  CHECK(contains(why.hint, "max_connections in postgresql.conf"));
  CHECK_FALSE(contains(why.hint, "pool_size"));
}

TEST_CASE(
    "explain: a pool that is full itself is told its size and how long its longest link lasts") {
  Bench bench;
  const PoolId id =
      bench.add({.server = "main", .database = "shop", .dbname = "shop", .role = "web", .size = 3});
  bench.learn(limits_of(100));
  bench.open(id, 3);
  bench.now += seconds{100};
  bench.board(id).show_busy(bench.now - seconds{90});
  bench.wait(id, 2, bench.now);
  const auto why = bench.why(id);
  CHECK(why.reason == Reason::pool);
  CHECK(why.limit == "pool_size: 3 of 3, longest for 1m30s");
  CHECK(contains(why.detail, "pool_size 3: 3 of 3, longest for 1m30s."));
  CHECK(contains(why.hint, "raise pool_size"));
}

TEST_CASE(
    "explain: a refusal by PostgreSQL counts as the limit in force, whatever was configured") {
  Bench bench{{.max_connections = Count{5}, .keep_free = 2}};
  const PoolId id = bench.add("shop", "web");
  const PoolId other = bench.add("shop", "other");
  bench.learn(limits_of(100));
  bench.open(id, 2);
  bench.wait(other, 1, bench.now);
  bench.fail(other, Failure::instance_full);
  bench.board(other).show_waiting(0, {});
  bench.wait(id, 1, bench.now);
  const auto why = bench.why(id);
  CHECK(why.reason == Reason::ceiling);
  CHECK(contains(why.limit, "server main: 2 of 2"));
  CHECK(contains(why.detail, "PostgreSQL refused another connection (53300)"));
  CHECK_FALSE(contains(why.hint, "raise server.main.max_connections"));
  CHECK(contains(bench.line("ceiling", "main").source, "53300"));
}

TEST_CASE(
    "superusers: each is named once for its server, with a database, and marked in the budget") {
  Bench bench;
  (void)bench.add("shop", "web");
  (void)bench.add("shop", "root");
  (void)bench.add("blog", "root");
  CHECK(superusers_among_pools(bench.budget()).empty());  // nobody has said so yet
  auto limits = limits_of(100);
  limits.roles["web"].superuser = false;
  limits.roles["root"] = {.limit = Count{1}, .superuser = true};
  limits.roles["unused"].superuser = true;
  bench.learn(limits);
  const auto found = superusers_among_pools(bench.budget());
  REQUIRE(found.size() == 1);
  CHECK(found.front() == SuperuserPool{.server = "main", .role = "root", .database = "shop"});
  CHECK(contains(bench.line("role", "root").source, "superuser"));
  CHECK_FALSE(bench.line("role", "root").limit.has_value());  // PostgreSQL exempts it
  CHECK(contains(bench.line("pool", "blog/root").source, "; superuser"));
  CHECK_FALSE(contains(bench.line("pool", "shop/web").source, "superuser"));
}
