#include "src/server/server.h"

#include <cstring>
#include <system_error>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/login_exchange.h"
#include "src/server/server_audit.h"
#include "src/server/server_facts.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/message_builder.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// Connections are often opened several at once: the facts of one will do for the others.
constexpr ring::Duration facts_age_at_login = std::chrono::milliseconds{200};

}  // namespace

Server::Server(Shard& shard, Pool& pool, Permit permit)
    : Connection{shard, stream_role::server},
      shard_{shard},
      pool_{pool},
      permit_{std::move(permit)},
      id_{shard.next_id()} {
  timer_.owner = this;
  timer_.kind = timer_kind::server;
  share_timer_.owner = this;
  share_timer_.kind = timer_kind::server_share;
  created_ = used_ = audited_ = shard.now();
}

Server::~Server() {
  if (cancel_waiting_) shard_.cancel_forwarded(*cancel_waiting_);
  counted_.end(shard_.now());
}

void Server::connect() {
  const auto& addresses = shard_.runtime().addresses;
  const auto found = addresses.find(pool_.settings().server);
  const auto fail = [this](std::string message) {
    login_failed(
        {.sqlstate = std::string{wire::sqlstate::sqlclient_unable_to_establish_sqlconnection},
         .message = std::move(message)});
  };
  if (found == addresses.end() || found->second.empty()) {
    return fail("the host " + pool_.settings().host + " of server " + pool_.settings().server +
                " did not resolve");
  }
  counted_.begin(pool_.facts_desk(), pool_.settings().role, pool_.settings().dbname);
  const SocketAddress& address = found->second.front();
  const int socket = make_socket(address);
  if (socket < 0)
    return fail(std::string{"no socket for a server connection: "} +
                std::generic_category().message(-socket));
  login_ = std::make_unique<LoginExchange>(
      pool_.settings().role, shard_.runtime().only_protocol_3_0.find(found->first)->second);
  if (!std::exchange(tries_again_, false)) opening_ = {shard_.config(), found->first};
  if (const auto limit = shard_.config().timeouts.server_connect; limit > Duration::zero()) {
    shard_.loop().timers().set(timer_, shard_.now() + limit);
  }
  Stream::connect(socket, address.get(), address.size,
                  {.group = buffer_group::server, .credit = flow::server_credit, .one_shot = true});
}

void Server::received(ring::Slice slice) {
  switch (phase_) {
    case Phase::ready:
      return relay(std::move(slice));
    case Phase::moving:
      return received_while_moving(std::move(slice));
    case Phase::logging_in:
      return login_received(slice);
    case Phase::connecting:
    case Phase::closing:
      return;
  }
}

void Server::sent() {
  if (client_ == nullptr || queue_.size() >= RequestQueue::request_limit) return;
  if (queued_bytes() < flow::low_bytes && queued_ranges() < flow::low_ranges)
    client_->receive_wanted(true);
}

void Server::timer_due() {
  if (phase_ == Phase::closing) return gone(End::unknown);
  if (phase_ == Phase::ready && own_ == Own::facts)
    return discard("the server does not answer what its limits are");
  if (phase_ == Phase::ready && at_rest_)
    return discard("the server does not answer what state its session has");
  if (lookup_ != nullptr) return lookup_late();
  if (!is_logging_in()) return;
  login_failed(
      {.sqlstate = std::string{wire::sqlstate::sqlclient_unable_to_establish_sqlconnection},
       .message = "connecting to the server took too long (timeouts.server_connect)"});
}

void Server::link(Client& client) {
  client_ = &client;
  const bool anew = unnamed_set_ && last_client_ != client.id();
  others_ran_ = others_ran_ || (!ran_.empty() && last_client_ != client.id());
  previous_client_ = std::exchange(last_client_, client.id());
  used_ = shard_.now();
  fresh_ = has_run_ = false;
  reset_done_ = false;
  forwarding_ = false;
  client.linked_to(*this);
  client.defaults_are(defaults_);
  if (overrides_ == client.overrides() && !anew) return client.server_usable();
  const std::string sql = anew ? replay_anew_sql(client.overrides())
                               : replay_sql(overrides_, client.overrides(), base_);
  replayed_ = client.overrides();
  replays_anew_ = anew;
  run_own(Own::replay, sql);
}

