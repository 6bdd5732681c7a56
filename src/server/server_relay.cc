// A server connection's replies on their way to the client they are for. Hot path: once per message.
// Source: protocol-flow, "Extended Query", "COPY Operations", "Asynchronous Operations".
#include <algorithm>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/server_audit.h"
#include "src/server/server_facts.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/command_tag.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/parameter_status.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

namespace backend = wire::backend;

// More of an inspected message than this is not kept; what is looked for stands at its beginning.
constexpr std::size_t inspected_max = std::size_t{64} * 1024;
// But for a description, which is needed whole: 65,535 parameters, 1,664 columns.
constexpr std::size_t described_max = std::size_t{1024} * 1024;

enum class Kind : std::uint8_t { reply, inspected_reply, asynchronous, unknown };

Kind kind_of(char type) {
  switch (type) {
    case backend::DataRow:
    case backend::RowDescription:
    case backend::ParseComplete:
    case backend::BindComplete:
    case backend::CloseComplete:
    case backend::NoData:
    case backend::ParameterDescription:
    case backend::EmptyQueryResponse:
    case backend::PortalSuspended:
    case backend::CopyData:
    case backend::CopyDone:
    case backend::CopyOutResponse:
    case backend::FunctionCallResponse:
      return Kind::reply;
    case backend::CommandComplete:
    case backend::ReadyForQuery:
    case backend::CopyInResponse:
      return Kind::inspected_reply;
    case backend::ErrorResponse:
    case backend::ParameterStatus:
    case backend::NoticeResponse:
    case backend::NotificationResponse:
      return Kind::asynchronous;
    default:
      return Kind::unknown;
  }
}

// Notices and notifications are passed on unseen.
bool is_inspected(char type) {
  return type == backend::ErrorResponse || type == backend::ParameterStatus ||
         kind_of(type) == Kind::inspected_reply;
}

// What comes up to here is sent on before it is acted upon, which may be the end for the client.
bool ends_forwarding(char type) {
  return type == backend::ReadyForQuery || type == backend::CopyInResponse ||
         type == backend::ErrorResponse;
}

}  // namespace

void Server::relay(ring::Slice slice) {
  in_relay_ = true;
  const bool alive = relay_chunk(slice);
  in_relay_ = false;
  if (!alive) return shares_go_on();
  if (release_due_) {
    release_due_ = false;
    Client* const client = client_;
    detach_client();
    release();
    if (client != nullptr) client->go_on();
    return shares_go_on();
  }
  if (!finished_.empty()) {
    pool_.share_room(*this);
    shares_go_on();
  }
  if (client_ != nullptr && (client_->queued_bytes() > flow::high_bytes ||
                             client_->queued_ranges() > flow::high_ranges)) {
    receive_wanted(false);
  }
}

