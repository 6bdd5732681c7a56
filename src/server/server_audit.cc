// The audit: PostgreSQL is asked what state its session holds, on a connection whose client ran texts that may have
// left some, after the transaction and before anybody else gets the connection. It decides; texts only suggest.
#include "src/server/server_audit.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/session_state.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/literal.h"
#include "wire/sql_settings.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// Whatever search_path says: every name and operator is PostgreSQL's own. transaction_… change with each transaction.
constexpr std::string_view settings_sql =
    "SELECT 's', name, setting FROM pg_catalog.pg_settings"
    " WHERE source OPERATOR(pg_catalog.=) 'session'"
    " AND name OPERATOR(pg_catalog.<>) 'transaction_isolation'"
    " AND name OPERATOR(pg_catalog.<>) 'transaction_read_only'"
    " AND name OPERATOR(pg_catalog.<>) 'transaction_deferrable'"
    " UNION ALL SELECT 's', 'role', r FROM pg_catalog.current_setting('role') r"
    " WHERE r OPERATOR(pg_catalog.<>) 'none'"
    " UNION ALL SELECT 'u', '', session_user";

// What pins, and how PostgreSQL tells that it is there.
struct PinCheck {
  PinReason reason;
  std::string_view condition;
};
constexpr std::array<PinCheck, 6> pin_checks{{
    {PinReason::advisory_lock,
     "EXISTS (SELECT FROM pg_catalog.pg_locks"
     " WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
     " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
    {PinReason::temporary_object,
     "EXISTS (SELECT FROM pg_catalog.pg_class"
     " WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"
     " OR EXISTS (SELECT FROM pg_catalog.pg_type"
     " WHERE typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"
     " OR EXISTS (SELECT FROM pg_catalog.pg_proc"
     " WHERE pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"},
    {PinReason::held_cursor, "EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"},
    {PinReason::listen, "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
    {PinReason::sql_prepare,
     "EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)"},
    {PinReason::replication_slot,
     "EXISTS (SELECT FROM pg_catalog.pg_replication_slots"
     " WHERE temporary AND active_pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
}};

std::string make_audit_sql() {
  std::string sql{settings_sql};
  for (const PinCheck& check : pin_checks) {
    sql += " UNION ALL SELECT 'p', '";
    sql += name_of(check.reason);
    sql += "', '' WHERE ";
    sql += check.condition;
  }
  return sql;
}

const std::string& audit_sql() {
  static const std::string sql = make_audit_sql();
  return sql;
}

// Custom settings that one audit asks for; a text for each.
constexpr std::size_t named_settings_max = 500;

// Stands for a setting of connect_query's that went back to PostgreSQL's default.
constexpr std::string_view was_reset = "\x01(reset)";

}  // namespace

void Audit::row(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  if (reader.read_u16() != 3) {
    malformed_ = true;
    return;
  }
  std::array<std::string_view, 3> columns;
  for (std::string_view& column : columns)
    column = wire::as_text(reader.read_bytes(reader.read_u32()));
  if (!reader.at_end() || columns[0].size() != 1) {
    malformed_ = true;
    return;
  }
  switch (columns[0].front()) {
    case 's':
      put_parameter(settings, columns[1], columns[2]);
      return;
    case 'u':
      session_user = columns[2];
      return;
    case 'p':
      if (const auto reason = pin_reason(columns[1])) return pins.put(*reason);
      break;
    default:
      break;
  }
  malformed_ = true;
}

bool Server::audit_due() const {
  return (touched_ & (pins_.empty() ? touches_state : may_unpin)) != 0;
}

void Server::begin_audit() {
  audit_ = std::make_unique<Audit>();
  ++pool_.stats().audits;
  if (client_ != nullptr) client_->hold_messages();
  std::string sql = audit_sql();
  const auto ask_for = [this](std::string_view name) {
    if (name.find('.') == std::string_view::npos) return;
    const auto known = [name](const std::string& one) { return same_parameter_name(one, name); };
    if (std::ranges::none_of(named_settings_, known)) named_settings_.emplace_back(name);
  };
  for (const Parameter& one : overrides_.list()) ask_for(one.name);
  for (const Parameter& one : base_) ask_for(one.name);
  for (const std::string& name : std::exchange(named_settings_, {})) {
    sql += " UNION ALL SELECT 's', ";
    wire::append_escape_string(sql, name);
    sql += ", v FROM pg_catalog.current_setting(";
    wire::append_escape_string(sql, name);
    sql += ", true) v WHERE v IS NOT NULL";
  }
  run_own(Own::audit, sql);
}

void Server::settings_named(std::string_view text) {
  if (pool_.settings().mode == PoolMode::session) return;
  for (std::string& name : wire::custom_setting_names(text)) {
    const auto same = [&](const std::string& one) { return same_parameter_name(one, name); };
    if (std::ranges::any_of(named_settings_, same)) continue;
    // Nobody else may meet what cannot be asked for.
    if (named_settings_.size() == named_settings_max)
      return must_close("its session has set too many parameters of its own");
    named_settings_.push_back(std::move(name));
  }
}

void Server::audit_finished() {
  const auto found = std::exchange(audit_, nullptr);
  const auto touched = std::exchange(touched_, 0);
  if (own_failed_ || found->malformed() || status_ != 'I') {
    // Such as a statement_timeout of a millisecond. Nobody may get what cannot be looked into.
    log::warning("the state of a session could not be read", {{"shard", shard_.index()},
                                                              {"database", pool_.key().database},
                                                              {"role", pool_.key().role},
                                                              {"backend_pid", backend_pid_},
                                                              {"sqlstate", own_error_.sqlstate},
                                                              {"message", own_error_.message}});
    lose_client(wire::sqlstate::connection_failure,
                "the state that the session left could not be read: " + own_error_.message);
    return discard("the state of its session could not be read");
  }
  if (found->session_user != pool_.settings().role)
    put_parameter(found->settings, "session_authorization", found->session_user);
  if (std::exchange(base_due_, false)) {
    base_ = std::move(found->settings);
    release_due_ = true;
    return;
  }
  settings_found(std::move(found->settings));
  PinReasons pins;
  if (pool_.settings().on_session_state != OnSessionState::ignore) {
    pins = found->pins;
    pinned_forever_ = pinned_forever_ || (touched & touches_forever) != 0;
    if (pinned_forever_) pins.put(PinReason::forever);
  }
  pins_are(pins);
  if (client_ == nullptr || pins_.empty()) {
    release_due_ = true;
    return;
  }
  if (!std::exchange(pin_counted_, true)) pool_.add_pin();  // no text had suggested it
  client_->gate_open();
}

bool Server::may_be_pinned() {
  if (pin_counted_) return true;
  pin_counted_ = pool_.take_pin();
  return pin_counted_;
}

void Server::forget_pin() {
  if (std::exchange(pin_counted_, false)) pool_.give_pin_back();
}

void Server::pin_forever() {
  if (pool_.settings().on_session_state == OnSessionState::ignore) {
    release_due_ = true;
    return;
  }
  pinned_forever_ = true;
  PinReasons pins = pins_;
  pins.put(PinReason::forever);
  pins_are(pins);
}

void Server::pins_are(PinReasons pins) {
  // What a client leaves behind when it goes pins nobody.
  if (client_ != nullptr && !pins.empty()) {
    if (pins_.empty()) {
      pinned_at_ = shard_.now();
      pins_counted_.clear();
      ++pool_.pin_counts().pins;
    }
    pool_.pin_counts().add(pins.without(pins_counted_));
    pins_counted_.put(pins);
  }
  pins_ = pins;
}

// What PostgreSQL says the session has set is the client's, and this connection's.
void Server::settings_found(ParameterList settings) {
  ParameterList reset;  // of what connect_query has set
  for (const Parameter& base : base_) {
    const Parameter* const now = find_parameter(settings, base.name);
    if (now == nullptr || now->value.empty()) {
      erase_parameter(settings, base.name);
      put_parameter(reset, base.name, was_reset);
    } else if (now->value == base.value) {
      erase_parameter(settings, base.name);
    }
  }
  // Reported changes that no text explained: a function has set it, or had and it was rolled back, or the server's own
  // default has changed.
  for (const auto& [name, before, now] : std::exchange(unexplained_, {})) {
    auto defaults = *defaults_;
    put_parameter(defaults, name, find_parameter(settings, name) != nullptr ? before : now);
    defaults_ = std::make_shared<const ParameterList>(std::move(defaults));
  }
  if (defaults_ != nullptr) defaults_ = pool_.parameters().intern(*defaults_);
  if (client_ != nullptr) client_->settings_are(defaults_, shard_.parameters().intern(settings));
  // No client wants this value, so that the next replay sets what connect_query did.
  for (const Parameter& one : reset) put_parameter(settings, one.name, one.value);
  overrides_ = shard_.parameters().intern(std::move(settings));
}

}  // namespace pgring
