// A client proves who it is: trust, cert, peer, password, md5, SCRAM-SHA-256. Roles that do not exist go through the
// exchange of one that does, to the same refusal.
// Source: protocol-flow, "Start-up"; sasl-authentication; auth-password.
#include <array>
#include <utility>

#include "src/pool/pool.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/session/password_check.h"
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
  const LoginRule& rule = login_->rule;
  if (login_->is_service_user) return authenticated();
  if (!rule.exists || rule.method == HbaMethod::reject) return refuse_by_rule();
  if (!has_wanted_certificate()) return;
  switch (rule.method) {
    case HbaMethod::trust:
    case HbaMethod::cert:
      return authenticated();
    case HbaMethod::peer:
      if (login_->peer_fits) return authenticated();
      return refuse_login(wire::sqlstate::invalid_authorization_specification,
                          "Peer authentication failed for user " + in_quotes(user_),
                          login_->peer_name ? "the user is " + *login_->peer_name
                                            : "the system does not say who the user is");
    case HbaMethod::password:
    case HbaMethod::md5:
    case HbaMethod::scram_sha_256:
      phase_ = Phase::authenticating;
      return begin_check();
    case HbaMethod::reject:
    case HbaMethod::ldap:
    case HbaMethod::pam:
    case HbaMethod::ident:
    case HbaMethod::gss:
    case HbaMethod::sspi:
    case HbaMethod::radius:
    case HbaMethod::bsd:
    case HbaMethod::oauth:
      return refuse_method();
  }
}

void Client::begin_check() {
  const auto delay = shard_.shared().failed_logins.delay_of_check(
      {peer_.ip(), user_}, shard_.now(), login_->runtime->config.auth.failed_login_delay);
  if (delay > ring::Duration{0}) return hold_login(delay);
  look_up_secret();
}

void Client::begin_exchange() {
  const ClientLogin& login = *login_;
  if (login.rule.method == HbaMethod::password) return begin_clear_text();
  // As PostgreSQL does: a SCRAM secret is only good for SCRAM, whatever the method says.
  if (login.rule.method == HbaMethod::md5 && login.shape.kind != SecretKind::scram_sha_256)
    return begin_md5();
  begin_scram();
}

void Client::begin_clear_text() {
  login_->expected = ClientLogin::Expected::clear_text;
  std::string request;
  wire::append_authentication_cleartext(request);
  send_text(request);
}

void Client::begin_md5() {
  ClientLogin& login = *login_;
  if (!wire::fill_random(login.md5_salt))
    return fatal(wire::sqlstate::internal_error, "could not generate random MD5 salt");
  login.expected = ClientLogin::Expected::md5;
  std::string request;
  wire::append_authentication_md5(request, login.md5_salt);
  send_text(request);
}

// What the client is checked against. Nothing: a worker makes it, or the login has failed.
std::optional<wire::ScramSecret> Client::scram_secret() {
  ClientLogin& login = *login_;
  Shared& shared = shard_.shared();
  if (login.has_secret && login.secret.kind == SecretKind::scram_sha_256) {
    if (auto secret = wire::parse_scram_secret(login.secret.text.reveal())) return secret;
  } else if (login.has_secret && login.secret.kind == SecretKind::plain) {
    const std::string_view password = login.secret.text.reveal();
    if (const auto made = shared.scram_secrets.find(user_, password)) return *made;
    Shard& shard = shard_;
    if (!std::exchange(login.made_asked, true)) {
      if (shared.scram_secrets.make(
              shared.workers, user_, password, shared.mock_secret, [&shard, client = id_] {
                shard.worker_done(client, [](Client& waiting) { waiting.login_goes_on(); });
              })) {
        await_worker();
      } else {
        fatal(wire::sqlstate::insufficient_resources, "too many logins are being checked");
      }
      return std::nullopt;
    }
  } else {
    const std::uint32_t iterations =
        login.shape.iterations == 0 ? wire::scram_iterations_default : login.shape.iterations;
    if (auto mock = wire::scram_mock_secret(user_, shared.mock_secret, iterations)) return mock;
  }
  fatal(wire::sqlstate::internal_error, "could not compute a SCRAM secret");
  return std::nullopt;
}

