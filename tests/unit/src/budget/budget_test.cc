#include "src/budget/budget.h"
#include "tests/unit/src/budget/boards.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace pgring;
using namespace std::chrono_literals;

namespace {

// One or more pools of a server, with one part each, whose boards the test writes.
struct World {
  Budget budget{1};
  std::vector<std::unique_ptr<PoolBoard>> boards;
  ring::Instant now{1000s};
  BudgetActions actions;

  explicit World(const ServerTerms& terms = {.keep_free = 0}) {
    budget.set_server("main", terms, now, actions);
  }
  PoolId pool(PoolTerms terms) {
    terms.server = "main";
    if (terms.dbname.empty()) terms.dbname = terms.database;
    boards.push_back(std::make_unique<PoolBoard>(1));
    boards.back()->part(0).show_closed(false);
    return budget.add_pool(terms, *boards.back());
  }
  PartBoard& part(PoolId id) { return boards[id]->part(0); }
  void wait(PoolId id, Count clients) { wait_since(id, clients, now); }
  void wait_since(PoolId id, Count clients, ring::Instant since) {
    show_waiting(part(id), clients, since);
  }
  // Permits issued to this pool by asking.
  Count ask(PoolId id) {
    actions.clear();
    budget.ask(id, now, actions);
    return issued(id);
  }
  [[nodiscard]] Count issued(PoolId id) const {
    Count count = 0;
    for (const auto& action : actions)
      count += action.kind == BudgetAction::Kind::open && action.pool == id ? 1 : 0;
    return count;
  }
  void open_all(PoolId id) {
    while (budget.pool(id).of(PermitState::opening) > 0) budget.opened(id, now, actions);
  }
  // Lets the pool open as many as it may for `clients` that wait, which are served then and go on.
  void fill(PoolId id, Count clients) {
    for (;;) {
      const Count held = budget.pool(id).held();
      wait(id, clients > held ? clients - held : 0);
      const Count permits = ask(id);
      wait(id, 0);  // each takes the one that was opened for it
      open_all(id);
      if (permits == 0) break;
    }
  }
  void learn(ServerLimits limits) {
    if (limits.id.system_identifier == 0) limits.id = {1, 1};
    actions.clear();
    budget.learned("main", limits, {}, now, now, actions);
  }
  void close_one(PoolId id) {
    budget.closing(id, PermitState::open);
    actions.clear();
    budget.returned(id, PermitState::closing, now, actions);
  }
  [[nodiscard]] const ServerLimits& limits() const {
    return *budget.servers().at("main").instance->limits;
  }
  [[nodiscard]] Count used() const { return budget.servers().at("main").instance->ceiling.used(); }
};

ServerLimits limits_of_20() { return {.max_connections = 20, .superuser_reserved = 3}; }

}  // namespace

TEST_CASE("budget: before anything is known of the server one connection is permitted") {
  World world;
  const PoolId a = world.pool({.database = "a", .role = "r"});
  const PoolId b = world.pool({.database = "b", .role = "r"});
  world.wait(a, 5);
  CHECK(world.ask(a) == 1);
  world.wait(b, 5);
  CHECK(world.ask(b) == 0);
  CHECK(world.budget.pool(b).reason == Reason::server);
}

TEST_CASE("budget: a server that does not tell its limits is taken for one with the defaults") {
  World world{{.keep_free = 2}};
  const PoolId a = world.pool({.database = "a", .role = "r", .size = 200});
  world.wait(a, 1);
  CHECK(world.ask(a) == 1);
  world.open_all(a);
  world.budget.not_told("main", world.now, world.actions);
  world.fill(a, 200);
  CHECK(world.budget.pool(a).held() == 95);
  CHECK(world.budget.pool(a).reason == Reason::ceiling);
  // It tells after all.
  world.learn(limits_of_20());
  CHECK(world.budget.pool(a).board->to_shed() == 95 - 15);
  // What is known is not forgotten for one answer that failed.
  world.budget.not_told("main", world.now, world.actions);
  CHECK(world.budget.pool(a).board->to_shed() == 95 - 15);
}

