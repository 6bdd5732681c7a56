// A client's Parse, Bind, Describe and Close: names of statements are the client's own, and stand for statements of
// the pool, which have other names on server connections. Hot path: a Bind of a statement that is there.
// Source: protocol-flow, "Extended Query"; CORRECTNESS.md 2 and 8 in words: docs/architecture.md, "Statements".
#include <algorithm>
#include <string>
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/limits.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

namespace frontend = wire::frontend;

// Longer messages are not collected. A Parse of that length that names its statement is refused, unread.
constexpr std::uint64_t collected_max = std::uint64_t{16} * 1024 * 1024;
constexpr std::uint64_t unnamed_kept_max = std::uint64_t{256} * 1024;
// Of a Bind, as much is collected as holds its names.
constexpr std::uint64_t names_max = std::uint64_t{64} * 1024;
// Of one client, all texts together.
constexpr std::size_t texts_max = std::size_t{64} * 1024 * 1024;

// Of PostgreSQL's own words, so that drivers know it (plancache.c).
constexpr std::string_view changed_result = "cached plan must not change result type";
constexpr std::string_view changed_routine = "RevalidateCachedQuery";

}  // namespace

ClientStatements& Client::statements() {
  if (statements_ == nullptr) statements_ = std::make_unique<ClientStatements>();
  return *statements_;
}

// In a session the server connection is the client's own, and so are the names on it.
bool Client::renames_statements() const {
  return pool_->settings().mode != PoolMode::session || statements_ != nullptr;
}

// How many bytes of the message are needed in one piece to do something with it; none: what is here will do.
std::uint64_t Client::needed_in_one_piece(const wire::Framer::Part& part,
                                          std::span<const std::byte> body) const {
  switch (part.type) {
    case frontend::Query:
      return part.size <= flow::client_credit ? part.size : 0;
    case frontend::Describe:
    case frontend::Close:
      return renames_statements() ? part.size : 0;
    case frontend::Parse: {
      if (!renames_statements()) return 0;
      const bool named = body.empty() || body.front() != std::byte{0};
      return part.size <= (named ? collected_max : unnamed_kept_max) ? part.size : 0;
    }
    case frontend::Bind:
      if (!renames_statements() || wire::read_bind_names(body)) return 0;
      return std::min(part.size, names_max);
    default:
      return 0;
  }
}

Client::Verdict Client::begin_named(const wire::Framer::Part& part,
                                    std::span<const std::byte> body) {
  if (must_wait_for_answers()) return Verdict::hold;
  switch (part.type) {
    case frontend::Parse:
      return begin_parse(part, body);
    case frontend::Bind:
      return begin_bind(part, body);
    case frontend::Describe:
      return begin_describe(body);
    default:
      return begin_close(body);
  }
}

Client::Verdict Client::begin_parse(const wire::Framer::Part& part,
                                    std::span<const std::byte> body) {
  ++pool_->stats().parses;
  ClientStatements& mine = statements();
  if (!part.ends) {
    if (!body.empty() && body.front() != std::byte{0}) {
      return refuse({.sqlstate = wire::sqlstate::program_limit_exceeded,
                     .message = "the text of a named prepared statement is longer than 16 MiB",
                     .hint = "Prepare it without a name, and bind it in the same transaction."});
    }
    // Too long to be kept: it can be bound here and now, and nowhere else.
    server_->unknown_text_runs();
    server_->defines();
    mine.unnamed = {.exists = true, .token = shard_.next_id()};
    server_->unnamed_is(mine.unnamed.token);
    return pass_on(Request::parse);
  }
  const auto parse = wire::read_parse(body);
  if (!parse) return pass_on(Request::parse);  // PostgreSQL refuses it
  if (!parse->name.empty()) return begin_named_parse(*parse);
  if (const auto verdict = begin_unnamed_sql_prepare(*parse)) return *verdict;
  wire::SqlTraits traits;
  if (wire::may_have_traits(parse->text)) {
    traits = wire::sql_traits(parse->text);
    if (!allow_traits(traits, parse->text, false)) return Verdict::drop;
  }
  const std::uint64_t fingerprint = text_runs(parse->text);
  keep_unnamed(wire::as_text(body.subspan(1)));
  mine.unnamed.traits = traits;
  mine.unnamed.fingerprint = fingerprint;
  return pass_on(Request::parse);
}

