// A client's settings as pgring keeps them: who changed them, what they go back to, and what becomes of the client when
// PostgreSQL does not take them any more.
#include <optional>
#include <string>
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/message_builder.h"
#include "wire/sql_reset.h"

namespace pgring {

void Client::parameter_changed(const Defaults& defaults, const Overrides& overrides) {
  defaults_ = defaults;
  overrides_are(overrides);
}

void Client::settings_are(const Defaults& defaults, const Overrides& overrides) {
  defaults_ = defaults;
  Overrides all = overrides;
  // RESET takes them back to what the startup packet said, which PostgreSQL does not know of.
  for (const auto& [name, value] : startup_overrides_.list()) {
    if (find_parameter(all.list(), name) == nullptr)
      all = shard_.parameters().with(all, name, value);
  }
  overrides_are(all);
}

void Client::parameters_reset() { overrides_are(startup_overrides_); }

void Client::overrides_are(const Overrides& overrides) {
  overrides_ = overrides;
  const Parameter* const limit = find_parameter(overrides_.list(), idle_session_timeout_name);
  const auto own = limit == nullptr ? std::nullopt : setting_duration(limit->value);
  if (std::exchange(idle_limit_, own) != own) arm_timer();
}

// The link is over: what the client has set cannot be set again, by whatever PostgreSQL says. Its request does not run,
// and nothing else does until the client takes that setting back.
void Client::replay_refused(const wire::ParsedError& error) {
  if (login_ != nullptr || phase_ != Phase::idle) return server_refused(error);
  constexpr std::string_view advice =
      "What this session has set cannot be set again on another server connection. "
      "RESET it, or RESET ALL, by a simple query outside of a transaction.";
  const wire::ErrorFields fields{
      .severity = "ERROR",
      .sqlstate = error.sqlstate,
      .message = error.message,
      .detail = error.detail,
      .hint = error.hint.empty() ? advice : std::string_view{error.hint}};
  replay_refused_ = true;
  if (!begun_failed(fields)) fail_request(fields);
}

// A Query that takes back what PostgreSQL refuses, outside of a transaction: it is set nowhere but here.
bool Client::answer_reset(std::span<const std::byte> body) {
  if (!replay_refused_ || begun_ != Begun::no) return false;
  const std::string_view text = wire::as_text(body);
  if (text.empty() || text.find('\0') != text.size() - 1) return false;
  const auto reset = wire::read_reset(text);
  if (!reset) return false;
  ParameterList list = overrides_.list();
  if (reset->kind == wire::SqlReset::Kind::one) {
    if (find_parameter(list, reset->name) == nullptr) return false;
    take_back(list, reset->name);
    // It takes the role along.
    if (same_parameter_name(reset->name, "session_authorization")) take_back(list, "role");
  } else {
    list = startup_overrides_.list();
    if (reset->kind == wire::SqlReset::Kind::discard_all && statements_ != nullptr)
      statements_->clear();
  }
  if (statements_ != nullptr) statements_->unnamed.exists = false;
  std::string answer;
  tell_changes(list, answer);
  overrides_are(shard_.parameters().intern(std::move(list)));
  replay_refused_ = false;  // if there is more that PostgreSQL refuses, it will say so
  wire::append_command_complete(answer, reset->tag);
  wire::append_ready_for_query(answer, 'I');
  send_text(answer);
  requested_ = shard_.now();
  ++pool_->stats().queries;
  return true;
}

// To what it was at the login.
void Client::take_back(ParameterList& list, std::string_view name) const {
  const Parameter* const first = find_parameter(startup_overrides_.list(), name);
  if (first == nullptr) {
    erase_parameter(list, name);
  } else {
    put_parameter(list, name, first->value);
  }
}

// What PostgreSQL would report of the change to `list`.
void Client::tell_changes(const ParameterList& list, std::string& out) const {
  for (const auto& [name, usual] : *defaults_) {
    const auto value_in = [&, &usual_value = usual](const ParameterList& one) -> std::string_view {
      const Parameter* const set = find_parameter(one, name);
      return set == nullptr ? usual_value : set->value;
    };
    const std::string_view now = value_in(list);
    if (now != value_in(overrides_.list())) wire::append_parameter_status(out, name, now);
  }
}

// RESET goes back to what the startup packet said, which PostgreSQL does not know of: it is set again right behind.
std::optional<Client::Verdict> Client::begin_reset(std::string_view text) {
  if (startup_overrides_.empty()) return std::nullopt;
  const auto reset = wire::read_reset(text);
  if (!reset) return std::nullopt;
  ParameterList wanted = startup_overrides_.list();
  if (reset->kind == wire::SqlReset::Kind::one) {
    const Parameter* const one = find_parameter(wanted, reset->name);
    if (one == nullptr) return std::nullopt;
    wanted = {*one};
  }
  if (reset->kind == wire::SqlReset::Kind::discard_all) forget_all_names();
  ++pool_->stats().queries;
  group_open_ = false;
  server_->unnamed_is(0);
  if (statements_ != nullptr) statements_->unnamed.exists = false;
  std::string message;
  wire::append_query(message, text);
  server_->send(ring::Slice::copy_of(message));
  server_->expect(Request::query);
  server_->restore_for_client(
      replay_sql({}, shard_.parameters().intern(std::move(wanted)), ParameterList{}));
  return Verdict::drop;
}

}  // namespace pgring
