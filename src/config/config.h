// The configuration: one snapshot of everything pgring.toml and the userlist say.
//
// What:   plain structs with PgBouncer-compatible defaults; the keys' names, ranges and meanings are
//         in config_keys.cc, which is also what docs/config.md and SHOW CONFIG are checked against.
// Owner:  whoever loaded it; move-only because it holds secrets. Read-only once loaded, so any
//         thread may read it.
// Life:   a reload makes a new snapshot; views into an old one die with it.
// Units:  durations in milliseconds, zero = off; sizes in bytes; Limit nullopt = unlimited.
// Errors: none here; load_config() reports them (config_load.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/hba.h"
#include "src/auth/ident.h"
#include "src/auth/stored_secret.h"
#include "src/base/secret.h"
#include "src/base/units.h"
#include "src/tls/tls_options.h"

namespace pgring {

class TlsContext;

enum class PoolMode : std::uint8_t { session, transaction, statement };
// What becomes of a client whose session holds state that no other server connection has.
enum class OnSessionState : std::uint8_t {
  pin,     // it keeps its server connection until the state is gone
  error,   // it may not make such state
  ignore,  // the state stays behind, for whoever comes next
};
// Whether statements of several clients are in flight on one server connection.
enum class Share : std::uint8_t {
  off,
  reads,  // those whose text says that they only read
};
enum class AuthMethod : std::uint8_t { trust, md5, scram_sha_256 };
enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };
enum class RingFeature : std::uint8_t { min_wait, credit_receive, send_vectorized };

using Limit = std::optional<std::uint32_t>;  // nullopt: unlimited

inline constexpr std::uint32_t shard_count_max = 256;

struct FileMode {
  std::uint32_t bits = 0;  // as chmod(2)
  friend constexpr bool operator==(FileMode, FileMode) = default;
};

struct ListenConfig {
  std::vector<std::string> address{"127.0.0.1"};  // "*": every address of the host
  std::uint32_t port = 6432;
  std::string unix_socket_dir = "/run/pgring";  // "": no Unix socket
  FileMode unix_socket_mode{0777};
  std::uint32_t backlog = 4096;
  std::uint32_t max_clients = 10'000;
};

struct ShardsConfig {
  std::optional<std::uint32_t> count;  // nullopt: one per usable core
  bool pin = true;
};

struct RingConfig {
  std::vector<RingFeature> disable;
  ByteSize client_buffer_size{4096};
  ByteSize server_buffer_size{32768};
};

// How TLS to a server begins, as libpq's sslnegotiation.
enum class TlsNegotiation : std::uint8_t { postgres, direct };

// TLS to a PostgreSQL server; never through a Unix socket.
struct ServerTlsConfig : TlsOptions {
  TlsNegotiation negotiation = TlsNegotiation::postgres;
  friend bool operator==(const ServerTlsConfig&, const ServerTlsConfig&) = default;
};

struct ServerConfig {
  std::string host = "/run/postgresql";  // '/…': a directory with a Unix socket
  std::uint32_t port = 5432;
  std::optional<std::uint32_t> max_connections;  // of pgring's own; nullopt: "auto", as learned
  std::uint32_t keep_free = 3;                   // ordinary slots left to others
  std::uint32_t max_replication = 10;  // walsenders, which are not among the others; 0: none
  ServerTlsConfig tls;
};

struct DatabaseConfig {
  std::string server = "main";
  std::string dbname;  // as connected to; see database_name_on_server()
  std::string user;    // "": the client's role
  Secret password;     // of `user`
  PoolMode pool_mode = PoolMode::transaction;
  std::uint32_t pool_size = 20;  // per role
  std::uint32_t min_pool_size = 0;
  std::uint32_t reserve_pool_size = 0;  // see effective_reserve()
  Duration reserve_pool_timeout = std::chrono::seconds(5);
  Limit max_connections;     // server connections, over all roles; of "*": of each name
  std::uint32_t weight = 1;  // see effective_weight()
  Limit max_clients;
  std::string connect_query;
  std::string reset_query = "DISCARD ALL";
  bool lazy_begin = true;
  OnSessionState on_session_state = OnSessionState::pin;
  std::optional<std::uint32_t> max_pinned;      // clients of a pool; see effective_max_pinned()
  std::uint32_t max_prepared_statements = 200;  // on each server connection
  bool reuse_parse = true;
  std::string auth_query;     // "": auth.query
  std::string auth_database;  // "": auth.database
  Share share = Share::off;
  std::uint32_t share_depth = 16;  // statements in flight on one server connection
  Duration share_stall = std::chrono::milliseconds(100);
  bool wildcard = false;  // [database."*"]
};

struct RoleConfig {
  Secret password;  // also in Config::users, classified
  std::optional<PoolMode> pool_mode;
  std::optional<OnSessionState> on_session_state;
  std::optional<Share> share;
  std::optional<std::uint32_t> pool_size;
  std::optional<std::uint32_t> reserve_pool_size;
  Limit max_connections;  // server connections, over all databases of a server
  std::uint32_t weight = 1;
  Limit max_clients;
};

