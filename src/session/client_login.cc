// A client's login: startup packet, the move to its pool's shard, parameters. Authentication: client_auth.cc.
// Source: protocol-flow, "Start-up"; src/backend/tcop/backend_startup.c for messages and SQLSTATEs.
#include "src/session/client_login.h"

#include <array>

#include "src/console/session.h"
#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/limits.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"
#include "wire/startup_options.h"

namespace pgring {
namespace {

// More than any packet of a login; what a client sends ahead of its ReadyForQuery must fit too.
constexpr std::size_t login_input_max = std::size_t{96} * 1024;

std::string in_quotes(std::string_view name) { return "\"" + std::string{name} + "\""; }

bool may_succeed(const Config& config, const ClientLogin& login, std::string_view role) {
  if (!login.rule.exists) return false;
  if (login.rule.method == HbaMethod::peer) return login.peer_fits;
  if (!needs_secret(login.rule.method))
    return login.rule.method == HbaMethod::trust || login.rule.method == HbaMethod::cert;
  const auto user = config.users.find(role);
  if (user != config.users.end()) return user->second.kind != SecretKind::none;
  return login.found != nullptr && login.found->secret.kind != SecretKind::none;
}

}  // namespace

void Client::adopt(int socket, std::string packet, std::unique_ptr<TlsEngine> tls,
                   FoundSecretRef found) {
  start(socket);
  if (tls != nullptr) begin_tls(std::move(tls));
  login_->adopted = true;
  login_->found = std::move(found);
  login_->input = std::move(packet);
  login_received({});
}

void Client::login_received(const ring::Slice& slice) {
  ClientLogin& login = *login_;
  login.input += wire::as_text(slice.bytes());
  if (login.input.size() > login_input_max) {
    return fatal(wire::sqlstate::protocol_violation,
                 "too much was sent before the login was complete");
  }
  while (is_open() && phase_ == Phase::startup && login_ != nullptr && !login_->waiting) {
    const auto scan = wire::scan_startup(std::as_bytes(std::span{login.input}));
    if (scan.kind == wire::StartupScanKind::need_more) return;
    if (scan.kind == wire::StartupScanKind::malformed)
      return fatal(wire::sqlstate::protocol_violation, scan.reason);
    // A copy: handing the client over destroys the login.
    const std::string packet = login.input.substr(0, scan.size);
    if (!startup_packet(packet)) return;
  }
  while (is_open() && phase_ == Phase::authenticating && !login.waiting &&
         login.input.size() >= wire::Framer::header_size) {
    wire::Framer framer;
    wire::Framer::Part part;
    std::uint32_t position = 0;
    const auto input = std::as_bytes(std::span{login.input});
    const auto outcome = framer.next(input, position, part);
    if (part.type != wire::frontend::Password) {
      return fatal(wire::sqlstate::protocol_violation,
                   "expected password response, got message type " +
                       std::to_string(static_cast<unsigned char>(part.type)));
    }
    if (outcome == wire::Framer::Outcome::malformed ||
        part.size - 1 > wire::max_frontend_message_length(part.type)) {
      return fatal(wire::sqlstate::protocol_violation, "invalid password packet size");
    }
    if (!part.ends) return;
    const std::string body =
        login.input.substr(wire::Framer::header_size, part.size - wire::Framer::header_size);
    login.input.erase(0, part.size);
    if (!password_message(std::as_bytes(std::span{body}))) return;
  }
}

// False: nothing more is to be done with this connection here.
bool Client::startup_packet(std::string_view packet) {
  ClientLogin& login = *login_;
  const wire::Startup startup = wire::parse_startup(std::as_bytes(std::span{packet}));
  switch (startup.kind) {
    case wire::StartupKind::SSLRequest:
    case wire::StartupKind::GSSENCRequest: {
      bool& asked =
          startup.kind == wire::StartupKind::SSLRequest ? login.encryption_asked : login.gss_asked;
      // What follows unasked could be taken for encrypted later (CVE-2021-3935).
      if (asked || login.input.size() > packet.size()) {
        fatal(wire::sqlstate::protocol_violation,
              "received unencrypted data after an encryption request");
        return false;
      }
      asked = true;
      login.input.clear();
      answer_encryption_request(startup.kind == wire::StartupKind::SSLRequest);
      return false;  // the next packet comes after our answer
    }
    case wire::StartupKind::CancelRequest: {
      phase_ = Phase::cancelling;
      const std::uint32_t shard = cancel_key::shard(startup.cancel.pid);
      if ((startup.cancel.pid & cancel_key::marker) == 0 ||
          shard >= shard_.shared().shards.size()) {
        close();
        return false;
      }
      shard_.cancel_asked(*this, shard, startup.cancel.pid,
                          std::string{wire::as_text(startup.cancel.secret)});
      return false;
    }
    case wire::StartupKind::refused:
      if (startup.is_cancel) {
        close();
      } else {
        fatal(startup.error.sqlstate, startup.error.message);
      }
      return false;
    case wire::StartupKind::StartupMessage:
      return startup_message(startup.message, packet);
  }
  return false;
}

bool Client::startup_message(const wire::StartupMessage& message, std::string_view packet) {
  ClientLogin& login = *login_;
  const Config& config = shard_.config();
  user_ = message.user();
  database_ = message.database();
  if (shard_.shared().life.load(std::memory_order_relaxed) != Life::serving &&
      !is_console_database(database_)) {
    fatal(wire::sqlstate::cannot_connect_now, "pgring is shutting down");
    return false;
  }
  login.is_console = is_console_database(database_);
  if (!may_be_unencrypted() || !read_replication(message)) return false;
  const DatabaseConfig* database = login.is_console ? nullptr : find_database(config, database_);
  if (!find_login_rule()) return false;
  // While it waits for its secret it is a client like any other.
  if (wants_lookup() && (!enter_limits(database) || !find_secret())) return false;
  if (database != nullptr) {
    login.key = {database_, database->user.empty() ? user_ : database->user};
    // A home stays: names that cannot log in must not make any.
    const bool known = may_succeed(config, login, user_) && !certificate_fault();
    // Nor one that replicates: it stays where it is.
    if (known && replication_ == wire::Replication::none && move_home()) return false;
  }
  if (message.needs_negotiation()) {
    std::string answer;
    wire::append_negotiate_protocol_version(answer, message.minor_spoken(),
                                            message.protocol_options);
    send_text(answer);
  }
  long_cancel_key_ = message.minor_spoken() >= wire::protocol_minor_long_keys;
  if (!enter_limits(database)) return false;
  if (!read_parameters(message)) return false;
  login.input.erase(0, packet.size());
  begin_authentication();
  return true;
}

// False: there are as many clients as may be, and it is refused.
bool Client::enter_limits(const DatabaseConfig* database) {
  if (login_->is_console || counted_) return true;
  const Config& config = shard_.config();
  const auto role = config.roles.find(user_);
  ClientLimits::Limits limits{.all = config.listen.max_clients};
  if (database != nullptr) limits.database = database->max_clients;
  if (role != config.roles.end()) limits.role = role->second.max_clients;
  switch (shard_.shared().clients.enter(database_, user_, limits)) {
    case ClientLimits::Reached::none:
      counted_ = true;
      break;
    case ClientLimits::Reached::all:
      fatal(wire::sqlstate::too_many_connections, "sorry, too many clients already",
            "The limit is listen.max_clients = " + std::to_string(limits.all) + ".");
      return false;
    case ClientLimits::Reached::database:
      fatal(wire::sqlstate::too_many_connections,
            "too many clients for database " + in_quotes(database_),
            "The limit is the database's max_clients = " + std::to_string(*limits.database) + ".");
      return false;
    case ClientLimits::Reached::role:
      fatal(wire::sqlstate::too_many_connections, "too many clients for role " + in_quotes(user_),
            "The limit is the role's max_clients = " + std::to_string(*limits.role) + ".");
      return false;
  }
  return true;
}

// True: the client is on its way to the shard where its pool lives, or will be.
bool Client::move_home() {
  ClientLogin& login = *login_;
  const Config& config = shard_.config();
  PoolHome& home = shard_.shared().placement.home(login.key, config);
  login.home = &home;
  login.part = Placement::least_loaded(home);
  for (std::uint32_t part = 0; part < home.parts(); ++part) {
    // Once moved, a client stays: two shards could otherwise pass it back and forth.
    if (home.shards[part] == shard_.index() && (login.adopted || part == login.part)) {
      login.part = part;
      return false;
    }
  }
  if (!is_quiet()) {
    login.move_due = true;  // our answer to its SSLRequest is on its way
    receive_wanted(false);  // nothing may be in flight then
    return true;
  }
  ring::TimerWheel::cancel(timer_);
  shard_.hand_over(*this, home.shards[login.part], std::move(login.input), std::move(login.found));
  return true;
}

bool Client::read_parameters(const wire::StartupMessage& message) {
  if (replication_ != wire::Replication::none) {
    keep_replication_parameters(message);
    return true;
  }
  ParameterList list;
  for (const auto& [name, value] : message.parameters) {
    if (name == "user" || name == "database" || name == "replication") continue;
    if (name == "options") {
      const auto options = wire::parse_startup_options(value);
      if (options.error) {
        fatal(options.error->sqlstate, options.error->message);
        return false;
      }
      for (const auto& [option, setting] : options.settings) put_parameter(list, option, setting);
      continue;
    }
    put_parameter(list, name, value);
  }
  overrides_ = shard_.parameters().intern(std::move(list));
  return true;
}

void Client::authenticated() {
  if (!certificate_fits()) return;
  std::string answer;
  wire::append_authentication_ok(answer);
  send_text(answer);
  if (!place_exists()) return;
  if (login_->is_console) return enter_console();
  if (replication_ != wire::Replication::none) return enter_replication();
  enter_pool();
}

void Client::enter_console() {
  phase_ = Phase::console;
  logged_in_ = true;
  ring::TimerWheel::cancel(timer_);
  console_ = std::make_unique<ConsoleSession>(*this, login_->is_service_user);
  const std::string rest = std::move(login_->input);
  login_.reset();
  shard_.register_client(*this);
  console_->welcome();
  if (!rest.empty()) console_->received(ring::Slice::copy_of(rest));
}

void Client::enter_pool() {
  ClientLogin& login = *login_;
  pool_ = &shard_.pool(login.key, *login.home, login.part);
  pool_->client_entered();
  const auto keys = login.scram != nullptr ? login.scram->keys() : login.keys;
  if (!pool_->settings().forced_role && pool_->keys().set(keys, login.found.get()))
    pool_->secrets_changed();
  ring::TimerWheel::cancel(timer_);
  phase_ = Phase::login_waiting;
  requested_ = shard_.now();
  if (auto defaults = pool_->parameters().defaults()) {
    if (auto canonical = pool_->parameters().canonical(overrides_.list())) {
      overrides_ = shard_.parameters().intern(std::move(*canonical));
      defaults_ = std::move(defaults);
      return finish_login();
    }
  }
  // What the server reports, and whether it takes this client's parameters, a connection must tell.
  login.asked = overrides_;
  pool_->acquire(*this);
}

// Its parameters, its key, and that it may begin.
void Client::greet(std::string welcome) {
  shard_.register_client(*this);
  wire::append_backend_key_data(welcome, cancel_pid_, wire::as_bytes(shard_.cancel_secret(*this)));
  wire::append_ready_for_query(welcome, 'I');
  send_text(welcome);

  logged_in_ = true;
  if (shard_.config().log.connections) {
    log::info("client connected", {{"shard", shard_.index()},
                                   {"conn", id_},
                                   {"address", peer_.text()},
                                   {"database", database_},
                                   {"user", user_}});
  }
}

void Client::finish_login() {
  if (server_ != nullptr) {
    defaults_ = server_->defaults();
    pool_->parameters().remember_canonical(login_->asked.list(), overrides_.list());
  }
  std::string welcome;
  for (const auto& [name, value] : *defaults_) {
    const auto* own = find_parameter(overrides_.list(), name);
    wire::append_parameter_status(welcome, name, own == nullptr ? value : own->value);
  }
  greet(std::move(welcome));
  ++pool_->stats().logins;
  const std::string rest = std::move(login_->input);
  startup_overrides_ = overrides_;
  overrides_are(startup_overrides_);
  login_.reset();
  receive_options({.group = buffer_group::client, .credit = flow::client_credit});
  phase_ = Phase::idle;
  requested_ = shard_.now();
  arm_timer();
  if (server_ != nullptr) {
    Server& server = *server_;
    unlink();
    server.detach();
  }
  if (!rest.empty() && is_open()) relay(ring::Slice::copy_of(rest));
}

}  // namespace pgring
