// Goal: SHOW STATEMENTS tells who uses a statement and where it is prepared, and of a long text its beginning.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/src/console/show_rows.h"

namespace pgring::console {

TEST_CASE(
    "show statements: the copies of all shards are added up, those with most users come first") {
  std::vector<ShardReport> reports(2);
  reports[0].copies = {{7, {2, 10}}, {8, {1, 0}}};
  reports[1].copies = {{7, {3, 5}}};
  const auto rows = rows_of(show_statements(
      {{{"docs", "app"}, {{9, "pgring_9", "select 9", 8, 1}}},
       {{"shop", "app"},
        {{8, "pgring_8", "select 8", 8, 2}, {7, "pgring_7", "select 7…", 4000, 12}}}},
      reports));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].at("database") == "docs");
  CHECK(rows[0].at("servers") == "0");
  CHECK(rows[1] == Row{{"database", "shop"},
                       {"user", "app"},
                       {"name", "pgring_7"},
                       {"users", "12"},
                       {"servers", "5"},
                       {"parses_spared", "15"},
                       {"size", "4000"},
                       {"query", "select 7…"}});
  CHECK(rows[2].at("name") == "pgring_8");
  CHECK(rows[2].at("servers") == "1");
}

TEST_CASE("statements: a table's rows have the beginning of each text and its whole size") {
  StatementTable table;
  const std::string text = "select '\xc3\xa9'";
  const StatementRef one = table.intern({.text = text, .types = {}, .settings = {}});
  const StatementRef again = table.intern({.text = text, .types = {}, .settings = {}});
  const StatementRef other = table.intern({.text = "select 2", .types = {}, .settings = {}});
  auto rows = table.rows(9);
  REQUIRE(rows.size() == 2);
  std::ranges::sort(rows, {}, &StatementTable::Row::id);
  CHECK(rows[0].id == one->id());
  CHECK(rows[0].name == one->name());
  CHECK(rows[0].text == "select '");
  CHECK(rows[0].size == text.size());
  CHECK(rows[0].users == 2);
  CHECK(rows[1].text == "select 2");
  CHECK(rows[1].users == 1);
}

}  // namespace pgring::console