// False: the connection has been ended.
bool Server::relay_chunk(const ring::Slice& slice) {
  const auto chunk = slice.bytes();
  if (own_ != Own::facts && own_ != Own::audit && own_ != Own::limits && own_ != Own::lookup)
    pool_.stats().sent += chunk.size();  // clients' traffic
  std::uint32_t position = 0;
  std::uint32_t run = 0;  // [run, …) is to be forwarded and lies in one piece
  const auto forward_run = [&](std::uint32_t end) {
    if (end > run && client_ != nullptr) {
      client_->send(slice.share(run, end - run));
      head_bytes_ += end - run;
    }
    run = end;
  };
  wire::Framer::Part part;
  for (;;) {
    const auto outcome = framer_.next(chunk, position, part);
    if (outcome == wire::Framer::Outcome::malformed) {
      isolation_fault("message with an impossible length");
      return false;
    }
    if (outcome == wire::Framer::Outcome::need_more) {
      forward_run(std::min(position, part.offset + part.length));
      break;
    }
    if (part.begins) {
      if (queue_.synthesizes_next() && kind_of(part.type) != Kind::asynchronous) {
        forward_run(part.offset);
        answer_parse();
      }
      const bool before = forwarding_;
      if (!begin_message(part)) return false;
      if (part.carried > 0 || forwarding_ != before) {
        if (before) forward_run(part.offset);
        run = part.offset;
      }
      if (forwarding_ && part.carried > 0)
        client_->send(ring::Slice::copy_of(framer_.carried(part)));
    }
    if (!forwarding_) run = position;
    if (!inspecting_) continue;
    const std::uint32_t body_at = part.begins ? part.body_offset() : part.offset;
    const auto body = chunk.subspan(body_at, part.offset + part.length - body_at);
    if (part.whole()) {
      if (ends_forwarding(part.type)) forward_run(position);
      if (!end_message(part.type, body)) return false;
      continue;
    }
    if (part.begins) partial_.clear();
    const bool needed_whole = part.type != backend::ErrorResponse || queue_.synthesizes();
    const std::size_t kept_max = own_ == Own::none && needed_whole ? described_max : inspected_max;
    if (partial_.size() < kept_max) {
      partial_.append(reinterpret_cast<const char*>(body.data()),
                      std::min(body.size(), kept_max - partial_.size()));
    }
    if (!part.ends) continue;
    if (ends_forwarding(part.type)) forward_run(position);
    const std::string collected = std::move(partial_);
    partial_.clear();
    if (!end_message(part.type, std::as_bytes(std::span{collected}))) return false;
  }
  return true;
}

// Decides where the message goes. False: it may not come now, and the connection has been ended.
bool Server::begin_message(const wire::Framer::Part& part) {
  inspecting_ = is_inspected(part.type) ||
                (part.type == backend::DataRow &&
                 (own_ == Own::facts || own_ == Own::audit || own_ == Own::limits)) ||
                (own_ == Own::lookup && kind_of(part.type) == Kind::reply);
  switch (kind_of(part.type)) {
    case Kind::unknown:
      isolation_fault("message of an unknown type");
      return false;
    case Kind::reply:
    case Kind::inspected_reply:
      if (part.type != backend::ReadyForQuery) {
        if (!queue_.fits(part.type)) {
          isolation_fault("reply that nobody asked for");
          return false;
        }
        const RequestEntry& head = queue_.front();
        forwarding_ = client_ != nullptr && head.reply == Reply::forward;
        if (head.note != nullptr && part.type == backend::ParameterDescription) inspecting_ = true;
        if (!queue_.completes(part.type)) return true;
        RequestEntry done = queue_.take();
        if (cancel_waiting_ && own_ == Own::none) send_waiting_cancel();
        if (done.note == nullptr) return true;
        answered_ = std::move(done);
        inspecting_ = true;
        return true;
      }
      forwarding_ = client_ != nullptr && !queue_.empty() && queue_.front().reply == Reply::forward;
      return true;
    case Kind::asynchronous:
      // A pinned client that listens hears what comes while we ask.
      forwarding_ = client_ != nullptr && !release_due_ &&
                    (own_ == Own::none || part.type == backend::NotificationResponse);
      if (part.type == backend::ErrorResponse && !queue_.empty()) {
        const RequestEntry& head = queue_.front();
        const bool replaced = head.note != nullptr && head.note->kind == RequestNote::Kind::refuse;
        const bool swallowed = head.reply == Reply::swallow &&
                               (head.request == Request::query || head.request == Request::sync ||
                                (head.note != nullptr && head.note->own_group));
        // What becomes of the client's group is not decided before it is read.
        if (replaced || swallowed || queue_.synthesizes()) forwarding_ = false;
      }
      return true;
  }
  return true;
}

