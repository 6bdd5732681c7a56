// The end of a server connection, whoever wants it: PostgreSQL or the network (ended), the pool (retire), what went wrong
// (discard). What becomes of its client then, and whether the slot is known to be free.
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/server_facts.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// How long PostgreSQL may take to close its side of a connection we have ended.
constexpr ring::Duration closing_limit = std::chrono::seconds{10};

}  // namespace

void Server::ended(int error) {
  const std::string reason =
      error == 0 ? "server closed the connection"
                 : std::string{"connection lost: "} + std::generic_category().message(error);
  if (phase_ == Phase::closing) return gone(end_of(error));
  if (phase_ == Phase::moving) call_off_move();
  if (is_logging_in()) {
    login_failed(
        own_failed_ ? std::move(own_error_)
                    : wire::ParsedError{.sqlstate = std::string{wire::sqlstate::connection_failure},
                                        .message = "the server closed the connection during login",
                                        .detail = reason});
    return gone(end_of(error));
  }
  log::warning("server connection ended", {{"shard", shard_.index()},
                                           {"database", pool_.key().database},
                                           {"role", pool_.key().role},
                                           {"backend_pid", backend_pid_},
                                           {"reason", reason},
                                           {"linked", client_ != nullptr}});
  const bool answered = own_ == Own::audit && pins_.empty() && (touched_ & shows_state) == 0;
  begin_closing();
  // Its client has all its answers, and no text of its own says that it left something here.
  Client* const goes_on = answered ? client_ : nullptr;
  if (answered) detach_client();
  lose_client(wire::sqlstate::connection_failure, "server closed the connection unexpectedly");
  auto fleeing = take_staged();
  gone(end_of(error));
  if (goes_on != nullptr) goes_on->go_on();
  for (FleeingGroup& one : fleeing) one.client->share_lost(std::move(one.group), true);
}

Server::End Server::end_of(int error) {
  if (error == 0) return End::seen;
  return error == ECONNRESET || error == EPIPE ? End::reset : End::unknown;
}

// The stream is over. Only its orderly end says that PostgreSQL has freed the slot, which it does first.
void Server::gone(End end) {
  definitions_changed();
  if (end != End::seen) {
    permit_.lose(end == End::reset ? LostBy::reset : LostBy::silence);
    counted_.lose(shard_.now());
  }
  close();
}

void Server::send_failed(int error) {
  // Its last words (why it closed) may still be there to be read: the end comes by itself.
  if (phase_ == Phase::closing) return gone(end_of(error));
  if (phase_ == Phase::moving) {
    call_off_move();
    return stay();
  }
  receive_wanted(true);
}

void Server::retire(std::string_view reason) {
  if (phase_ == Phase::closing) return;
  log::info("server connection closed", {{"shard", shard_.index()},
                                         {"database", pool_.key().database},
                                         {"role", pool_.key().role},
                                         {"backend_pid", backend_pid_},
                                         {"reason", reason}});
  std::string message;
  wire::append_terminate(message);
  send_text(message);
  begin_closing();
  finish_in_time();
}

void Server::discard(std::string_view reason) {
  if (phase_ == Phase::closing) return;
  if (phase_ == Phase::ready && is_logging_in()) {
    return login_failed({.sqlstate = std::string{wire::sqlstate::connection_failure},
                         .message = std::string{reason}});
  }
  const bool busy = phase_ == Phase::ready && !queue_.empty();
  log::info("server connection discarded", {{"shard", shard_.index()},
                                            {"database", pool_.key().database},
                                            {"role", pool_.key().role},
                                            {"backend_pid", backend_pid_},
                                            {"reason", reason},
                                            {"cancelled", busy}});
  if (client_ != nullptr) lose_client(wire::sqlstate::connection_failure, reason);
  auto fleeing = take_staged();
  // PostgreSQL does not read on while it works for somebody who has gone: tell it to stop.
  if (busy) shard_.start_cancel(*this, std::nullopt);
  begin_closing();
  finish_in_time();
  for (FleeingGroup& one : fleeing) one.client->share_lost(std::move(one.group), true);
}

// Half-closes and reads to the end, so that the slot is known to be free.
void Server::finish_in_time() {
  finish();
  if (!is_idle()) shard_.loop().timers().set(timer_, shard_.now() + closing_limit);
}

void Server::begin_closing() {
  if (phase_ == Phase::moving) pool_.move_called_off(moving_to_);
  phase_ = Phase::closing;
  ring::TimerWheel::cancel(share_timer_);
  pool_.not_shared(*this);
  forget_pin();
  permit_.closing();
  if (facts_ != nullptr) facts_abandoned();
  if (lookup_ != nullptr) lookup_abandoned();
  rest_over();
  pool_.not_idle(*this);
}

void Server::stop() {
  if (phase_ == Phase::closing && !is_open()) return close();
  begin_closing();
  ring::TimerWheel::cancel(timer_);
  close();
}

void Server::lose_client(std::string_view sqlstate, std::string_view message) {
  if (client_ == nullptr) return;
  const bool readable = !inside_message_to(*client_);
  Client& client = *std::exchange(client_, nullptr);
  // Nothing was sent for it yet: it does not concern the client.
  if (own_ == Own::replay) {
    const auto cancel = std::exchange(cancel_waiting_, std::nullopt);
    if (cancel) shard_.cancel_forwarded(*cancel);
    return client.link_lost(sqlstate, message, cancel.has_value());
  }
  // Where the server has told it why already, a second error would only confuse.
  client.server_lost(sqlstate, fatal_seen_ ? std::string_view{} : message, readable);
}

}  // namespace pgring
