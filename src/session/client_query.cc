// What the texts of a client mean for what its session holds: the SQL statements that name prepared statements, and
// those that leave something behind in the session.
#include <optional>
#include <string>
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"
#include "wire/sql_fingerprint.h"
#include "wire/sql_prepare.h"
#include "wire/sql_set.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

using wire::SqlTrait;

std::string_view text_of(std::span<const std::byte> body) {
  const std::string_view text = wire::as_text(body);
  return text.substr(0, text.find('\0'));
}

}  // namespace

Client::Verdict Client::begin_query(const wire::Framer::Part& part,
                                    std::span<const std::byte> body) {
  if (!part.ends) {
    // Too long to be read; it might do anything.
    server_->unknown_text_runs();
    server_->defines();
  } else {
    const std::string_view text = text_of(body);
    const bool has_traits = wire::may_have_traits(text);
    const wire::SqlTraits traits = has_traits ? wire::sql_traits(text) : wire::SqlTraits{};
    if (has_traits && !set_plainly(traits, text) && !allow_traits(traits, text, true))
      return Verdict::drop;
    text_runs(text);
    if (has_traits) {
      if (renames_statements() &&
          traits.has_any(SqlTrait::prepare | SqlTrait::execute | SqlTrait::deallocate)) {
        if (const auto verdict = begin_sql_prepare(text)) return *verdict;
      }
      if (traits.has(SqlTrait::settings) && traits.statements == 1) {
        if (const auto verdict = begin_reset(text)) return *verdict;
      }
      if (traits.has(SqlTrait::discard_all) && traits.statements == 1) forget_all_names();
    }
  }
  ++pool_->stats().queries;
  // PostgreSQL drops the unnamed statement at every Query.
  server_->unnamed_is(0);
  if (statements_ != nullptr) statements_->unnamed.exists = false;
  return Verdict::forward;
}

// PREPARE, EXECUTE or DEALLOCATE of a name that stands for one of the pool's statements. Nothing: it is none of them.
std::optional<Client::Rewritten> Client::rewrite_sql_prepare(std::string_view text, bool is_query) {
  auto parsed = wire::parse_prepare(text);
  if (!parsed) return std::nullopt;
  if (parsed->kind == wire::SqlPrepare::Kind::deallocate_all) {
    forget_all_names();
    return std::nullopt;
  }
  Prepared* const prepared = statements().find(parsed->name);
  auto note = std::make_unique<RequestNote>();
  note->name = parsed->name;
  if (prepared == nullptr && parsed->name.starts_with(own_statement_prefix)) {
    // Another's, if anybody's.
    return Rewritten{
        .verdict = refuse({.sqlstate = wire::sqlstate::invalid_sql_statement_name,
                           .message = "prepared statement \"" + parsed->name + "\" does not exist",
                           .is_query = is_query}),
        .text = {},
        .note = {}};
  }
  if (prepared == nullptr) {
    if (parsed->kind != wire::SqlPrepare::Kind::prepare) return std::nullopt;
    // From now on PostgreSQL knows this name; the audit will find that, and the client stays here.
    statements_->put(parsed->name, {});
    return Rewritten{.text = std::string{text}, .note = std::move(note)};
  }
  note->kind = RequestNote::Kind::forget;
  note->before = *prepared;
  switch (parsed->kind) {
    case wire::SqlPrepare::Kind::prepare:
      if (prepared->statement == nullptr) return std::nullopt;  // PostgreSQL says so
      return Rewritten{.verdict = refuse(
                           {.sqlstate = wire::sqlstate::duplicate_prepared_statement,
                            .message = "prepared statement \"" + parsed->name + "\" already exists",
                            .routine = "StorePreparedStatement",
                            .is_query = is_query}),
                       .text = {},
                       .note = {}};
    case wire::SqlPrepare::Kind::execute: {
      if (prepared->statement == nullptr) return std::nullopt;
      const Resolved resolved =
          make_ready(prepared->statement, prepared->version, parsed->name, false, is_query);
      if (resolved.statement == nullptr)
        return Rewritten{.verdict = resolved.verdict, .text = {}, .note = {}};
      std::string renamed{text.substr(0, parsed->name_offset)};
      renamed += resolved.statement->name();
      renamed += text.substr(parsed->name_offset + parsed->name_length);
      return Rewritten{.text = std::move(renamed), .note = {}};
    }
    case wire::SqlPrepare::Kind::deallocate: {
      const bool of_sql = prepared->statement == nullptr;
      statements_->erase(parsed->name);
      if (of_sql) return Rewritten{.text = std::string{text}, .note = std::move(note)};
      // PostgreSQL is given another to deallocate: the pool's own may be of use to others.
      server_->prepare_nothing(no_statement);
      return Rewritten{.text = "DEALLOCATE " + std::string{no_statement}, .note = std::move(note)};
    }
    case wire::SqlPrepare::Kind::deallocate_all:
      break;
  }
  return std::nullopt;
}

void Client::forget_all_names() {
  if (statements_ != nullptr) statements_->clear();
  server_->statements_will_go();
}

