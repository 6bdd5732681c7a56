// idle_session_timeout, which PostgreSQL would end server connections by while nobody uses them. In transaction mode it
// is as good as off on them, and clients are held to it by pgring (client_limits.cc): to their own, or to the default that is asked
// for after each login. One round trip, which a login of several does not notice; nothing tells it but a question, as a
// startup option in its place would hide it.
#include <charconv>
#include <string>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/server_audit.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

constexpr std::uint32_t first_version_with_idle_session_timeout = 14;

constexpr std::string_view question =
    "/* pgring: the session's limit */ "
    "SELECT pg_catalog.current_setting('idle_session_timeout', true)";
// As good as off, and longer than a connection lives: 25 days. A client that switches it off itself says 0, and is told
// from one that has the default by that.
constexpr std::string_view no_limit = "2147483647";
constexpr std::string_view switch_off =
    "SELECT pg_catalog.set_config('idle_session_timeout', '2147483647', false)";

// A limit of a millisecond need not stop each attempt.
constexpr std::uint8_t attempts_max = 50;

bool knows_idle_session_timeout(const ParameterList& reported) {
  const Parameter* const version = find_parameter(reported, "server_version");
  if (version == nullptr) return false;
  std::uint32_t major = 0;
  const std::string& text = version->value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), major);
  return error == std::errc{} && major >= first_version_with_idle_session_timeout;
}

}  // namespace

// Logged in: what is to be done before it serves anybody.
void Server::prepare_session() {
  if (pool_.settings().mode != PoolMode::session && knows_idle_session_timeout(*defaults_))
    return run_own(Own::limits, question);
  begin_connect_query();
}

void Server::begin_connect_query() {
  if (!pool_.settings().connect_query.empty())
    return run_own(Own::connect_query, pool_.settings().connect_query);
  login_finished();
  release_due_ = true;
}

void Server::limits_row(std::span<const std::byte> data_row_body) {
  wire::ByteReader reader{data_row_body};
  limit_found_.clear();
  if (reader.read_u16() != 1) return;
  const std::uint32_t size = reader.read_u32();
  if (size > reader.remaining()) return;  // NULL
  limit_found_ = wire::as_text(reader.read_bytes(size));
}

void Server::limits_finished() {
  const bool switched_off = find_parameter(base_, idle_session_timeout_name) != nullptr;
  const std::string found = std::exchange(limit_found_, {});
  if (own_failed_) {
    // It serves as it is: should PostgreSQL end it while it is idle, nobody is concerned.
    log::warning("the limits of a server connection's session could not be learned",
                 {{"shard", shard_.index()},
                  {"database", pool_.key().database},
                  {"role", pool_.key().role},
                  {"backend_pid", backend_pid_},
                  {"sqlstate", own_error_.sqlstate},
                  {"message", own_error_.message}});
    own_error_ = {};
    erase_parameter(base_, idle_session_timeout_name);
    return begin_connect_query();
  }
  if (switched_off) return begin_connect_query();
  const auto limit = setting_duration(found).value_or(ring::Duration::zero());
  pool_.parameters().set_idle_limit(limit);
  if (limit == ring::Duration::zero()) return begin_connect_query();
  put_parameter(base_, idle_session_timeout_name, no_limit);
  run_own(Own::limits, switch_off);
}

// statement_timeout, lock_timeout: PostgreSQL applies the client's own to what pgring asks, too. That does not
// concern the client; and what is asked of a session is not to be left unanswered.
bool Server::stopped_by_a_limit() const {
  return own_failed_ && (own_error_.sqlstate == wire::sqlstate::query_canceled ||
                         own_error_.sqlstate == wire::sqlstate::lock_not_available);
}

// A replay is done as a whole or not at all. What is set LOCAL first gives way to what it sets itself, and ends with it.
bool Server::replay_again() {
  if (!stopped_by_a_limit() || client_ == nullptr || ++attempts_ > attempts_max) {
    attempts_ = 0;
    return false;
  }
  std::string sql = "SET LOCAL statement_timeout = 0;SET LOCAL lock_timeout = 0;";
  sql += replays_anew_ ? replay_anew_sql(client_->overrides())
                       : replay_sql(overrides_, client_->overrides(), base_);
  replayed_ = client_->overrides();
  run_own(Own::replay, sql);
  return true;
}

// True: it is not over. It takes the statement_timeout off first, which that can stop, too.
bool Server::audit_again() {
  if (!stopped_by_a_limit() || status_ != 'I' || ++attempts_ > attempts_max) {
    attempts_ = 0;
    return false;
  }
  audit_->restart();
  run_own(Own::audit, audit_->sql);
  return true;
}

// A client has set a limit of its own on this connection, which is not to meet it while nobody uses it.
bool Server::lift_idle_limit() {
  if (!std::exchange(idle_limited_, false)) return false;
  ParameterList list = overrides_.list();
  erase_parameter(list, idle_session_timeout_name);
  replayed_ = shard_.parameters().intern(std::move(list));
  const std::string sql = replay_sql(overrides_, replayed_, base_);
  if (sql.empty()) return false;
  run_own(Own::idle_limit, sql);
  return true;
}

void Server::idle_limit_lifted() {
  if (own_failed_ || status_ != 'I') return discard("its session's limit could not be lifted");
  overrides_ = std::exchange(replayed_, {});
  release_due_ = true;
}

void Server::overrides_known() {
  idle_limited_ = pool_.settings().mode != PoolMode::session &&
                  find_parameter(overrides_.list(), idle_session_timeout_name) != nullptr;
}

}  // namespace pgring
