// A client proves who it is: trust, md5, SCRAM-SHA-256. Roles and databases that do not exist go through the
// same exchange to the same refusal.
// Source: protocol-flow, "Start-up"; sasl-authentication; auth-password.
#include <array>

#include "src/pool/pool.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/shard.h"
#include "wire/authentication.h"
#include "wire/byte_reader.h"
#include "wire/limits.h"
#include "wire/md5.h"
#include "wire/message_builder.h"
#include "wire/random.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

std::string in_quotes(std::string_view name) { return "\"" + std::string{name} + "\""; }

}  // namespace

void Client::begin_authentication() {
  ClientLogin& login = *login_;
  const Config& config = shard_.config();
  if (config.auth.method == AuthMethod::trust) {
    if (login.known) return authenticated();
    if (login.is_console) {
      return fatal(wire::sqlstate::insufficient_privilege,
                   "role " + in_quotes(user_) + " may not use the console", {},
                   "Name it in console.admins or console.viewers.");
    }
    return fatal(wire::sqlstate::invalid_catalog_name,
                 "database " + in_quotes(database_) + " does not exist");
  }
  phase_ = Phase::authenticating;
  const auto entry = config.users.find(user_);
  const SecretKind kind = entry == config.users.end() ? SecretKind::none : entry->second.kind;
  // As PostgreSQL does: a SCRAM secret is only good for SCRAM, whatever the method says.
  const bool md5 = config.auth.method == AuthMethod::md5 && kind != SecretKind::scram_sha_256;
  if (!md5) return begin_scram();
  if (!wire::fill_random(login.md5_salt)) {
    return fatal(wire::sqlstate::internal_error, "could not generate random MD5 salt");
  }
  login.wants_md5 = true;
  std::string request;
  wire::append_authentication_md5(request, login.md5_salt);
  send_text(request);
}

void Client::begin_scram() {
  ClientLogin& login = *login_;
  const auto entry = shard_.config().users.find(user_);
  std::optional<wire::ScramSecret> secret;
  if (login.known && entry != shard_.config().users.end()) {
    if (entry->second.kind == SecretKind::scram_sha_256) {
      secret = wire::parse_scram_secret(entry->second.text.reveal());
    } else if (entry->second.kind == SecretKind::plain) {
      if (const auto* made = shard_.scram_secret(user_, entry->second.text.reveal()))
        secret = *made;
    }
  }
  const auto user = secret ? wire::ScramUser::real : wire::ScramUser::mock;
  if (!secret)
    secret =
        wire::scram_mock_secret(user_, shard_.shared().mock_secret, wire::scram_iterations_default);
  auto nonce = wire::make_scram_nonce();
  if (!secret || !nonce)
    return fatal(wire::sqlstate::internal_error, "could not generate a random nonce");
  login.scram = std::make_unique<wire::ScramServer>(std::move(*secret), user, std::move(*nonce));
  std::string request;
  const std::array<std::string_view, 2> mechanisms{wire::scram_plus_mechanism,
                                                   wire::scram_mechanism};
  wire::append_authentication_sasl(request,
                                   std::span{mechanisms}.subspan(binds_channels() ? 0 : 1));
  send_text(request);
}

bool Client::password_message(std::span<const std::byte> body) {
  return login_->wants_md5 ? md5_answer(body) : scram_answer(body);
}

bool Client::md5_answer(std::span<const std::byte> body) {
  const auto answer = wire::parse_password_message(body);
  if (!answer) {
    fatal(wire::sqlstate::protocol_violation, "invalid password packet size");
    return false;
  }
  if (answer->empty()) {
    fatal(wire::sqlstate::invalid_password, "empty password returned by client");
    return false;
  }
  const auto entry = shard_.config().users.find(user_);
  std::optional<std::string> secret;
  if (login_->known && entry != shard_.config().users.end()) {
    if (entry->second.kind == SecretKind::md5) secret = std::string{entry->second.text.reveal()};
    if (entry->second.kind == SecretKind::plain)
      secret = wire::md5_secret(entry->second.text.reveal(), user_);
  }
  // Unknown: the same work, then the same answer.
  const bool real = secret.has_value();
  if (!real) secret = wire::md5_secret(shard_.shared().mock_secret, user_);
  const auto verdict = secret ? wire::verify_md5_response(*secret, login_->md5_salt, *answer)
                              : wire::Md5Verdict::unavailable;
  if (verdict == wire::Md5Verdict::unavailable) {
    fatal(wire::sqlstate::internal_error,
          "md5 authentication is not available: OpenSSL refuses MD5 on this machine", {},
          "Use auth.method = \"scram-sha-256\".");
    return false;
  }
  if (!real || verdict == wire::Md5Verdict::mismatch) {
    authentication_failed();
    return false;
  }
  authenticated();
  return true;
}

bool Client::scram_answer(std::span<const std::byte> body) {
  ClientLogin& login = *login_;
  std::string_view data = wire::as_text(body);
  if (!login.sasl_chosen) {
    const auto initial = wire::parse_sasl_initial_response(body);
    if (!initial) {
      fatal(wire::sqlstate::protocol_violation, "malformed SASLInitialResponse message");
      return false;
    }
    const bool plus = binds_channels() && initial->mechanism == wire::scram_plus_mechanism;
    if ((!plus && initial->mechanism != wire::scram_mechanism) || !initial->data) {
      fatal(wire::sqlstate::protocol_violation,
            "client selected an invalid SASL authentication mechanism");
      return false;
    }
    login.sasl_chosen = true;
    if (binds_channels()) {
      login.scram->bind(plus ? wire::ScramBinding::in_use : wire::ScramBinding::unused,
                        wire::as_text(tls()->channel_binding().bytes()));
    }
    data = *initial->data;
  }
  const auto reply = login.scram->receive(data);
  std::string answer;
  switch (reply.step) {
    case wire::ScramServerStep::send_continue:
      wire::append_authentication_sasl_continue(answer, reply.data);
      send_text(answer);
      return true;
    case wire::ScramServerStep::succeeded:
      wire::append_authentication_sasl_final(answer, reply.data);
      send_text(answer);
      authenticated();
      return true;
    case wire::ScramServerStep::refused:
      authentication_failed();
      return false;
    case wire::ScramServerStep::malformed:
      fatal(reply.error.sqlstate, reply.error.message, reply.error.detail);
      return false;
  }
  return false;
}

void Client::authentication_failed() {
  fatal(wire::sqlstate::invalid_password,
        "password authentication failed for user " + in_quotes(user_));
}

}  // namespace pgring
