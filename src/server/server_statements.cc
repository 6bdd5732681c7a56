// Statements on a server connection: preparing them for a client, and what the replies say of them.
// Source: protocol-flow, "Extended Query"; docs/architecture.md, "Statements".
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

namespace backend = wire::backend;

std::unique_ptr<RequestNote> note_of(RequestNote::Kind kind, StatementRef statement) {
  auto note = std::make_unique<RequestNote>();
  note->kind = kind;
  note->statement = std::move(statement);
  return note;
}

}  // namespace

void Server::prepare(Preparation preparation) {
  const StatementRef& statement = preparation.statement;
  std::string out;
  make_room(*statement, out);
  // Close never fails, and its name may be there.
  wire::append_close(out, {.kind = 'S', .name = statement->name()});
  tail_->push({.request = Request::close, .reply = Reply::swallow});
  wire::append_parse(out, statement->name(), statement->key().text, preparation.types);
  auto made = note_of(RequestNote::Kind::prepare, statement);
  if (preparation.reply == Reply::forward) made->name = preparation.name;
  made->own_group = preparation.own_group;
  tail_->push({.request = Request::parse,
               .reply = preparation.reply,
               .statement = statement->id(),
               .note = std::move(made)});
  wire::append_describe(out, {.kind = 'S', .name = statement->name()});
  auto described = note_of(RequestNote::Kind::describe, statement);
  described->name = std::move(preparation.name);
  described->gates = preparation.gate;
  described->own_group = preparation.own_group;
  tail_->push({.request = Request::describe_statement,
               .reply = Reply::swallow,
               .statement = statement->id(),
               .note = std::move(described)});
  if (preparation.own_group) {
    wire::append_sync(out);
    tail_->push({.request = Request::sync, .reply = Reply::swallow});
  } else if (preparation.gate) {
    wire::append_flush(out);
  }
  ++pool_.stats().server_parses;
  ServerStatements::Copy& copy = statements_.put(statement);
  copy.as_declared = preparation.types == statement->key().types;
  copy.definitions = pool_.definitions().count();
  copy.parsed_at = shard_.now().time_since_epoch();
  if (!preparation.gate) copy.version = std::move(preparation.expected);
  send_text(out);
}

void Server::synthesize_parse(const Statement& statement) {
  tail_->push({.request = Request::parse,
               .reply = Reply::synthesize,
               .statement = statement.id(),
               .note = {}});
}

// What is behind it has been done, so it would have been.
void Server::answer_parse() {
  constexpr std::string_view parse_complete{"1\0\0\0\4", 5};
  (void)queue_.take();
  if (client_ == nullptr) return;
  client_->send(ring::Slice::of_static(parse_complete));
  client_->parse_answered();
}

// A group whose Parse was not sent has failed before anything of it was done. PostgreSQL is given the whole of it, unless
// it was stopped on purpose: then there is nothing more to say.
void Server::reused_group_failed(const std::optional<wire::ParsedError>& error,
                                 std::span<const std::byte> body) {
  if (client_ == nullptr) return;
  const bool last = !error || error->severity == "FATAL" || error->severity == "PANIC";
  // Operator intervention: a cancel, a time limit, a shutdown; and lock_timeout.
  const bool stopped = last || error->sqlstate.starts_with("57") ||
                       error->sqlstate == wire::sqlstate::lock_not_available;
  if (!stopped) {
    queue_.swallow_sync();
    return client_->group_fails_unseen();
  }
  std::string message;
  wire::append_message(message, backend::ErrorResponse, body);
  client_->send(ring::Slice::copy_of(message));
  client_->parse_not_answered();
}

// Before the client is told that its transaction is over, and when its end is not seen.
void Server::definitions_changed() {
  if (!defines_) return;
  pool_.definitions().changed();
  if (status_ == 'I' && queue_.empty()) defines_ = false;
}

void Server::make_room(const Statement& wanted, std::string& out) {
  const bool there = statements_.find(wanted.id()) != nullptr;
  // Not to be the one that goes.
  if (there) (void)statements_.use(wanted);
  const std::size_t limit = std::max<std::uint32_t>(pool_.settings().max_prepared_statements, 1);
  // More than that when evictions were dropped with what had failed.
  while (statements_.size() >= limit + (there ? 1 : 0)) {
    StatementRef least = statements_.evict();
    wire::append_close(out, {.kind = 'S', .name = least->name()});
    tail_->push({.request = Request::close,
                 .reply = Reply::swallow,
                 .note = note_of(RequestNote::Kind::evict, std::move(least))});
  }
}

void Server::prepare_nothing(std::string_view name) {
  std::string out;
  wire::append_close(out, {.kind = 'S', .name = name});
  tail_->push({.request = Request::close, .reply = Reply::swallow});
  wire::append_parse(out, name, {}, {});
  tail_->push({.request = Request::parse, .reply = Reply::swallow});
  send_text(out);
}

void Server::swallow_query(std::string_view sql, RequestNote::Kind kind) {
  std::string out;
  wire::append_query(out, sql);
  tail_->push({.request = Request::query, .reply = Reply::swallow, .note = note_of(kind, {})});
  unnamed_ = 0;
  send_text(out);
}

void Server::begin_for_client() { swallow_query("BEGIN", RequestNote::Kind::begin); }

void Server::fail_for_client() {
  swallow_query("pgring: the transaction was cancelled before it had a server connection",
                RequestNote::Kind::fail);
}

void Server::restore_for_client(std::string_view sql) {
  swallow_query(sql, RequestNote::Kind::restore);
}

void Server::close_unnamed() {
  std::string out;
  wire::append_close(out, {.kind = 'S', .name = {}});
  tail_->push({.request = Request::close, .reply = Reply::swallow});
  unnamed_ = 0;
  send_text(out);
}

