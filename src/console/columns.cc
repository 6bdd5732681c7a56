// The columns of every SHOW.
#include <algorithm>
#include <array>
#include <iterator>

#include "src/base/check.h"
#include "src/console/show.h"

namespace pgring::console {
namespace {

constexpr Column stats_columns[] = {
    {"database"},
    {"total_server_assignment_count", ColumnType::numeric},
    {"total_xact_count", ColumnType::numeric},
    {"total_query_count", ColumnType::numeric},
    {"total_received", ColumnType::numeric},
    {"total_sent", ColumnType::numeric},
    {"total_xact_time", ColumnType::numeric},
    {"total_query_time", ColumnType::numeric},
    {"total_wait_time", ColumnType::numeric},
    {"total_client_parse_count", ColumnType::numeric},
    {"total_server_parse_count", ColumnType::numeric},
    {"total_bind_count", ColumnType::numeric},
    {"total_client_login_count", ColumnType::numeric},
    {"avg_server_assignment_count", ColumnType::numeric},
    {"avg_xact_count", ColumnType::numeric},
    {"avg_query_count", ColumnType::numeric},
    {"avg_recv", ColumnType::numeric},
    {"avg_sent", ColumnType::numeric},
    {"avg_xact_time", ColumnType::numeric},
    {"avg_query_time", ColumnType::numeric},
    {"avg_wait_time", ColumnType::numeric},
    {"avg_client_parse_count", ColumnType::numeric},
    {"avg_server_parse_count", ColumnType::numeric},
    {"avg_bind_count", ColumnType::numeric},
    {"avg_client_login_count", ColumnType::numeric},
};

constexpr Column stats_totals_columns[] = {
    {"database"},
    {"server_assignment_count", ColumnType::numeric},
    {"xact_count", ColumnType::numeric},
    {"query_count", ColumnType::numeric},
    {"bytes_received", ColumnType::numeric},
    {"bytes_sent", ColumnType::numeric},
    {"xact_time", ColumnType::numeric},
    {"query_time", ColumnType::numeric},
    {"wait_time", ColumnType::numeric},
    {"client_parse_count", ColumnType::numeric},
    {"server_parse_count", ColumnType::numeric},
    {"bind_count", ColumnType::numeric},
    {"client_login_count", ColumnType::numeric},
};

constexpr Column stats_averages_columns[] = {
    {"database"},
    {"server_assignment_count", ColumnType::numeric},
    {"xact_count", ColumnType::numeric},
    {"query_count", ColumnType::numeric},
    {"bytes_received", ColumnType::numeric},
    {"bytes_sent", ColumnType::numeric},
    {"xact_time", ColumnType::numeric},
    {"query_time", ColumnType::numeric},
    {"wait_time", ColumnType::numeric},
    {"avg_client_parse_count", ColumnType::numeric},
    {"avg_server_parse_count", ColumnType::numeric},
    {"avg_bind_count", ColumnType::numeric},
    {"avg_client_login_count", ColumnType::numeric},
};

constexpr Column totals_columns[] = {
    {"name"},
    {"value", ColumnType::numeric},
};

constexpr Column connection_columns[] = {
    {"type"},
    {"user"},
    {"database"},
    {"replication"},
    {"state"},
    {"addr"},
    {"port", ColumnType::int4},
    {"local_addr"},
    {"local_port", ColumnType::int4},
    {"connect_time"},
    {"request_time"},
    {"wait", ColumnType::int4},
    {"wait_us", ColumnType::int4},
    {"close_needed", ColumnType::int4},
    {"ptr"},
    {"link"},
    {"remote_pid", ColumnType::int4},
    {"tls"},
    {"application_name"},
    {"prepared_statements", ColumnType::int4},
    {"id", ColumnType::int8},
};

constexpr Column database_columns[] = {
    {"name"},
    {"host"},
    {"port", ColumnType::int4},
    {"database"},
    {"force_user"},
    {"pool_size", ColumnType::int4},
    {"min_pool_size", ColumnType::int4},
    {"reserve_pool_size", ColumnType::int4},
    {"server_lifetime", ColumnType::int4},
    {"pool_mode"},
    {"load_balance_hosts"},
    {"max_connections", ColumnType::int4},
    {"current_connections", ColumnType::int4},
    {"max_client_connections", ColumnType::int4},
    {"current_client_connections", ColumnType::int4},
    {"paused", ColumnType::int4},
    {"disabled", ColumnType::int4},
};

constexpr Column pool_columns[] = {
    {"database"},
    {"user"},
    {"cl_active", ColumnType::int4},
    {"cl_waiting", ColumnType::int4},
    {"cl_active_cancel_req", ColumnType::int4},
    {"cl_waiting_cancel_req", ColumnType::int4},
    {"sv_active", ColumnType::int4},
    {"sv_active_cancel", ColumnType::int4},
    {"sv_being_canceled", ColumnType::int4},
    {"sv_idle", ColumnType::int4},
    {"sv_used", ColumnType::int4},
    {"sv_tested", ColumnType::int4},
    {"sv_login", ColumnType::int4},
    {"maxwait", ColumnType::int4},
    {"maxwait_us", ColumnType::int4},
    {"pool_mode"},
    {"load_balance_hosts"},
};

constexpr Column shard_columns[] = {
    {"shard", ColumnType::int4},
    {"clients", ColumnType::int4},
    {"server_connections", ColumnType::int4},
    {"waiters", ColumnType::int4},
    {"moves_in", ColumnType::int8},
    {"moves_out", ColumnType::int8},
    {"pools", ColumnType::int4},
    {"turns", ColumnType::int8},
    {"completions", ColumnType::int8},
    {"enters", ColumnType::int8},
    {"starved", ColumnType::int8},
    {"overflows", ColumnType::int8},
    {"sends", ColumnType::int8},
    {"gathers", ColumnType::int8},
    {"accept_errors", ColumnType::int8},
    {"client_buffers", ColumnType::int4},
    {"server_buffers", ColumnType::int4},
    {"capabilities"},
};

constexpr Column budget_columns[] = {
    {"server"},
    {"scope"},
    {"name"},
    {"limit", ColumnType::int4},
    {"used", ColumnType::int4},
    {"open", ColumnType::int4},
    {"opening", ColumnType::int4},
    {"closing", ColumnType::int4},
    {"lost", ColumnType::int4},
    {"others", ColumnType::int4},
    {"headroom", ColumnType::int4},
    {"waiting", ColumnType::int4},
    {"source"},
};

constexpr Column wait_columns[] = {
    {"shard", ColumnType::int4},
    {"id", ColumnType::int8},
    {"user"},
    {"database"},
    {"application_name"},
    {"since"},
    {"wait", ColumnType::int4},
    {"wait_us", ColumnType::int4},
    {"reason"},
    {"detail"},
};

constexpr Column pin_columns[] = {
    {"database"},
    {"user"},
    {"id", ColumnType::int8},
    {"shard", ColumnType::int4},
    {"remote_pid", ColumnType::int4},
    {"since"},
    {"seconds", ColumnType::int4},
    {"reasons"},
    {"addr"},
    {"port", ColumnType::int4},
    {"application_name"},
};

constexpr Column pin_totals_columns[] = {
    {"database"}, {"user"}, {"reason"}, {"current", ColumnType::int4}, {"total", ColumnType::int8},
};

constexpr Column statement_columns[] = {
    {"database"},
    {"user"},
    {"name"},
    {"users", ColumnType::int8},
    {"servers", ColumnType::int4},
    {"parses_spared", ColumnType::int8},
    {"size", ColumnType::int8},
    {"query"},
};

constexpr Column config_columns[] = {
    {"key"},
    {"value"},
    {"default"},
    {"changeable"},
};

constexpr Column lists_columns[] = {
    {"list"},
    {"items", ColumnType::int4},
};

constexpr Column tls_columns[] = {
    {"side"},   {"mode"},       {"use"},       {"subject"}, {"issuer"},
    {"serial"}, {"not_before"}, {"not_after"}, {"state"},   {"file"},
};

constexpr Column state_columns[] = {
    {"key"},
    {"value"},
};

constexpr Column version_columns[] = {
    {"version"},
};

// One column, named as the parameter.
constexpr std::size_t parameters_max = 16;

Columns parameter_column(std::string_view name) {
  static const auto columns = [] {
    std::array<Column, parameters_max> all;
    const auto parameters = console_parameters();
    POOLER_CHECK(parameters.size() <= all.size());
    std::ranges::transform(parameters, all.begin(),
                           [](const auto& parameter) { return Column{parameter.name}; });
    return all;
  }();
  const auto at = std::ranges::find(columns, name, &Column::name);
  POOLER_CHECK(at != columns.end());
  return Columns{&*at, 1};
}

}  // namespace

Columns columns_of(const Command& command) {
  if (command.verb != Verb::show) return {};
  switch (command.topic) {
    case Topic::version:
      return version_columns;
    case Topic::pools:
      return pool_columns;
    case Topic::clients:
    case Topic::servers:
      return connection_columns;
    case Topic::databases:
      return database_columns;
    case Topic::config:
      return config_columns;
    case Topic::stats:
      return stats_columns;
    case Topic::stats_totals:
      return stats_totals_columns;
    case Topic::stats_averages:
      return stats_averages_columns;
    case Topic::totals:
      return totals_columns;
    case Topic::lists:
      return lists_columns;
    case Topic::shards:
      return shard_columns;
    case Topic::budget:
      return budget_columns;
    case Topic::waits:
      return wait_columns;
    case Topic::pins:
      return pin_columns;
    case Topic::pins_totals:
      return pin_totals_columns;
    case Topic::statements:
      return statement_columns;
    case Topic::tls:
      return tls_columns;
    case Topic::state:
      return state_columns;
    case Topic::parameter:
      return parameter_column(command.argument);
    case Topic::help:
      return {};
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring::console
