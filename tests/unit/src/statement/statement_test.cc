// The statements of a pool: one object a key, under one name, gone with its last user.
#include "src/statement/statement.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

using pgring::StatementKey;
using pgring::StatementRef;
using pgring::StatementTable;

namespace {

StatementKey key_of(std::string text) {
  return {.text = std::move(text), .types = {}, .settings = {}};
}

}  // namespace

TEST_CASE("statements: one key is one object, whoever asks") {
  StatementTable table;
  const StatementRef a = table.intern(key_of("select 1"));
  const StatementRef b = table.intern(key_of("select 1"));
  CHECK(a == b);
  CHECK(table.size() == 1);
  CHECK(a->key().text == "select 1");
}

TEST_CASE("statements: text, types and settings make another one, each") {
  StatementTable table;
  const StatementRef plain = table.intern(key_of("select $1"));
  const StatementRef text = table.intern(key_of("select  $1"));
  const StatementRef typed = table.intern({.text = "select $1", .types = {23}, .settings = {}});
  const StatementRef more = table.intern({.text = "select $1", .types = {23, 0}, .settings = {}});
  const StatementRef set = table.intern({.text = "select $1", .types = {}, .settings = "a=b"});
  const std::set<const pgring::Statement*> all{plain.get(), text.get(), typed.get(), more.get(),
                                               set.get()};
  CHECK(all.size() == 5);
  std::set<std::string> names;
  for (const auto* one : all) names.insert(one->name());
  CHECK(names.size() == 5);
}

TEST_CASE("statements: names are unique in the process, also over tables and lives") {
  std::set<std::string> names;
  StatementTable one;
  StatementTable other;
  for (int i = 0; i < 3; ++i) {
    for (StatementTable* table : {&one, &other}) {
      const StatementRef statement = table->intern(key_of("select 1"));
      CHECK(statement->name() == "pgring_" + std::to_string(statement->id()));
      CHECK(statement->id() > 0);  // pgring_0 is nobody's
      CHECK(names.insert(statement->name()).second);
    }
  }
}

TEST_CASE("statements: with its last user one is forgotten, and its bytes") {
  StatementTable table;
  StatementRef a = table.intern(key_of("12345"));
  StatementRef b = table.intern(key_of("123"));
  CHECK(table.bytes() == 8);
  StatementRef again = a;
  a.reset();
  CHECK(table.size() == 2);
  again.reset();
  CHECK(table.size() == 1);
  CHECK(table.bytes() == 3);
  b.reset();
  CHECK(table.size() == 0);
  CHECK(table.bytes() == 0);
}

TEST_CASE("statements: rows name each with its text and how many use it") {
  StatementTable table;
  CHECK(table.rows(1U << 20).empty());
  const StatementRef a = table.intern(key_of("select 1"));
  const StatementRef b = table.intern(key_of("select 2"));
  const StatementRef b2 = b;  // NOLINT(performance-unnecessary-copy-initialization): a second user
  const auto rows = table.rows(1U << 20);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].name == a->name());
  CHECK(rows[0].text == "select 1");
  CHECK(rows[0].users == 1);
  CHECK(rows[1].name == b2->name());
  CHECK(rows[1].users == 2);
}

TEST_CASE("statements: made stale is counted up, for all that hold it") {
  StatementTable table;
  const StatementRef a = table.intern(key_of("select 1"));
  const std::uint32_t before = a->epoch();
  table.intern(key_of("select 1"))->make_stale();
  CHECK(a->epoch() == before + 1);
}

TEST_CASE("statements: traits are the text's") {
  StatementTable table;
  CHECK(table.intern(key_of("select 1"))->traits().bits == 0);
  CHECK(table.intern(key_of("set a.b = 1"))->traits().has(wire::SqlTrait::settings));
}

TEST_CASE("statements: PostgreSQL holds what it plans to its rows, not utility statements") {
  StatementTable table;
  for (const auto* text :
       {"select 1", "SELECT 1", " /* a */ insert into t values (1)", "update t set a = 1",
        "delete from t", "merge into t using u on true when matched then do nothing",
        "with a as (select 1) select * from a", "values (1)", "table t", "(select 1)",
        "((values (1)))"}) {
    CAPTURE(text);
    CHECK(table.intern(key_of(text))->has_fixed_rows());
  }
  for (const auto* text : {"", "show all", "explain select 1", "execute a", "fetch all in c",
                           "call p()", "selects", "begin", "'select'", "\"select\""}) {
    CAPTURE(text);
    CHECK_FALSE(table.intern(key_of(text))->has_fixed_rows());
  }
}

TEST_CASE("statements: several threads find, keep and forget the same ones") {
  // Method: few texts and short lives, so that one thread asks for what another one is about to let go.
  StatementTable table;
  std::atomic<int> wrong{0};
  std::atomic<bool> over{false};
  constexpr int texts = 4;
  const auto work = [&](std::uint32_t seed) {
    std::mt19937 random{seed};
    std::vector<StatementRef> held(3);
    for (int step = 0; step < 20'000; ++step) {
      const std::string text = "select " + std::to_string(random() % texts);
      StatementRef& place = held[random() % held.size()];
      place = random() % 3 == 0 ? nullptr : table.intern(key_of(text));
      if (place != nullptr && place->key().text != text) ++wrong;
      const auto same = std::ranges::find_if(held, [&](const StatementRef& one) {
        return one != nullptr && place != nullptr && one->key() == place->key() && one != place;
      });
      if (same != held.end()) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) threads.emplace_back(work, seed);
  std::thread reader{[&] {
    while (!over.load()) {
      const auto rows = table.rows(1U << 20);
      if (rows.size() > texts) ++wrong;
      for (const auto& row : rows) {
        if (row.users == 0 || !row.text.starts_with("select ") || !row.name.starts_with("pgring_"))
          ++wrong;
      }
    }
  }};
  for (auto& thread : threads) thread.join();
  over = true;
  reader.join();
  CHECK(wrong == 0);
  CHECK(table.size() == 0);
  CHECK(table.bytes() == 0);
}
