#include "src/console/session_state.h"

#include <algorithm>
#include <array>

#include "src/base/utf8.h"
#include "src/base/version.h"
#include "src/console/control.h"
#include "src/console/session.h"
#include "src/console/show.h"
#include "src/log/log.h"
#include "src/session/client.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/framer.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring::console {

namespace frontend = wire::frontend;
namespace sqlstate = wire::sqlstate;

ConsoleState::ConsoleState(Client& client, bool is_service_user, ConsoleSession& session)
    : client_{client}, is_service_user_{is_service_user} {
  timer_.owner = &session;
  timer_.kind = timer_kind::console;
  client.shard().shared().console_clients.fetch_add(1, std::memory_order_relaxed);
}

ConsoleState::~ConsoleState() {
  ring::TimerWheel::cancel(timer_);
  client_.shard().shared().console_clients.fetch_sub(1, std::memory_order_relaxed);
}

void ConsoleState::welcome() {
  const std::string version_text = std::string{version()} + "/pgring";
  const std::array<std::pair<std::string_view, std::string_view>, 8> parameters{{
      {"server_version", version_text},
      {"client_encoding", "UTF8"},
      {"server_encoding", "UTF8"},
      {"DateStyle", "ISO"},
      {"TimeZone", "GMT"},
      {"standard_conforming_strings", "on"},
      {"integer_datetimes", "on"},
      {"is_superuser", rights() == Rights::all ? "on" : "off"},
  }};
  for (const auto& [name, value] : parameters) wire::append_parameter_status(output_, name, value);
  wire::append_backend_key_data(output_, client_.cancel_pid(),
                                wire::as_bytes(client_.shard().cancel_secret(client_)));
  ready();
  flush();
  if (!client_.shard().config().log.connections) return;
  log::info("console client connected", {{"shard", client_.shard().index()},
                                         {"conn", client_.id()},
                                         {"address", client_.peer().text()},
                                         {"user", client_.user()},
                                         {"admin", rights() == Rights::all}});
}

ConsoleState::Rights ConsoleState::rights() const {
  const ConsoleConfig& config = client_.shard().config().console;
  const auto is_in = [this](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), client_.user()) != names.end();
  };
  if (is_service_user_ || is_in(config.admins)) return Rights::all;
  return is_in(config.viewers) ? Rights::look : Rights::none;
}

bool ConsoleState::alive() const {
  return client_.is_open() && client_.phase() == Client::Phase::console;
}

void ConsoleState::received(std::span<const std::byte> bytes) {
  input_ += wire::as_text(bytes);
  advance();
}

void ConsoleState::sent() {
  if (client_.queued_bytes() < flow::low_bytes) advance();
}

// Does what can be done now, then sends what came of it.
void ConsoleState::advance() {
  if (advancing_) return;
  advancing_ = true;
  const auto has_room = [this] {
    return output_.size() + client_.queued_bytes() < flow::high_bytes;
  };
  while (alive() && !waiting_ && has_room() && step()) continue;
  advancing_ = false;
  if (!alive()) return;
  flush();
  client_.receive_wanted(input_.size() - input_used_ < input_max);
}

bool ConsoleState::step() {
  if (!in_script_) return next_message();
  if (script_next_ < script_.size()) {
    run(script_[script_next_++], Source::simple);
    return true;
  }
  in_script_ = false;
  script_.clear();
  ready();
  return true;
}

// False: no whole message is there.
bool ConsoleState::next_message() {
  const auto rest = wire::as_bytes(std::string_view{input_}.substr(input_used_));
  wire::Framer framer;
  wire::Framer::Part part;
  std::uint32_t position = 0;
  const auto outcome = framer.next(rest, position, part);
  const bool framed = outcome == wire::Framer::Outcome::part;
  if (outcome == wire::Framer::Outcome::malformed || (framed && part.size > message_max)) {
    fatal(sqlstate::protocol_violation, "invalid message length");
    return false;
  }
  if (!framed || !part.ends) {
    input_.erase(0, input_used_);
    input_used_ = 0;
    return false;
  }
  input_used_ += part.size;
  message(part.type, rest.subspan(part.body_offset(), part.size - wire::Framer::header_size));
  return true;
}

void ConsoleState::message(char type, std::span<const std::byte> body) {
  if (type == frontend::Terminate) return client_.disconnect("client terminated the session");
  if (skip_to_sync_ && type != frontend::Sync) return;
  switch (type) {
    case frontend::Query:
      return query(body);
    case frontend::Parse:
    case frontend::Bind:
    case frontend::Describe:
    case frontend::Execute:
    case frontend::Close:
      return extended_message(type, body);
    case frontend::Sync:
      skip_to_sync_ = false;
      portals_.clear();  // they end with their transaction
      return ready();
    case frontend::Flush:     // answers are never held back
    case frontend::CopyData:  // late, as PostgreSQL takes them
    case frontend::CopyDone:
    case frontend::CopyFail:
      return;
    case frontend::FunctionCall:
      error(
          {.sqlstate = sqlstate::feature_not_supported, .message = "the console has no functions"});
      return ready();
    default:
      return fatal(
          sqlstate::protocol_violation,
          "invalid frontend message type " + std::to_string(static_cast<unsigned char>(type)));
  }
}

