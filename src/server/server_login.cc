// Logging in to PostgreSQL. Source: protocol-flow, "Start-up"; sasl-authentication.
#include "src/server/server_login.h"

#include <array>
#include <cstring>
#include <system_error>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/authentication.h"
#include "wire/backend_key_data.h"
#include "wire/md5.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/negotiate_protocol_version.h"
#include "wire/parameter_status.h"
#include "wire/sqlstate.h"
#include "wire/startup.h"

namespace pgring {
namespace {

namespace backend = wire::backend;

// A server that sends more than this before it is ready is not one.
constexpr std::size_t login_input_max = std::size_t{1024} * 1024;

wire::ParsedError own_error(std::string_view sqlstate, std::string message, std::string hint) {
  return {.severity = "FATAL",
          .sqlstate = std::string{sqlstate},
          .message = std::move(message),
          .hint = std::move(hint)};
}

}  // namespace

void Server::connected(int error) {
  if (error != 0) {
    return login_failed(own_error(wire::sqlstate::sqlclient_unable_to_establish_sqlconnection,
                                  "cannot connect to the server " + pool_.settings().server + ": " +
                                      std::generic_category().message(error),
                                  {}));
  }
  phase_ = Phase::logging_in;
  const auto& settings = pool_.settings();
  const std::array<wire::NameValue, 2> parameters{
      {{"user", settings.role}, {"database", settings.dbname}}};
  std::string message;
  login_->minor = pool_.only_protocol_3_0().load(std::memory_order_relaxed)
                      ? 0
                      : wire::protocol_minor_supported;
  wire::append_startup(message, parameters, wire::protocol_version_3_0 | login_->minor);
  send_text(message);
  receive_wanted(true);
}

void Server::login_received(const ring::Slice& slice) {
  auto& input = login_->input;
  input.append(reinterpret_cast<const char*>(slice.bytes().data()), slice.size());
  if (input.size() > login_input_max) {
    return login_failed(
        own_error(wire::sqlstate::protocol_violation, "the server sent too much during login", {}));
  }
  while (phase_ == Phase::logging_in) {
    wire::Framer framer;
    wire::Framer::Part part;
    std::uint32_t position = 0;
    const auto outcome = framer.next(std::as_bytes(std::span{login_->input}), position, part);
    if (outcome == wire::Framer::Outcome::malformed) {
      return login_failed(own_error(wire::sqlstate::protocol_violation,
                                    "the server does not speak PostgreSQL's protocol", {}));
    }
    if (outcome == wire::Framer::Outcome::need_more || !part.ends) return;
    const std::string body =
        login_->input.substr(wire::Framer::header_size, part.size - wire::Framer::header_size);
    login_->input.erase(0, part.size);
    if (!login_message(part.type, std::as_bytes(std::span{body}))) return;
  }
}

// False: the login is over, or has failed.
bool Server::login_message(char type, std::span<const std::byte> body) {
  switch (type) {
    case backend::Authentication:
      return authenticate(body);
    case backend::ParameterStatus:
      if (const auto parameter = wire::parse_parameter_status(body)) {
        put_parameter(login_->parameters, parameter->name, parameter->value);
      }
      return true;
    case backend::BackendKeyData: {
      // Of any length, whatever the version: it is the server that must know it again.
      const auto key = wire::parse_backend_key_data(body);
      if (!key) break;
      backend_pid_ = key->pid;
      permit_.backend_is(key->pid);
      counted_.identified(key->pid);
      cancel_secret_.assign(reinterpret_cast<const char*>(key->secret.data()), key->secret.size());
      return true;
    }
    case backend::NegotiateProtocolVersion:
      return negotiated(body);
    case backend::NoticeResponse:
      return true;
    case backend::ErrorResponse:
      refused(wire::parse_error_response(body));
      return false;
    case backend::ReadyForQuery:
      if (!login_->authenticated || body.size() != 1 || static_cast<char>(body[0]) != 'I') break;
      defaults_ = pool_.parameters().intern(std::move(login_->parameters));
      receive_options({.group = buffer_group::server, .credit = flow::server_credit});
      phase_ = Phase::ready;
      serve_from_now();
      return false;
    default:
      break;
  }
  login_failed(
      own_error(wire::sqlstate::protocol_violation,
                std::string{"unexpected message '"} + type + "' from the server during login", {}));
  return false;
}

// The server has an older protocol than was asked for: PostgreSQL before 18 has 3.0. Nothing but the cancel
// key's length hangs on it, and that is taken as it comes; so is 3.1, which was never used.
bool Server::negotiated(std::span<const std::byte> body) {
  const auto answer = wire::parse_negotiate_protocol_version(body);
  const bool sound = answer && answer->minor < login_->minor && answer->options == 0 &&
                     !login_->authenticated && !std::exchange(login_->negotiated, true);
  if (sound) return true;
  login_failed(own_error(wire::sqlstate::protocol_violation,
                         "the server's NegotiateProtocolVersion is no answer to protocol 3." +
                             std::to_string(login_->minor),
                         {}));
  return false;
}

void Server::refused(std::optional<wire::ParsedError> error) {
  if (!error) {
    return login_failed(own_error(wire::sqlstate::protocol_violation,
                                  "the server refused the login unreadably", {}));
  }
  // Not every server negotiates, as PostgreSQL has done since 9.3: this one is asked for 3.0 from now on, and
  // soon, as one that is not ready yet.
  if (login_->minor > 0 && !login_->taken && !login_->authenticated &&
      error->sqlstate == wire::sqlstate::feature_not_supported) {
    pool_.only_protocol_3_0().store(true, std::memory_order_relaxed);
    error->sqlstate = wire::sqlstate::cannot_connect_now;
    error->detail = "pgring asks this server for protocol 3.0 from now on.";
  }
  login_failed(std::move(*error));
}

void Server::serve_from_now() {
  const std::string rest = std::move(login_->input);
  if (pool_.settings().connect_query.empty()) {
    login_finished();
    release_due_ = true;
  } else {
    run_own(Own::connect_query, pool_.settings().connect_query);
  }
  // What came right behind ReadyForQuery, if anything: a notice, a changed parameter, a goodbye.
  relay(ring::Slice::copy_of(rest));
}

bool Server::authenticate(std::span<const std::byte> body) {
  const auto request = wire::parse_authentication(body);
  if (!request) {
    login_failed(own_error(wire::sqlstate::protocol_violation,
                           "malformed authentication request from the server", {}));
    return false;
  }
  login_->taken = true;
  switch (request->kind) {
    case wire::AuthenticationKind::Ok:
      if (login_->scram != nullptr && !login_->scram->succeeded()) break;
      login_->authenticated = true;
      login_->scram.reset();
      return true;
    case wire::AuthenticationKind::CleartextPassword:
      return answer_password({});
    case wire::AuthenticationKind::MD5Password:
      return answer_password(request->salt);
    case wire::AuthenticationKind::SASL:
    case wire::AuthenticationKind::SASLContinue:
    case wire::AuthenticationKind::SASLFinal:
      return answer_sasl(*request);
    case wire::AuthenticationKind::KerberosV5:
    case wire::AuthenticationKind::GSS:
    case wire::AuthenticationKind::GSSContinue:
    case wire::AuthenticationKind::SSPI:
    case wire::AuthenticationKind::unknown:
      break;
  }
  login_failed(own_error(
      wire::sqlstate::feature_not_supported,
      "the server asks for an authentication method pgring does not have (request " +
          std::to_string(request->number) + ")",
      "Let pg_hba.conf ask for scram-sha-256, md5 or trust for connections from pgring."));
  return false;
}

bool Server::no_password(std::string_view method) {
  login_failed(own_error(wire::sqlstate::invalid_authorization_specification,
                         "no secret is stored with which role \"" + pool_.settings().role +
                             "\" could log in to the server (" + std::string{method} + ")",
                         "Store its password in auth.file or in role.NAME.password."));
  return false;
}

bool Server::answer_password(std::optional<std::span<const std::byte, 4>> salt) {
  const StoredSecret* const secret = pool_.login_secret();
  const bool plain = secret != nullptr && secret->kind == SecretKind::plain;
  std::optional<std::string> answer;
  if (!salt) {
    if (!plain) return no_password("password");
    answer = std::string{secret->text.reveal()};
  } else {
    std::optional<std::string> hashed;
    if (plain) hashed = wire::md5_secret(secret->text.reveal(), pool_.settings().role);
    if (secret != nullptr && secret->kind == SecretKind::md5)
      hashed = std::string{secret->text.reveal()};
    if (!hashed) return no_password("md5");
    answer = wire::md5_response(*hashed, *salt);
  }
  if (!answer) return no_password("md5");
  std::string message;
  wire::append_password_message(message, *answer);
  send_text(message);
  return true;
}

bool Server::answer_sasl(const wire::Authentication& request) {
  std::string message;
  if (request.kind == wire::AuthenticationKind::SASL) {
    if (!request.offers(wire::scram_mechanism) || login_->scram != nullptr) {
      login_failed(own_error(wire::sqlstate::feature_not_supported,
                             "the server offers no SASL mechanism pgring has", {}));
      return false;
    }
    auto nonce = wire::make_scram_nonce();
    const StoredSecret* const secret = pool_.login_secret();
    if (secret != nullptr && secret->kind == SecretKind::plain && nonce) {
      login_->scram = std::make_unique<wire::ScramClient>(secret->text.reveal(), std::move(*nonce));
    } else if (const auto keys = pool_.keys().get(); keys && nonce) {
      login_->scram = std::make_unique<wire::ScramClient>(*keys, std::move(*nonce));
    } else {
      return no_password("scram-sha-256");
    }
    wire::append_sasl_initial_response(message, wire::scram_mechanism,
                                       login_->scram->first_message());
    send_text(message);
    return true;
  }
  if (login_->scram == nullptr) {
    login_failed(own_error(wire::sqlstate::protocol_violation,
                           "SASL message from the server out of order", {}));
    return false;
  }
  const bool last = request.kind == wire::AuthenticationKind::SASLFinal;
  const auto reply = last ? login_->scram->receive_final(request.data)
                          : login_->scram->receive_first(request.data);
  if (reply.error) {
    login_failed(own_error(reply.error->sqlstate,
                           "SCRAM with the server failed: " + std::string{reply.error->message},
                           std::string{reply.error->detail}));
    return false;
  }
  if (!last) {
    wire::append_sasl_response(message, reply.data);
    send_text(message);
  }
  return true;
}

void Server::login_finished() {
  ring::TimerWheel::cancel(timer_);
  login_.reset();
  counted_.logged_in();
  fresh_ = true;
  used_ = shard_.now();
  permit_.opened();
  log::info("server connection opened", {{"shard", shard_.index()},
                                         {"database", pool_.key().database},
                                         {"role", pool_.key().role},
                                         {"backend_pid", backend_pid_}});
  pool_.login_succeeded();
}

void Server::login_failed(wire::ParsedError error) {
  if (error.message.empty()) error.message = "the server refused the login without saying why";
  if (error.sqlstate.empty()) error.sqlstate = wire::sqlstate::connection_failure;
  log::warning("server login failed", {{"shard", shard_.index()},
                                       {"database", pool_.key().database},
                                       {"role", pool_.key().role},
                                       {"sqlstate", error.sqlstate},
                                       {"message", error.message},
                                       {"detail", error.detail}});
  // A connect_query that takes too long is told to stop.
  if (phase_ == Phase::ready && !queue_.empty()) shard_.start_cancel(*this, std::nullopt);
  const bool connecting = phase_ == Phase::connecting;
  begin_closing();
  ring::TimerWheel::cancel(timer_);
  const bool never_opened = is_idle();
  if (connecting && !never_opened) {
    close();  // PostgreSQL does not know of it
  } else if (!never_opened) {
    finish_in_time();
  }
  pool_.login_failed(*this, std::move(error), never_opened);
}

}  // namespace pgring
