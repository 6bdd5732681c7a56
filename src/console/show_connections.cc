// SHOW CLIENTS and SHOW SERVERS.
#include <array>
#include <ctime>

#include "src/console/show.h"

namespace pgring::console {
namespace {

constexpr std::uint64_t us_per_s = 1'000'000;

// PgBouncer shows addresses of its own memory here; ids serve as well and tell nobody anything.
std::string handle_text(std::uint64_t id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (; id > 0; id >>= 4) text.insert(text.begin(), digits[id & 0xf]);
  return text.empty() ? text : "0x" + text;
}

std::uint32_t port_of(const PeerAddress& address, const ConnectionReport& connection) {
  return address.is_unix() ? connection.unix_port : address.port();
}

void put_row(Rows& rows, const ConnectionReport& connection, std::string_view type) {
  rows.text(type);
  rows.text(connection.user);
  rows.text(connection.database);
  rows.text(connection.replication);
  rows.text(connection.state);
  rows.text(connection.peer.host());
  rows.number(port_of(connection.peer, connection));
  rows.text(connection.local.host());
  rows.number(port_of(connection.local, connection));
  rows.text(time_text(connection.connected));
  rows.text(time_text(connection.requested));
  rows.number(connection.wait_us / us_per_s);
  rows.number(connection.wait_us % us_per_s);
  rows.number(connection.close_needed ? 1 : 0);
  rows.text(handle_text(connection.id));
  rows.text(handle_text(connection.link));
  rows.number(connection.remote_pid);
  rows.text(connection.tls);
  rows.text(connection.application_name);
  rows.number(connection.statements);
  rows.number(connection.id);
}

}  // namespace

std::string time_text(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

Rows show_connections(const View& view, Topic topic) {
  Rows rows{columns_of({.verb = Verb::show, .topic = topic})};
  const std::string_view type = topic == Topic::servers ? "S" : "C";
  for (const auto& report : view.reports) {
    for (const auto& connection : report.connections) put_row(rows, connection, type);
  }
  return rows;
}

}  // namespace pgring::console