void ConsoleState::query(std::span<const std::byte> body) {
  statements_.erase("");
  portals_.erase("");
  in_script_ = true;  // ends in ReadyForQuery, whatever comes
  script_next_ = 0;
  source_ = Source::simple;
  wire::ByteReader reader{body};
  const auto text = reader.read_cstring();
  if (!text || !reader.at_end()) return protocol_error("invalid string in message");
  auto commands = read_commands(*text);
  if (!commands) {
    const CommandError& wrong = commands.error();
    return error({.sqlstate = wrong.sqlstate, .message = wrong.message, .hint = wrong.hint});
  }
  script_ = std::move(*commands);
  if (script_.empty()) wire::append_empty_query(output_);
}

void ConsoleState::run(const Command& command, Source source) {
  ++number_;
  waiting_ = true;
  source_ = source;
  tag_ = command.tag;
  const ConsoleRequest request{weak_from_this(), number_, client_.shard()};
  // Every command comes through here, of whichever protocol, and every time: a reload may have taken rights away.
  const Rights has = rights();
  if (has == Rights::none || (is_control(command.verb) && has != Rights::all)) {
    return request.refuse({.sqlstate = sqlstate::insufficient_privilege,
                           .message = has == Rights::none ? "access to the console was taken away"
                                                          : "admin access needed",
                           .hint = "Admins are named in console.admins, viewers in "
                                   "console.viewers."});
  }
  carry_out(request, command);
}

void ConsoleState::carry_out(const ConsoleRequest& request, const Command& command) {
  switch (command.verb) {
    case Verb::show:
      return show(request, command);
    case Verb::set:
    case Verb::acknowledge:
      return request.answer({});
    case Verb::deallocate:
      if (const auto at = statements_.find(command.argument); at != statements_.end()) {
        statements_.erase(at);
        return request.answer({});
      }
      return request.refuse(
          {.sqlstate = sqlstate::invalid_sql_statement_name,
           .message = "prepared statement \"" + command.argument + "\" does not exist"});
    case Verb::deallocate_all:
      statements_.clear();
      return request.answer({});
    case Verb::reload:
    case Verb::pause:
    case Verb::resume:
    case Verb::reconnect:
    case Verb::kill_client:
    case Verb::shutdown:
    case Verb::shutdown_wait_for_servers:
    case Verb::shutdown_wait_for_clients:
      return control(request, command);
  }
}

void ConsoleState::answered(std::uint64_t number, Answer answer) {
  if (!waits_for(number)) return;
  waiting_ = false;
  next_ = nullptr;
  undo_ = nullptr;
  ring::TimerWheel::cancel(timer_);
  if (answer.refusal) {
    error(*answer.refusal);
  } else {
    write_answer(std::move(answer));
  }
  advance();
}

void ConsoleState::write_answer(Answer answer) {
  if (!answer.notice.empty()) {
    wire::append_notice_response(output_, {.severity = "NOTICE",
                                           .sqlstate = sqlstate::successful_completion,
                                           .message = answer.notice,
                                           .detail = answer.notice_detail,
                                           .hint = {}});
  }
  if (source_ == Source::extended) {
    portal_->rows = std::move(answer.rows);
    portal_->executed = true;
    return send_rows(*portal_);
  }
  if (answer.rows) {
    append_columns(output_, answer.rows->columns(), {});
    for (std::size_t i = 0; i < answer.rows->size(); ++i)
      append_row(output_, answer.rows->columns(), answer.rows->row(i), {});
  }
  wire::append_command_complete(output_, tag_);
}

void ConsoleState::after(std::uint64_t number, ring::Duration delay, std::function<void()> next) {
  if (!waits_for(number)) return;
  next_ = std::move(next);
  Shard& shard = client_.shard();
  shard.loop().timers().set(timer_, shard.now() + delay);
}

void ConsoleState::on_cancel(std::uint64_t number, std::function<void()> undo) {
  if (waits_for(number)) undo_ = std::move(undo);
}

void ConsoleState::timer_due() {
  if (const auto next = std::exchange(next_, nullptr)) next();
}

void ConsoleState::cancel() {
  if (!waiting_) return;
  const auto undo = std::exchange(undo_, nullptr);
  if (!undo) return;  // its answer is a matter of moments
  undo();
  answered(number_, {.refusal = Refusal{.sqlstate = sqlstate::query_canceled,
                                        .message = "canceling statement due to user request"}});
}

std::string ConsoleState::application_name() const {
  return std::string{client_.application_name()};
}

// What is left of the Query is dropped, or all up to the Sync.
void ConsoleState::error(const Refusal& refusal) {
  const std::string message = readable_utf8(refusal.message);
  const std::string detail = readable_utf8(refusal.detail);
  wire::append_error_response(output_, {.severity = "ERROR",
                                        .sqlstate = refusal.sqlstate,
                                        .message = message,
                                        .detail = detail,
                                        .hint = refusal.hint});
  if (source_ == Source::extended) skip_to_sync_ = true;
  script_next_ = script_.size();
}

void ConsoleState::protocol_error(std::string message) {
  error({.sqlstate = sqlstate::protocol_violation, .message = std::move(message)});
}

void ConsoleState::ready() { wire::append_ready_for_query(output_, 'I'); }

void ConsoleState::flush() {
  if (output_.empty()) return;
  client_.send(ring::Slice::copy_of(output_));
  output_ = {};
}

void ConsoleState::fatal(std::string_view state, std::string_view message) {
  flush();
  client_.fatal(state, message);
}

}  // namespace pgring::console
