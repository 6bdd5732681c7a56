// A client's messages on their way to its server connection. Hot path: runs once per message.
// Source: protocol-flow, "Simple Query", "Extended Query", "Pipelining", "COPY Operations".
#include <algorithm>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/limits.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"
#include "wire/statement_hint.h"

namespace pgring {
namespace {

namespace frontend = wire::frontend;

bool is_extended(char type) {
  switch (type) {
    case frontend::Parse:
    case frontend::Bind:
    case frontend::Describe:
    case frontend::Execute:
    case frontend::Close:
      return true;
    default:
      return false;
  }
}

// The body of a Parse begins with the statement's name. One that does not end is for PostgreSQL to refuse.
bool names_statement(std::string_view text, bool whole) {
  return !text.empty() && text.front() != '\0' &&
         (!whole || text.find('\0') != std::string_view::npos);
}

}  // namespace

void Client::relay(ring::Slice slice) {
  if (last_words_ != nullptr) return;  // nothing it says now counts
  if (phase_ == Phase::waiting || (server_ != nullptr && !usable_)) return hold(std::move(slice));
  if (gathering_ > 0) return gather(std::move(slice));
  const auto chunk = slice.bytes();
  std::uint32_t position = 0;
  std::uint32_t run = 0;  // [run, position) is to be forwarded and lies in one piece
  const auto forward_run = [&](std::uint32_t end) {
    if (end > run && server_ != nullptr) server_->send(slice.share(run, end - run));
    run = end;
  };
  wire::Framer::Part part;
  for (;;) {
    const auto outcome = framer_.next(chunk, position, part);
    if (outcome == wire::Framer::Outcome::malformed) {
      forward_run(part.offset);
      return fatal_after_replies(wire::sqlstate::protocol_violation, "invalid message length");
    }
    if (outcome == wire::Framer::Outcome::need_more) {
      // What is left may be a piece of a header, which the framer keeps.
      forward_run(std::min(position, part.offset + part.length));
      break;
    }
    if (part.begins) {
      const Verdict verdict = begin_message(part, chunk);
      // What came before is still done, whatever becomes of this message.
      if (verdict != Verdict::forward) forward_run(part.offset);
      if (verdict == Verdict::stop) return;
      if (verdict == Verdict::hold) {
        framer_.unread(part);
        return hold(
            slice.share(part.offset, static_cast<std::uint32_t>(chunk.size()) - part.offset));
      }
      forwarding_ = verdict == Verdict::forward;
      if (forwarding_ && part.carried > 0)
        server_->send(ring::Slice::copy_of(framer_.carried(part)));
    }
    if (!forwarding_) run = position;
    if (part.ends && forwarding_) end_message(part.type);
    if (part.ends && !forwarding_) dropped(part.type);
  }
  if (server_ == nullptr) return;
  const bool full = server_->queued_bytes() > flow::high_bytes ||
                    server_->queued_ranges() > flow::high_ranges ||
                    server_->queue().size() >= RequestQueue::request_limit;
  if (full) receive_wanted(false);
}

Client::Verdict Client::begin_message(const wire::Framer::Part& part,
                                      std::span<const std::byte> chunk) {
  const std::uint32_t length_max =
      part.type == frontend::Password ? 0 : wire::max_frontend_message_length(part.type);
  if (length_max == 0) {
    fatal_after_replies(
        wire::sqlstate::protocol_violation,
        "invalid frontend message type " + std::to_string(static_cast<unsigned char>(part.type)));
    return Verdict::stop;
  }
  // A message PostgreSQL would not take ends its connection, which others may be waiting for.
  if (part.size - 1 > length_max) {
    fatal_after_replies(wire::sqlstate::protocol_violation, "invalid message length");
    return Verdict::stop;
  }
  if (part.type == frontend::Terminate) {
    fatal_after_replies({}, "client terminated the session");
    return Verdict::stop;
  }
  if (server_ == nullptr) {
    const Verdict verdict = begin_unlinked(part);
    if (verdict != Verdict::forward) return verdict;
  }
  if (!note_text(part, chunk)) return Verdict::stop;
  if (server_->queue().empty() && !group_open_) {
    requested_ = shard_.now();
    if (server_->transaction_status() == 'I') transaction_ = requested_;
  }
  // A Flush with a body is answered: by an error, after which everything up to a Sync is dropped.
  const bool bad_flush = part.type == frontend::Flush && part.size != wire::Framer::header_size;
  if (is_extended(part.type) || bad_flush) {
    group_open_ = true;
    server_->expect(Request::extended);
  }
  return Verdict::forward;
}

// No server connection yet: most messages need one.
Client::Verdict Client::begin_unlinked(const wire::Framer::Part& part) {
  if (dropping_ != Dropping::nothing) return drop_cancelled(part.type);
  switch (part.type) {
    case frontend::CopyData:  // late, after the server ended the copy: PostgreSQL drops these too
    case frontend::CopyDone:
    case frontend::CopyFail:
      return Verdict::drop;
    case frontend::Flush:
    case frontend::Sync:
      if (part.size == wire::Framer::header_size) return Verdict::drop;
      break;
    default:
      break;
  }
  if (!part.ends && part.size <= flow::client_credit && gathering_ == 0 && !gathered_) {
    // A message that is not wholly here might never be: it takes no server connection from others yet.
    gathering_ = part.size - part.carried - part.length;
    return Verdict::hold;
  }
  gathered_ = false;
  requested_ = shard_.now();
  pool_->acquire(*this);
  if (server_ != nullptr && usable_) return Verdict::forward;
  if (phase_ == Phase::closing || !is_open()) return Verdict::stop;
  return Verdict::hold;
}

void Client::gather(ring::Slice slice) {
  gathering_ -= std::min<std::uint64_t>(gathering_, slice.size());
  hold(std::move(slice));
  if (gathering_ > 0) return;
  gathered_ = true;
  resume();
}

// What the text of this message tells. False: the client was refused.
bool Client::note_text(const wire::Framer::Part& part, std::span<const std::byte> chunk) {
  const auto here =
      chunk.subspan(part.body_offset(), part.offset + part.length - part.body_offset());
  const std::string_view text{reinterpret_cast<const char*>(here.data()), here.size()};
  switch (part.type) {
    case frontend::Query:
      note_settings(text, part.ends);
      ++pool_->stats().queries;
      return true;
    case frontend::Parse:
      ++pool_->stats().parses;
      if (names_statement(text, part.ends) && pool_->settings().mode != PoolMode::session) {
        // It would be there for whoever gets this server connection next, and not where this client goes.
        fatal(wire::sqlstate::feature_not_supported,
              "named prepared statements need pool_mode = \"session\"",
              "The statement is \"" +
                  std::string{text.substr(0, std::min<std::size_t>(text.find('\0'), 63))} + "\".",
              "Set the database's pool_mode to \"session\", or switch the driver's prepared "
              "statements off "
              "(pgjdbc: prepareThreshold=0, psycopg: prepare_threshold=None, asyncpg: "
              "statement_cache_size=0).");
        return false;
      }
      note_settings(text, part.ends);
      return true;
    case frontend::Bind:
      ++pool_->stats().binds;
      return true;
    case frontend::FunctionCall:
      may_have_set_ = true;
      return true;
    default:
      return true;
  }
}

// A text that is not here whole might hold anything.
void Client::note_settings(std::string_view text, bool whole) {
  if (whole && !wire::may_change_settings(text)) return;
  may_have_set_ = true;
  may_have_reset_all_ = may_have_reset_all_ || !whole || wire::may_reset_all(text);
}

void Client::end_message(char type) {
  switch (type) {
    case frontend::Query:
      group_open_ = false;  // its ReadyForQuery is as good as a Sync's
      return server_->expect(Request::query);
    case frontend::FunctionCall:
      group_open_ = false;
      return server_->expect(Request::function_call);
    case frontend::Sync:
      group_open_ = false;
      // A server that copies in does not answer it.
      if (server_->copying_in()) return server_->sync_sent_into_copy();
      ++pool_->stats().queries;
      return server_->expect(Request::sync);
    case frontend::CopyDone:
    case frontend::CopyFail:
      return server_->copy_end_sent();
    default:
      return;
  }
}

}  // namespace pgring
