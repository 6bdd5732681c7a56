// SHOW STATS and its kin: sums since the start, and averages over the last completed period.
#include <array>
#include <map>

#include "src/console/show.h"

namespace pgring::console {
namespace {

constexpr std::uint64_t us_per_s = 1'000'000;

// In the order of the columns. An average is per second, or per piece of another counter.
struct Figure {
  std::string_view name;  // in SHOW TOTALS
  std::uint64_t PoolStats::* value;
  std::uint64_t PoolStats::* per;  // nullptr: per second
};
constexpr std::array<Figure, 12> figures{{
    {"server_assignment_count", &PoolStats::assignments, nullptr},
    {"xact_count", &PoolStats::transactions, nullptr},
    {"query_count", &PoolStats::queries, nullptr},
    {"client_bytes", &PoolStats::received, nullptr},
    {"server_bytes", &PoolStats::sent, nullptr},
    {"xact_time", &PoolStats::transaction_us, &PoolStats::transactions},
    {"query_time", &PoolStats::query_us, &PoolStats::queries},
    {"wait_time", &PoolStats::wait_us, nullptr},
    {"ps_client_parse_count", &PoolStats::parses, nullptr},
    {"ps_server_parse_count", &PoolStats::server_parses, nullptr},
    {"ps_bind_count", &PoolStats::binds, nullptr},
    {"client_login_count", &PoolStats::logins, nullptr},
}};

using Figures = std::array<std::uint64_t, figures.size()>;

// What PgBouncer does not count: only in SHOW TOTALS, behind the rest.
struct OwnFigure {
  std::string_view name;
  std::uint64_t PoolStats::* value;
};
constexpr std::array<OwnFigure, 7> own_figures{{
    {"total_audit_count", &PoolStats::audits},
    {"total_left_state_count", &PoolStats::left_states},
    {"total_isolation_fault_count", &PoolStats::isolation_faults},
    {"total_parse_spared_count", &PoolStats::parses_spared},
    {"total_shared_count", &PoolStats::shared},
    {"total_share_fled_count", &PoolStats::shares_fled},
    {"total_share_stall_count", &PoolStats::share_stalls},
}};

struct LookupFigure {
  std::string_view name;
  std::uint64_t LookupCounters::* value;
};
constexpr std::array<LookupFigure, 5> lookup_figures{{
    {"total_secret_lookup_count", &LookupCounters::asked},
    {"total_secret_cache_hit_count", &LookupCounters::hits},
    {"total_secret_lookup_shared_count", &LookupCounters::shared},
    {"total_secret_unknown_count", &LookupCounters::unknown},
    {"total_secret_lookup_failed_count", &LookupCounters::failed},
}};

struct Sums {
  PoolStats total;
  PoolStats period;
  PinCounts pins;
  Figures rates{};  // per second, added up part by part: their periods differ a little

  void add(const PoolReport& part) {
    total += part.stats;
    period += part.period;
    pins += part.pins;
    if (part.period_us == 0) return;
    for (std::size_t i = 0; i < figures.size(); ++i)
      rates[i] += part.period.*figures[i].value * us_per_s / part.period_us;
  }
  [[nodiscard]] Figures totals() const {
    Figures values{};
    for (std::size_t i = 0; i < figures.size(); ++i) values[i] = total.*figures[i].value;
    return values;
  }
  [[nodiscard]] Figures averages() const {
    Figures values = rates;
    for (std::size_t i = 0; i < figures.size(); ++i) {
      if (figures[i].per == nullptr) continue;
      const std::uint64_t count = period.*figures[i].per;
      values[i] = count == 0 ? 0 : period.*figures[i].value / count;
    }
    return values;
  }
};

void put(Rows& rows, const Figures& values) {
  for (const std::uint64_t value : values) rows.number(value);
}

}  // namespace

Rows show_totals(std::span<const ShardReport> reports, const LookupCounters& lookups) {
  Sums all;
  for (const auto& report : reports) {
    for (const auto& pool : report.pools) all.add(pool);
  }
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::totals})};
  const auto put_named = [&rows](std::string_view prefix, const Figures& values) {
    for (std::size_t i = 0; i < figures.size(); ++i) {
      rows.text(std::string{prefix} + std::string{figures[i].name});
      rows.number(values[i]);
    }
  };
  put_named("total_", all.totals());
  put_named("avg_", all.averages());
  rows.text("total_pin_count");
  rows.number(all.pins.pins);
  for (const auto& [name, value] : own_figures) {
    rows.text(name);
    rows.number(all.total.*value);
  }
  for (const auto& [name, value] : lookup_figures) {
    rows.text(name);
    rows.number(lookups.*value);
  }
  return rows;
}

Rows show_stats(const View& view, Topic topic) {
  std::map<std::string, Sums, std::less<>> databases;
  for (const auto& report : view.reports) {
    for (const auto& pool : report.pools) databases[pool.key.database].add(pool);
  }
  databases["pgring"];  // the console, as in PgBouncer
  Rows rows{columns_of({.verb = Verb::show, .topic = topic})};
  for (const auto& [name, sums] : databases) {
    rows.text(name);
    if (topic != Topic::stats_averages) put(rows, sums.totals());
    if (topic != Topic::stats_totals) put(rows, sums.averages());
  }
  return rows;
}

}  // namespace pgring::console
