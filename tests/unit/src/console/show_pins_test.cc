// Goal: SHOW PINS names who keeps a connection, the longest first; SHOW PINS_TOTALS adds up parts and shards.
#include <doctest/doctest.h>

#include "tests/unit/src/console/show_rows.h"

namespace pgring::console {
namespace {

PinReport pin(std::uint64_t id, std::uint64_t lasts_us, PinReasons reasons) {
  return {.user = "app",
          .database = "shop",
          .application_name = "importer",
          .peer = {},
          .port = 6432,
          .id = id,
          .remote_pid = 4711,
          .at = ring::Instant{std::chrono::hours{1}} - std::chrono::microseconds{lasts_us},
          .since = WallTime{std::chrono::seconds{1'700'000'000}},
          .lasts_us = lasts_us,
          .reasons = reasons};
}

// `ever` is what the part has counted, `now` what pins at present.
PoolReport part(PoolKey key, PinReasons ever, PinReasons now) {
  PoolReport report;
  report.key = std::move(key);
  report.pins.pins = ever.empty() ? 0 : 1;
  report.pins.add(ever);
  report.pinned.pins = now.empty() ? 0 : 1;
  report.pinned.add(now);
  return report;
}

}  // namespace

TEST_CASE("show pins: the columns of what is ours alone have names that tools can rely on") {
  CHECK(column_names(Topic::pins) ==
        "database user id shard remote_pid since seconds reasons addr port application_name ");
  CHECK(column_names(Topic::pins_totals) == "database user reason current total ");
  CHECK(column_names(Topic::statements) ==
        "database user name users servers parses_spared size query ");
}

TEST_CASE("show pins: a row per pinned client, the longest first whatever its shard") {
  std::vector<ShardReport> reports(3);
  reports[0].pins = {pin(1, 1'999'999, {PinReason::listen})};
  reports[2].pins = {pin(2, 61'000'000, {PinReason::advisory_lock, PinReason::sql_prepare}),
                     pin(3, 5, {PinReason::forever})};
  const auto rows = rows_of(show_pins(reports));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == Row{{"database", "shop"},
                       {"user", "app"},
                       {"id", "2"},
                       {"shard", "2"},
                       {"remote_pid", "4711"},
                       {"since", "2023-11-14 22:13:20 UTC"},
                       {"seconds", "61"},
                       {"reasons", "advisory lock, PREPARE"},
                       {"addr", "unix"},
                       {"port", "6432"},
                       {"application_name", "importer"}});
  CHECK(rows[1].at("id") == "1");
  CHECK(rows[1].at("shard") == "0");
  CHECK(rows[1].at("seconds") == "1");
  CHECK(rows[2].at("seconds") == "0");
  CHECK(rows[2].at("reasons") == "state until the session ends");
}

TEST_CASE("show pins: totals are per pool, over its parts, without what never came up") {
  const PoolKey shop{"shop", "app"};
  std::vector<ShardReport> reports(2);
  reports[0].pools = {
      part(shop, {PinReason::listen, PinReason::temporary_object}, {PinReason::listen}),
      part({"quiet", "app"}, {}, {})};
  reports[1].pools = {part(shop, {PinReason::listen}, {}),
                      part({"docs", "app"}, {PinReason::forever}, {})};
  std::string text;
  for (const auto& row : rows_of(show_pins_totals(reports)))
    text += *row.at("database") + "/" + *row.at("user") + " " + *row.at("reason") + " " +
            *row.at("current") + " " + *row.at("total") + "\n";
  CHECK(text ==
        "docs/app any 0 1\n"
        "docs/app state until the session ends 0 1\n"
        "shop/app any 1 2\n"
        "shop/app temporary object 0 1\n"
        "shop/app LISTEN 1 2\n");
}

TEST_CASE("show totals: what PgBouncer does not count comes behind what it does") {
  std::vector<ShardReport> reports(2);
  for (auto& report : reports) {
    report.pools = {part({"shop", "app"}, {PinReason::listen}, {})};
    report.pools.front().stats.audits = 3;
    report.pools.front().stats.left_states = 2;
    report.pools.front().stats.isolation_faults = 1;
    report.pools.front().stats.parses_spared = 20;
    report.pools.front().stats.shared = 30;
    report.pools.front().stats.shares_fled = 4;
    report.pools.front().stats.share_stalls = 3;
  }
  const auto rows = rows_of(show_totals(
      reports, {.asked = 5, .hits = 90, .shared = 2, .unknown = 1, .failed = 3, .cached = 7}));
  REQUIRE(rows.size() == 2 * 12 + 13);
  std::string text;
  for (std::size_t i = 2 * 12; i < rows.size(); ++i)
    text += *rows[i].at("name") + " " + *rows[i].at("value") + "\n";
  CHECK(text ==
        "total_pin_count 2\n"
        "total_audit_count 6\n"
        "total_left_state_count 4\n"
        "total_isolation_fault_count 2\n"
        "total_parse_spared_count 40\n"
        "total_shared_count 60\n"
        "total_share_fled_count 8\n"
        "total_share_stall_count 6\n"
        "total_secret_lookup_count 5\n"
        "total_secret_cache_hit_count 90\n"
        "total_secret_lookup_shared_count 2\n"
        "total_secret_unknown_count 1\n"
        "total_secret_lookup_failed_count 3\n");
}

}  // namespace pgring::console
