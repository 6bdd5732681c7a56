// A server connection logs in. The exchange itself: login_exchange.cc.
#include <system_error>
#include <vector>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/login_exchange.h"
#include "src/server/server.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {

void Server::connected(int error) {
  if (error != 0) {
    return login_failed(
        {.severity = "FATAL",
         .sqlstate = std::string{wire::sqlstate::sqlclient_unable_to_establish_sqlconnection},
         .message = "cannot connect to the server " + pool_.settings().server + ": " +
                    std::generic_category().message(error)});
  }
  phase_ = Phase::logging_in;
  receive_wanted(true);
  opening_step(opening_.begin(*this));
}

void Server::opening_step(TlsOpening::Step step) {
  switch (step) {
    case TlsOpening::Step::waits:
      return;
    case TlsOpening::Step::open:
      return begin_login();
    case TlsOpening::Step::failed:
      if (opening_.may_try_again() && try_the_other_way()) return;
      return login_failed(
          {.severity = "FATAL",
           .sqlstate = std::string{wire::sqlstate::sqlclient_unable_to_establish_sqlconnection},
           .message = "no TLS with the server " + pool_.settings().server + ": " + opening_.why()});
  }
}

void Server::tls_opened() { opening_step(opening_.opened()); }

void Server::tls_failed() {
  // Once it is logged in there is nothing to negotiate any more.
  if (phase_ != Phase::logging_in) return ended(EPROTO);
  opening_step(opening_.handshake_failed(*tls()));
}

// The first connection's slot is free when PostgreSQL has closed its side: only then the second is opened.
bool Server::try_the_other_way() {
  if (!opening_.turn_round()) return false;
  phase_ = Phase::connecting;
  tries_again_ = true;
  counted_.end(shard_.now());
  finish();
  return true;
}

void Server::begin_login() {
  const auto& settings = pool_.settings();
  std::vector<wire::NameValue> parameters{{"user", settings.role}, {"database", settings.dbname}};
  if (settings.for_lookups) {
    for (const wire::NameValue& fixed : lookup_parameters()) parameters.push_back(fixed);
  }
  if (tls() != nullptr) login_->bind_to(tls()->channel_binding());
  std::string message;
  login_->begin(parameters, message);
  send_text(message);
}

void Server::login_received(const ring::Slice& slice) {
  if (opening_.awaits_answer()) return opening_step(opening_.received(*this, slice.bytes()));
  std::string answer;
  const auto outcome = login_->receive(slice.bytes(), pool_.login_secrets(), answer);
  if (backend_pid_ == 0 && login_->backend_pid() != 0) {
    backend_pid_ = login_->backend_pid();
    permit_.backend_is(backend_pid_);
    counted_.identified(backend_pid_);
    cancel_secret_ = login_->cancel_secret();
  }
  if (!answer.empty()) send_text(answer);
  switch (outcome) {
    case LoginExchange::Outcome::unfinished:
      return;
    case LoginExchange::Outcome::failed:
      if (login_->refused_at_once() && try_the_other_way()) return;
      return login_failed(login_->take_error());
    case LoginExchange::Outcome::ready:
      defaults_ = pool_.parameters().intern(login_->take_parameters());
      receive_options({.group = buffer_group::server, .credit = flow::server_credit});
      phase_ = Phase::ready;
      return serve_from_now();
  }
}

void Server::serve_from_now() {
  const std::string rest = login_->take_rest();
  prepare_session();
  // What came right behind ReadyForQuery, if anything: a notice, a changed parameter, a goodbye.
  relay(ring::Slice::copy_of(rest));
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
  const bool was_let_in = own_ == Own::limits;
  begin_closing();
  ring::TimerWheel::cancel(timer_);
  const bool never_opened = is_idle();
  if (connecting && !never_opened) {
    close();  // PostgreSQL does not know of it
  } else if (!never_opened) {
    finish_in_time();
  }
  pool_.login_failed(*this, std::move(error),
                     {.never_opened = never_opened, .was_let_in = was_let_in});
}

}  // namespace pgring
