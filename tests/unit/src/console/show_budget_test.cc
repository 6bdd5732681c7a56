// Goal: the rows of SHOW BUDGET hold what the budget says, column by column; what is not known is NULL.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/src/budget/budget_bench.h"
#include "tests/unit/src/console/show_rows.h"

namespace pgring::console {

TEST_CASE("show budget: a line becomes a row, with NULL where there is no limit") {
  const std::vector<BudgetLine> lines{
      {.server = "main,copy",
       .scope = "ceiling",
       .name = "main",
       .limit = Count{20},
       .count = {2, 11, 3, 1},
       .others = Count{5},
       .waiting = 4,
       .source = "max_connections 30 - …"},
      {.server = "main", .scope = "role", .name = "web", .limit = std::nullopt}};
  const auto rows = rows_of(show_budget(lines));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == Row{{"server", "main,copy"},
                       {"scope", "ceiling"},
                       {"name", "main"},
                       {"limit", "20"},
                       {"used", "17"},
                       {"open", "11"},
                       {"opening", "2"},
                       {"closing", "3"},
                       {"lost", "1"},
                       {"others", "5"},
                       {"headroom", "3"},
                       {"waiting", "4"},
                       {"source", "max_connections 30 - …"}});
  CHECK_FALSE(rows[1].at("limit").has_value());
  CHECK_FALSE(rows[1].at("others").has_value());
  CHECK_FALSE(rows[1].at("headroom").has_value());
  CHECK(rows[1].at("used") == "0");
}

TEST_CASE("show budget: the whole of a budget is the ceiling, its limits, then its pools") {
  budget_bench::Bench bench;
  (void)bench.add("shop", "web");
  bench.learn(budget_bench::limits_of(20));
  const auto rows = rows_of(show_budget(budget_lines(bench.budget(), bench.now)));
  std::string scopes;
  for (const auto& row : rows) scopes += *row.at("scope") + " ";
  CHECK(scopes == "ceiling entry database role pool ");
}

TEST_CASE("show budget: its columns and those of SHOW WAITS have names that tools can rely on") {
  CHECK(column_names(Topic::budget) ==
        "server scope name limit used open opening closing lost others headroom waiting source ");
  CHECK(column_names(Topic::waits) ==
        "shard id user database application_name since wait wait_us reason detail ");
}

}  // namespace pgring::console
