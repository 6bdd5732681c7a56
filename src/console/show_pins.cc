// SHOW PINS: who keeps a server connection beyond its transactions, and why. SHOW PINS_TOTALS: how often that was.
#include <algorithm>
#include <map>
#include <vector>

#include "src/console/show.h"

namespace pgring::console {
namespace {

constexpr std::uint64_t us_per_s = 1'000'000;

struct Totals {
  PinCounts now, ever;
};

void put_total(Rows& rows, const PoolKey& pool, std::string_view reason, std::uint64_t now,
               std::uint64_t ever) {
  rows.text(pool.database);
  rows.text(pool.role);
  rows.text(reason);
  rows.number(now);
  rows.number(ever);
}

}  // namespace

// The longest first.
Rows show_pins(std::span<const ShardReport> reports) {
  struct Pin {
    std::uint64_t shard;
    const PinReport* report;
  };
  std::vector<Pin> pins;
  for (std::size_t shard = 0; shard < reports.size(); ++shard) {
    for (const auto& pin : reports[shard].pins) pins.push_back({shard, &pin});
  }
  std::ranges::sort(pins, [](const Pin& a, const Pin& b) {
    return a.report->at != b.report->at ? a.report->at < b.report->at : a.report->id < b.report->id;
  });
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::pins})};
  for (const auto& [shard, pin] : pins) {
    rows.text(pin->database);
    rows.text(pin->user);
    rows.number(pin->id);
    rows.number(shard);
    rows.number(pin->remote_pid);
    rows.text(time_text(pin->since));
    rows.number(pin->lasts_us / us_per_s);
    rows.text(pin->reasons.text());
    rows.text(pin->peer.host());
    rows.number(pin->port);
    rows.text(pin->application_name);
  }
  return rows;
}

// Of each pool that has had any: all pins, then each reason that has come up.
Rows show_pins_totals(std::span<const ShardReport> reports) {
  std::map<PoolKey, Totals> pools;
  for (const auto& report : reports) {
    for (const auto& part : report.pools) {
      if (part.pins.pins == 0) continue;
      pools[part.key].now += part.pinned;
      pools[part.key].ever += part.pins;
    }
  }
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::pins_totals})};
  for (const auto& [pool, totals] : pools) {
    put_total(rows, pool, "any", totals.now.pins, totals.ever.pins);
    for (std::size_t i = 0; i < pin_reason_count; ++i) {
      const auto reason = static_cast<PinReason>(i);
      if (totals.ever.of(reason) > 0)
        put_total(rows, pool, name_of(reason), totals.now.of(reason), totals.ever.of(reason));
    }
  }
  return rows;
}

}  // namespace pgring::console