void Client::begin_scram() {
  ClientLogin& login = *login_;
  auto secret = scram_secret();
  if (!secret) return;
  const bool can_succeed = login.has_secret && login.secret.kind != SecretKind::md5;
  if (login.has_secret && !can_succeed)
    login.log_detail = "the role's stored secret is md5, with which there is no SCRAM";
  auto nonce = wire::make_scram_nonce();
  if (!nonce) return fatal(wire::sqlstate::internal_error, "could not generate a random nonce");
  login.scram = std::make_unique<wire::ScramServer>(
      std::move(*secret), can_succeed ? wire::ScramUser::real : wire::ScramUser::mock,
      std::move(*nonce));
  std::string request;
  const std::array<std::string_view, 2> mechanisms{wire::scram_plus_mechanism,
                                                   wire::scram_mechanism};
  wire::append_authentication_sasl(request,
                                   std::span{mechanisms}.subspan(binds_channels() ? 0 : 1));
  send_text(request);
}

// False: nothing more of what the client sent is to be looked at now.
bool Client::password_message(std::span<const std::byte> body) {
  switch (login_->expected) {
    case ClientLogin::Expected::scram:
      return scram_answer(body);
    case ClientLogin::Expected::md5:
      return md5_answer(body);
    case ClientLogin::Expected::clear_text:
      return clear_text_answer(body);
  }
  return false;
}

// Nothing: refused.
std::optional<std::string_view> Client::read_password(std::span<const std::byte> body) {
  const auto answer = wire::parse_password_message(body);
  if (!answer) {
    fatal(wire::sqlstate::protocol_violation, "invalid password packet size");
    return std::nullopt;
  }
  // Nobody has it, as in PostgreSQL; some other things that check passwords take it for no password.
  if (answer->empty()) {
    refuse_login(wire::sqlstate::invalid_password, "empty password returned by client", {});
    return std::nullopt;
  }
  return answer;
}

bool Client::clear_text_answer(std::span<const std::byte> body) {
  const ClientLogin& login = *login_;
  const auto password = read_password(body);
  if (!password) return false;
  Shared& shared = shard_.shared();
  StoredSecret secret = login.has_secret
                            ? StoredSecret{login.secret.text.clone(), login.secret.kind}
                            : mock_secret(login.shape, user_, shared.mock_secret);
  // Only of a SCRAM secret is it work.
  if (secret.kind != SecretKind::scram_sha_256) {
    password_checked(check_password(secret, user_, *password).fits);
    return false;
  }
  Shard& shard = shard_;
  const bool taken = shared.workers.post(
      [&shard, client = id_, role = user_, secret = std::move(secret), sent = Secret{*password}] {
        const PasswordVerdict verdict = check_password(secret, role, sent.reveal());
        shard.worker_done(client, [verdict](Client& waiting) {
          if (!waiting.is_open() || waiting.phase_ == Phase::closing) return;
          waiting.login_->waiting = false;
          waiting.login_->keys = verdict.keys;
          waiting.password_checked(verdict.fits);
        });
      });
  if (taken) {
    await_worker();
  } else {
    fatal(wire::sqlstate::insufficient_resources, "too many logins are being checked");
  }
  return false;
}

void Client::password_checked(bool fits) {
  if (fits && login_->has_secret) return authenticated();
  authentication_failed();
}

bool Client::md5_answer(std::span<const std::byte> body) {
  const ClientLogin& login = *login_;
  const auto answer = read_password(body);
  if (!answer) return false;
  std::optional<std::string> secret;
  if (login.has_secret && login.secret.kind == SecretKind::md5) {
    secret = std::string{login.secret.text.reveal()};
  } else {
    // Of nobody: the same work, then the same answer.
    secret = wire::md5_secret(
        login.has_secret ? login.secret.text.reveal() : shard_.shared().mock_secret, user_);
  }
  const auto verdict = secret ? wire::verify_md5_response(*secret, login.md5_salt, *answer)
                              : wire::Md5Verdict::unavailable;
  if (verdict == wire::Md5Verdict::unavailable) {
    fatal(wire::sqlstate::internal_error,
          "md5 authentication is not available: OpenSSL refuses MD5 on this machine", {},
          "Use scram-sha-256.");
    return false;
  }
  password_checked(verdict == wire::Md5Verdict::match);
  return false;
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
  doubt_secret();
  refuse_login(wire::sqlstate::invalid_password,
               "password authentication failed for user " + in_quotes(user_),
               login_->log_detail.empty() ? "wrong password" : login_->log_detail);
}

void Client::refuse_login(std::string_view sqlstate, const std::string& message,
                          std::string detail) {
  login_->log_detail = std::move(detail);
  const auto delay = shard_.shared().failed_logins.delay_of_refusal(
      {peer_.ip(), user_}, shard_.now(), login_->runtime->config.auth.failed_login_delay);
  if (delay <= ring::Duration{0}) return fatal(sqlstate, message);
  login_->refusal_sqlstate = sqlstate;
  login_->refusal = message;
  hold_login(delay);
}

}  // namespace pgring