void Server::send_text(std::string_view messages) { send(ring::Slice::copy_of(messages)); }

void Server::run_own(Own purpose, std::string_view sql) {
  own_ = purpose;
  own_failed_ = false;
  queue_.push({.request = Request::query, .reply = Reply::swallow});
  unnamed_ = 0;
  std::string message;
  wire::append_query(message, sql);
  send_text(message);
}

void Server::own_finished() {
  const Own purpose = std::exchange(own_, Own::none);
  switch (purpose) {
    case Own::replay:
      return replay_finished();
    case Own::limits:
      return limits_finished();
    case Own::idle_limit:
      return idle_limit_lifted();
    case Own::connect_query:
      if (own_failed_) return login_failed(std::move(own_error_));
      if (status_ != 'I') {
        return login_failed({.sqlstate = std::string{wire::sqlstate::active_sql_transaction},
                             .message = "connect_query leaves a transaction open"});
      }
      login_finished();
      // What it has set is where settings go back to.
      if (pool_.settings().mode != PoolMode::session) {
        base_due_ = true;
        settings_named(pool_.settings().connect_query);
        begin_audit();
        return;
      }
      release_due_ = true;
      return;
    case Own::reset:
      if (own_failed_ || status_ != 'I') return discard("reset query failed");
      defaults_ = pool_.parameters().intern(*defaults_);
      overrides_ = {};
      idle_limited_ = false;
      pins_.clear();
      touched_ = 0;
      last_client_ = 0;
      statements_.clear();
      ran_.clear();
      may_hide_ = unnamed_set_ = others_ran_ = false;
      audited_ = shard_.now();
      used_ = shard_.now();
      release_due_ = true;
      return;
    case Own::audit:
      if (audit_again()) return;
      return audit_finished();
    case Own::facts:
      facts_finished();
      return;
    case Own::lookup:
      return lookup_finished();
    case Own::none:
      return;
  }
}

void Server::replay_finished() {
  if (replay_again()) return;
  Client* const client = client_;
  const auto cancel = std::exchange(cancel_waiting_, std::nullopt);
  if (cancel) shard_.cancel_forwarded(*cancel);
  if (own_failed_) {
    // Nothing was set: one failing statement undoes all of them. The query must not run in another state
    // than its client asked for.
    detach_client();
    if (client != nullptr) client->replay_refused(own_error_);
    release_due_ = true;
    return;
  }
  overrides_ = std::exchange(replayed_, {});
  if (std::exchange(replays_anew_, false)) unnamed_set_ = may_hide_ = false;
  overrides_known();
  if (client == nullptr) {
    release_due_ = true;
    return;
  }
  client->parameters_canonical(overrides_);
  if (!cancel) return client->server_usable();
  // What it means is not sent yet, so there is nothing for PostgreSQL to cancel.
  detach_client();
  release_due_ = true;
  client->cancel_held();
}

void Server::cancel_when_usable(const CancelOrigin& origin) {
  // The newest stands for all: they mean the same query.
  if (cancel_waiting_) shard_.cancel_forwarded(*cancel_waiting_);
  cancel_waiting_ = origin;
}

void Server::copy_end_sent() {
  if (copying_in_) {
    copying_in_ = false;
  } else if (!queue_.empty()) {
    // The COPY it ends has been asked for, but the server has not said yet that it copies.
    queue_.push(Request::copy_end);
  }
}

void Server::client_gone(const Client& client, bool between_messages) {
  if (client_ != &client) return staged_client_gone(client);
  client_ = nullptr;
  if (shared_ && phase_ == Phase::ready) {
    // Those behind it have what it asked to wait for, unless that takes long.
    shares_no_more_ = true;
    receive_wanted(true);
    if (!is_waited_for()) discard("client left while a query was running");
    return;
  }
  if (own_ != Own::replay) send_waiting_cancel();
  if (phase_ != Phase::ready) return;
  // When a replay is finished the connection is as clean as before; an audit finds out what it is.
  if (own_ == Own::replay || own_ == Own::audit) return;
  if (!between_messages || queue_.skipping())
    return discard("client left in the middle of a message");
  if (queue_.empty() && status_ == 'I') return release();
  if (queue_.empty()) return discard("client left a transaction open");
  discard("client left while a query was running");
}

