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
#include "wire/sql_prepare.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

using wire::SqlTrait;

// A statement that never exists for longer than from one message to the next.
constexpr std::string_view no_statement = "pgring_0";

std::string_view text_of(std::span<const std::byte> body) {
  const std::string_view text = wire::as_text(body);
  return text.substr(0, text.find('\0'));
}

}  // namespace

Client::Verdict Client::begin_query(const wire::Framer::Part& part,
                                    std::span<const std::byte> body) {
  if (!part.ends) {
    // Too long to be read; it might do anything.
    server_->state_touched(unseen_text);
  } else {
    const std::string_view text = text_of(body);
    if (wire::may_have_traits(text)) {
      const wire::SqlTraits traits = wire::sql_traits(text);
      if (statements_ != nullptr &&
          traits.has_any(SqlTrait::prepare | SqlTrait::execute | SqlTrait::deallocate)) {
        if (const auto verdict = begin_sql_prepare(text)) return *verdict;
      }
      if (!allow_traits(traits, true)) return Verdict::drop;
    }
  }
  ++pool_->stats().queries;
  // PostgreSQL drops the unnamed statement at every Query.
  server_->unnamed_is(0);
  if (statements_ != nullptr) statements_->unnamed.exists = false;
  return Verdict::forward;
}

// PREPARE, EXECUTE or DEALLOCATE of a name that stands for one of the pool's statements. Nothing: it is none of them.
std::optional<Client::Verdict> Client::begin_sql_prepare(std::string_view text) {
  const auto parsed = wire::parse_prepare(text);
  if (!parsed) return std::nullopt;
  Prepared* const prepared = statements_->find(parsed->name);
  if (prepared == nullptr) return std::nullopt;
  switch (parsed->kind) {
    case wire::SqlPrepare::Kind::prepare:
      return refuse(wire::sqlstate::duplicate_prepared_statement,
                    "prepared statement \"" + parsed->name + "\" already exists", {}, true);
    case wire::SqlPrepare::Kind::execute: {
      const Resolved resolved = make_ready(prepared->statement, prepared->version, parsed->name);
      if (resolved.statement == nullptr) return resolved.verdict;
      std::string renamed{text.substr(0, parsed->name_offset)};
      renamed += resolved.statement->name();
      renamed += text.substr(parsed->name_offset + parsed->name_length);
      return send_query(renamed, nullptr);
    }
    case wire::SqlPrepare::Kind::deallocate: {
      // PostgreSQL is given another to deallocate: the pool's own may be of use to others.
      auto note = std::make_unique<RequestNote>();
      note->kind = RequestNote::Kind::forget;
      note->name = parsed->name;
      note->before = *prepared;
      statements_->erase(parsed->name);
      server_->prepare_nothing(no_statement);
      return send_query("DEALLOCATE " + std::string{no_statement}, std::move(note));
    }
    case wire::SqlPrepare::Kind::deallocate_all:
      break;
  }
  return std::nullopt;
}

// In place of the client's own.
Client::Verdict Client::send_query(std::string_view text, std::unique_ptr<RequestNote> note) {
  ++pool_->stats().queries;
  group_open_ = false;
  server_->unnamed_is(0);
  statements_->unnamed.exists = false;
  std::string message;
  wire::append_query(message, text);
  server_->send(ring::Slice::copy_of(message));
  server_->expect({.request = Request::query, .note = std::move(note)});
  return Verdict::drop;
}

bool Client::allow_text(std::string_view text) {
  if (!wire::may_have_traits(text)) return true;
  return allow_traits(wire::sql_traits(text), false);
}

// False: the client was told that it may not.
bool Client::allow_traits(const wire::SqlTraits& traits, bool is_query) {
  std::uint32_t bits = traits.bits;
  // Gone with the transaction.
  if (traits.has(SqlTrait::temporary_on_commit_drop))
    bits &= ~static_cast<std::uint32_t>(SqlTrait::temporary);
  const PoolSettings& settings = pool_->settings();
  const std::uint32_t kept = bits & (touches_pins | touches_forever);
  if (kept == 0 || settings.mode == PoolMode::session ||
      settings.on_session_state != OnSessionState::error) {
    server_->state_touched(bits);
    return true;
  }
  const StateAdvice advice = state_advice(kept);
  (void)refuse(wire::sqlstate::feature_not_supported,
               std::string{advice.what} +
                   " would outlive its transaction, which this database's pool does not allow",
               advice.instead, is_query);
  return false;
}

}  // namespace pgring
