// A transaction that was begun without a server connection and could not get one: its statement gets an ERROR, and
// pgring answers alone what PostgreSQL would answer until the client ends the transaction (aborted_block.h).
#include <string>
#include <utility>

#include "src/base/utf8.h"
#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/session/aborted_block.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"

namespace pgring {

namespace frontend = wire::frontend;

// False: there is no such transaction.
bool Client::begun_failed(const wire::ErrorFields& fields) {
  if (begun_ == Begun::no || phase_ == Phase::closing || !is_open()) return false;
  log::info("a transaction got no server connection", {{"shard", shard_.index()},
                                                       {"conn", id_},
                                                       {"database", database_},
                                                       {"user", user_},
                                                       {"sqlstate", fields.sqlstate},
                                                       {"message", fields.message}});
  phase_ = Phase::idle;
  requested_ = shard_.now();
  const std::string text = readable_utf8(fields.message);
  const std::string detail = readable_utf8(fields.detail);
  const std::string hint = readable_utf8(fields.hint);
  fail_request({.severity = "ERROR",
                .sqlstate = fields.sqlstate,
                .message = text,
                .detail = detail,
                .hint = hint});
  return true;
}

// The request that waits, or is about to, ends with an error. A transaction begun before it has failed.
void Client::fail_request(const wire::ErrorFields& fields) {
  std::string error;
  wire::append_error_response(error, fields);
  send_text(error);
  if (begun_ != Begun::no) {
    begun_ = Begun::failed;
    if (aborted_ == nullptr) aborted_ = std::make_unique<AbortedBlock>();
  }
  dropping_ = Dropping::request;
  arm_timer();
  // Much may have been held, so that no more was read; what goes on to wait may stop it again.
  receive_wanted(true);
  resume();
}

// A message in a transaction that has failed. forward: a server connection is needed after all.
Client::Verdict Client::answer_aborted(const wire::Framer::Part& part,
                                       std::span<const std::byte> body) {
  using Outcome = AbortedBlock::Outcome;
  std::string out;
  const bool alone = part.type == frontend::Query || part.type == frontend::FunctionCall;
  const Outcome outcome = aborted_outcome(part, body, out);
  if (outcome == Outcome::unknown) return Verdict::forward;
  send_text(out);
  switch (outcome) {
    case Outcome::unknown:
    case Outcome::answered:
      break;
    case Outcome::error:
      if (!alone) dropping_ = Dropping::to_sync;
      break;
    case Outcome::ended:
    case Outcome::chained:
      aborted_.reset();
      begun_ = outcome == Outcome::chained ? Begun::yes : Begun::no;
      transaction_ = shard_.now();
      break;
  }
  requested_ = shard_.now();
  arm_timer();
  if (alone) {
    ++pool_->stats().queries;
    dropping_ = Dropping::one_message;  // which has its answer at its end
  }
  return Verdict::drop;
}

AbortedBlock::Outcome Client::aborted_outcome(const wire::Framer::Part& part,
                                              std::span<const std::byte> body, std::string& out) {
  using Outcome = AbortedBlock::Outcome;
  AbortedBlock& block = *aborted_;
  switch (part.type) {
    case frontend::Query: {
      const std::string_view text = wire::as_text(body);
      // One that is too long to be here as a whole ends nothing, unless it begins with that.
      if (!part.ends && wire::read_transaction_end(text).is_exit()) return Outcome::unknown;
      if (part.ends && (text.empty() || text.find('\0') != text.size() - 1))
        return Outcome::unknown;  // malformed
      if (statements_ != nullptr) statements_->unnamed.exists = false;
      return block.query(text.substr(0, text.find('\0')), out);
    }
    case frontend::FunctionCall:
      return AbortedBlock::refuse("HandleFunctionRequest", out);
    case frontend::Parse:
      return aborted_parse(part, body, out);
    case frontend::Bind: {
      const auto names = wire::read_bind_names(body);
      if (!names) return Outcome::unknown;
      const auto known = known_statement(names->statement);
      // What ends the block has no values; this has many.
      if (!part.ends && known) return AbortedBlock::refuse("exec_bind_message", out);
      return block.bind(body, known, out);
    }
    case frontend::Execute:
      return block.execute(body, out);
    case frontend::Describe:
    case frontend::Close: {
      const auto target = wire::read_target(body);
      if (!target) return Outcome::unknown;
      const bool describes = part.type == frontend::Describe;
      if (target->kind == 'P')
        return describes ? block.describe_portal(target->name, out)
                         : block.close_portal(target->name, out);
      if (describes)
        return block.describe_statement(target->name, known_statement(target->name), out);
      if (statements_ != nullptr && target->name.empty()) statements_->unnamed.exists = false;
      if (statements_ != nullptr) statements_->erase(target->name);
      wire::append_close_complete(out);
      return Outcome::answered;
    }
    default:
      return Outcome::unknown;
  }
}

AbortedBlock::Outcome Client::aborted_parse(const wire::Framer::Part& part,
                                            std::span<const std::byte> body, std::string& out) {
  using Outcome = AbortedBlock::Outcome;
  if (!part.ends) return Outcome::unknown;
  const auto parse = wire::read_parse(body);
  if (!parse) return Outcome::unknown;
  ClientStatements& mine = statements();
  if (parse->name.empty()) {
    mine.unnamed.exists = false;
  } else if (pool_->settings().max_prepared_statements == 0) {
    return Outcome::unknown;
  }
  const bool taken = !parse->name.empty() && mine.find(parse->name) != nullptr;
  const Outcome outcome = aborted_->parse(parse->name, parse->text, taken, out);
  if (outcome != Outcome::answered) return outcome;
  if (parse->name.empty()) {
    mine.unnamed = {.exists = true,
                    .kept = true,
                    .token = shard_.next_id(),
                    .body = std::string{wire::as_text(body.subspan(1))}};
    return outcome;
  }
  mine.put(
      parse->name,
      {.statement = pool_->statements().intern({.text = std::string{parse->text},
                                                .types = parse->types,
                                                .settings = planning_settings(overrides_.list())}),
       .version = {}});
  return outcome;
}

std::optional<AbortedBlock::Known> Client::known_statement(std::string_view name) const {
  if (statements_ == nullptr) return std::nullopt;
  if (!name.empty()) {
    const Prepared* const prepared = statements_->find(name);
    if (prepared == nullptr || prepared->statement == nullptr) return std::nullopt;
    const StatementKey& key = prepared->statement->key();
    return AbortedBlock::Known{
        .text = key.text, .types = key.types, .found = prepared->version.get()};
  }
  const UnnamedStatement& unnamed = statements_->unnamed;
  if (!unnamed.exists || !unnamed.kept) return std::nullopt;
  const auto parse = wire::read_unnamed_parse(std::as_bytes(std::span{unnamed.body}));
  if (!parse) return std::nullopt;
  return AbortedBlock::Known{
      .text = parse->text, .types = parse->types, .found = unnamed.version.get()};
}

}  // namespace pgring
