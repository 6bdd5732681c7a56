#include "src/statement/server_statements.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using pgring::ServerStatements;
using pgring::StatementRef;
using pgring::StatementTable;

namespace {

struct Rig {
  StatementTable table;
  std::vector<StatementRef> all;
  ServerStatements copies;

  Rig() {
    for (int i = 0; i < 4; ++i) {
      all.push_back(
          table.intern({.text = "select " + std::to_string(i), .types = {}, .settings = {}}));
    }
  }
  // All of them, the one not used for longest first.
  std::vector<int> evicted() {
    std::vector<int> order;
    while (copies.size() > 0) {
      const StatementRef gone = copies.evict();
      for (int i = 0; i < 4; ++i) {
        if (all[static_cast<std::size_t>(i)] == gone) order.push_back(i);
      }
    }
    return order;
  }
};

}  // namespace

TEST_CASE("server statements: what was put can be used, what was not cannot") {
  Rig rig;
  CHECK(rig.copies.use(*rig.all[0]) == nullptr);
  CHECK(rig.copies.find(rig.all[0]->id()) == nullptr);
  ServerStatements::Copy& copy = rig.copies.put(rig.all[0]);
  CHECK(copy.usable());
  CHECK(copy.version == nullptr);
  CHECK(rig.copies.use(*rig.all[0]) == &copy);
  CHECK(rig.copies.use(*rig.all[1]) == nullptr);
  CHECK(rig.copies.size() == 1);
}

TEST_CASE("server statements: the one not used for longest goes first") {
  Rig rig;
  for (const auto& one : rig.all) rig.copies.put(one);
  SUBCASE("in the order in which they were put") {
    CHECK(rig.evicted() == std::vector{0, 1, 2, 3});
  }
  SUBCASE("a use counts, at every place of the order") {
    CHECK(rig.copies.use(*rig.all[3]) != nullptr);
    CHECK(rig.copies.use(*rig.all[0]) != nullptr);
    CHECK(rig.copies.use(*rig.all[2]) != nullptr);
    CHECK(rig.evicted() == std::vector{1, 3, 0, 2});
  }
  SUBCASE("being looked at, or doubted, does not") {
    CHECK(rig.copies.find(rig.all[0]->id()) != nullptr);
    rig.copies.doubt(rig.all[1]->id());
    CHECK(rig.evicted() == std::vector{0, 1, 2, 3});
  }
  SUBCASE("being put again does") {
    rig.copies.put(rig.all[0]);
    CHECK(rig.copies.size() == 4);
    CHECK(rig.evicted() == std::vector{1, 2, 3, 0});
  }
}

TEST_CASE("server statements: in doubt it cannot be used until it is put again") {
  Rig rig;
  rig.copies.put(rig.all[0]);
  rig.copies.put(rig.all[1]);
  rig.copies.doubt(rig.all[0]->id());
  CHECK(rig.copies.use(*rig.all[0]) == nullptr);
  CHECK(rig.copies.find(rig.all[0]->id()) != nullptr);
  CHECK(rig.copies.use(*rig.all[1]) != nullptr);
  rig.copies.put(rig.all[0]);
  CHECK(rig.copies.use(*rig.all[0]) != nullptr);
  rig.copies.doubt(rig.all[2]->id());  // not here: nothing happens
  CHECK(rig.copies.size() == 2);
}

TEST_CASE("server statements: the one used last is doubted like any other") {
  Rig rig;
  rig.copies.put(rig.all[0]);
  CHECK(rig.copies.use(*rig.all[0]) != nullptr);
  rig.copies.doubt(rig.all[0]->id());
  CHECK(rig.copies.use(*rig.all[0]) == nullptr);
}

TEST_CASE("server statements: stale ones cannot be used, and put again they can") {
  Rig rig;
  rig.copies.put(rig.all[0]);
  rig.copies.put(rig.all[1]);
  rig.all[0]->make_stale();
  rig.all[1]->make_stale();
  CHECK(rig.copies.use(*rig.all[0]) == nullptr);
  CHECK(rig.copies.use(*rig.all[1]) == nullptr);
  rig.copies.put(rig.all[0]);
  CHECK(rig.copies.use(*rig.all[0]) != nullptr);
}

