#include "src/server/walsender.h"

#include <system_error>

#include "src/log/log.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// How long PostgreSQL may take to close its side when the client has left. One that streams sees our end at
// once; one that sends a base backup reads nothing: it is stopped by our closing.
constexpr ring::Duration closing_limit = std::chrono::seconds{2};

wire::ParsedError own_error(std::string_view sqlstate, std::string message) {
  return {.severity = "FATAL", .sqlstate = std::string{sqlstate}, .message = std::move(message)};
}

}  // namespace

std::optional<WalsenderPlace> walsender_place(const Config& config, std::string_view database,
                                              std::string_view user) {
  const DatabaseConfig* const entry = find_database(config, database);
  if (entry == nullptr) return std::nullopt;
  const ServerConfig& server = config.servers.find(entry->server)->second;
  return WalsenderPlace{.server = entry->server,
                        .host = server.host,
                        .port = server.port,
                        .dbname = std::string{database_name_on_server(*entry, database)},
                        .role = entry->user.empty() ? std::string{user} : entry->user,
                        .tls = server.tls};
}

Walsender::Walsender(Shard& shard, Client& client, WalsenderPlace place,
                     const Parameters& parameters, std::optional<wire::ScramKeys> keys,
                     FoundSecretRef found)
    : Connection{shard, stream_role::walsender},
      shard_{shard},
      client_{&client},
      replication_{client.replication()},
      place_{std::move(place)},
      database_{client.database()},
      login_{std::make_unique<LoginExchange>(
          place_.role, shard.runtime().only_protocol_3_0.find(place_.server)->second)},
      keys_{std::move(keys)},
      found_{std::move(found)},
      id_{shard.next_id()} {
  std::vector<wire::NameValue> all{{"user", place_.role}, {"database", place_.dbname}};
  for (const auto& [name, value] : parameters) all.push_back({name, value});
  login_->begin(all, startup_);
  opening_ = {shard.config(), place_.server};
  timer_.owner = this;
  timer_.kind = timer_kind::walsender;
  created_ = shard.now();
}

Walsender::~Walsender() { shard_.shared().replication.leave(place_.server); }

std::optional<wire::ParsedError> Walsender::connect() {
  const auto& addresses = shard_.runtime().addresses;
  const auto found = addresses.find(place_.server);
  constexpr auto& unable = wire::sqlstate::sqlclient_unable_to_establish_sqlconnection;
  if (found == addresses.end() || found->second.empty()) {
    return own_error(
        unable, "the host " + place_.host + " of server " + place_.server + " did not resolve");
  }
  const SocketAddress& address = found->second.front();
  const int socket = make_socket(address);
  if (socket < 0) {
    return own_error(unable, std::string{"no socket for a server connection: "} +
                                 std::generic_category().message(-socket));
  }
  if (const auto limit = shard_.config().timeouts.server_connect; limit > Duration::zero())
    shard_.loop().timers().set(timer_, shard_.now() + limit);
  Stream::connect(socket, address.get(), address.size,
                  {.group = buffer_group::server, .credit = flow::server_credit, .one_shot = true});
  return std::nullopt;
}

void Walsender::connected(int error) {
  if (error != 0) {
    return login_failed(own_error(wire::sqlstate::sqlclient_unable_to_establish_sqlconnection,
                                  "cannot connect to the server " + place_.server + ": " +
                                      std::generic_category().message(error)));
  }
  phase_ = Phase::logging_in;
  receive_wanted(true);
  opening_step(opening_.begin(*this));
}

void Walsender::opening_step(TlsOpening::Step step) {
  switch (step) {
    case TlsOpening::Step::waits:
      return;
    case TlsOpening::Step::open:
      return begin_login();
    case TlsOpening::Step::failed:
      if (opening_.may_try_again() && try_the_other_way()) return;
      return login_failed(
          own_error(wire::sqlstate::sqlclient_unable_to_establish_sqlconnection,
                    "no TLS with the server " + place_.server + ": " + opening_.why()));
  }
}

void Walsender::begin_login() {
  if (tls() != nullptr) login_->bind_to(tls()->channel_binding());
  send(ring::Slice::copy_of(startup_));
}

void Walsender::tls_opened() { opening_step(opening_.opened()); }

void Walsender::tls_failed() {
  if (phase_ != Phase::logging_in) return ended(EPROTO);
  opening_step(opening_.handshake_failed(*tls()));
}

bool Walsender::try_the_other_way() {
  if (!opening_.turn_round()) return false;
  phase_ = Phase::connecting;
  tries_again_ = true;
  finish();
  return true;
}

bool Walsender::connect_again() {
  tries_again_ = false;
  login_->begin_again();
  const auto error = connect();
  if (!error) return true;
  phase_ = Phase::closing;
  std::exchange(client_, nullptr)->replication_refused(*error);
  return false;
}

void Walsender::received(ring::Slice slice) {
  switch (phase_) {
    case Phase::logging_in:
      return login_received(slice);
    case Phase::relaying:
      return relay(std::move(slice));
    case Phase::connecting:
    case Phase::closing:
      return;
  }
}

