// The audit: PostgreSQL is asked what state its session holds, on a connection whose client ran texts that may have
// left some, after the transaction and before anybody else gets the connection. It decides; texts only suggest.
#include "src/server/server_audit.h"

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
constexpr std::string_view audit_sql =
    "SELECT 's', name, setting FROM pg_catalog.pg_settings"
    " WHERE source OPERATOR(pg_catalog.=) 'session'"
    " AND name OPERATOR(pg_catalog.!~~) 'transaction\\_%'"
    " UNION ALL SELECT 's', 'role', r FROM pg_catalog.current_setting('role') r"
    " WHERE r OPERATOR(pg_catalog.<>) 'none'"
    " UNION ALL SELECT 'u', '', session_user"
    " UNION ALL SELECT 'p', 'advisory lock', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_locks"
    " WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
    " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"
    " UNION ALL SELECT 'p', 'temporary object', '' WHERE"
    " EXISTS (SELECT FROM pg_catalog.pg_class"
    " WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"
    " OR EXISTS (SELECT FROM pg_catalog.pg_type"
    " WHERE typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"
    " OR EXISTS (SELECT FROM pg_catalog.pg_proc"
    " WHERE pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"
    " UNION ALL SELECT 'p', 'cursor WITH HOLD', ''"
    " WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"
    " UNION ALL SELECT 'p', 'LISTEN', ''"
    " WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"
    " UNION ALL SELECT 'p', 'PREPARE', ''"
    " WHERE EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)"
    " UNION ALL SELECT 'p', 'temporary replication slot', ''"
    " WHERE EXISTS (SELECT FROM pg_catalog.pg_replication_slots"
    " WHERE temporary AND active_pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())";

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
    default:
      if (!pins.empty()) pins += ", ";
      pins += columns[1];
  }
}

bool Server::audit_due() const {
  return (touched_ & (pins_.empty() ? touches_state : may_unpin)) != 0;
}

void Server::begin_audit() {
  audit_ = std::make_unique<Audit>();
  ++pool_.stats().audits;
  if (client_ != nullptr) client_->hold_messages();
  std::string sql{audit_sql};
  for (const Parameter& one : overrides_.list()) {
    if (one.name.find('.') != std::string::npos) named_settings_.push_back(one.name);
  }
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
  for (std::string& name : wire::custom_setting_names(text))
    named_settings_.push_back(std::move(name));
}

void Server::audit_finished() {
  const auto found = std::exchange(audit_, nullptr);
  const auto touched = std::exchange(touched_, 0);
  if (own_failed_ || found->malformed() || status_ != 'I') {
    // Such as a statement_timeout of a millisecond. Nobody may get what cannot be looked into.
    log::warning("the state of a session could not be read",
                 {{"shard", shard_.index()},
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
  const bool was_pinned = !pins_.empty();
  pins_ = pool_.settings().on_session_state == OnSessionState::ignore ? std::string{} : found->pins;
  if (pinned_forever_ || (touched & touches_forever) != 0) pin_forever();
  if (client_ == nullptr || pins_.empty()) {
    release_due_ = true;
    return;
  }
  if (!was_pinned) pinned_at_ = shard_.now();
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
  if (pool_.settings().on_session_state == OnSessionState::ignore) return;
  if (pins_.empty()) pinned_at_ = shard_.now();
  pinned_forever_ = true;
  pins_ += pins_.empty() ? "" : ", ";
  pins_ += forever_pin;
}

// What PostgreSQL says the session has set is the client's, and this connection's.
void Server::settings_found(ParameterList settings) {
  for (const Parameter& base : base_) {
    const Parameter* const now = find_parameter(settings, base.name);
    // RESET ALL knows nothing of connect_query.
    if (now == nullptr) must_close("what connect_query has set was reset");
    if (now != nullptr && now->value == base.value) erase_parameter(settings, base.name);
  }
  // Reported changes that no text explained: a function has set it, or had and it was rolled back, or the server's own
  // default has changed.
  for (const auto& [name, before, now] : std::exchange(unexplained_, {})) {
    auto defaults = *defaults_;
    put_parameter(defaults, name, find_parameter(settings, name) != nullptr ? before : now);
    defaults_ = pool_.parameters().intern(std::move(defaults));
  }
  overrides_ = shard_.parameters().intern(std::move(settings));
  if (client_ != nullptr) client_->settings_are(defaults_, overrides_);
}

}  // namespace pgring
