// Clients that replicate: each gets a connection to PostgreSQL of its own, and both sides say to each other
// what they like.
// Source: PostgreSQL docs, protocol-replication.
#include "src/server/walsender.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// What a standby did not read of its last WAL it asks for again: no reason to wait long.
constexpr ring::Duration linger = std::chrono::seconds{30};

}  // namespace

// False: the client is refused.
bool Client::read_replication(const wire::StartupMessage& message) {
  const auto value = message.find("replication");
  if (!value) return true;
  const auto replication = wire::parse_replication(*value);
  if (!replication) {
    fatal(wire::sqlstate::invalid_parameter_value,
          "invalid value for parameter \"replication\": \"" + std::string{*value} + "\"", {},
          "Valid values are: \"false\", 0, \"true\", 1, \"database\".");
    return false;
  }
  replication_ = *replication;
  if (replication_ == wire::Replication::none || !login_->is_console) return true;
  fatal(wire::sqlstate::feature_not_supported, "the console has nothing to replicate");
  return false;
}

// PostgreSQL itself reads all of them: they go to one connection, at its start.
void Client::keep_replication_parameters(const wire::StartupMessage& message) {
  ParameterList shown;
  for (const auto& [name, value] : message.parameters) {
    if (name == "user" || name == "database") continue;
    login_->replication_parameters.emplace_back(name, value);
    if (name == "application_name") put_parameter(shown, name, value);
  }
  overrides_ = shard_.parameters().intern(std::move(shown));
}

void Client::enter_replication() {
  ring::TimerWheel::cancel(timer_);
  phase_ = Phase::replicating;
  requested_ = shard_.now();
  if (!shard_.is_paused(database_)) return open_walsender();
  if (const auto limit = shard_.config().timeouts.query_wait; limit > Duration::zero())
    shard_.loop().timers().set(timer_, shard_.now() + limit);
}

void Client::resume_replication() {
  if (phase_ != Phase::replicating || walsender_ != nullptr || shard_.is_paused(database_)) return;
  ring::TimerWheel::cancel(timer_);
  open_walsender();
}

void Client::open_walsender() {
  const Config& config = shard_.config();
  auto place = walsender_place(config, database_, user_);
  if (!place) {
    return fatal(wire::sqlstate::invalid_catalog_name,
                 "database \"" + database_ + "\" does not exist");
  }
  const std::string key = "server." + place->server + ".max_replication";
  const std::uint32_t limit = config.servers.find(place->server)->second.max_replication;
  if (limit == 0) {
    return fatal(wire::sqlstate::feature_not_supported,
                 "replication connections to server \"" + place->server + "\" are switched off", {},
                 "Set " + key + " to more than 0, or connect to PostgreSQL directly.");
  }
  if (!shard_.shared().replication.enter(place->server, limit)) {
    return fatal(wire::sqlstate::too_many_connections,
                 "too many replication connections to server \"" + place->server + "\"",
                 "The limit is " + key + " = " + std::to_string(limit) + ".",
                 "SHOW SERVERS in the console tells who has them; raise the limit, and "
                 "max_wal_senders in PostgreSQL.");
  }
  // They are this client's own; a forced role has others.
  const bool own = place->role == user_;
  std::optional<wire::ScramKeys> keys;
  if (login_->scram != nullptr && own) keys = login_->scram->keys();
  auto walsender =
      std::make_unique<Walsender>(shard_, *this, std::move(*place), login_->replication_parameters,
                                  std::move(keys), own ? login_->found : nullptr);
  if (const auto error = walsender->connect()) return server_refused(*error);
  walsender_ = walsender.get();
  shard_.keep(std::move(walsender));
}

void Client::replication_ready(const ParameterList& parameters) {
  std::string welcome;
  for (const auto& [name, value] : parameters) wire::append_parameter_status(welcome, name, value);
  greet(std::move(welcome));
  const auto login = std::move(login_);
  receive_options({.group = buffer_group::client, .credit = flow::client_credit});
  if (!login->input.empty()) walsender_->send(ring::Slice::copy_of(login->input));
}

void Client::replication_refused(const wire::ParsedError& error) {
  walsender_ = nullptr;
  server_refused(error);
}

// Why, the server has told the client itself, if it could.
void Client::replication_ended(std::string_view reason) {
  walsender_ = nullptr;
  log_disconnect(reason);
  phase_ = Phase::closing;
  shard_.loop().timers().set(timer_, shard_.now() + linger);
  finish();
}

void Client::relay_replication(ring::Slice slice) {
  if (login_ != nullptr) return login_received(slice);
  walsender_->send(std::move(slice));
  if (walsender_->queued_bytes() > flow::high_bytes ||
      walsender_->queued_ranges() > flow::high_ranges)
    receive_wanted(false);
}

}  // namespace pgring
