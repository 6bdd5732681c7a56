#include "src/console/report.h"

#include <sys/socket.h>

#include "src/server/walsender.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"

namespace pgring::console {
namespace {

std::uint64_t microseconds(ring::Duration duration) {
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

// Monotonic moments as the clock on the wall showed them.
class WallClock {
 public:
  explicit WallClock(ring::Instant now) : now_{now}, wall_{std::chrono::system_clock::now()} {}
  [[nodiscard]] WallTime at(ring::Instant moment) const {
    return wall_ - std::chrono::duration_cast<WallTime::duration>(now_ - moment);
  }

 private:
  ring::Instant now_;
  WallTime wall_;
};

bool pins_its_client(const Server& server) {
  return server.client() != nullptr && !server.pins().empty();
}

void count_server(PoolReport& report, const Server& server) {
  ++report.connections;
  if (pins_its_client(server)) {
    ++report.pinned.pins;
    report.pinned.add(server.pins());
  }
  report.cancels_sent += server.cancels();
  if (server.cancel_waits()) ++report.cancels_waiting;
  switch (server.phase()) {
    case Server::Phase::connecting:
    case Server::Phase::logging_in:
      ++report.opening;
      return;
    case Server::Phase::closing:
      return;
    case Server::Phase::moving:
    case Server::Phase::ready:
      break;
  }
  // As in SHOW SERVERS.
  const auto state = server.state_name();
  if (state == "active") ++report.active;
  if (state == "idle") ++report.idle;
  if (state == "tested") ++report.tested;
  if (state == "being_canceled") ++report.being_canceled;
}

PoolReport report_pool(Pool& pool, ring::Instant now) {
  PoolReport report;
  report.key = pool.key();
  report.mode = pool.settings().mode;
  report.clients = pool.clients();
  report.waiting = pool.waiting();
  if (const Client* const oldest = pool.oldest_waiter())
    report.wait_us_max = microseconds(now - oldest->requested_at());
  for (const Server* server = pool.servers().front(); server != nullptr;
       server = Pool::ServerList::next(*server)) {
    count_server(report, *server);
  }
  report.stats = pool.stats();
  report.period = pool.last_period().added;
  report.period_us = microseconds(pool.last_period().length);
  report.pins = pool.pin_counts();
  return report;
}

// Why the client at this place of its part's queue waits, where something is coming to the part.
Reason coming_for(std::uint64_t place, const Pool& pool) {
  if (place < pool.opening()) return Reason::opening;
  return place < std::uint64_t{pool.opening()} + pool.inbound() ? Reason::moving : Reason::none;
}

void report_waits(ShardReport& report, const Pool& pool, ring::Instant now,
                  const WallClock& clock) {
  std::uint64_t place = 0;
  for (const Client* client = pool.waiters().front(); client != nullptr;
       client = Pool::WaiterList::next(*client)) {
    report.waits.push_back({.pool = pool.budget_id(),
                            .id = client->id(),
                            .user = client->user(),
                            .database = std::string{client->database()},
                            .application_name = std::string{client->application_name()},
                            .since = clock.at(client->requested_at()),
                            .wait_us = microseconds(now - client->requested_at()),
                            .coming = coming_for(place++, pool),
                            .paused = pool.paused()});
  }
}

PinReport report_pin(const Server& server, ring::Instant now, const WallClock& clock) {
  const Client& client = *server.client();
  return {
      .user = client.user(),
      .database = std::string{client.database()},
      .application_name = std::string{client.application_name()},
      .peer = client.peer(),
      .port = client.peer().is_unix() ? client.shard().config().listen.port : client.peer().port(),
      .id = client.id(),
      .remote_pid = server.backend_pid(),
      .at = server.pinned_at(),
      .since = clock.at(server.pinned_at()),
      .lasts_us = microseconds(now - server.pinned_at()),
      .reasons = server.pins()};
}

std::string tls_of(const Connection& connection) {
  const TlsEngine* const engine = connection.tls();
  return engine == nullptr || !engine->is_open() ? std::string{} : engine->description();
}

std::uint64_t process_of_unix_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return 0;
  return static_cast<std::uint64_t>(peer.pid);
}

ConnectionReport report_client(const Client& client, ring::Instant now, const WallClock& clock) {
  ConnectionReport report;
  report.user = client.user();
  report.database = client.database();
  report.application_name = client.application_name();
  report.state = client.state_name();
  report.peer = client.peer();
  report.local = PeerAddress::of_local(client.socket());
  report.unix_port = client.shard().config().listen.port;
  report.connected = clock.at(client.connected_at());
  const bool has_asked = client.requested_at() != ring::Instant{};
  report.requested = clock.at(has_asked ? client.requested_at() : client.connected_at());
  if (client.waits()) report.wait_us = microseconds(now - client.requested_at());
  report.id = client.id();
  report.replication = wire::name_of(client.replication());
  report.tls = tls_of(client);
  if (client.server() != nullptr) report.link = client.server()->id();
  if (client.walsender() != nullptr) report.link = client.walsender()->id();
  if (client.peer().is_unix()) report.remote_pid = process_of_unix_peer(client.socket());
  if (const auto* const names = client.known_statements()) report.statements = names->names.size();
  return report;
}

ConnectionReport report_server(const Server& server, const WallClock& clock) {
  ConnectionReport report;
  report.user = server.pool().settings().role;
  report.database = server.pool().key().database;
  const auto* name = find_parameter(server.overrides().list(), "application_name");
  if (name == nullptr && server.defaults() != nullptr)
    name = find_parameter(*server.defaults(), "application_name");
  if (name != nullptr) report.application_name = name->value;
  report.state = server.state_name();
  report.peer = PeerAddress::of_peer(server.socket());
  report.local = PeerAddress::of_local(server.socket());
  report.unix_port = server.pool().settings().port;
  report.connected = clock.at(server.created());
  report.requested = clock.at(server.used());
  report.id = server.id();
  if (server.client() != nullptr) report.link = server.client()->id();
  report.remote_pid = server.backend_pid();
  report.statements = server.statements().size();
  report.tls = tls_of(server);
  report.close_needed = server.is_to_close();
  return report;
}

ConnectionReport report_walsender(const Walsender& walsender, const WallClock& clock) {
  ConnectionReport report;
  const Client* const client = walsender.client();
  report.user = walsender.place().role;
  report.database = walsender.database();
  if (client != nullptr) report.application_name = client->application_name();
  report.replication = wire::name_of(walsender.replication());
  report.state = walsender.state_name();
  report.peer = PeerAddress::of_peer(walsender.socket());
  report.local = PeerAddress::of_local(walsender.socket());
  report.unix_port = walsender.place().port;
  report.connected = report.requested = clock.at(walsender.created());
  report.id = walsender.id();
  report.tls = tls_of(walsender);
  if (client != nullptr) report.link = client->id();
  report.remote_pid = walsender.backend_pid();
  return report;
}

// What of a server connection is asked for.
void report_detail(ShardReport& report, const Server& server, Detail detail, ring::Instant now,
                   const WallClock& clock) {
  if (detail == Detail::servers) report.connections.push_back(report_server(server, clock));
  if (detail == Detail::pins && pins_its_client(server))
    report.pins.push_back(report_pin(server, now, clock));
  if (detail != Detail::statements) return;
  for (const auto& copy : server.statements().copies()) {
    CopiesReport& copies = report.copies[copy.statement->id()];
    ++copies.servers;
    copies.spared += copy.spared;
  }
}

bool in_login(Client::Phase phase) {
  return phase == Client::Phase::startup || phase == Client::Phase::authenticating;
}

void report_ring(ShardReport& report, Shard& shard) {
  const auto& counters = shard.loop().counters();
  const auto& kernel = shard.loop().kernel().counters();
  report.turns = counters.turns;
  report.completions = counters.completions;
  report.starved = counters.starved;
  report.sends = counters.sends;
  report.gathers = counters.gathers;
  report.accept_errors = counters.accept_errors;
  report.moves_in = shard.counters().moves_in;
  report.moves_out = shard.counters().moves_out;
  report.enters = kernel.enters;
  report.overflows = kernel.overflows;
  report.client_buffers = shard.loop().group(buffer_group::client).population();
  report.server_buffers = shard.loop().group(buffer_group::server).population();
  report.capabilities = shard.loop().kernel().capabilities().describe();
}

}  // namespace

ShardReport report_of(Shard& shard, Detail detail) {
  ShardReport report;
  const auto now = shard.now();
  const WallClock clock{now};
  for (const auto& [key, pool] : shard.pools()) {
    report.pools.push_back(report_pool(*pool, now));
    if (detail == Detail::waits) report_waits(report, *pool, now, clock);
    for (const Server* server = pool->servers().front(); server != nullptr;
         server = Pool::ServerList::next(*server)) {
      report_detail(report, *server, detail, now, clock);
    }
  }
  if (detail == Detail::servers) {
    for (const auto& [walsender, owned] : shard.walsenders())
      report.connections.push_back(report_walsender(*walsender, clock));
  }
  report.clients = shard.clients().size();
  report_ring(report, shard);
  if (detail != Detail::clients) return report;
  for (const Client* client = shard.clients().front(); client != nullptr;
       client = Shard::ClientList::next(*client)) {
    if (in_login(client->phase())) {
      ++report.clients_in_login;
    } else if (client->phase() != Client::Phase::closing) {
      report.connections.push_back(report_client(*client, now, clock));
    }
  }
  return report;
}

}  // namespace pgring::console
