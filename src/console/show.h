// The answers to SHOW: one function a topic, in show_*.cc; their columns in columns.cc.
//
// Source: PgBouncer's console, whose columns, order and types these are (exporters depend on them). SHARDS, BUDGET,
//         WAITS, PINS, PINS_TOTALS, STATEMENTS and TLS are ours.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/budget/report.h"
#include "src/console/answer.h"
#include "src/console/command.h"
#include "src/console/report.h"
#include "src/console/result.h"
#include "src/shard/secret_lookups.h"

namespace pgring {
class Shard;
}

namespace pgring::console {

// What SHOW is answered from: the shards' reports and the console's own shard for the
// configuration.
struct View {
  Shard& shard;
  std::span<const ShardReport> reports;
};

// As SHOW shows moments.
[[nodiscard]] std::string time_text(WallTime time);

// The columns of a command's rows; empty: it has none.
[[nodiscard]] Columns columns_of(const Command& command);

[[nodiscard]] Rows show_pools(const View& view);
[[nodiscard]] Rows show_connections(const View& view, Topic topic);  // clients, servers
[[nodiscard]] Rows show_databases(const View& view);
[[nodiscard]] Rows show_stats(const View& view,
                              Topic topic);  // stats, stats_totals, stats_averages
[[nodiscard]] Rows show_totals(std::span<const ShardReport> reports, const LookupCounters& lookups);
[[nodiscard]] Rows show_lists(const View& view);
[[nodiscard]] Rows show_shards(const View& view);
[[nodiscard]] Rows show_budget(std::span<const BudgetLine> lines);
[[nodiscard]] Rows show_waits(const View& view);
[[nodiscard]] Rows show_pins(std::span<const ShardReport> reports);
[[nodiscard]] Rows show_pins_totals(std::span<const ShardReport> reports);
// What is known to a pool, all its parts.
struct PoolStatements {
  PoolKey pool;
  std::vector<StatementTable::Row> rows;
};
[[nodiscard]] Rows show_statements(std::vector<PoolStatements> pools,
                                   std::span<const ShardReport> reports);
[[nodiscard]] Rows show_statements(const View& view);
[[nodiscard]] Rows show_config(const Shard& shard);
[[nodiscard]] Rows show_tls(const TlsContexts& contexts, std::chrono::sys_seconds now);
[[nodiscard]] Rows show_state(const Shard& shard);
[[nodiscard]] Rows show_version();
[[nodiscard]] Rows show_parameter(const Command& command, std::string_view application_name);

// Carries a SHOW out, at once or when all shards have reported.
void show(const ConsoleRequest& request, const Command& command);

}  // namespace pgring::console