void Client::keep_unnamed(std::string_view body) {
  UnnamedStatement& unnamed = statements().unnamed;
  unnamed.exists = true;
  unnamed.kept = true;
  unnamed.bound = false;
  unnamed.token = shard_.next_id();
  unnamed.body.assign(body);
  unnamed.traits = {};
  unnamed.version.reset();
  unnamed.statement.reset();
  server_->unnamed_is(unnamed.token);
}

Client::Verdict Client::begin_named_parse(const wire::ParseBody& parse) {
  ClientStatements& mine = statements();
  const std::string name{parse.name};
  if (mine.find(name) != nullptr) {
    return refuse({.sqlstate = wire::sqlstate::duplicate_prepared_statement,
                   .message = "prepared statement \"" + name + "\" already exists",
                   .routine = "StorePreparedStatement"});
  }
  if (pool_->settings().max_prepared_statements == 0) {
    return refuse({.sqlstate = wire::sqlstate::feature_not_supported,
                   .message = "named prepared statements are switched off "
                              "(max_prepared_statements = 0)",
                   .hint = "Set the database's max_prepared_statements, or switch the driver's "
                           "prepared statements off."});
  }
  if (mine.bytes + parse.text.size() > texts_max) {
    return refuse({.sqlstate = wire::sqlstate::program_limit_exceeded,
                   .message = "too many prepared statements: their texts are longer than 64 MiB",
                   .hint = "Close statements that are not needed any more."});
  }
  StatementRef statement = pool_->statements().intern(
      {.text = std::string{parse.text}, .types = parse.types, .settings = settings_of_now()});
  if (!allow_traits(statement->traits(), parse.text, false)) return Verdict::drop;
  mine.put(name, {.statement = statement, .version = {}});
  open_group();
  // Its own Parse, though there may be a copy: a table may have changed since that was made.
  server_->prepare({.statement = std::move(statement),
                    .types = parse.types,
                    .name = name,
                    .reply = Reply::forward});
  return Verdict::drop;
}

Client::Verdict Client::begin_bind(const wire::Framer::Part& part,
                                   std::span<const std::byte> body) {
  const auto names = wire::read_bind_names(body);
  if (!names) {
    if (part.ends) return pass_on(Request::bind);  // PostgreSQL refuses it
    fatal_after_replies(wire::sqlstate::program_limit_exceeded, "a name in a Bind is too long");
    return Verdict::stop;
  }
  const Resolved resolved = resolve(names->statement, false);
  if (resolved.statement == nullptr) {
    if (resolved.verdict == Verdict::forward) return pass_on(Request::bind);
    return resolved.verdict;
  }
  const std::string& name = resolved.statement->name();
  const std::uint64_t length = part.size - 1 - names->statement.size() + name.size();
  if (length > wire::max_frontend_message_length(frontend::Bind)) {
    fatal_after_replies(wire::sqlstate::protocol_violation, "invalid message length");
    return Verdict::stop;
  }
  std::string& beginning = shard_.scratch();
  beginning.clear();
  wire::append_bind_beginning(beginning, names->portal, name, part.size, names->size);
  server_->send(ring::Slice::copy_of(beginning));
  replaced_ = part.body_offset() - part.offset + names->size;
  ++pool_->stats().binds;
  if (auto* const copy = server_->statements().find(resolved.statement->id())) ++copy->binds;
  open_group();
  server_->expect({.request = Request::bind, .statement = resolved.statement->id(), .note = {}});
  return Verdict::forward;
}

Client::Verdict Client::begin_describe(std::span<const std::byte> body) {
  const auto target = wire::read_target(body);
  if (!target || target->kind != 'S') return pass_on(Request::describe_portal);
  const Resolved resolved = resolve(target->name, true);
  if (resolved.statement == nullptr) {
    if (resolved.verdict != Verdict::forward) return resolved.verdict;
    const bool own = target->name.empty() && statements_ != nullptr && statements_->unnamed.exists;
    if (!own) return pass_on(Request::describe_statement);
    // What it is told now is what it will go by.
    auto note = std::make_unique<RequestNote>();
    note->kind = RequestNote::Kind::unnamed;
    note->token = statements_->unnamed.token;
    open_group();
    server_->expect({.request = Request::describe_statement, .note = std::move(note)});
    return Verdict::forward;
  }
  open_group();
  std::string message;
  wire::append_describe(message, {.kind = 'S', .name = resolved.statement->name()});
  server_->send(ring::Slice::copy_of(message));
  server_->expect({.request = Request::describe_statement, .statement = resolved.statement->id()});
  return Verdict::drop;
}