// The reply to a request that something hangs on, whole.
void Server::note_answered(const RequestEntry& entry, char type, std::span<const std::byte> body) {
  const RequestNote& note = *entry.note;
  const bool described =
      note.kind == RequestNote::Kind::describe || note.kind == RequestNote::Kind::unnamed;
  if (!described) return;
  auto version = std::make_shared<StatementVersion>();
  version->types = std::exchange(described_types_, {});
  if (type == backend::RowDescription) {
    auto columns = comparable_columns(body);
    if (!columns) {
      note_dropped(entry);
      if (note.gates && client_ != nullptr) client_->gate_open();
      return;
    }
    version->columns = std::move(*columns);
  }
  ClientStatements* const names = client_ == nullptr ? nullptr : client_->known_statements();
  if (note.kind == RequestNote::Kind::unnamed) {
    if (names != nullptr && names->unnamed.token == note.token)
      names->unnamed.version = std::move(version);
    return;
  }
  ServerStatements::Copy* const copy = statements_.find(entry.statement);
  if (copy != nullptr) copy->version = version;
  if (names != nullptr && !note.name.empty()) {
    Prepared* const prepared = names->find(note.name);
    if (prepared != nullptr && prepared->statement == note.statement &&
        prepared->version == nullptr)
      prepared->version = version;
  }
  if (note.gates && client_ != nullptr) client_->gate_open();
}

// A request failed, or the server drops it because one before it failed. Newest first.
void Server::note_dropped(const RequestEntry& entry) {
  ClientStatements* const names = client_ == nullptr ? nullptr : client_->known_statements();
  if (entry.note == nullptr) {
    // The client's unnamed Parse: what is there now is not what was believed.
    if (entry.request != Request::parse || entry.reply != Reply::forward) return;
    unnamed_ = 0;
    if (names != nullptr) names->unnamed.exists = false;
    return;
  }
  const RequestNote& note = *entry.note;
  switch (note.kind) {
    case RequestNote::Kind::prepare:
      statements_.doubt(entry.statement);
      if (names != nullptr && !note.name.empty()) names->erase(note.name);
      return;
    case RequestNote::Kind::describe:
      statements_.doubt(entry.statement);
      return;
    case RequestNote::Kind::evict:
      statements_.put_doubtful(note.statement);
      return;
    case RequestNote::Kind::forget:
      if (names != nullptr && note.before) names->put(note.name, *note.before);
      return;
    case RequestNote::Kind::unnamed:
    case RequestNote::Kind::begin:
    case RequestNote::Kind::fail:
    case RequestNote::Kind::restore:
    case RequestNote::Kind::refuse:
      return;
  }
}

void Server::group_failed() {
  std::vector<RequestEntry> dropped;
  queue_.failed([&](RequestEntry&& entry) { dropped.push_back(std::move(entry)); });
  bool gated = false;
  for (auto entry = dropped.rbegin(); entry != dropped.rend(); ++entry) {
    note_dropped(*entry);
    gated = gated || (entry->note != nullptr && entry->note->gates);
  }
  send_waiting_cancel();
  if (gated && client_ != nullptr) client_->gate_open();
}

void Server::error_received(const wire::ParsedError& error, std::span<const std::byte> body) {
  if (queue_.empty()) return;
  const RequestEntry& failed = queue_.front();
  if (failed.note != nullptr && failed.note->kind == RequestNote::Kind::refuse &&
      client_ != nullptr) {
    // What it was made to fail with; or something else stood in the way, as it would have in the client's own way.
    const bool meant = error.sqlstate == wire::sqlstate::invalid_sql_statement_name ||
                       error.sqlstate == wire::sqlstate::syntax_error;
    if (meant) {
      client_->send(ring::Slice::copy_of(failed.note->error));
    } else {
      std::string message;
      wire::append_message(message, backend::ErrorResponse, body);
      client_->send(ring::Slice::copy_of(message));
    }
  }
  // plancache.c: the table has changed since the copy was made. All copies of that time are of no use.
  if (error.sqlstate == wire::sqlstate::feature_not_supported &&
      error.routine == "RevalidateCachedQuery") {
    if (ServerStatements::Copy* const copy = statements_.find(failed.statement))
      copy->statement->make_stale();
  }
  // Somebody has deallocated it, by a way that is not seen.
  if (error.sqlstate == wire::sqlstate::invalid_sql_statement_name && failed.statement != 0)
    statements_.doubt(failed.statement);
  if (failed.note != nullptr && failed.note->kind == RequestNote::Kind::begin) begin_failed_ = true;
  // A Query's own: what it was to do was not done.
  if (failed.request == Request::query && failed.note != nullptr) note_dropped(failed);
}

// What it waited for is over, and what PostgreSQL works at now, if at anything, is the client's.
void Server::send_waiting_cancel() {
  if (!cancel_waiting_ || (client_ != nullptr && prepares_for_client())) return;
  const auto origin = std::exchange(cancel_waiting_, std::nullopt);
  if (client_ != nullptr && (!queue_.empty() || !client_->between_messages())) {
    shard_.start_cancel(*this, origin);
  } else {
    shard_.cancel_forwarded(*origin);
  }
}

void Server::statements_gone() {
  unnamed_ = 0;
  // What the client has prepared behind it in the same write is there.
  if (announced_gone_ > 0) {
    --announced_gone_;
    statements_.drop_doubtful();
    return;
  }
  statements_.clear();
  if (client_ == nullptr) return;
  if (ClientStatements* const names = client_->known_statements()) names->clear();
}

}  // namespace pgring
