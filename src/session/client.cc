#include "src/session/client.h"

#include <algorithm>
#include <utility>

#include "src/base/utf8.h"
#include "src/console/session.h"
#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/walsender.h"
#include "src/session/client_login.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// How long a client may take to read its last message.
constexpr ring::Duration linger = std::chrono::seconds{2};

}  // namespace

Client::Client(Shard& shard, PeerAddress peer)
    : Connection{shard, stream_role::client}, shard_{shard}, peer_{peer}, id_{shard.next_id()} {
  timer_.owner = this;
  timer_.kind = timer_kind::client;
  connected_ = shard.now();
}

Client::~Client() = default;

void Client::start(int socket) {
  set_client_options(socket);
  open(socket, {.group = buffer_group::client, .credit = flow::client_credit, .one_shot = true});
  login_ = std::make_unique<ClientLogin>();
  if (const auto limit = shard_.config().timeouts.client_login; limit > Duration::zero()) {
    shard_.loop().timers().set(timer_, shard_.now() + limit);
  }
  receive_wanted(true);
}

void Client::received(ring::Slice slice) {
  if (pool_ != nullptr) pool_->stats().received += slice.size();
  switch (phase_) {
    case Phase::idle:
    case Phase::linked:
    case Phase::waiting:
      return relay(std::move(slice));
    case Phase::startup:
      if (begins_with_tls(slice)) return begin_tls_directly(std::move(slice));
      [[fallthrough]];
    case Phase::authenticating:
    case Phase::login_waiting:
      return login_received(slice);
    case Phase::replicating:
      return relay_replication(std::move(slice));
    case Phase::console:
      return console_->received(slice);
    case Phase::cancelling:
    case Phase::closing:
      return;  // nothing is expected; dropped
  }
}

void Client::ended(int error) {
  if (phase_ == Phase::closing) return close();
  // It has said goodbye: what it asked before is still done, as PostgreSQL does.
  if (error == 0 && last_words_ != nullptr) return;
  // Its goodbye may be among what it said and what is not looked at yet.
  if (error == 0 && holds_goodbye()) {
    gone_ = true;
    return;
  }
  disconnect(error == 0 ? "client closed the connection" : "connection to the client was lost");
}

void Client::send_failed(int) {
  if (phase_ == Phase::closing) return close();
  if (last_words_ != nullptr) {
    if (server_ != nullptr) server_->receive_wanted(true);  // the replies are dropped
    return;
  }
  disconnect("client takes no data any more");
}

void Client::sent() {
  if (phase_ == Phase::console) return console_->sent();
  if (login_ != nullptr) {
    if (login_->move_due) login_received({});
    return;
  }
  if (queued_bytes() >= flow::low_bytes || queued_ranges() >= flow::low_ranges) return;
  if (server_ != nullptr) server_->receive_wanted(true);
  if (walsender_ != nullptr) walsender_->receive_wanted(true);
}

void Client::wait_begun() {
  if (phase_ != Phase::login_waiting) phase_ = Phase::waiting;
  waiting_noticed_ = false;
}

void Client::server_usable() {
  usable_ = true;
  links_lost_ = 0;
  replay_refused_ = false;
  if (phase_ == Phase::login_waiting) {
    finish_login();
    return;
  }
  phase_ = Phase::linked;
  waiting_noticed_ = false;
  arm_timer();
  resume();
}

void Client::resume() {
  if (held_.empty()) return;
  auto held = std::move(held_);
  held_.clear();
  for (auto& slice : held) {
    if (!is_open() || phase_ == Phase::closing) return;
    relay(std::move(slice));
  }
  if (gone_) {
    if (held_.empty() && last_words_ == nullptr && is_open() && phase_ != Phase::closing)
      disconnect("client closed the connection");
    return;
  }
  const bool room = server_ == nullptr || server_->queued_bytes() < flow::high_bytes;
  if (is_open() && phase_ != Phase::waiting && last_words_ == nullptr && room) receive_wanted(true);
}

void Client::unlink() {
  server_ = nullptr;
  usable_ = false;
  if (phase_ == Phase::closing) return;
  phase_ = Phase::idle;
  requested_ = shard_.now();
  receive_wanted(true);
  if (close_when_idle_) fatal(wire::sqlstate::admin_shutdown, "pgring is shutting down");
}

void Client::go_on() {
  if (phase_ != Phase::idle || say_last_words()) return;
  resume();
}

