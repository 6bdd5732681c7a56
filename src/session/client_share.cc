// A client's groups that may be in flight on a server connection together with other clients'. Hot path: once per request
// of a client that is idle, where share is on.
//
// What:   whether what the client sends is one whole group that only reads, of a text that is known to be short; then it is
//         staged behind others (Server::begin_stack), and kept until the server connection comes to it. What the client
//         sends behind it is held meanwhile, so that the client has requests on one server connection only.
// Source: CORRECTNESS.md 1, 12 to 18 in words: docs/architecture.md, "Shared pipelines".
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "src/statement/shared_group.h"
#include "wire/message_builder.h"
#include "wire/sql_fingerprint.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// What is known to take longer than this part of share_stall does not share.
constexpr int stall_part = 10;

}  // namespace

// Before it acquires a server connection.
void Client::look_at_sharing(const wire::Framer::Part& part, std::span<const std::byte> chunk) {
  if (share_ != nullptr) share_->measured = share_->asks = false;
  const PoolSettings& settings = pool_->settings();
  if (settings.share == Share::off || settings.mode == PoolMode::session) return;
  if (begun_ != Begun::no || group_open_ || !part.whole() || part.carried > 0) return;
  const auto group = read_shared_group(chunk.subspan(part.offset));
  if (!group) return;
  if (share_ == nullptr) share_ = std::make_unique<ShareAsked>();
  ShareAsked& asked = *share_;
  if (group->text.data() != nullptr) {
    asked.statement.clear();
    wire::SharingTerms terms = sharing_terms();
    terms.form = group->is_query ? wire::SqlForm::query : wire::SqlForm::parse;
    const wire::SqlSharing verdict = wire::sql_sharing(group->text, terms);
    // Functions that are not named with their schema may be anybody's.
    if (!verdict.shares() || verdict.unqualified) return;
    asked.fingerprint = wire::sql_fingerprint(group->text);
  } else {
    const Statement* const statement = statement_to_share(group->statement);
    if (statement == nullptr || !statement->shares()) return;
    asked.statement.assign(group->statement);
    asked.fingerprint = statement->fingerprint();
  }
  // Of those that can call nothing no marks are kept.
  if (asked.fingerprint == 0) return;
  asked.measured = true;
  asked.offset = part.offset;
  asked.asks = pool_->marks().serves_in(asked.fingerprint, settings.share_stall / stall_part);
}

const Statement* Client::statement_to_share(std::string_view name) const {
  if (name.empty() || statements_ == nullptr) return nullptr;
  const Prepared* const prepared = statements_->find(name);
  return prepared == nullptr ? nullptr : prepared->statement.get();
}

wire::SharingTerms Client::sharing_terms() {
  ShareAsked& asked = *share_;
  if (asked.of_defaults == defaults_ && asked.of_overrides == overrides_) return asked.terms;
  const auto value = [this](std::string_view name) -> std::string_view {
    if (const auto* own = find_parameter(overrides_.list(), name)) return own->value;
    const auto* usual = defaults_ == nullptr ? nullptr : find_parameter(*defaults_, name);
    return usual == nullptr ? std::string_view{} : std::string_view{usual->value};
  };
  asked.terms.mode = wire::SharingMode::reads;
  asked.terms.standard_conforming_strings = value("standard_conforming_strings") == "on";
  asked.terms.ascii_safe_encoding = wire::is_ascii_safe_encoding(value("client_encoding"));
  asked.of_defaults = defaults_;
  asked.of_overrides = overrides_;
  return asked.terms;
}

// The copy it binds is there, and returns what the client was told: nothing has to be waited for.
bool Client::may_share_on(Server& server) const {
  if (share_->statement.empty()) return true;
  const Prepared* const prepared = statements_->find(share_->statement);
  if (prepared == nullptr || prepared->statement == nullptr) return false;
  const auto* const copy = server.statements().find(prepared->statement->id());
  return copy != nullptr && copy->usable() && copy->version != nullptr &&
         (prepared->version == nullptr ||
          prepared->statement->is_same(prepared->version, copy->version)) &&
         prepared->statement->key().settings == overrides_.planning();
}

void Client::stack_on(Server& server) {
  server.begin_stack(*this);
  usable_ = true;
  phase_ = Phase::linked;
  links_lost_ = 0;
  waiting_noticed_ = false;
  arm_timer();
  resume();
}

// The group has been sent, as far as `chunk` is it.
void Client::group_sent(const ring::Slice& chunk) {
  ShareAsked& asked = *share_;
  const bool asks = std::exchange(asked.asks, false);
  asked.measured = false;
  if (!server_->is_staging()) {
    server_->head_runs(asked.fingerprint, asks);
    if (asks) pool_->share_room(*server_);
    return;
  }
  const auto& buffers = shard_.loop().group(buffer_group::client);
  const bool scarce = buffers.population() > buffers.count_max() / 4;
  auto group = chunk.share(asked.offset, chunk.size() - asked.offset);
  if (scarce && group.holds_buffer()) group = ring::Slice::copy_of(group.bytes());
  usable_ = false;
  server_->end_stack(std::move(group), asked.fingerprint);
}

void Client::share_over() {
  ring::Slice group;
  if (reuses(Reused::State::again)) group = take_group_again();
  waits_for_answers_ = false;
  if (reused_ != nullptr) reused_->state = Reused::State::none;
  unlink();
  if (!group.empty()) hold_again(std::move(group));
}

// What was not done after all comes before what has been held since.
void Client::hold_again(ring::Slice group) {
  held_.insert(held_.begin(), std::move(group));
  if (last_words_ == nullptr || !last_words_->first.empty()) return;
  // It has said goodbye behind it.
  last_words_.reset();
  std::string goodbye;
  wire::append_terminate(goodbye);
  held_.push_back(ring::Slice::copy_of(goodbye));
}

void Client::take_group_back(ring::Slice group) {
  server_ = nullptr;
  usable_ = waits_for_answers_ = false;
  if (reused_ != nullptr) *reused_ = {};
  phase_ = Phase::idle;
  --pool_->stats().queries;
  hold_again(std::move(group));
}

void Client::share_lost(ring::Slice group, bool connection_lost) {
  if (phase_ == Phase::closing || !is_open()) return;
  if (connection_lost) {
    // What ends every connection must not go on doing so.
    constexpr std::uint8_t links_lost_max = 3;
    if (++links_lost_ > links_lost_max) {
      return server_lost(wire::sqlstate::connection_failure,
                         "server closed the connection unexpectedly", true);
    }
  }
  take_group_back(std::move(group));
  go_on();
}

void Client::share_cancelled(ring::Slice group) {
  take_group_back(std::move(group));
  cancel_held();
  go_on();
}

}  // namespace pgring