void Server::detach_client() {
  if (client_ == nullptr) return;
  Client& client = *client_;
  client_ = nullptr;
  send_waiting_cancel();
  if (client.server() == this) client.unlink();
}

void Server::detach() {
  client_ = nullptr;
  reset_done_ = true;  // its client has only logged in: it left nothing behind
  release();
}

void Server::release() {
  if (phase_ != Phase::ready) return;
  if (in_relay_) {
    // What is left of the chunk is not for whoever is next.
    release_due_ = true;
    return;
  }
  // Its last client may have read slowly: the next one's answers are to be read, and its end to be seen.
  receive_wanted(true);
  if (cancels_ > 0) return;  // cancel_ended() comes back here
  const bool unused = std::exchange(facts_over_, false);
  if (!unused) {
    pool_.was_busy(shard_.now() - used_);
    used_ = shard_.now();
  }
  const auto& settings = pool_.settings();
  if (settings.mode != PoolMode::session && own_ == Own::none) {
    // Its client left before the link was over.
    if (!plain_sets_.empty()) touched_ |= unseen_text;
    const bool forever =
        (touched_ & touches_forever) != 0 && settings.on_session_state != OnSessionState::ignore;
    if (pinned_forever_ || forever) return retire("its session left state behind");
    if (audit_due()) return begin_audit();
    if (!pins_.empty()) {
      // DISCARD ALL would take away what connect_query has set.
      if (!base_.empty()) return retire("its session left state behind");
      return run_own(Own::reset, "DISCARD ALL");
    }
    touched_ = 0;
    forget_pin();
    if (lift_idle_limit()) return;
  }
  // A session leaves more behind than parameters.
  if (settings.mode == PoolMode::session && !fresh_ && !std::exchange(reset_done_, true) &&
      !settings.reset_query.empty()) {
    // One of the operator's own may leave settings alone. What it sets itself stays if it can.
    defaults_due_ = settings.reset_query != "DISCARD ALL" && (defaults_due_ || !overrides_.empty());
    connect_query_due_ = !settings.connect_query.empty();
    return run_own(Own::reset, settings.reset_query);
  }
  if (std::exchange(defaults_due_, false)) {
    connect_query_due_ = settings.mode == PoolMode::session && !settings.connect_query.empty();
    return run_own(Own::reset, "RESET ALL");
  }
  // Sessions begin with what it sets, which the reset may have taken away.
  if (std::exchange(connect_query_due_, false)) return run_own(Own::reset, settings.connect_query);
  // A new connection comes with new facts, unless there are some from a moment ago: its login has changed them.
  if (!unused && (fresh_ || counted_.desk().due(shard_.now())) &&
      ask_facts(fresh_ ? facts_age_at_login : ring::Duration::max())) {
    return;
  }
  pool_.put_back(*this);
}

void Server::cancel_ended(bool still_on_its_way) {
  --cancels_;
  if (still_on_its_way) must_close("a cancel request may still be on its way to it");
  if (cancels_ == 0 && std::exchange(audit_waits_, false) && client_ != nullptr)
    return begin_audit();
  if (cancels_ == 0 && is_idle_ready() && !idle_hook.linked() && own_ == Own::none) release();
}

std::string_view Server::state_name() const {
  switch (phase_) {
    case Phase::connecting:
    case Phase::logging_in:
      return "new";
    case Phase::closing:
      return "closing";
    case Phase::moving:
    case Phase::ready:
      break;
  }
  if (cancels_ > 0 && (client_ == nullptr || audit_waits_)) return "being_canceled";
  if (own_ == Own::reset || own_ == Own::facts || own_ == Own::audit || own_ == Own::idle_limit)
    return "tested";
  if (client_ != nullptr || !queue_.empty()) return "active";
  return "idle";
}

}  // namespace pgring