bool Server::end_message(char type, std::span<const std::byte> body) {
  if (answered_.note != nullptr) {
    const RequestEntry answered = std::exchange(answered_, {});
    note_answered(answered, type, body);
    if (!is_open() || phase_ != Phase::ready) return false;
  }
  if (own_ == Own::lookup) lookup_message(type, body);
  switch (type) {
    case backend::ParameterDescription:
      if (auto types = parse_parameter_description(body)) described_types_ = std::move(*types);
      return true;
    case backend::ReadyForQuery:
      return ready_for_query(body);
    case backend::ParameterStatus:
      parameter_status(body);
      return true;
    case backend::CommandComplete:
      command_complete(body);
      return true;
    case backend::DataRow:
      if (facts_ != nullptr) facts_->reader.row(body);
      if (own_ == Own::audit) audit_->row(body);
      if (own_ == Own::limits) limits_row(body);
      return true;
    case backend::CopyInResponse: {
      bool violation = false;
      const std::uint32_t before = queue_.size();
      copying_in_ = !queue_.enter_copy_in(violation);
      if (violation) {
        isolation_fault("client sent a request into a COPY");
        return false;
      }
      if (before - queue_.size() > (copying_in_ ? 0U : 1U)) sync_in_copy_ = true;
      // Nothing more of it will be forwarded, so that the COPY would never end.
      if (copying_in_ && client_ != nullptr && client_->say_last_words())
        return is_open() && phase_ == Phase::ready;
      return true;
    }
    case backend::ErrorResponse:
      return error_response(body);
    default:
      return true;
  }
}

bool Server::error_response(std::span<const std::byte> body) {
  copying_in_ = false;
  plain_sets_doubtful_ = plain_sets_doubtful_ || !plain_sets_.empty();
  // Whether the server met the Sync while it still copied, and dropped it, or afterwards, and answers it,
  // cannot be told: the answer must not meet another client.
  if (sync_in_copy_) must_close("a COPY that was sent a Sync failed");
  auto error = wire::parse_error_response(body);
  const bool reused = queue_.synthesizes();
  if (queue_.synthesizes_next()) (void)queue_.take();  // what is behind it has failed
  error_received(error ? *error : wire::ParsedError{}, body);
  group_failed();
  if (!is_open() || phase_ != Phase::ready) return false;
  if (reused) reused_group_failed(error, body);
  if (begin_failed_) {
    lose_client(wire::sqlstate::transaction_resolution_unknown,
                "the transaction could not be begun before its first statement was sent");
    discard("a BEGIN failed");
    return false;
  }
  if (error) {
    const bool last = error->severity == "FATAL" || error->severity == "PANIC";
    if (last && ((client_ == nullptr && queue_.empty()) || own_ == Own::replay)) {
      // An administrator, a shutdown: nobody is to get this connection any more.
      discard(error->message);
      return false;
    }
    fatal_seen_ = fatal_seen_ || (last && own_ == Own::none);
    if (own_ != Own::none || client_ == nullptr) own_error_ = std::move(*error);
  }
  // Whether it can be read or not.
  own_failed_ = own_failed_ || own_ != Own::none || client_ == nullptr;
  // What was to be answered before the client's end may be among what the server drops.
  if (client_ != nullptr && !queue_.owes_ready() && client_->say_last_words())
    return is_open() && phase_ == Phase::ready;
  return true;
}