TEST_CASE("server statements: prepared again, its version is not known") {
  Rig rig;
  rig.copies.put(rig.all[0]).version = std::make_shared<pgring::StatementVersion>();
  REQUIRE(rig.copies.use(*rig.all[0])->version != nullptr);
  CHECK(rig.copies.put(rig.all[0]).version == nullptr);
}

TEST_CASE("server statements: what was evicted and is there perhaps comes back last and unusable") {
  Rig rig;
  for (const auto& one : rig.all) rig.copies.put(one);
  const StatementRef gone = rig.copies.evict();
  CHECK(gone == rig.all[0]);
  CHECK(rig.copies.find(gone->id()) == nullptr);
  rig.copies.put_doubtful(gone);
  CHECK(rig.copies.size() == 4);
  CHECK(rig.copies.find(gone->id()) != nullptr);
  CHECK(rig.copies.use(*gone) == nullptr);
  rig.copies.put(gone);
  CHECK(rig.copies.use(*gone) != nullptr);
  CHECK(rig.copies.size() == 4);
}

TEST_CASE("server statements: a doubtful one that is first to go is the next to go") {
  Rig rig;
  rig.copies.put(rig.all[0]);
  rig.copies.put(rig.all[1]);
  rig.copies.put_doubtful(rig.all[2]);
  CHECK(rig.evicted() == std::vector{2, 0, 1});
}

TEST_CASE("server statements: what has been prepared again meanwhile is not doubted") {
  Rig rig;
  rig.copies.put(rig.all[0]);
  const StatementRef gone = rig.copies.evict();
  rig.copies.put(gone);
  rig.copies.put_doubtful(gone);
  CHECK(rig.copies.size() == 1);
  CHECK(rig.copies.use(*gone) != nullptr);
}

TEST_CASE("server statements: the copies keep their statement, and clear() lets go of all") {
  StatementTable table;
  ServerStatements copies;
  for (int i = 0; i < 3; ++i)
    copies.put(table.intern({.text = std::to_string(i), .types = {}, .settings = {}}));
  CHECK(table.size() == 3);
  // To another shard.
  ServerStatements moved = std::move(copies);
  CHECK(moved.size() == 3);
  CHECK(moved.use(*table.intern({.text = "1", .types = {}, .settings = {}})) != nullptr);
  moved.clear();
  CHECK(moved.size() == 0);
  CHECK(table.size() == 0);
}

TEST_CASE(
    "server statements: a copy stands in for a Parse for a second, while nothing is defined") {
  using namespace std::chrono_literals;
  Rig rig;
  auto& copy = rig.copies.put(rig.all[0]);
  copy.as_declared = true;
  copy.definitions = 3;
  copy.parsed_at = 10s;
  CHECK_FALSE(copy.stands_in(3, 10s));  // not described yet
  copy.version = std::make_shared<pgring::StatementVersion>();
  CHECK(copy.stands_in(3, 10s));
  CHECK(copy.stands_in(3, 10999ms));
  CHECK_FALSE(copy.stands_in(3, 11s));
  CHECK_FALSE(copy.stands_in(4, 10s));
  copy.as_declared = false;
  CHECK_FALSE(copy.stands_in(3, 10s));
  copy.as_declared = true;
  copy.doubtful = true;
  CHECK_FALSE(copy.stands_in(3, 10s));
  copy.doubtful = false;
  rig.all[0]->make_stale();
  CHECK_FALSE(copy.stands_in(3, 10s));
}

TEST_CASE("server statements: with parameters a copy is planned anew five times") {
  Rig rig;
  auto& copy = rig.copies.put(rig.all[0]);
  auto version = std::make_shared<pgring::StatementVersion>();
  version->types = {23};
  copy.version = version;
  CHECK(copy.plans_anew(5));
  CHECK_FALSE(copy.plans_anew(6));
  copy.binds = 4;
  CHECK(copy.plans_anew(1));
  CHECK_FALSE(copy.plans_anew(2));
  copy.version = std::make_shared<pgring::StatementVersion>();
  CHECK(copy.plans_anew(1000));
  // Prepared again.
  copy.version = version;
  copy.binds = 5;
  CHECK_FALSE(copy.plans_anew(1));
  CHECK(rig.copies.put(rig.all[0]).plans_anew(5));
}
