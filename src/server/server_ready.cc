// What ends with a ReadyForQuery: a request, perhaps the transaction, and with it the link. Hot path: once per request.
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {

// False: its client has gone by what it did then.
bool Server::open_gate_when_answered() {
  if (client_ == nullptr || !client_->waits_for_answers() || answers_pending()) return true;
  client_->gate_open();
  return is_open() && phase_ == Phase::ready && client_ != nullptr;
}

bool Server::ready_for_query(std::span<const std::byte> body) {
  const bool swallowed = !queue_.empty() && queue_.front().reply == Reply::swallow;
  // What may be the last of a transaction, though the client did not ask for it.
  const bool restored = swallowed && queue_.front().note != nullptr &&
                        queue_.front().note->kind == RequestNote::Kind::restore;
  if (body.size() != 1 || !queue_.answered()) {
    isolation_fault("ReadyForQuery that nobody asked for");
    return false;
  }
  status_ = static_cast<char>(body[0]);
  copying_in_ = false;
  sync_in_copy_ = false;
  definitions_changed();
  // What was announced and did not come has failed.
  if (queue_.empty()) announced_gone_ = 0;
  if (own_ != Own::none) {
    own_finished();
    return is_open() && phase_ == Phase::ready;
  }
  if (swallowed && shared_) return share_over();
  if (swallowed) {
    // What was held for it is what a cancel means.
    const bool opened = open_gate_when_answered();
    if (!is_open() || phase_ != Phase::ready) return false;
    send_waiting_cancel();
    if (!opened || !restored || client_ == nullptr) return is_open() && phase_ == Phase::ready;
    return transaction_may_be_over();
  }
  auto& stats = pool_.stats();
  const auto now = shard_.now();
  const auto elapsed = [now](ring::Instant since) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now - since).count());
  };
  head_served();
  if (client_ == nullptr)
    return !shared_ ||
           share_over();  // it left while its replay ran, which is over with the next reply
  if (std::exchange(reset_seen_, false) && pool_.settings().mode == PoolMode::session)
    client_->parameters_reset();
  stats.query_us += elapsed(client_->requested_at());
  if (status_ == 'I') {
    ++stats.transactions;
    stats.transaction_us += elapsed(client_->transaction_at());
  } else if (pool_.settings().mode == PoolMode::statement) {
    Client& client = *client_;
    detach_client();
    client.fatal(wire::sqlstate::feature_not_supported,
                 "transaction blocks are not allowed in statement pooling mode", {},
                 "Set the database's pool_mode to \"transaction\".");
    discard("transaction in statement pooling mode");
    return false;
  }
  if (queue_.empty()) client_->answered(now);
  return transaction_may_be_over();
}

// False: its client has gone.
bool Server::transaction_may_be_over() {
  if (shared_) return share_over();
  if (!open_gate_when_answered()) return is_open() && phase_ == Phase::ready;
  if (!queue_.owes_ready() && client_->say_last_words()) return is_open() && phase_ == Phase::ready;
  // Not only when it is just so many: the ends of copies are popped along.
  const bool room = queued_bytes() < flow::low_bytes && queued_ranges() < flow::low_ranges;
  if (queue_.size() <= RequestQueue::request_limit / 2 && room) client_->receive_wanted(true);
  const bool over = queue_.empty() && status_ == 'I' && client_->between_messages();
  if (over && client_->closes_when_idle()) {
    client_->close_when_idle();
    return is_open() && phase_ == Phase::ready;
  }
  if (over && pool_.settings().mode != PoolMode::session) link_over();
  return true;
}

// Unless its client is tied to it, or has first to be found not to be.
void Server::link_over() {
  if (!plain_sets_.empty()) settle_plain_sets();
  if (audit_due()) {
    if (cancels_ == 0) return begin_audit();
    audit_waits_ = true;
    client_->hold_messages();
    return;
  }
  if ((touched_ & touches_forever) != 0 && !pinned_forever_) pin_forever();
  release_due_ = pins_.empty();
}

}  // namespace pgring