struct AuthConfig {
  AuthMethod method = AuthMethod::scram_sha_256;
  std::string file = "/etc/pgring/userlist.txt";  // relative: beside pgring.toml
  std::string hba_file;    // relative as `file`; "": `method` is for every login
  std::string ident_file;  // relative as `file`; "": no maps
  Duration failed_login_delay = std::chrono::seconds(5);
  // Secrets that PostgreSQL tells; see lookup_place().
  std::string role;  // who asks; "": nobody is asked
  Secret password;   // of `role`
  // As `pgring setup-sql` makes it. $1 is the role, the columns are the role and its secret.
  std::string query = "SELECT role_name, secret FROM pgring.secret_of($1)";
  std::string database = "postgres";  // where it is asked, as PostgreSQL calls it
  Duration query_cache = std::chrono::seconds(10);
};

// What hba_file and ident_file say.
struct Access {
  std::optional<Hba> hba;  // nullopt: there is no hba_file
  Ident ident;
  std::vector<InterfaceAddress> interfaces;
};

// TLS to clients.
struct TlsConfig : TlsOptions {
  TlsConfig() { mode = TlsMode::disable; }
};
// What the files hold that TLS is configured with; null: mode disable.
struct TlsContexts {
  std::shared_ptr<const TlsContext> clients;
  std::map<std::string, std::shared_ptr<const TlsContext>, std::less<>> servers;  // by name
};
// visit("clients" or "server NAME", context), for each that is there.
template <class Visitor>
void for_each_context(const TlsContexts& contexts, Visitor&& visit) {
  if (contexts.clients != nullptr) visit("clients", *contexts.clients);
  for (const auto& [name, context] : contexts.servers) {
    if (context != nullptr) visit("server " + name, *context);
  }
}

struct TimeoutsConfig {
  Duration query_wait = std::chrono::seconds(120);
  Duration query = duration_off;
  Duration transaction = duration_off;
  Duration idle_transaction = duration_off;
  Duration client_idle = duration_off;
  Duration client_login = std::chrono::seconds(60);
  Duration server_connect = std::chrono::seconds(15);
  Duration server_login_retry = std::chrono::seconds(15);
  Duration server_lifetime = std::chrono::hours(1);
  Duration server_idle = std::chrono::minutes(10);
  Duration cancel_wait = std::chrono::seconds(10);
  Duration query_wait_notify = std::chrono::seconds(5);
};

struct ConsoleConfig {
  std::vector<std::string> admins{"postgres"};
  std::vector<std::string> viewers;
};

struct LogConfig {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  bool connections = true;
  bool disconnections = true;
};

using ServerMap = std::map<std::string, ServerConfig, std::less<>>;
using DatabaseMap = std::map<std::string, DatabaseConfig, std::less<>>;
using RoleMap = std::map<std::string, RoleConfig, std::less<>>;

struct Config {
  ListenConfig listen;
  ShardsConfig shards;
  RingConfig ring;
  ServerMap servers;
  DatabaseMap databases;
  RoleMap roles;
  AuthConfig auth;
  TlsConfig tls;
  TimeoutsConfig timeouts;
  ConsoleConfig console;
  LogConfig log;
  TlsContexts tls_contexts;  // read from the files that `tls` names, not a key of pgring.toml
  UserList users;  // the userlist, with [role] passwords laid over it; not a key of pgring.toml
  Access access;   // of the files that `auth` names; not a key of pgring.toml
};

// Whether there are logins that need a stored secret.
[[nodiscard]] bool asks_for_secrets(const Config& config);

// "pgring" and its alias "pgbouncer": the console, never a database of the config.
[[nodiscard]] bool is_console_database(std::string_view name);

// The entry that serves this name: its own, else "*", else nullptr.
[[nodiscard]] const DatabaseConfig* find_database(const Config& config, std::string_view name);

// What to ask PostgreSQL for when the client asked for `name`.
[[nodiscard]] std::string_view database_name_on_server(const DatabaseConfig& database,
                                                       std::string_view name);

// PgBouncer's precedence: the role's own setting, else the database's.
[[nodiscard]] OnSessionState effective_on_session_state(const Config& config,
                                                        const DatabaseConfig& database,
                                                        std::string_view role);
[[nodiscard]] Share effective_share(const Config& config, const DatabaseConfig& database,
                                    std::string_view role);
// Three quarters of the pool's size where none is configured, so that some connections are left to others; at least
// one.
[[nodiscard]] std::uint32_t effective_max_pinned(const Config& config,
                                                 const DatabaseConfig& database,
                                                 std::string_view role);
[[nodiscard]] PoolMode effective_pool_mode(const Config& config, const DatabaseConfig& database,
                                           std::string_view role);
[[nodiscard]] std::uint32_t effective_pool_size(const Config& config,
                                                const DatabaseConfig& database,
                                                std::string_view role);
// Connections beyond the pool's size, for when a client has waited for reserve_pool_timeout.
// None where that is off, as in PgBouncer.
[[nodiscard]] std::uint32_t effective_reserve(const Config& config, const DatabaseConfig& database,
                                              std::string_view role);

// What a pool's share is in proportion to: the database's weight times the role's.
[[nodiscard]] std::uint32_t effective_weight(const Config& config, const DatabaseConfig& database,
                                             std::string_view role);

// Where PostgreSQL or pgring puts its socket: DIR/.s.PGSQL.PORT
[[nodiscard]] std::string unix_socket_path(std::string_view dir, std::uint32_t port);

}  // namespace pgring
