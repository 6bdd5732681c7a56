// Who may try to log in at all, and how: the hba file's answer, and the answers that are refusals by themselves.
// Source: PostgreSQL's src/backend/libpq/auth.c for messages and SQLSTATEs.
#include <algorithm>

#include "src/pool/pool.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {

// False: the client is refused, or the startup packet is read again when more is known.
bool Client::find_login_rule() {
  ClientLogin& login = *login_;
  login.runtime = shard_.held_runtime();
  const Shared& shared = shard_.shared();
  // Who runs as pgring's own user could read its memory: nothing is won by asking for a password.
  if (login.is_console && peer_.is_unix() && user_ == shared.service_user_name &&
      peer_user_id(socket()) == shared.service_user_id) {
    login.is_service_user = true;
    login.rule = {true, HbaMethod::peer, nullptr};
    return true;
  }
  login.rule = pgring::find_login_rule(login.runtime->config, login_asked());
  return !login.rule.exists || login.rule.method != HbaMethod::peer || find_peer_name();
}

bool Client::find_peer_name() {
  ClientLogin& login = *login_;
  const auto id = peer_user_id(socket());
  if (!id) return true;  // it fits no role then
  const auto known = shard_.shared().system_names.find(*id, shard_.now());
  if (known) {
    login.peer_name = known->name;
    const Ident& ident = login.runtime->config.access.ident;
    const HbaRule* line = login.rule.line;
    login.peer_fits = known->name && line != nullptr &&
                      ident.match(line->options.map, *known->name, user_, OnlyItself{}).kind ==
                          IdentMatch::Kind::rule;
    return true;
  }
  Shard& shard = shard_;
  const bool taken = shard.shared().system_names.ask(
      shard.shared().workers, *id, shard.now(), [&shard, client = id_] {
        shard.worker_done(client, [](Client& waiting) { waiting.login_goes_on(); });
      });
  if (taken) {
    await_worker();
  } else {
    fatal(wire::sqlstate::insufficient_resources, "too many logins are being checked");
  }
  return false;
}

void Client::await_worker() {
  login_->waiting = true;
  // It may go to another shard then, which it cannot with a receive under way.
  if (phase_ == Phase::startup) receive_wanted(false);
  shard_.await_worker(*this);
}

void Client::login_goes_on() {
  if (!is_open() || phase_ == Phase::closing || login_ == nullptr) return;
  login_->waiting = false;
  if (phase_ == Phase::authenticating && login_->made_asked && login_->scram == nullptr)
    begin_scram();
  if (is_open() && login_ != nullptr) login_received({});
  receive_again();
}

void Client::receive_again() {
  const bool waits = login_ != nullptr && (login_->waiting || login_->move_due);
  if (is_open() && phase_ != Phase::closing && !waits) receive_wanted(true);
}

// Nothing it sends is looked at meanwhile. REQUIRES: a delay.
void Client::hold_login(ring::Duration delay) {
  login_->waiting = true;
  login_->hold.owner = this;
  login_->hold.kind = timer_kind::client_hold;
  shard_.loop().timers().set(login_->hold, shard_.now() + delay);
}

void Client::login_held_long_enough() {
  if (!is_open() || phase_ == Phase::closing) return;
  if (!login_->refusal_sqlstate.empty()) return fatal(login_->refusal_sqlstate, login_->refusal);
  login_->waiting = false;
  look_up_secret();
  if (is_open() && login_ != nullptr) login_received({});
}

LoginAsked Client::login_asked() const {
  return {.peer = peer_,
          .database = database_,
          .role = user_,
          .is_physical_replication = replication_ == wire::Replication::physical,
          .is_encrypted = tls() != nullptr};
}

void Client::refuse_by_rule() {
  fatal(wire::sqlstate::invalid_authorization_specification,
        refusal_text(login_->rule, login_asked()));
}

// Before the method: the line wants a certificate of the client, whatever it says. False: there is none.
bool Client::has_wanted_certificate() {
  const HbaRule* const line = login_->rule.line;
  if (line == nullptr || !wants_certificate(*line)) return true;
  if (tls() != nullptr && tls()->peer()) return true;
  fatal(wire::sqlstate::invalid_authorization_specification,
        "connection requires a valid client certificate");
  return false;
}

// Why the certificate is not the role's, for the log, where the line wants that it is.
std::optional<std::string> Client::certificate_fault() const {
  const HbaRule* const line = login_->rule.line;
  if (line == nullptr || !names_role_by_certificate(*line)) return std::nullopt;
  const auto peer = tls() == nullptr ? std::nullopt : tls()->peer();
  if (!peer) return "the client sent no certificate";
  if (!*peer) return peer->error();
  const bool whole = line->options.certificate_name == CertificateName::distinguished_name;
  const std::string& name = whole ? (*peer)->distinguished_name : (*peer)->common_name;
  if (name.empty()) return "the client's certificate names nobody";
  const Ident& ident = login_->runtime->config.access.ident;
  const auto match = ident.match(line->options.map, name, user_, OnlyItself{});
  if (match.kind == IdentMatch::Kind::rule) return std::nullopt;
  return "the client's certificate is of " + name;
}

// After the method. False: the client is refused.
bool Client::certificate_fits() {
  auto fault = certificate_fault();
  if (!fault) return true;
  const HbaMethod method = login_->rule.method;
  if (needs_secret(method)) {
    refuse_login(wire::sqlstate::invalid_password,
                 "password authentication failed for user \"" + user_ + "\"", std::move(*fault));
  } else {
    refuse_login(wire::sqlstate::invalid_authorization_specification,
                 std::string{method == HbaMethod::cert ? "certificate" : "\"trust\""} +
                     " authentication failed for user \"" + user_ + "\"",
                 std::move(*fault));
  }
  return false;
}

void Client::refuse_method() {
  fatal(wire::sqlstate::invalid_authorization_specification,
        "authentication failed for user \"" + user_ + "\": pgring does not have the method \"" +
            std::string{to_string(login_->rule.method)} + "\"",
        {}, "The line of pg_hba.conf that this login meets asks for it.");
}

// Who has proven to be who it says may still have come to the wrong place. False: it is refused.
bool Client::place_exists() {
  const Config& config = login_->runtime->config;
  if (!login_->is_console) {
    if (find_database(config, database_) != nullptr) return true;
    fatal(wire::sqlstate::invalid_catalog_name, "database \"" + database_ + "\" does not exist");
    return false;
  }
  const auto is_in = [this](const std::vector<std::string>& names) {
    return std::ranges::find(names, user_) != names.end();
  };
  if (login_->is_service_user || is_in(config.console.admins) || is_in(config.console.viewers))
    return true;
  fatal(wire::sqlstate::insufficient_privilege, "role \"" + user_ + "\" may not use the console",
        {}, "Name it in console.admins or console.viewers.");
  return false;
}

}  // namespace pgring