std::optional<Client::Verdict> Client::begin_sql_prepare(std::string_view text) {
  if (must_wait_for_answers()) return Verdict::hold;
  auto rewritten = rewrite_sql_prepare(text, true);
  if (!rewritten) return std::nullopt;
  if (rewritten->text.empty()) return rewritten->verdict;
  ++pool_->stats().queries;
  group_open_ = false;
  server_->unnamed_is(0);
  statements_->unnamed.exists = false;
  std::string message;
  wire::append_query(message, rewritten->text);
  server_->send(ring::Slice::copy_of(message));
  server_->expect({.request = Request::query, .note = std::move(rewritten->note)});
  return Verdict::drop;
}

std::optional<Client::Verdict> Client::begin_unnamed_sql_prepare(const wire::ParseBody& parse) {
  if (!wire::may_have_traits(parse.text)) return std::nullopt;
  const wire::SqlTraits traits = wire::sql_traits(parse.text);
  if (!traits.has_any(SqlTrait::prepare | SqlTrait::execute | SqlTrait::deallocate))
    return std::nullopt;
  if (!allow_traits(traits, parse.text, false)) return Verdict::drop;
  text_runs(parse.text);
  auto rewritten = rewrite_sql_prepare(parse.text, false);
  if (!rewritten) return std::nullopt;
  if (rewritten->text.empty()) return rewritten->verdict;
  std::string message;
  wire::append_parse(message, {}, rewritten->text, parse.types);
  keep_unnamed(std::string_view{message}.substr(wire::Framer::header_size + 1));
  ++pool_->stats().server_parses;
  server_->send(ring::Slice::copy_of(message));
  open_group();
  server_->expect({.request = Request::parse, .note = std::move(rewritten->note)});
  return Verdict::drop;
}

bool Client::allow_text(std::string_view text) {
  if (!wire::may_have_traits(text)) return true;
  return allow_traits(wire::sql_traits(text), text, false);
}

// SET or RESET that tells all there is to know.
bool Client::set_plainly(const wire::SqlTraits& traits, std::string_view text) {
  if (traits.bits != static_cast<std::uint32_t>(SqlTrait::settings) || traits.statements != 1 ||
      pool_->settings().mode == PoolMode::session) {
    return false;
  }
  auto set = wire::plain_set(text);
  if (!set) return false;
  // Back to the startup packet's, which PostgreSQL does not know of.
  if (!set->value && find_parameter(startup_overrides_.list(), set->name) != nullptr) return false;
  server_->plain_set(std::move(*set));
  return true;
}

// Gives its fingerprint. In session mode it does not matter: nobody else gets the session as it is.
std::uint64_t Client::text_runs(std::string_view text) {
  if (pool_->settings().mode == PoolMode::session) return 0;
  const std::uint64_t fingerprint = wire::sql_fingerprint(text);
  server_->text_runs(fingerprint, text);
  return fingerprint;
}

// What nextval() left in the session is this client's: nobody else has had the connection since it had it, or the
// transaction is open, and something ran in it that may have called nextval().
bool Client::sequence_values_are_own() const {
  const bool open = server_->transaction_status() != 'I' || !server_->queue().empty();
  return (open && server_->has_run()) || !server_->pins().empty() ||
         server_->previous_client() == id_;
}

// False: the client was told that it may not.
bool Client::allow_traits(const wire::SqlTraits& traits, std::string_view text, bool is_query) {
  if (traits.defines) server_->defines();
  if (traits.has(SqlTrait::settings)) server_->settings_named(text);
  std::uint32_t bits = traits.bits;
  // Gone with the transaction.
  if (traits.has(SqlTrait::temporary_on_commit_drop))
    bits &= ~static_cast<std::uint32_t>(SqlTrait::temporary);
  const PoolSettings& settings = pool_->settings();
  if (settings.mode == PoolMode::session) {
    server_->state_touched(bits);
    return true;
  }
  if (traits.has(SqlTrait::sequence_value) && !sequence_values_are_own()) {
    (void)refuse({.sqlstate = wire::sqlstate::feature_not_supported,
                  .message = "currval() and lastval() would be another client's",
                  .hint = "Use RETURNING, or ask for them in the transaction that calls nextval().",
                  .is_query = is_query});
    return false;
  }
  const std::uint32_t kept = bits & (touches_pins | touches_forever);
  if (kept == 0 || settings.on_session_state == OnSessionState::ignore) {
    server_->state_touched(bits);
    return true;
  }
  if (settings.on_session_state == OnSessionState::pin) {
    if (server_->may_be_pinned()) {
      server_->state_touched(bits);
      return true;
    }
    (void)refuse({.sqlstate = wire::sqlstate::configuration_limit_exceeded,
                  .message = "too many clients keep their server connection (max_pinned is " +
                             std::to_string(settings.max_pinned) + ")",
                  .hint =
                      "Let them give up locks, temporary objects, LISTEN and the like, or raise "
                      "max_pinned; SHOW PINS tells who they are.",
                  .is_query = is_query});
    return false;
  }
  const StateAdvice advice = state_advice(kept);
  (void)refuse(
      {.sqlstate = wire::sqlstate::feature_not_supported,
       .message = std::string{advice.what} +
                  " would outlive its transaction, which this database's pool does not allow",
       .hint = advice.instead,
       .is_query = is_query});
  return false;
}

}  // namespace pgring