Client::Verdict Client::begin_close(std::span<const std::byte> body) {
  const auto target = wire::read_target(body);
  // A cursor's, perhaps.
  if (target && target->kind == 'P' && !server_->pins().empty())
    server_->state_touched(static_cast<std::uint32_t>(wire::SqlTrait::close));
  if (!target || target->kind != 'S') return pass_on(Request::close);
  Prepared* const prepared = statements_ == nullptr ? nullptr : statements_->find(target->name);
  if (target->name.empty()) {
    if (statements_ != nullptr) statements_->unnamed.exists = false;
    server_->unnamed_is(0);
    return pass_on(Request::close);
  }
  // A name of its own, or of nobody: PostgreSQL's copy stays, others may have use for it.
  const bool ours = target->name.starts_with(own_statement_prefix);
  if (prepared == nullptr && !ours) return pass_on(Request::close);
  if (prepared != nullptr && prepared->statement == nullptr) {
    statements_->erase(target->name);
    return pass_on(Request::close);
  }
  std::unique_ptr<RequestNote> note;
  if (prepared != nullptr) {
    note = std::make_unique<RequestNote>();
    note->kind = RequestNote::Kind::forget;
    note->name = target->name;
    note->before = *prepared;
    statements_->erase(target->name);
  }
  open_group();
  std::string message;
  wire::append_close(message, {.kind = 'S', .name = no_statement});
  server_->send(ring::Slice::copy_of(message));
  server_->expect({.request = Request::close, .note = std::move(note)});
  return Verdict::drop;
}

// The statement a name stands for, ready on this server connection. None and `forward`: the message passes as it is
// and PostgreSQL says what it thinks of the name.
Client::Resolved Client::resolve(std::string_view name, bool describing) {
  if (name.empty()) return resolve_unnamed(describing);
  Prepared* const prepared = statements_ == nullptr ? nullptr : statements_->find(name);
  if (prepared == nullptr || prepared->statement == nullptr) {
    if (prepared != nullptr || !name.starts_with(own_statement_prefix))
      return {.statement = nullptr, .verdict = Verdict::forward};
    return {.statement = nullptr,
            .verdict = refuse(
                {.sqlstate = wire::sqlstate::invalid_sql_statement_name,
                 .message = "prepared statement \"" + std::string{name} + "\" does not exist"})};
  }
  return make_ready(prepared->statement, prepared->version, name, describing);
}

Client::Resolved Client::resolve_unnamed(bool describing) {
  UnnamedStatement* const unnamed = statements_ == nullptr ? nullptr : &statements_->unnamed;
  if (unnamed != nullptr && unnamed->exists) {
    unnamed->bound = true;
    if (server_->unnamed() == unnamed->token) {
      // Prepared in an earlier transaction, perhaps: it runs in this one.
      const std::string_view text = unnamed->body;
      touch(unnamed->traits, text.substr(0, text.find('\0')), unnamed->fingerprint);
      return {.statement = nullptr, .verdict = Verdict::forward};
    }
    if (unnamed->kept) {
      if (unnamed->statement == nullptr) {
        const auto parse = wire::read_unnamed_parse(std::as_bytes(std::span{unnamed->body}));
        if (parse) {
          unnamed->statement = pool_->statements().intern({.text = std::string{parse->text},
                                                           .types = parse->types,
                                                           .settings = settings_of_now(),
                                                           .unnamed = true});
        }
      }
      if (unnamed->statement != nullptr)
        return make_ready(unnamed->statement, unnamed->version, {}, describing);
    }
  }
  // PostgreSQL is to say that it does not exist: whosever is there goes.
  server_->close_unnamed();
  open_group();
  return {.statement = nullptr, .verdict = Verdict::forward};
}

// Which of a text's statements this client's is: of its settings that change what a text means.
std::string Client::settings_of_now() const {
  std::string settings = overrides_.planning();
  // What it has set in this link is not known yet: a statement of its own.
  if ((server_->touched() & explains_settings) != 0) settings += "client " + std::to_string(id_);
  return settings;
}

