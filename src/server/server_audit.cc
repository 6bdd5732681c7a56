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
#include "src/server/state_left.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/literal.h"
#include "wire/sql_settings.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// Whatever search_path says: every name and operator is PostgreSQL's own. Functions instead of the views made of them,
// and few queries in one: planning is half of what it costs. transaction_… change with each transaction.
constexpr std::string_view settings_sql =
    "SELECT 's', name, setting FROM pg_catalog.pg_show_all_settings()"
    " WHERE source OPERATOR(pg_catalog.=) 'session'"
    " AND name OPERATOR(pg_catalog.<>) 'transaction_isolation'"
    " AND name OPERATOR(pg_catalog.<>) 'transaction_read_only'"
    " AND name OPERATOR(pg_catalog.<>) 'transaction_deferrable'"
    " UNION ALL SELECT 's', 'role', pg_catalog.current_setting('role')"
    " WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'"
    " UNION ALL SELECT 'u', '', session_user";

// What pins, and how PostgreSQL tells that it is there.
struct PinCheck {
  PinReason reason;
  std::string_view condition;
};
constexpr std::array<PinCheck, 6> pin_checks{{
    {PinReason::advisory_lock,
     "EXISTS (SELECT FROM pg_catalog.pg_lock_status()"
     " WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
     " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
    {PinReason::temporary_object,
     // What depends on the schema (pg_namespace is 2615) is what DISCARD TEMP drops.
     "pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid"
     " AND EXISTS (SELECT FROM pg_catalog.pg_depend"
     " WHERE refclassid OPERATOR(pg_catalog.=) 2615::pg_catalog.oid"
     " AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"},
    {PinReason::held_cursor, "EXISTS (SELECT FROM pg_catalog.pg_cursor() WHERE is_holdable)"},
    {PinReason::listen, "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
    {PinReason::sql_prepare,
     "EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() WHERE from_sql)"},
    {PinReason::replication_slot,
     "EXISTS (SELECT FROM pg_catalog.pg_get_replication_slots()"
     " WHERE temporary AND active_pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
}};

std::string make_audit_sql() {
  std::string sql{settings_sql};
  sql += " UNION ALL SELECT 'p', r, '' FROM pg_catalog.unnest(ARRAY[";
  for (const PinCheck& check : pin_checks) {
    if (check.reason != pin_checks.front().reason) sql += ',';
    sql += "CASE WHEN ";
    sql += check.condition;
    sql += " THEN '";
    sql += name_of(check.reason);
    sql += "' END";
  }
  sql += "]) r WHERE r IS NOT NULL";
  return sql;
}

const std::string& audit_sql() {
  static const std::string sql = make_audit_sql();
  return sql;
}

// Custom settings that one audit asks for; a text for each.
constexpr std::size_t named_settings_max = 500;

}  // namespace

void Audit::row(std::span<const std::byte> body) {
  if (answers == 0) return;  // of what came behind
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
    case 't':
      statement_timeout = columns[1];
      return;
    case 'd':
      statement_timeout_default = columns[2];
      return;
    case 'p':
      if (const auto reason = pin_reason(columns[1])) return pins.put(*reason);
      break;
    default:
      break;
  }
  malformed_ = true;
}

void Audit::restart() {
  Audit again;
  again.sql = std::move(sql);
  again.sets_anew = sets_anew;
  again.answers = again.answers_due = answers_due;
  *this = std::move(again);
}

void Server::begin_audit() {
  audit_ = std::make_unique<Audit>();
  ++pool_.stats().audits;
  if (client_ != nullptr) client_->hold_messages();
  std::string sql;
  // Its client's own limit is not for this. What it is stands in the row, and is back with the transaction's end.
  if (find_parameter(overrides_.list(), "statement_timeout") != nullptr) {
    // In milliseconds, as pg_settings has it.
    audit_->answers = ++audit_->answers_due;
    sql =
        "SELECT 't', (EXTRACT(epoch FROM pg_catalog.current_setting('statement_timeout')"
        "::pg_catalog.interval) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8::pg_catalog.text,"
        " pg_catalog.set_config('statement_timeout', '0', true);";
  }
  sql += audit_sql();
  if (audit_->answers > 1) {
    sql +=
        " UNION ALL SELECT 'd', '', reset_val FROM pg_catalog.pg_show_all_settings()"
        " WHERE name OPERATOR(pg_catalog.=) 'statement_timeout'";
  }
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
  if (at_rest_) {
    const std::string anew = set_anew_sql();
    audit_->sets_anew = !anew.empty();
    sql += anew;
  }
  audit_->sql = std::move(sql);
  run_own(Own::audit, audit_->sql);
}

// Settings that PostgreSQL lists nowhere, which a function may have made, go with all others; those that are to be there are
// set again. Nobody else is told of that.
std::string Server::set_anew_sql() const {
  ParameterList settings = base_;
  for (const Parameter& one : overrides_.list()) {
    const bool marked = one.value.starts_with('\x01');
    if (marked || same_parameter_name(one.name, "role") ||
        same_parameter_name(one.name, "session_authorization")) {
      return {};
    }
    put_parameter(settings, one.name, one.value);
  }
  const std::string again = replay_sql({}, shard_.parameters().intern(std::move(settings)));
  return ";RESET ALL" + (again.empty() ? again : ";" + again);
}

// For another client, where the last one may have made a setting that cannot be asked for.
std::string Server::replay_anew_sql(const Overrides& wanted) const {
  ParameterList settings = base_;
  for (const Parameter& one : wanted.list()) put_parameter(settings, one.name, one.value);
  std::string sql = replay_sql(overrides_, {});
  if (!sql.empty()) sql += ';';
  sql += "RESET ALL";
  if (const auto again = replay_sql({}, shard_.parameters().intern(std::move(settings)));
      !again.empty())
    sql += ';' + again;
  return sql;
}

void Server::settings_named(std::string_view text) {
  if (pool_.settings().mode == PoolMode::session) return;
  unnamed_set_ = unnamed_set_ || wire::sets_unnamed(text);
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
  if (at_rest_) may_hide_ = false;  // or it cannot be helped now
  if (found->sets_anew) unnamed_set_ = false;
  rest_over();
  plain_sets_.clear();
  plain_sets_doubtful_ = false;
  if (own_failed_ || found->malformed() || status_ != 'I') return audit_failed(touched);
  if (found->session_user != pool_.settings().role)
    put_parameter(found->settings, "session_authorization", found->session_user);
  if (found->statement_timeout) {
    // In the place of our own, see begin_audit(). It may have been reset.
    erase_parameter(found->settings, "statement_timeout");
    if (*found->statement_timeout != found->statement_timeout_default)
      put_parameter(found->settings, "statement_timeout", *found->statement_timeout);
  }
  if (std::exchange(base_due_, false)) {
    base_ = std::move(found->settings);
    release_due_ = true;
    return;
  }
  const bool theirs = is_theirs(touched);
  pinned_forever_ =
      pinned_forever_ || ((touched & touches_forever) != 0 &&
                          pool_.settings().on_session_state != OnSessionState::ignore);
  const StateLeft left = state_found(*found, theirs);
  texts_judged(left, touched);
  if (!theirs || pins_.empty()) {
    release_due_ = true;
    return;
  }
  if (!std::exchange(pin_counted_, true)) pool_.add_pin();  // no text had suggested it
  client_->gate_open();
}

// Takes down what there is now, for the client or for nobody, and tells what is other than was known.
StateLeft Server::state_found(Audit& found, bool theirs) {
  PinReasons pins;
  if (pool_.settings().on_session_state != OnSessionState::ignore) pins = found.pins;
  if (pinned_forever_) pins.put(PinReason::forever);
  StateLeft left;
  left.pins = pins.without(pins_);
  left.nobodys = !theirs;
  if (!theirs) {
    settle_unexplained(found.settings);
    settings_of_nobody(found.settings, left);
    pins_ = pins;
    return left;
  }
  const Overrides before = overrides_;
  settings_found(std::move(found.settings));
  if (overrides_ != before) left.settings = changed_settings(before.list(), overrides_.list());
  pins_are(pins);
  return left;
}

// Such as a statement_timeout of a millisecond. Nobody may get what cannot be looked into.
void Server::audit_failed(std::uint32_t touched) {
  log::warning("the state of a session could not be read", {{"shard", shard_.index()},
                                                            {"database", pool_.key().database},
                                                            {"role", pool_.key().role},
                                                            {"backend_pid", backend_pid_},
                                                            {"sqlstate", own_error_.sqlstate},
                                                            {"message", own_error_.message}});
  constexpr std::string_view why = "the state of its session could not be read";
  // Its client has no part in it where it showed nothing that must not be lost.
  if (client_ != nullptr && status_ == 'I' && pins_.empty() && (touched & shows_state) == 0) {
    must_close(why);
    ran_.clear();
    release_due_ = true;
    return;
  }
  lose_client(wire::sqlstate::connection_failure,
              "the state that the session left could not be read: " + own_error_.message);
  discard(why);
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
  settle_unexplained(settings);
  if (client_ != nullptr) client_->settings_are(defaults_, shard_.parameters().intern(settings));
  // No client wants this value, so that the next replay sets what connect_query did.
  for (const Parameter& one : reset) put_parameter(settings, one.name, one.value);
  overrides_ = shard_.parameters().intern(std::move(settings));
  overrides_known();
}

// Reported changes that no text explained: a function has set it, or had and it was rolled back, or the server's own
// default has changed.
void Server::settle_unexplained(const ParameterList& settings) {
  for (const auto& [name, before, now] : std::exchange(unexplained_, {})) {
    auto defaults = *defaults_;
    put_parameter(defaults, name, find_parameter(settings, name) != nullptr ? before : now);
    defaults_ = std::make_shared<const ParameterList>(std::move(defaults));
  }
  if (defaults_ != nullptr) defaults_ = pool_.parameters().intern(*defaults_);
}

}  // namespace pgring
