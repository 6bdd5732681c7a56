#include "src/shard/shard.h"

#include <algorithm>

#include "src/config/config_names.h"
#include "src/console/session.h"
#include "src/log/log.h"
#include "src/server/server.h"
#include "src/server/walsender.h"
#include "src/shard/roles.h"
#include "wire/limits.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

constexpr ring::Duration maintenance_interval = std::chrono::seconds{1};

ring::Capabilities allowed_capabilities(const RingConfig& config) {
  auto allowed = ring::Capabilities::all();
  for (const auto feature : config.disable) (void)allowed.set(name_of(feature), false);
  return allowed;
}

}  // namespace

Shard::Shard(Shared& shared, std::uint32_t index, std::shared_ptr<const Runtime> runtime)
    : shared_{shared}, index_{index}, runtime_{std::move(runtime)} {}

Shard::~Shard() = default;

std::optional<ring::SetupError> Shard::open() {
  const auto& ring = runtime_->config.ring;
  ring::LoopOptions options;
  options.kernel.allowed = allowed_capabilities(ring);
  options.groups = {
      {.id = buffer_group::client,
       .size = static_cast<std::uint32_t>(ring.client_buffer_size.bytes),
       .count_min = 64,
       .count_max = 16384},
      {.id = buffer_group::server,
       .size = static_cast<std::uint32_t>(ring.server_buffer_size.bytes),
       .count_min = 32,
       .count_max = 4096},
  };
  if (auto error = loop_.open(options)) return error;
  maintenance_.owner = this;
  maintenance_.kind = timer_kind::maintenance;
  log::info("shard started",
            {{"shard", index_}, {"capabilities", loop_.kernel().capabilities().describe()}});
  return std::nullopt;
}

void Shard::listen(int socket) {
  listeners_.push_back(std::make_unique<ring::Listener>(loop_));
  listeners_.back()->start(socket, 0);
}

void Shard::run() {
  open_forced_pools();
  while (!finished()) turn();
}

void Shard::turn() {
  work_on_tls();
  loop_.turn(*this);
  retired_.clear();
  retired_servers_.clear();
  if (life_ != Life::serving) maintain_life();
}

// The loop's events.

void Shard::on_accepted(ring::Listener&, int socket) {
  auto owned = std::make_unique<Client>(*this, PeerAddress::of_peer(socket));
  Client& client = *owned;
  owned_.emplace(&client, std::move(owned));
  clients_.push_back(client);
  client.start(socket);
  // It came while the listeners were being stopped, after the others were told.
  if (life_ == Life::finishing || life_ == Life::stopping)
    client.fatal(wire::sqlstate::cannot_connect_now, "pgring is shutting down");
}