Client::Resolved Client::make_ready(StatementRef& statement, Version& version,
                                    std::string_view name, bool describing, bool is_query) {
  const bool again = std::exchange(prepared_again_, 0) == statement->id();
  const auto* const copy = server_->statements().use(*statement);
  // In place of an unnamed statement: no plan of many executions. What stands in for a Parse has been looked at.
  const bool worn_out = copy != nullptr && statement->key().unnamed &&
                        !reuses(Reused::State::begun) && !copy->plans_anew(1);
  if (copy != nullptr && !worn_out) {
    if (version == nullptr && copy->version != nullptr) version = copy->version;
    if (statement->is_same(version, copy->version)) {
      touch(*statement);
      return {.statement = statement.get(), .verdict = Verdict::forward};
    }
    // Just made, and returns other rows than this client prepared: what PostgreSQL would say.
    if (again) {
      std::string before;
      if (describing) wire::append_parameter_description(before, version->types);
      return {nullptr, refuse({.sqlstate = wire::sqlstate::feature_not_supported,
                               .message = std::string{changed_result},
                               .routine = changed_routine,
                               .before = std::move(before)})};
    }
  }
  // The copy is made under the settings of now: others who go by those of then are not to meet it.
  if (const std::string settings = settings_of_now(); settings != statement->key().settings) {
    statement = pool_->statements().intern({.text = statement->key().text,
                                            .types = statement->key().types,
                                            .settings = settings,
                                            .unnamed = statement->key().unnamed});
    return make_ready(statement, version, name, describing, is_query);
  }
  // SQL's EXECUTE, of which the Parse has just failed: PostgreSQL says that there is none.
  if (again && is_query) return {.statement = statement.get(), .verdict = Verdict::forward};
  if (!is_query) open_group();
  // Where there are rows, whether they are still the same is known first: not a row is to come silently changed.
  const bool gate = statement->has_fixed_rows() && version != nullptr && !version->columns.empty();
  server_->prepare({.statement = statement,
                    .types = version != nullptr ? version->types : statement->key().types,
                    .name = std::string{name},
                    .expected = version,
                    .reply = Reply::swallow,
                    .gate = gate,
                    .own_group = is_query});
  if (!gate) {
    touch(*statement);
    return {.statement = statement.get(), .verdict = Verdict::forward};
  }
  prepared_again_ = statement->id();
  usable_ = false;
  return {.statement = nullptr, .verdict = Verdict::hold};
}

// It is about to run.
void Client::touch(const Statement& statement) {
  touch(statement.traits(), statement.key().text, statement.fingerprint());
}

void Client::touch(const wire::SqlTraits& traits, std::string_view text,
                   std::uint64_t fingerprint) {
  if (traits.defines) server_->defines();
  if (traits.bits != 0) {
    server_->state_touched(traits.bits);
    if (traits.has(wire::SqlTrait::settings)) server_->settings_named(text);
  }
  if (pool_->settings().mode != PoolMode::session) server_->text_runs(fingerprint, text);
}

// A group before this one prepares or closes something and may fail: names stand for what they did then.
bool Client::must_wait_for_answers() {
  if (!server_->answers_pending()) return false;
  waits_for_answers_ = true;
  usable_ = false;
  return true;
}

void Client::gate_open() {
  waits_for_answers_ = false;
  if (usable_ || server_ == nullptr) return;
  usable_ = true;
  if (reuses(Reused::State::again)) {
    // It may have said goodbye behind it.
    auto words = std::move(last_words_);
    relay(take_group_again());
    last_words_ = std::move(words);
  }
  if (reused_ != nullptr) reused_->state = Reused::State::none;
  resume();
}

Client::Verdict Client::pass_on(Request request) {
  if (request == Request::bind) ++pool_->stats().binds;
  if (request == Request::parse) ++pool_->stats().server_parses;
  open_group();
  server_->expect(request);
  return Verdict::forward;
}

// An error in the client's group, where PostgreSQL would find none: it is made to find one, so that all the rest (what
// is skipped, what becomes of the transaction) is PostgreSQL's own doing. What it is told stands in its log.
Client::Verdict Client::refuse(ClientRefusal refusal) {
  auto note = std::make_unique<RequestNote>();
  note->kind = RequestNote::Kind::refuse;
  note->error = std::move(refusal.before);
  wire::append_error_response(note->error, {.severity = "ERROR",
                                            .sqlstate = refusal.sqlstate,
                                            .message = refusal.message,
                                            .detail = {},
                                            .hint = refusal.hint,
                                            .routine = refusal.routine});
  const std::string why = "pgring: " + refusal.message;
  std::string request;
  if (refusal.is_query) {
    wire::append_query(request, why);  // no SQL
    group_open_ = false;
  } else {
    wire::append_bind(request, {}, why);
    open_group();
  }
  server_->send(ring::Slice::copy_of(request));
  server_->expect(
      {.request = refusal.is_query ? Request::query : Request::bind, .note = std::move(note)});
  return Verdict::drop;
}

}  // namespace pgring