TEST_CASE("budget: the configured limit of a server that does not tell is what counts") {
  World world{{.max_connections = 120, .keep_free = 2}};
  const PoolId a = world.pool({.database = "a", .role = "r", .size = 200});
  world.budget.not_told("main", world.now, world.actions);
  world.fill(a, 200);
  CHECK(world.budget.pool(a).held() == 120);
}

TEST_CASE("budget: the ceiling is what reserved slots, keep_free and others leave") {
  World world{{.keep_free = 2}};
  auto limits = limits_of_20();
  limits.reserved = 1;
  limits.others = 4;
  world.learn(limits);
  const PoolId a = world.pool({.database = "a", .role = "r", .size = 50});
  world.fill(a, 50);
  CHECK(world.used() == 20 - 3 - 1 - 2 - 4);
  world.wait(a, 1);
  CHECK(world.ask(a) == 0);
  CHECK(world.budget.pool(a).reason == Reason::ceiling);
  CHECK(world.budget.consistent());
}

TEST_CASE("budget: the configured limit of a server counts where it is lower") {
  World world{{.max_connections = 3, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 50);
  CHECK(world.used() == 3);
}

TEST_CASE(
    "budget: a role's and a database's limits count, less what others have, but not for "
    "superusers") {
  World world;
  auto limits = limits_of_20();
  limits.roles["r"] = {.limit = 5};
  limits.roles["root"] = {.limit = 1, .superuser = true};
  limits.databases["b"] = 4;
  limits.others_by_role["r"] = 2;
  limits.others = 2;
  world.learn(limits);
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 9);
  CHECK(world.budget.pool(a).held() == 3);
  const PoolId b = world.pool({.database = "b", .role = "q"});
  world.fill(b, 9);
  CHECK(world.budget.pool(b).held() == 4);
  const PoolId c = world.pool({.database = "a", .role = "root"});
  world.fill(c, 5);
  CHECK(world.budget.pool(c).held() == 5);
}

TEST_CASE("budget: a closing connection counts until it is over") {
  World world{{.max_connections = 1, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 1);
  world.budget.closing(a, PermitState::open);
  world.wait(a, 1);
  CHECK(world.ask(a) == 0);
  world.actions.clear();
  world.budget.returned(a, PermitState::closing, world.now, world.actions);
  CHECK(world.issued(a) == 1);
}

TEST_CASE("budget: what exceeds a limit that fell is given up, and nothing is issued meanwhile") {
  World world;
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 17);
  auto limits = limits_of_20();
  limits.others = 5;
  world.learn(limits);
  CHECK(world.boards[a]->to_shed() == 5);
  world.wait(a, 3);
  CHECK(world.ask(a) == 0);
  for (int i = 0; i < 5; ++i) CHECK(world.budget.claim_shed(a));
  CHECK_FALSE(world.budget.claim_shed(a));
  CHECK(world.budget.consistent());
}