void Shard::on_refused(ring::Listener&, int socket) {
  std::string message;
  wire::append_error_response(
      message, {.severity = "FATAL",
                .sqlstate = wire::sqlstate::insufficient_resources,
                .message = "pgring has no file descriptors left",
                .detail = {},
                .hint = "Raise LimitNOFILE= in the unit, or lower listen.max_clients."});
  // Best effort on a socket that is closed at once; it has room for this much.
  (void)::send(socket, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  log::error("connection refused: no file descriptors left", {{"shard", index_}});
}

void Shard::on_connected(ring::Stream& stream, int error) {
  if (stream.role() == stream_role::server) return static_cast<Server&>(stream).connected(error);
  if (stream.role() == stream_role::walsender)
    return static_cast<Walsender&>(stream).connected(error);
  static_cast<CancelConnection&>(stream).connected(error);
}

void Shard::on_received(ring::Stream& stream, ring::Slice slice) {
  auto& connection = static_cast<Connection&>(stream);
  if (connection.tls() != nullptr) [[unlikely]]
    return tls_received(connection, std::move(slice));
  deliver(connection, std::move(slice));
}

void Shard::deliver(Connection& connection, ring::Slice slice) {
  if (connection.role() == stream_role::client)
    return static_cast<Client&>(connection).received(std::move(slice));
  if (connection.role() == stream_role::server)
    return static_cast<Server&>(connection).received(std::move(slice));
  if (connection.role() == stream_role::walsender)
    return static_cast<Walsender&>(connection).received(std::move(slice));
  static_cast<CancelConnection&>(connection).received(slice);
}

void Shard::on_end(ring::Stream& stream, int error) {
  if (stream.role() == stream_role::client) return static_cast<Client&>(stream).ended(error);
  if (stream.role() == stream_role::server) return static_cast<Server&>(stream).ended(error);
  if (stream.role() == stream_role::walsender) return static_cast<Walsender&>(stream).ended(error);
  static_cast<CancelConnection&>(stream).ended(error);
}

void Shard::on_send_failed(ring::Stream& stream, int error) {
  if (stream.role() == stream_role::client) return static_cast<Client&>(stream).send_failed(error);
  if (stream.role() == stream_role::server) return static_cast<Server&>(stream).send_failed(error);
  if (stream.role() == stream_role::walsender) return static_cast<Walsender&>(stream).send_failed();
  static_cast<CancelConnection&>(stream).ended(error);
}

void Shard::on_sent(ring::Stream& stream) {
  auto& connection = static_cast<Connection&>(stream);
  if (connection.tls() != nullptr) [[unlikely]]
    connection.sealed_sent();
  if (stream.role() == stream_role::client) return static_cast<Client&>(stream).sent();
  if (stream.role() == stream_role::server) return static_cast<Server&>(stream).sent();
  if (stream.role() == stream_role::walsender) return static_cast<Walsender&>(stream).sent();
}

void Shard::on_quiet(ring::Stream& stream) {
  POOLER_CHECK(stream.role() == stream_role::server);
  static_cast<Server&>(stream).quiet();
}

void Shard::on_closed(ring::Stream& stream) {
  if (stream.role() == stream_role::client) {
    auto& client = static_cast<Client&>(stream);
    forget_client(client);
    owned_.erase(&client);
  } else if (stream.role() == stream_role::server) {
    auto& server = static_cast<Server&>(stream);
    server.end_tls();
    if (server.tries_again()) return server.connect();
    server.pool().server_closed(server);
  } else if (stream.role() == stream_role::walsender) {
    auto& walsender = static_cast<Walsender&>(stream);
    walsender.end_tls();
    if (walsender.tries_again() && walsender.connect_again()) return;
    walsenders_.erase(&walsender);
  } else {
    auto& cancel = static_cast<CancelConnection&>(stream);
    cancel.closed();
    cancels_.erase(&cancel);
  }
}

void Shard::on_timer(ring::Timer& timer) {
  switch (timer.kind) {
    case timer_kind::client:
      return static_cast<Client*>(timer.owner)->timer_due();
    case timer_kind::client_hold:
      return static_cast<Client*>(timer.owner)->login_held_long_enough();
    case timer_kind::server:
      return static_cast<Server*>(timer.owner)->timer_due();
    case timer_kind::server_share:
      return static_cast<Server*>(timer.owner)->share_timer_due();
    case timer_kind::walsender:
      return static_cast<Walsender*>(timer.owner)->timer_due();
    case timer_kind::cancel:
      return static_cast<CancelConnection*>(timer.owner)->timer_due();
    case timer_kind::pool_waiters:
      return static_cast<Pool*>(timer.owner)->waiters_due();
    case timer_kind::pool_seek:
      return static_cast<Pool*>(timer.owner)->seek_due();
    case timer_kind::pool_rest:
      return static_cast<Pool*>(timer.owner)->rest_due();
    case timer_kind::maintenance:
      return maintain();
    case timer_kind::console:
      return static_cast<ConsoleSession*>(timer.owner)->timer_due();
    default:
      return;
  }
}

// Clients.

void Shard::hand_over(Client& client, std::uint32_t shard, std::string input,
                      FoundSecretRef found) {
  auto tls = client.take_tls();
  const int socket = client.release();
  const PeerAddress peer = client.peer();
  clients_.erase(client);
  if (client.counted()) shared_.clients.leave(client.database(), client.user());  // it enters there
  const auto at = owned_.find(&client);
  // Its own code is still running.
  retired_.push_back(std::move(at->second));
  owned_.erase(at);
  Shard& target = *shared_.shards[shard];
  target.post([&target, socket, peer, packet = std::move(input), tls = std::move(tls),
               found = std::move(found)]() mutable {
    target.adopt_client(socket, peer, std::move(packet), std::move(tls), std::move(found));
  });
}

void Shard::adopt_client(int socket, PeerAddress peer, std::string startup_packet,
                         std::unique_ptr<TlsEngine> tls, FoundSecretRef found) {
  auto owned = std::make_unique<Client>(*this, peer);
  Client& client = *owned;
  owned_.emplace(&client, std::move(owned));
  clients_.push_back(client);
  client.adopt(socket, std::move(startup_packet), std::move(tls), std::move(found));
}

void Shard::forget_client(Client& client) {
  clients_.erase(client);
  cancelling_.erase(client.id());
  awaiting_workers_.erase(client.id());
  unregister_client(client);
  if (client.pool() != nullptr) client.pool()->client_left();
  if (client.counted()) shared_.clients.leave(client.database(), client.user());
}

void Shard::await_worker(Client& client) { awaiting_workers_[client.id()] = &client; }

void Shard::worker_done(std::uint64_t client, std::move_only_function<void(Client&)> then) {
  post([this, client, then = std::move(then)]() mutable {
    const auto at = awaiting_workers_.find(client);
    if (at == awaiting_workers_.end()) return;
    Client& waiting = *at->second;
    awaiting_workers_.erase(at);
    then(waiting);
  });
}

void Shard::begin_lookup(const Config& config, const LookupPlace& place, const std::string& role,
                         std::uint64_t id) {
  PoolHome& home = shared_.placement.home(lookup_key(config, place), config);
  Shard& target = *shared_.shards[home.shards.front()];
  target.post(
      [&target, &home, lookup = std::make_unique<SecretLookup>(id, role, place.query)]() mutable {
        target.pool(home.key, home, 0).look_up(std::move(lookup));
      });
}

// Pools.

Pool& Shard::pool(const PoolKey& key, PoolHome& home, std::uint32_t part) {
  auto& pool = pools_[key];
  if (pool == nullptr) {
    pool = std::make_unique<Pool>(*this, key, home, part);
    if (is_paused(key)) pool->pause();
    if (!maintenance_.pending()) loop_.timers().set(maintenance_, now() + maintenance_interval);
  }
  return *pool;
}

// Pools whose role the configuration names can be warm before their first client.
void Shard::open_forced_pools() {
  for (const auto& [name, database] : config().databases) {
    if (database.wildcard || database.user.empty() || database.min_pool_size == 0) continue;
    const PoolKey key{name, database.user};
    PoolHome& home = shared_.placement.home(key, config());
    for (std::uint32_t part = 0; part < home.parts(); ++part) {
      if (home.shards[part] == index_) pool(key, home, part).maintain();
    }
  }
}

void Shard::maintain() {
  for (const auto& [key, pool] : pools_) pool->maintain();
  shared_.budget.tick(now());
  shared_.secret_lookups.drop_old(now(), config().auth.query_cache);
  rest_tls();
  loop_.timers().set(maintenance_, now() + maintenance_interval);
}

void Shard::move_server(PoolHome& home, std::uint32_t part, ServerState state) {
  // On its way it is no shard's, but work it is: none of them may think that all is done and end.
  shared_.working_shards.fetch_add(1);
  Shard& target = *shared_.shards[home.shards[part]];
  target.post([&target, &home, part, state = std::move(state)]() mutable {
    target.adopt_server(home, part, std::move(state));
  });
}

void Shard::adopt_server(PoolHome& home, std::uint32_t part, ServerState state) {
  pool(home.key, home, part).adopt_server(std::move(state));
  // Counted here before it is not counted there.
  if (!works_) count_work();
  shared_.working_shards.fetch_sub(1);
}

// Commands.

void Shard::pause(std::string_view database) {
  if (database.empty()) {
    all_paused_ = true;
  } else {
    paused_.emplace(database);
  }
  apply_pause();
}

// Of all: databases paused by their name stay so.
void Shard::resume(std::string_view database) {
  if (database.empty()) {
    all_paused_ = false;
  } else if (const auto at = paused_.find(database); at != paused_.end()) {
    paused_.erase(at);
  }
  apply_pause();
}

void Shard::apply_pause() {
  for (const auto& [key, pool] : pools_) {
    const bool paused = is_paused(key);
    if (paused == pool->paused()) continue;
    paused ? pool->pause() : pool->resume();
  }
  resume_replication();
}

void Shard::reload(std::shared_ptr<const Runtime> runtime) {
  runtime_ = std::move(runtime);
  for (const auto& [key, pool] : pools_) pool->reload(runtime_->config);
  check_replication();
  open_forced_pools();
}

}  // namespace pgring
