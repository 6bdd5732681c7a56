// Groups of several clients on one server connection: sent behind each other, answered in that order. Hot path: once per
// group that shares.
//
// What:   the client that is linked is always the owner of the group that is being answered, so that replies go the way
//         they always do. Groups of others wait behind it (StagedGroups); when it is answered the link goes to the next.
//         What is staged only reads and may be done again: whatever happens to the connection or to the group before it, the
//         groups behind go elsewhere and their late replies are dropped.
// Source: CORRECTNESS.md 12 to 18 in words: docs/architecture.md, "Shared pipelines".
#include <utility>
#include <vector>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/shard.h"

namespace pgring {

bool Server::may_stack(const Client& client) const {
  const bool head = head_shares_ || shared_;
  if (!head || shares_no_more_ || in_relay_ || client_ == nullptr || phase_ != Phase::ready)
    return false;
  // What is not over by itself, or may hit whoever comes next.
  if (own_ != Own::none || cancels_ > 0 || cancel_waiting_ || release_due_ || is_to_close())
    return false;
  // The session is as it was when nobody had it, and an audit is not due, for which it has to be empty.
  if (!pins_.empty() || (touched_ & touches_state) != 0 || audit_due()) return false;
  // What a group before makes or closes is not relied on before it is there.
  if (staged_changes_ > 0 || queue_.changes_statements()) return false;
  return depth() < pool_.settings().share_depth &&
         overrides_.differ_in_name_only(client.overrides()) && defaults_ == client.defaults();
}

void Server::begin_stack(Client& client) {
  POOLER_CHECK(!is_staging());
  StagedGroup& group = staged_.push();
  group.client = &client;
  tail_ = &group.requests;
  client.linked_to(*this);
}

void Server::end_stack(ring::Slice group, std::uint64_t fingerprint) {
  tail_ = &queue_;
  StagedGroup& staged = staged_.back();
  staged.group = std::move(group);
  staged.fingerprint = fingerprint;
  if (staged.requests.changes_statements()) ++staged_changes_;
  // What the head sends now would be answered behind those.
  if (!std::exchange(shared_, true)) client_->hold_messages();
  ++pool_.stats().shared;
  if (!share_timer_.pending()) {
    const ring::Duration stall = pool_.settings().share_stall;
    shard_.loop().timers().set(share_timer_, shard_.now() + stall);
  }
}

void Server::head_runs(std::uint64_t fingerprint, bool shares) {
  head_fingerprint_ = fingerprint;
  head_at_ = shard_.now();
  head_bytes_ = 0;
  head_shares_ = shares && status_ == 'I';
  if (head_shares_) pool_.may_be_shared(*this);
}

void Server::head_goes_on() {
  head_shares_ = false;
  head_fingerprint_ = 0;
  pool_.not_shared(*this);
}

// The head is answered.
void Server::head_served() {
  if (head_fingerprint_ == 0) return;
  pool_.marks().served(std::exchange(head_fingerprint_, 0), shard_.now() - head_at_, head_bytes_);
  if (!shared_) head_goes_on();
}

// The group of the head is answered. False: the connection has been ended.
bool Server::share_over() {
  if (status_ != 'I' || !queue_.empty()) {
    isolation_fault("a statement that shares did not end its transaction");
    return false;
  }
  if (Client* const done = std::exchange(client_, nullptr)) {
    done->share_over();
    finished_.push_back(done);
  }
  if (!staged_.empty()) {
    next_share();
    return true;
  }
  shared_ = shares_no_more_ = head_shares_ = false;
  pool_.not_shared(*this);
  release_due_ = true;
  return true;
}

void Server::next_share() {
  StagedGroup& next = staged_.front();
  std::swap(queue_, next.requests);
  if (queue_.changes_statements()) --staged_changes_;
  client_ = next.client;
  head_fingerprint_ = next.fingerprint;
  staged_.pop();
  const auto now = shard_.now();
  pool_.was_busy(now - used_);
  head_at_ = used_ = now;
  head_bytes_ = 0;
  if (client_ == nullptr) return;
  ++pool_.stats().assignments;
  others_ran_ = true;
  previous_client_ = std::exchange(last_client_, client_->id());
  client_->defaults_are(defaults_);
}

// Those whose groups are answered, and others that wait, may go on. REQUIRES: not inside of a chunk.
void Server::shares_go_on() {
  for (std::size_t i = 0; i < finished_.size(); ++i) finished_[i]->go_on();
  finished_.clear();
}

bool Server::is_waited_for() {
  for (std::uint32_t i = 0; i < staged_.size(); ++i) {
    if (staged_.at(i).client != nullptr) return true;
  }
  return false;
}

// Everybody behind the head, with what they have asked. Their replies are nobody's from now on.
std::vector<FleeingGroup> Server::take_staged() {
  shares_no_more_ = true;
  std::vector<FleeingGroup> fleeing;
  for (std::uint32_t i = 0; i < staged_.size(); ++i) {
    StagedGroup& staged = staged_.at(i);
    if (staged.client == nullptr) continue;
    fleeing.push_back({std::exchange(staged.client, nullptr), std::move(staged.group)});
  }
  return fleeing;
}

void Server::flee() {
  for (FleeingGroup& one : take_staged()) {
    ++pool_.stats().shares_fled;
    one.client->share_lost(std::move(one.group), false);
  }
}

void Server::share_timer_due() {
  if (!shared_ || !is_waited_for()) return;
  const auto deadline = head_at_ + pool_.settings().share_stall;
  if (deadline > shard_.now()) return shard_.loop().timers().set(share_timer_, deadline);
  ++pool_.stats().share_stalls;
  flee();
  if (client_ == nullptr) discard("client left while a query was running");
}

// The owner of one that is not the head's leaves.
void Server::staged_client_gone(const Client& client) {
  if (is_staging() && staged_.back().client == &client) {
    // What was sent of its group is no whole one.
    tail_ = &queue_;
    staged_.back().client = nullptr;
    return discard("client left in the middle of a message");
  }
  for (std::uint32_t i = 0; i < staged_.size(); ++i) {
    StagedGroup& staged = staged_.at(i);
    if (staged.client != &client) continue;
    staged.client = nullptr;
    staged.group = {};
  }
  if (client_ == nullptr && shared_ && !is_waited_for())
    discard("client left while a query was running");
}

// It has not begun, as far as anybody can tell: it ends as one does that waits for a server connection.
void Server::cancel_staged(const Client& client) {
  for (std::uint32_t i = 0; i < staged_.size(); ++i) {
    StagedGroup& staged = staged_.at(i);
    if (staged.client != &client) continue;
    Client& owner = *std::exchange(staged.client, nullptr);
    return owner.share_cancelled(std::move(staged.group));
  }
}

}  // namespace pgring
