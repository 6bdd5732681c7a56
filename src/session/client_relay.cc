// A client's messages on their way to its server connection. Hot path: runs once per message.
// Source: protocol-flow, "Simple Query", "Extended Query", "Pipelining", "COPY Operations".
#include <algorithm>
#include <string>
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/limits.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

namespace frontend = wire::frontend;

// By a server that waits for the Sync of a group that has failed.
bool is_skipped(char type) {
  switch (type) {
    case frontend::Parse:
    case frontend::Bind:
    case frontend::Describe:
    case frontend::Execute:
    case frontend::Close:
    case frontend::Query:
    case frontend::FunctionCall:
    case frontend::Flush:
      return true;
    default:
      return false;
  }
}

// They name statements or portals: what has to be sent before them, or instead, is found out when they begin.
bool names_something(char type) {
  switch (type) {
    case frontend::Parse:
    case frontend::Bind:
    case frontend::Describe:
    case frontend::Close:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Client::relay(ring::Slice slice) {
  if (last_words_ != nullptr) return;  // nothing it says now counts
  if (phase_ == Phase::waiting || (server_ != nullptr && !usable_)) {
    if (says_goodbye(slice)) return;
    return hold(std::move(slice));
  }
  if (gathering_ > 0) return gather(std::move(slice));
  if (collecting_ > 0) return collect(std::move(slice));
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
      replaced_ = 0;
      if (names_something(part.type) || part.type == frontend::Query) forward_run(part.offset);
      const Verdict verdict = begin_message(part, chunk);
      // What came before is still done, whatever becomes of this message.
      if (verdict != Verdict::forward) forward_run(part.offset);
      if (verdict == Verdict::stop) return;
      if (verdict == Verdict::hold) {
        framer_.unread(part);
        if (collecting_ > 0) {
          // The header's first bytes, if an earlier chunk had them, are kept with the rest.
          collected_ = wire::as_text(framer_.carried(part));
          framer_ = {};
          return collect(
              slice.share(part.offset, static_cast<std::uint32_t>(chunk.size()) - part.offset));
        }
        return hold(
            slice.share(part.offset, static_cast<std::uint32_t>(chunk.size()) - part.offset));
      }
      forwarding_ = verdict == Verdict::forward;
      if (replaced_ > 0) {
        run = part.offset + replaced_;
      } else if (forwarding_ && part.carried > 0) {
        server_->send(ring::Slice::copy_of(framer_.carried(part)));
      }
    }
    if (!forwarding_) run = position;
    if (part.ends && forwarding_) end_message(part.type);
    if (part.ends && !forwarding_) dropped(part.type);
  }
  if (server_ == nullptr) return;
  if (reuses(Reused::State::begun)) keep_reused(slice);
  if (share_ != nullptr && share_->measured) group_sent(slice);
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
  const auto body =
      chunk.subspan(part.body_offset(), part.offset + part.length - part.body_offset());
  if (!part.ends) {
    // pgring answers it itself where its transaction has failed.
    const bool ours = begun_ == Begun::failed && part.size <= flow::client_credit;
    const std::uint64_t needed = ours ? part.size : needed_in_one_piece(part, body);
    if (needed > part.carried + part.length) {
      collecting_ = needed;
      return Verdict::hold;
    }
  }
  if (server_ == nullptr) {
    const Verdict verdict = begin_unlinked(part, chunk, body);
    if (verdict != Verdict::forward) return verdict;
  }
  if (server_->head_shares() && !server_->is_staging()) server_->head_goes_on();
  if (server_->queue().empty() && !group_open_) {
    requested_ = shard_.now();
    if (server_->transaction_status() == 'I' && begun_ == Begun::no) transaction_ = requested_;
  }
  if (begun_ != Begun::no) send_begin();
  // PostgreSQL does not look at what comes before the Sync of a group that has failed.
  if (server_->queue().skipping() && is_skipped(part.type)) return Verdict::drop;
  switch (part.type) {
    case frontend::Query:
      return begin_query(part, body);
    case frontend::FunctionCall:
      server_->unknown_text_runs();
      return Verdict::forward;
    case frontend::Execute:
      return pass_on(Request::execute);
    case frontend::Flush:
      // With a body it is answered: by an error, after which everything up to a Sync is dropped.
      return part.size == wire::Framer::header_size ? Verdict::forward
                                                    : pass_on(Request::bad_flush);
    case frontend::Parse:
      if (reuse_parse(part, chunk)) return Verdict::drop;
      [[fallthrough]];
    case frontend::Bind:
    case frontend::Describe:
    case frontend::Close:
      return renames_statements() ? begin_named(part, body) : begin_as_is(part, body);
    default:
      return Verdict::forward;
  }
}

// No server connection yet: most messages need one.
Client::Verdict Client::begin_unlinked(const wire::Framer::Part& part,
                                       std::span<const std::byte> chunk,
                                       std::span<const std::byte> body) {
  if (dropping_ != Dropping::nothing) return drop_cancelled(part.type);
  if (part.type == frontend::Query && part.ends &&
      (answer_begin(body) || answer_end(body) || answer_reset(body)))
    return Verdict::drop;
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
  if (begun_ == Begun::failed) {
    if (const Verdict verdict = answer_aborted(part, body); verdict != Verdict::forward)
      return verdict;
  }
  requested_ = shard_.now();
  look_at_sharing(part, chunk);
  if (asks_share() && pool_->stack(*this)) {
    usable_ = true;
    phase_ = Phase::linked;
    arm_timer();
    return Verdict::forward;
  }
  pool_->acquire(*this);
  if (server_ != nullptr && usable_) return Verdict::forward;
  // It will be at the beginning of what is held.
  if (share_ != nullptr) share_->offset = 0;
  // There was none to be had, and its transaction has failed.
  if (dropping_ != Dropping::nothing) return drop_cancelled(part.type);
  if (phase_ == Phase::closing || !is_open()) return Verdict::stop;
  return Verdict::hold;
}

// In a session: names are the client's own on a server connection that is its own.
Client::Verdict Client::begin_as_is(const wire::Framer::Part& part,
                                    std::span<const std::byte> body) {
  switch (part.type) {
    case frontend::Parse: {
      ++pool_->stats().parses;
      if (part.ends) {
        if (const auto parse = wire::read_parse(body); parse && !allow_text(parse->text))
          return Verdict::drop;
      } else {
        server_->state_touched(unseen_text);
        server_->defines();
      }
      return pass_on(Request::parse);
    }
    case frontend::Bind:
      return pass_on(Request::bind);
    case frontend::Close:
      return pass_on(Request::close);
    default:
      return pass_on(body.empty() || body.front() != std::byte{'S'} ? Request::describe_portal
                                                                    : Request::describe_statement);
  }
}

// A message that is needed in one piece, of which `collecting_` says how much of it.
void Client::collect(ring::Slice slice) {
  const std::uint64_t missing = collecting_ - collected_.size();
  const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(missing, slice.size()));
  collected_ += wire::as_text(slice.bytes().first(taken));
  if (collected_.size() < collecting_) return;
  collecting_ = 0;
  const std::string message = std::exchange(collected_, {});
  slice.drop_front(taken);
  relay(ring::Slice::copy_of(message));
  if (slice.empty() || !is_open() || phase_ == Phase::closing) return;
  relay(std::move(slice));
}

void Client::gather(ring::Slice slice) {
  gathering_ -= std::min<std::uint64_t>(gathering_, slice.size());
  hold(std::move(slice));
  if (gathering_ > 0) return;
  gathered_ = true;
  resume();
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
