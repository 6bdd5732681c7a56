// An idle server connection's way to another shard: its receive is stopped, and when nothing is in flight
// the pool hands it over. Whatever the server says meanwhile calls the move off, since it is for whoever
// understands it: a changed parameter, a notice cut in two, a goodbye.
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/server_audit.h"
#include "src/server/server_facts.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"

namespace pgring {

Server::Server(Shard& shard, Pool& pool, ServerState state)
    : Connection{shard, stream_role::server},
      shard_{shard},
      pool_{pool},
      phase_{Phase::ready},
      fresh_{state.fresh},
      reset_done_{state.reset_done},
      defaults_due_{state.defaults_due},
      may_hide_{state.may_hide},
      unnamed_set_{state.unnamed_set},
      others_ran_{state.others_ran},
      permit_{std::move(state.permit)},
      ran_{state.ran},
      audited_{state.audited},
      last_client_{state.last_client},
      statements_{std::move(state.statements)},
      defaults_{pool.parameters().intern(*state.defaults)},
      overrides_{shard.parameters().intern(std::move(state.overrides))},
      base_{std::move(state.base)},
      counted_{std::move(state.counted)},
      backend_pid_{state.backend_pid},
      cancel_secret_{std::move(state.cancel_secret)},
      created_{state.created},
      used_{state.used},
      id_{state.id} {
  timer_.owner = this;
  timer_.kind = timer_kind::server;
  share_timer_.owner = this;
  share_timer_.kind = timer_kind::server_share;
  open(state.socket, {.group = buffer_group::server, .credit = flow::server_credit});
  if (state.tls != nullptr) begin_tls(std::move(state.tls));
  receive_wanted(true);
}

// What is checked here and is not carried is as a new Server has it.
bool Server::may_move() const {
  return is_idle_ready() && own_ == Own::none && !is_to_close() && is_open() &&
         framer_.at_boundary() && !queue_.skipping() && !in_relay_ && !release_due_ &&
         !copying_in_ && !fatal_seen_ && pins_.empty() && touched_ == 0;
}

void Server::begin_move(std::uint32_t part) {
  POOLER_CHECK(may_move() && !idle_hook.linked());
  phase_ = Phase::moving;
  moving_to_ = part;
  quiesce();
}

void Server::call_off_move() {
  phase_ = Phase::ready;
  receive_wanted(true);
  pool_.move_called_off(moving_to_);
}

// Where its end or a request of its own has not come up meanwhile.
void Server::stay() {
  if (is_idle_ready() && own_ == Own::none && is_open()) pool_.put_back(*this);
}

void Server::received_while_moving(ring::Slice slice) {
  call_off_move();
  relay(std::move(slice));
  stay();
}

void Server::quiet() {
  POOLER_CHECK(phase_ == Phase::moving);
  // An answer of TLS's own may be about to leave.
  if (is_to_close() || !is_quiet()) {
    call_off_move();
    return stay();
  }
  const auto& settings = pool_.settings();
  auto tls = take_tls();
  pool_.move_ready(*this, moving_to_,
                   {.socket = Stream::release(),
                    .tls = std::move(tls),
                    .permit = std::move(permit_),
                    .counted = std::move(counted_),
                    .place = settings.place(),
                    .id = id_,
                    .from_shard = shard_.index(),
                    .backend_pid = backend_pid_,
                    .cancel_secret = std::move(cancel_secret_),
                    .defaults = std::move(defaults_),
                    .base = std::move(base_),
                    .statements = std::move(statements_),
                    .overrides = overrides_.list(),
                    .created = created_,
                    .used = used_,
                    .fresh = fresh_,
                    .reset_done = reset_done_,
                    .defaults_due = defaults_due_,
                    .ran = ran_,
                    .others_ran = others_ran_,
                    .may_hide = may_hide_,
                    .unnamed_set = unnamed_set_,
                    .last_client = last_client_,
                    .audited = audited_});
}

}  // namespace pgring