TEST_CASE("budget: a pool above its share gives to one that waits, and both come to rest") {
  World world{{.max_connections = 10, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId big = world.pool({.database = "big", .role = "r"});
  const PoolId small = world.pool({.database = "small", .role = "r"});
  world.fill(big, 10);
  world.wait(big, 290);
  world.wait(small, 3);
  CHECK(world.ask(small) == 0);
  int reconnects = 0;
  for (int step = 0; step < 1000; ++step) {
    world.now += 1ms;
    world.actions.clear();
    world.budget.tick(world.now, world.actions);
    for (const PoolId id : {big, small}) {
      world.open_all(id);
      while (world.budget.claim_shed(id)) {
        world.budget.returned(id, PermitState::closing, world.now, world.actions);
        ++reconnects;
      }
    }
    world.wait(small, 3 - std::min<Count>(3, world.budget.pool(small).held()));
  }
  CHECK(world.budget.pool(small).held() == 3);
  CHECK(world.budget.pool(big).held() == 7);
  CHECK(reconnects == 3);
}

TEST_CASE(
    "budget: where a lost connection takes the last slot, the one that can ask for it stays") {
  World world{{.max_connections = 1, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 1);
  world.budget.lost(a, PermitState::open, 4711, LostBy::silence, world.now);
  world.wait(a, 1);
  CHECK(world.ask(a) == 1);
  world.open_all(a);
  CHECK_FALSE(world.budget.claim_shed(a));
  // Its answer still names the lost one: there are two, and one is not given up for what nobody can close.
  world.now += 1ms;
  const std::uint32_t pid = 4711;
  world.budget.learned("main", world.limits(), {&pid, 1}, world.now, world.now, world.actions);
  CHECK_FALSE(world.budget.claim_shed(a));
  world.now += 1ms;
  world.learn(limits_of_20());
  CHECK(world.used() == 1);
}

TEST_CASE(
    "budget: one that never told its pid counts until the next answer if it was reset, else "
    "longer") {
  World world;
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  for (const LostBy by : {LostBy::reset, LostBy::silence}) {
    world.wait(a, 1);
    CHECK(world.ask(a) == 1);
    world.budget.lost(a, PermitState::opening, 0, by, world.now);
    world.wait(a, 0);
  }
  CHECK(world.used() == 2);
  world.learn(limits_of_20());  // asked at the same time: it says nothing of them
  CHECK(world.used() == 2);
  world.now += 1ms;
  world.learn(limits_of_20());
  CHECK(world.used() == 1);
  world.now += BudgetTimes{}.lost_max;
  world.budget.tick(world.now, world.actions);
  CHECK(world.used() == 0);
}

TEST_CASE("budget: a pool whose connections are never released does not keep others from giving") {
  World world{{.max_connections = 20, .keep_free = 0}};
  world.learn({.max_connections = 100});
  const PoolId sessions = world.pool({.database = "sessions", .role = "r"});
  const PoolId busy = world.pool({.database = "busy", .role = "r"});
  const PoolId third = world.pool({.database = "third", .role = "r"});
  world.fill(sessions, 11);
  world.fill(busy, 9);
  world.wait(busy, 50);
  world.wait(third, 1);
  CHECK(world.ask(third) == 0);
  for (int step = 0; step < 1000 && world.budget.pool(third).held() == 0; ++step) {
    world.now += 1ms;
    world.actions.clear();
    world.budget.tick(world.now, world.actions);
    // Only this one's connections come back.
    while (world.budget.claim_shed(busy))
      world.budget.returned(busy, PermitState::closing, world.now, world.actions);
  }
  CHECK(world.budget.pool(third).held() == 1);
  CHECK(world.budget.pool(sessions).held() == 11);
  // A limit that falls is kept likewise.
  world.wait(third, 0);
  world.open_all(third);
  world.budget.set_server("main", {.max_connections = 16, .keep_free = 0}, world.now,
                          world.actions);
  for (int step = 0; step < 2000; ++step) {
    world.now += 1ms;
    world.budget.tick(world.now, world.actions);
    while (world.budget.claim_shed(busy))
      world.budget.returned(busy, PermitState::closing, world.now, world.actions);
  }
  CHECK(world.used() == 16);
}

TEST_CASE("budget: shares follow weights") {
  World world{{.max_connections = 12, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId light = world.pool({.database = "light", .role = "r", .weight = 1});
  const PoolId heavy = world.pool({.database = "heavy", .role = "r", .weight = 2});
  world.wait(light, 100);
  world.wait(heavy, 100);
  CHECK(world.ask(heavy) > 0);
  for (int step = 0; step < 200; ++step) {
    world.now += 1ms;
    world.actions.clear();
    world.budget.tick(world.now, world.actions);
    world.open_all(light);
    world.open_all(heavy);
  }
  CHECK(world.budget.pool(light).held() == 4);
  CHECK(world.budget.pool(heavy).held() == 8);
}

TEST_CASE("budget: an idle connection within its pool's share is taken only after it has rested") {
  World world{{.max_connections = 1, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  const PoolId b = world.pool({.database = "b", .role = "r"});
  world.fill(a, 1);
  world.part(a).show_idle(1, world.now);
  world.wait(b, 1);
  CHECK(world.ask(b) == 0);
  CHECK(world.boards[a]->to_shed() == 0);
  CHECK(world.budget.pool(b).reason == Reason::hysteresis);
  world.now += world.budget.times().hysteresis;
  CHECK(world.ask(b) == 0);
  CHECK(world.boards[a]->to_shed() == 1);
}

TEST_CASE(
    "budget: min_pool_size is filled from what is free, and yields to a pool that has nothing") {
  World world{{.max_connections = 2, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r", .size_min = 5});
  CHECK(world.ask(a) == 2);
  world.open_all(a);
  world.part(a).show_idle(2, world.now);
  const PoolId b = world.pool({.database = "b", .role = "r"});
  world.now += 1s;
  world.wait(b, 2);
  (void)world.ask(b);
  CHECK(world.boards[a]->to_shed() == 1);
}

TEST_CASE("budget: the reserve opens when the oldest has waited long enough") {
  World world;
  world.learn(limits_of_20());
  const PoolId a =
      world.pool({.database = "a", .role = "r", .size = 1, .reserve = 1, .reserve_after = 5s});
  world.fill(a, 1);
  const auto since = world.now;
  world.wait_since(a, 1, since);
  CHECK(world.ask(a) == 0);
  CHECK(world.budget.pool(a).reason == Reason::reserve);
  world.now += 5s;
  CHECK(world.ask(a) == 1);
}

TEST_CASE("budget: \"too many connections\" lowers the ceiling until facts say otherwise") {
  World world;
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 5);
  world.wait(a, 1);
  CHECK(world.ask(a) == 1);
  world.budget.closing(a, PermitState::opening);
  world.budget.failed(a, Failure::instance_full, 1s, world.now);
  world.actions.clear();
  world.budget.returned(a, PermitState::closing, world.now, world.actions);
  CHECK(world.issued(a) == 0);
  CHECK(world.budget.pool(a).reason == Reason::backoff);
  world.now += 400ms;
  CHECK(world.ask(a) == 1);
}

TEST_CASE("budget: what was mended is tried again at once, and what was not is not") {
  World world;
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  const PoolId b = world.pool({.database = "b", .role = "r"});
  for (const PoolId pool : {a, b}) {
    world.wait(pool, 1);
    CHECK(world.ask(pool) == 1);
    world.budget.closing(pool, PermitState::opening);
    world.budget.failed(pool, Failure::other, 1h, world.now);
    world.actions.clear();
    world.budget.returned(pool, PermitState::closing, world.now, world.actions);
    world.now += 30s;
    CHECK(world.ask(pool) == 0);
  }
  world.actions.clear();
  world.budget.retry_now(a, world.now, world.actions);
  CHECK(world.issued(a) == 1);
  CHECK(world.issued(b) == 0);
  CHECK(world.budget.pool(b).reason == Reason::backoff);
}

TEST_CASE("budget: a lost permit counts against the server until its backend is gone") {
  World world{{.max_connections = 2, .keep_free = 0}};
  world.learn(limits_of_20());
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 2);
  world.budget.lost(a, PermitState::open, 77, LostBy::silence, world.now);
  CHECK(world.used() == 2);
  world.now += 1s;
  const std::vector<std::uint32_t> alive{77};
  auto limits = limits_of_20();
  limits.id = {1, 1};
  world.budget.learned("main", limits, alive, world.now, world.now, world.actions);
  CHECK(world.used() == 2);
  world.now += 1s;
  world.budget.learned("main", limits, {}, world.now, world.now, world.actions);
  CHECK(world.used() == 1);
  CHECK(world.budget.consistent());
}

TEST_CASE("budget: two names of one instance share its budget") {
  World world;
  world.budget.set_server("other", {.keep_free = 0}, world.now, world.actions);
  auto limits = limits_of_20();
  limits.id = {7, 7};
  world.learn(limits);
  const PoolId a = world.pool({.database = "a", .role = "r"});
  world.fill(a, 10);
  world.budget.learned("other", limits, {}, world.now, world.now, world.actions);
  CHECK(world.budget.servers().at("other").instance == world.budget.servers().at("main").instance);
  PoolBoard board{1};
  board.part(0).show_closed(false);
  const PoolId b = world.budget.add_pool(
      {.server = "other", .database = "b", .dbname = "b", .role = "q"}, board);
  show_waiting(board.part(0), 20, world.now);
  world.actions.clear();
  world.budget.ask(b, world.now, world.actions);
  CHECK(world.issued(b) == 7);
}
