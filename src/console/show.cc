#include "src/console/show.h"

#include <algorithm>
#include <memory>

#include "src/base/check.h"
#include "src/base/version.h"
#include "src/config/config_keys.h"
#include "src/console/gather.h"
#include "src/shard/shard.h"
#include "src/tls/tls_context.h"

namespace pgring::console {
namespace {

Rows rows_of(Topic topic) { return Rows{columns_of({.verb = Verb::show, .topic = topic})}; }

// From the reports of all shards.
Rows show_gathered(const View& view, Topic topic) {
  switch (topic) {
    case Topic::pools:
      return show_pools(view);
    case Topic::clients:
    case Topic::servers:
      return show_connections(view, topic);
    case Topic::databases:
      return show_databases(view);
    case Topic::stats:
    case Topic::stats_totals:
    case Topic::stats_averages:
      return show_stats(view, topic);
    case Topic::totals:
      return show_totals(view.reports, view.shard.shared().secret_lookups.counters());
    case Topic::lists:
      return show_lists(view);
    case Topic::shards:
      return show_shards(view);
    case Topic::waits:
      return show_waits(view);
    case Topic::pins:
      return show_pins(view.reports);
    case Topic::pins_totals:
      return show_pins_totals(view.reports);
    case Topic::statements:
      return show_statements(view);
    case Topic::version:
    case Topic::budget:
    case Topic::config:
    case Topic::tls:
    case Topic::state:
    case Topic::help:
    case Topic::parameter:
      break;
  }
  POOLER_UNREACHABLE();
}

Detail detail_for(Topic topic) {
  if (topic == Topic::servers) return Detail::servers;
  if (topic == Topic::waits) return Detail::waits;
  if (topic == Topic::pins) return Detail::pins;
  if (topic == Topic::statements) return Detail::statements;
  return topic == Topic::clients || topic == Topic::lists ? Detail::clients : Detail::none;
}

void gather_and_show(const ConsoleRequest& request, Topic topic) {
  const auto reports =
      std::make_shared<std::vector<ShardReport>>(request.shard().shared().shards.size());
  on_all_shards(
      request.shard(),
      [reports, detail = detail_for(topic)](Shard& shard) {
        (*reports)[shard.index()] = report_of(shard, detail);
      },
      [reports, request, topic] {
        if (!request.is_waited_for()) return;
        request.answer(
            {.rows = show_gathered({.shard = request.shard(), .reports = *reports}, topic)});
      });
}

}  // namespace

Rows show_version() {
  Rows rows = rows_of(Topic::version);
  rows.text("pgring " + std::string{version()});
  return rows;
}

Rows show_config(const Shard& shard) {
  Rows rows = rows_of(Topic::config);
  for (const auto& row : config_rows(shard.config())) {
    rows.text(row.key);
    rows.text(row.value);
    rows.text(row.default_value);
    rows.yes_no(row.changeable);
  }
  return rows;
}

Rows show_state(const Shard& shard) {
  Rows rows = rows_of(Topic::state);
  rows.text("active");
  rows.yes_no(!shard.all_paused());
  rows.text("paused");
  rows.yes_no(shard.all_paused());
  return rows;
}

Rows show_parameter(const Command& command, std::string_view application_name) {
  Rows rows{columns_of(command)};
  for (const auto& parameter : console_parameters()) {
    if (parameter.name != command.argument) continue;
    rows.text(parameter.name == "application_name" ? application_name : parameter.value);
  }
  return rows;
}

Rows show_shards(const View& view) {
  Rows rows = rows_of(Topic::shards);
  std::uint64_t index = 0;
  for (const auto& report : view.reports) {
    std::uint64_t connections = 0;
    std::uint64_t waiting = 0;
    for (const auto& pool : report.pools) {
      connections += pool.connections;
      waiting += pool.waiting;
    }
    for (const std::uint64_t value :
         {index++, report.clients, connections, waiting, report.moves_in, report.moves_out,
          std::uint64_t{report.pools.size()}, report.turns, report.completions, report.enters,
          report.starved, report.overflows, report.sends, report.gathers, report.accept_errors,
          report.client_buffers, report.server_buffers}) {
      rows.number(value);
    }
    rows.text(report.capabilities);
  }
  return rows;
}

void show(const ConsoleRequest& request, const Command& command) {
  Shard& shard = request.shard();
  switch (command.topic) {
    case Topic::version:
      return request.answer({.rows = show_version()});
    case Topic::config:
      return request.answer({.rows = show_config(shard)});
    case Topic::tls:
      return request.answer({.rows = show_tls(shard.config().tls_contexts, tls_now())});
    case Topic::state:
      return request.answer({.rows = show_state(shard)});
    case Topic::budget:
      return request.answer(
          {.rows = show_budget(shard.shared().budget.read([&](const Budget& budget, auto at) {
             return budget_lines(budget, std::max(at, shard.now()));
           }))});
    case Topic::parameter:
      return request.answer({.rows = show_parameter(command, request.client_application_name())});
    case Topic::help:
      return request.answer({.notice = "Console usage", .notice_detail = std::string{help_text()}});
    case Topic::pools:
    case Topic::clients:
    case Topic::servers:
    case Topic::databases:
    case Topic::stats:
    case Topic::stats_totals:
    case Topic::stats_averages:
    case Topic::totals:
    case Topic::lists:
    case Topic::shards:
    case Topic::waits:
    case Topic::pins:
    case Topic::pins_totals:
    case Topic::statements:
      return gather_and_show(request, command.topic);
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring::console