void Walsender::login_received(const ring::Slice& slice) {
  if (opening_.awaits_answer()) return opening_step(opening_.received(*this, slice.bytes()));
  LoginSecrets secrets{stored_login_secret(shard_.config(), database_, place_.role), keys_};
  if (!secrets.stored && found_ != nullptr && found_->secret.kind != SecretKind::scram_sha_256)
    secrets.stored = StoredSecret{found_->secret.text.clone(), found_->secret.kind};
  std::string answer;
  const auto outcome = login_->receive(slice.bytes(), secrets, answer);
  if (!answer.empty()) send(ring::Slice::copy_of(answer));
  if (outcome == LoginExchange::Outcome::unfinished) return;
  if (outcome == LoginExchange::Outcome::failed) {
    if (login_->refused_at_once() && try_the_other_way()) return;
    return login_failed(login_->take_error());
  }
  ring::TimerWheel::cancel(timer_);
  backend_pid_ = login_->backend_pid();
  cancel_secret_ = login_->cancel_secret();
  phase_ = Phase::relaying;
  receive_options({.group = buffer_group::server, .credit = flow::server_credit});
  const auto login = std::move(login_);
  startup_ = {};
  keys_.reset();
  found_.reset();
  log::info("replication connection opened", {{"shard", shard_.index()},
                                              {"database", database_},
                                              {"role", place_.role},
                                              {"backend_pid", backend_pid_},
                                              {"conn", client_->id()}});
  client_->replication_ready(login->take_parameters());
  const std::string rest = login->take_rest();
  if (client_ != nullptr && !rest.empty()) relay(ring::Slice::copy_of(rest));
}

void Walsender::login_failed(wire::ParsedError error) {
  log::warning("server login failed", {{"shard", shard_.index()},
                                       {"database", database_},
                                       {"role", place_.role},
                                       {"sqlstate", error.sqlstate},
                                       {"message", error.message},
                                       {"detail", error.detail}});
  Client& client = *std::exchange(client_, nullptr);
  begin_closing();
  client.replication_refused(error);
}

void Walsender::relay(ring::Slice slice) {
  const auto chunk = slice.bytes();
  std::uint32_t position = 0;
  wire::Framer::Part part;
  auto outcome = wire::Framer::Outcome::part;
  while (outcome == wire::Framer::Outcome::part) outcome = framer_.next(chunk, position, part);
  if (outcome == wire::Framer::Outcome::malformed) {
    Client& client = *std::exchange(client_, nullptr);
    begin_closing();
    return client.replication_ended("the server does not speak PostgreSQL's protocol");
  }
  client_->send(std::move(slice));
  if (client_->queued_bytes() > flow::high_bytes || client_->queued_ranges() > flow::high_ranges)
    receive_wanted(false);
}

void Walsender::ended(int error) {
  if (phase_ == Phase::closing) return close();
  const std::string reason = error == 0 ? "server closed the connection"
                                        : std::string{"connection to the server was lost: "} +
                                              std::generic_category().message(error);
  if (phase_ != Phase::relaying) {
    auto told = own_error(wire::sqlstate::connection_failure,
                          "the server closed the connection during login");
    told.detail = reason;
    return login_failed(std::move(told));
  }
  Client& client = *std::exchange(client_, nullptr);
  phase_ = Phase::closing;
  client.replication_ended(reason);
  close();
}

// Its last words may still be there to be read: the end comes by itself.
void Walsender::send_failed() {
  if (phase_ == Phase::closing) return close();
  if (client_->queued_bytes() <= flow::high_bytes && client_->queued_ranges() <= flow::high_ranges)
    receive_wanted(true);
}

void Walsender::sent() {
  if (phase_ != Phase::relaying) return;
  if (queued_bytes() < flow::low_bytes && queued_ranges() < flow::low_ranges)
    client_->receive_wanted(true);
}

void Walsender::timer_due() {
  if (phase_ == Phase::closing) return close();
  login_failed(own_error(wire::sqlstate::sqlclient_unable_to_establish_sqlconnection,
                         "connecting to the server took too long (timeouts.server_connect)"));
}

void Walsender::client_left() {
  client_ = nullptr;
  begin_closing();
}

void Walsender::begin_closing() {
  const bool connecting = phase_ == Phase::connecting;
  phase_ = Phase::closing;
  ring::TimerWheel::cancel(timer_);
  if (connecting) return close();  // PostgreSQL does not know of it
  finish();
  if (!is_idle()) shard_.loop().timers().set(timer_, shard_.now() + closing_limit);
}

void Walsender::stop() {
  ring::TimerWheel::cancel(timer_);
  close();
}

std::string_view Walsender::state_name() const {
  switch (phase_) {
    case Phase::connecting:
    case Phase::logging_in:
      return "new";
    case Phase::relaying:
      return "active";
    case Phase::closing:
      return "closing";
  }
  return "?";
}

}  // namespace pgring