void Client::hold(ring::Slice slice) {
  // Waiting clients must not use up the buffers that linked ones need to get on: with many in use, what
  // is held moves to memory of its own.
  const auto& group = shard_.loop().group(buffer_group::client);
  const bool scarce = group.population() > group.count_max() / 4;
  held_.push_back(scarce && slice.holds_buffer() ? ring::Slice::copy_of(slice.bytes())
                                                 : std::move(slice));
  std::size_t bytes = 0;
  for (const auto& kept : held_) bytes += kept.size();
  if (bytes > flow::client_credit) receive_wanted(false);
}

void Client::server_refused(const wire::ParsedError& error) {
  const wire::ErrorFields fields{.severity = "FATAL",
                                 .sqlstate = error.sqlstate,
                                 .message = error.message,
                                 .detail = error.detail,
                                 .hint = error.hint};
  if (!begun_failed(fields)) fatal(fields);
}

void Client::link_lost(std::string_view sqlstate, std::string_view message, bool cancelled) {
  // What ends every connection must not go on doing so.
  constexpr std::uint8_t links_lost_max = 3;
  if (++links_lost_ > links_lost_max) return server_lost(sqlstate, message, true);
  server_ = nullptr;
  usable_ = false;
  if (phase_ == Phase::login_waiting) return pool_->acquire(*this);
  phase_ = Phase::idle;
  if (cancelled) return cancel_held();
  resume();
}

void Client::server_lost(std::string_view sqlstate, std::string_view message, bool readable) {
  server_ = nullptr;
  usable_ = false;
  if (readable && !message.empty()) {
    return fatal(
        sqlstate, message,
        "The connection to PostgreSQL was lost; the outcome of what was running is unknown.");
  }
  log_disconnect(message.empty() ? "server ended the session" : message);
  end(readable);
}

void Client::wait_expired(std::string_view detail, std::string_view hint) {
  const wire::ErrorFields fields{
      .severity = "FATAL",
      .sqlstate = wire::sqlstate::too_many_connections,
      .message = "timed out waiting for a server connection (timeouts.query_wait)",
      .detail = detail,
      .hint = hint};
  if (!begun_failed(fields)) fatal(fields);
}

void Client::notify_waiting() {
  waiting_noticed_ = true;
  if (phase_ != Phase::waiting) return;
  std::string notice;
  wire::append_notice_response(notice, {.severity = "NOTICE",
                                        .sqlstate = wire::sqlstate::successful_completion,
                                        .message = "waiting for a free server connection",
                                        .detail = {},
                                        .hint = {}});
  send_text(notice);
}

void Client::parameters_canonical(const Overrides& overrides) {
  // Tell the spelling the server gave, where it is not what the client believes.
  std::string messages;
  for (const auto& [name, value] : overrides.list()) {
    const auto* believed = find_parameter(overrides_.list(), name);
    const auto* reported = defaults_ == nullptr ? nullptr : find_parameter(*defaults_, name);
    if (believed == nullptr || reported == nullptr || believed->value == value) continue;
    wire::append_parameter_status(messages, reported->name, value);
  }
  overrides_are(overrides);
  if (login_ == nullptr) send_text(messages);
}

void Client::defaults_are(const Defaults& defaults) {
  if (defaults_ == defaults) return;
  std::string messages;
  if (defaults_ != nullptr) {
    for (const auto& [name, value] : *defaults) {
      const auto* told = find_parameter(*defaults_, name);
      if (find_parameter(overrides_.list(), name) != nullptr ||
          (told != nullptr && told->value == value))
        continue;
      wire::append_parameter_status(messages, name, value);
    }
  }
  defaults_ = defaults;
  if (login_ == nullptr) send_text(messages);
}

std::string_view Client::application_name() const {
  const auto* entry = find_parameter(overrides_.list(), "application_name");
  return entry == nullptr ? std::string_view{} : std::string_view{entry->value};
}

std::string_view Client::state_name() const {
  switch (phase_) {
    case Phase::linked:
      return "active";
    case Phase::waiting:
    case Phase::login_waiting:
      return "waiting";
    case Phase::cancelling:
      return "active_cancel_req";
    case Phase::startup:
    case Phase::authenticating:
      return "login";
    case Phase::idle:
      return "idle";
    case Phase::replicating:
      return walsender_ == nullptr ? "waiting" : "active";
    case Phase::console:
      return "active";
    case Phase::closing:
      return "closing";
  }
  return "?";
}

void Client::send_text(std::string_view messages) {
  if (!messages.empty()) send(ring::Slice::copy_of(messages));
}