void Server::parameter_status(std::span<const std::byte> body) {
  const auto parameter = wire::parse_parameter_status(body);
  if (!parameter) return;
  // A change no text of this transaction explains is the server's default, changed for everybody (a reload).
  // The client may have left while its replay ran.
  const bool explained = own_ == Own::replay || (client_ != nullptr && own_ == Own::none &&
                                                 (touched_ & explains_settings) != 0);
  // With the session's user, which is not the login's any more.
  const bool of_session_user =
      same_parameter_name(parameter->name, "is_superuser") &&
      (own_ == Own::replay || (client_ != nullptr && (explained || own_ == Own::reset)));
  if (of_session_user) return;
  // Set anew, to the same.
  if (at_rest_ && find_parameter(overrides_.list(), parameter->name) != nullptr) return;
  if (own_ == Own::none) {
    for (Unexplained& one : unexplained_)
      if (same_parameter_name(one.name, parameter->name)) one.now = parameter->value;
  }
  if (!explained || is_server_decided(parameter->name)) {
    auto changed = defaults_ == nullptr ? ParameterList{} : *defaults_;
    put_parameter(changed, parameter->name, parameter->value);
    if (client_ != nullptr && own_ == Own::none && !is_server_decided(parameter->name)) {
      // Or a function has set it. Until it is known to be the server's own it is nobody else's default.
      if (pool_.settings().mode != PoolMode::session) {
        const Parameter* const before = find_parameter(*defaults_, parameter->name);
        unexplained_.push_back({.name = std::string{parameter->name},
                                .before = before == nullptr ? "" : before->value,
                                .now = std::string{parameter->value}});
        touched_ |= unseen_text;
      }
      defaults_ = std::make_shared<const ParameterList>(std::move(changed));
    } else {
      defaults_ = pool_.parameters().intern(std::move(changed));
    }
  } else if (own_ == Own::replay) {
    // Not among the client's: it goes back to its default.
    if (find_parameter(replayed_.list(), parameter->name) != nullptr) {
      replayed_ = shard_.parameters().with(replayed_, parameter->name, parameter->value);
    }
  } else {
    // Back at the default, such as after SET LOCAL: it is nobody's.
    const Parameter* const usual = find_parameter(*defaults_, parameter->name);
    if (usual != nullptr && usual->value == parameter->value) {
      ParameterList list = overrides_.list();
      erase_parameter(list, parameter->name);
      overrides_ = shard_.parameters().intern(std::move(list));
    } else {
      overrides_ = shard_.parameters().with(overrides_, parameter->name, parameter->value);
    }
  }
  if (client_ != nullptr && own_ == Own::none) client_->parameter_changed(defaults_, overrides_);
}

void Server::command_complete(std::span<const std::byte> body) {
  if (facts_ != nullptr) facts_->reader.command_complete();
  if (audit_ != nullptr && audit_->answers > 0) --audit_->answers;
  if (body.empty() || own_ != Own::none) return;
  const char first = static_cast<char>(body[0]);
  // To a savepoint, too.
  if (first == 'R' && !plain_sets_.empty() && wire::parse_command_complete(body) == "ROLLBACK")
    plain_sets_doubtful_ = true;
  if (first != 'R' && first != 'D') return;
  const auto tag = wire::parse_command_complete(body);
  if (!tag) return;
  if (*tag == "DISCARD ALL" || *tag == "DEALLOCATE ALL") statements_gone();
  if (pool_.settings().mode != PoolMode::session || (*tag != "RESET" && *tag != "DISCARD ALL"))
    return;
  // RESET x has the same tag as RESET ALL. What is certain: parameters may have gone back to their defaults
  // that nobody reports, so the connection is taken back to them before anybody else gets it.
  defaults_due_ = true;
  if (client_ != nullptr && (*tag == "DISCARD ALL" || (touched_ & resets_all) != 0))
    reset_seen_ = true;
}

void Server::isolation_fault(std::string_view what) {
  ++pool_.stats().isolation_faults;
  log::error("isolation fault: server connection closed", {{"shard", shard_.index()},
                                                           {"database", pool_.key().database},
                                                           {"role", pool_.key().role},
                                                           {"backend_pid", backend_pid_},
                                                           {"what", what}});
  lose_client(wire::sqlstate::protocol_violation, "unexpected message from the server");
  // What is wrong with it is not known: neither is what became of theirs.
  for (FleeingGroup& one : take_staged())
    one.client->server_lost(wire::sqlstate::protocol_violation,
                            "unexpected message from the server", true);
  discard("unexpected message");
}

}  // namespace pgring
