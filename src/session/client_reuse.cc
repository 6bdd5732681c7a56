// A Parse that PostgreSQL is spared, because the server connection has a copy of just that statement. Hot path.
//
// What:   a group whose Parse is found in the pool's KnownTexts is sent without it, and bound to the copy. If PostgreSQL
//         has an objection, nothing of the group has been done, and it is sent again as it came: what the client is told
//         is what PostgreSQL says to the whole of it. Until the group is answered nothing is sent behind it.
//         docs/architecture.md, "Parses that are spared", says when that is not done and what it cannot see.
// Source: protocol-flow, "Extended Query"; plancache.c (RevalidateCachedQuery, choose_custom_plan).
#include <algorithm>
#include <string>
#include <utility>

#include "src/base/check.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "src/statement/reusable_group.h"
#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/message_type.h"

namespace pgring {

// What the client has asked before is answered, no transaction is open, and the session is nobody's in particular.
bool Client::may_reuse(const wire::Framer::Part& part) const {
  const PoolSettings& settings = pool_->settings();
  return settings.reuse_parse && settings.mode != PoolMode::session &&
         settings.max_prepared_statements > 0 && part.whole() && part.carried == 0 &&
         !group_open_ && server_->queue().empty() && server_->transaction_status() == 'I' &&
         server_->touched() == 0 && server_->pins().empty() && !reuses(Reused::State::again);
}

// True: the Parse is not to be sent.
bool Client::reuse_parse(const wire::Framer::Part& part, std::span<const std::byte> chunk) {
  if (!may_reuse(part)) return false;
  const std::uint32_t end = part.offset + part.length;
  const std::string_view body =
      wire::as_text(chunk.subspan(part.body_offset(), end - part.body_offset()));
  const std::size_t name_size = body.find('\0');
  if (name_size == std::string_view::npos) return false;
  const std::string_view name = body.substr(0, name_size);
  const auto group = read_reusable_group(chunk.subspan(end), name);
  if (!group || chunk.size() - part.offset > reusable_group_max) return false;
  // One of that name is an error; PostgreSQL's own are not touched.
  if (!name.empty() && statements().find(name) != nullptr) return false;
  const ParseSeen seen{.text_and_types = body.substr(name_size + 1),
                       .settings = overrides_.planning(),
                       .unnamed = name.empty()};
  const std::uint64_t hash = seen.hash();
  const StatementRef* const statement = find_stand_in(seen, hash);
  if (statement == nullptr) return false;
  auto* const copy = server_->statements().use(**statement);
  const bool stands_in =
      copy != nullptr &&
      copy->stands_in(pool_->definitions().count(), shard_.now().time_since_epoch()) &&
      (!seen.unnamed || copy->plans_anew(group->binds));
  if (stands_in) {
    ++copy->spared;
    ++pool_->stats().parses_spared;
  } else if (seen.unnamed) {
    server_->prepare({.statement = *statement, .types = (*statement)->key().types});
  } else {
    return false;  // the client's own Parse makes the copy
  }
  ++pool_->stats().parses;
  declare(name, *statement);
  if (reused_ == nullptr) reused_ = std::make_unique<Reused>();
  reused_->state = Reused::State::begun;
  reused_->spared = stands_in;
  reused_->offset = part.offset;
  reused_->binds = group->binds;
  reused_->hash = hash;
  reused_->name = name;
  open_group();
  server_->synthesize_parse(**statement);
  return true;
}

// The statement that this Parse and others like it are all about. None: it has not come often enough, or is not one
// for which that can be said.
const StatementRef* Client::find_stand_in(const ParseSeen& seen, std::uint64_t hash) {
  KnownTexts::Entry* const entry = pool_->known_texts().see(hash);
  if (entry == nullptr || entry->seen < KnownTexts::shared_from || entry->refused) return nullptr;
  if (entry->statement != nullptr && seen.asks_for(entry->statement->key()))
    return &entry->statement;
  const auto parse = wire::read_unnamed_parse(std::as_bytes(std::span{seen.text_and_types}));
  if (parse) {
    StatementRef made = pool_->statements().intern({.text = std::string{parse->text},
                                                    .types = parse->types,
                                                    .settings = std::string{seen.settings},
                                                    .unnamed = seen.unnamed});
    if (made->may_stand_in()) {
      entry->statement = std::move(made);
      return &entry->statement;
    }
  }
  entry->refused = true;
  return nullptr;
}

// What the client's name stands for from now on.
void Client::declare(std::string_view name, const StatementRef& statement) {
  const auto* const copy = server_->statements().find(statement->id());
  const Version version = copy->version;
  if (!name.empty()) return statements().put(name, {.statement = statement, .version = version});
  UnnamedStatement& unnamed = statements().unnamed;
  unnamed.exists = true;
  unnamed.kept = true;
  unnamed.bound = false;
  unnamed.token = on_no_server;
  unnamed.traits = {};
  // Their counts are other shards', too: written only where it is another.
  if (unnamed.version != version) unnamed.version = version;
  if (unnamed.statement != statement) unnamed.statement = statement;
}

// All of the group is sent. What comes behind it would be done before it, should it be sent again.
void Client::keep_reused(const ring::Slice& chunk) {
  reused_->group = chunk.share(reused_->offset, chunk.size() - reused_->offset);
  reused_->state = Reused::State::unanswered;
  waits_for_answers_ = true;
  usable_ = false;
}

void Client::parse_answered() {
  POOLER_CHECK(reuses(Reused::State::unanswered));
  reused_->state = Reused::State::answered;
  reused_->group = {};
}

// It may have been the Parse that was stopped: then there is no statement.
void Client::parse_not_answered() {
  parse_answered();
  if (reused_->name.empty()) {
    statements_->unnamed.exists = false;
  } else {
    statements_->erase(reused_->name);
  }
}

// Nothing of it was done, and everything before it is answered.
ring::Slice Client::take_group_again() {
  pool_->known_texts().forget(reused_->hash);
  PoolStats& stats = pool_->stats();
  --stats.parses;
  --stats.queries;
  stats.binds -= reused_->binds;
  if (reused_->spared) --stats.parses_spared;
  if (!reused_->name.empty()) statements_->erase(reused_->name);
  return std::exchange(reused_->group, {});
}

// What it asked is to be done, although its end may come next: true, and it is known not to go on.
bool Client::says_goodbye(const ring::Slice& slice) {
  const bool waits = reuses(Reused::State::unanswered) || reuses(Reused::State::answered) ||
                     reuses(Reused::State::again);
  if (!waits || !held_.empty() || slice.empty() ||
      static_cast<char>(slice.bytes().front()) != wire::frontend::Terminate)
    return false;
  fatal_after_replies({}, "client terminated the session");
  return true;
}

}  // namespace pgring