void Client::fatal(std::string_view sqlstate, std::string_view message, std::string_view detail,
                   std::string_view hint) {
  fatal({.severity = "FATAL",
         .sqlstate = sqlstate,
         .message = message,
         .detail = detail,
         .hint = hint});
}

void Client::fatal(const wire::ErrorFields& fields) {
  if (phase_ == Phase::closing || !is_open()) return;
  // In the middle of a message to the client an error would be read as part of it.
  const bool readable = (server_ == nullptr || !server_->inside_message_to(*this)) &&
                        (walsender_ == nullptr || walsender_->between_messages());
  std::string message;
  // Names and texts of its own come back to it: drivers cannot decode what is not UTF-8.
  const std::string text = readable_utf8(fields.message);
  const std::string detail = readable_utf8(fields.detail);
  const std::string hint = readable_utf8(fields.hint);
  wire::append_error_response(message, {.severity = fields.severity,
                                        .sqlstate = fields.sqlstate,
                                        .message = text,
                                        .detail = detail,
                                        .hint = hint});
  log_disconnect(text);
  leave_server();
  if (readable) send_text(message);
  end(readable);
}

// Closes; after what is queued has been read, if that can still be.
void Client::end(bool after_last_words) {
  phase_ = Phase::closing;
  if (!after_last_words) return close();
  shard_.loop().timers().set(timer_, shard_.now() + linger);
  finish();
}

bool Client::holds_goodbye() const {
  constexpr std::string_view goodbye{"X\0\0\0\4", 5};
  return !held_.empty() && wire::as_text(held_.back().bytes()).ends_with(goodbye);
}

void Client::fatal_after_replies(std::string_view sqlstate, std::string_view message) {
  // A COPY from this client has no reply to wait for: it ends with the connection.
  if (server_ == nullptr || !server_->queue().owes_ready() || server_->copying_in()) {
    if (!sqlstate.empty()) return fatal(sqlstate, message);
    if (is_quiet()) return disconnect(message);
    // Answers that it has not read yet.
    log_disconnect(message);
    leave_server();
    return end(true);
  }
  last_words_ = std::make_unique<std::pair<std::string, std::string>>(sqlstate, message);
  receive_wanted(false);
}

bool Client::say_last_words() {
  if (last_words_ == nullptr) return false;
  const auto words = std::move(last_words_);
  if (words->first.empty()) {
    log_disconnect(words->second);
    leave_server();
    end(true);
  } else {
    fatal(words->first, words->second);
  }
  return true;
}

void Client::disconnect(std::string_view reason) {
  if (phase_ == Phase::closing) return close();
  log_disconnect(reason);
  leave_server();
  phase_ = Phase::closing;
  close();
}

void Client::leave_server() {
  if (pool_ != nullptr && waiting_hook.linked()) pool_->leave(*this);
  held_.clear();
  last_words_.reset();
  if (walsender_ != nullptr) std::exchange(walsender_, nullptr)->client_left();
  if (server_ != nullptr) {
    Server& server = *server_;
    server_ = nullptr;
    server.client_gone(*this, between_messages());
  }
}

void Client::close_when_idle() {
  close_when_idle_ = true;
  // A session between two transactions is idle although it is linked.
  const bool between = phase_ == Phase::linked && server_->queue().empty() &&
                       server_->transaction_status() == 'I' && between_messages();
  const bool busy = (phase_ == Phase::linked && !between) || walsender_ != nullptr ||
                    phase_ == Phase::cancelling || phase_ == Phase::console;
  if (!busy) fatal(wire::sqlstate::admin_shutdown, "pgring is shutting down");
}

void Client::log_disconnect(std::string_view reason) const {
  if (!shard_.config().log.disconnections || !logged_in_) {
    // A connection that said nothing (a health check's) is not worth a line.
    if (login_ != nullptr && (!user_.empty() || !login_->input.empty())) {
      log::info("login failed", {{"shard", shard_.index()},
                                 {"conn", id_},
                                 {"address", peer_.text()},
                                 {"database", database_},
                                 {"user", user_},
                                 {"reason", reason},
                                 {"detail", login_->log_detail},
                                 {"rule", place_of(login_->rule)}});
    }
    return;
  }
  const auto age =
      std::chrono::duration_cast<std::chrono::seconds>(shard_.now() - connected_).count();
  log::info("client disconnected", {{"shard", shard_.index()},
                                    {"conn", id_},
                                    {"address", peer_.text()},
                                    {"database", database_},
                                    {"user", user_},
                                    {"reason", reason},
                                    {"age_s", age}});
}

}  // namespace pgring
