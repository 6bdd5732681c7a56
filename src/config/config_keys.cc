#include "src/config/config_keys.h"

#include <array>

namespace pgring {
namespace {

constexpr ValueRule port_range{1, 65'535};
constexpr ValueRule or_off{0, 0, "off"};
constexpr ValueRule limit_range{1, 10'000'000, "unlimited"};
constexpr ValueRule pool_range{1, 100'000};
constexpr ValueRule pool_part_range{0, 100'000};
constexpr std::int64_t backends_max = 262'143;  // the most that PostgreSQL's max_connections may be
constexpr ValueRule connections_range{1, backends_max, "unlimited"};
constexpr ValueRule prepared_range{0, 1'000'000};
constexpr ValueRule depth_range{2, 64};
constexpr ValueRule weight_range{
    1, 1000, {}, "weights are relative: a pool of weight 2 gets twice as much as one of weight 1"};

constexpr std::array<Key<ListenConfig>, 6> listen_keys{{
    {"address",
     &ListenConfig::address,
     Reload::no,
     {},
     "array of strings",
     "IP addresses or host names to listen on; `\"*\"` is every address; `[]` is no TCP.",
     "`listen_addr` (unset: no TCP); here the loopback, so that the first start can be tried"},
    {"port", &ListenConfig::port, Reload::no, port_range, "integer",
     "TCP port, and the number in the Unix socket's name.", "`listen_port`"},
    {"unix_socket_dir",
     &ListenConfig::unix_socket_dir,
     Reload::no,
     {},
     "string",
     "Directory of the Unix socket `.s.PGSQL.PORT`; `\"\"` is no Unix socket.",
     "`unix_socket_dir` (`/tmp`); here a directory that only the service writes to"},
    {"unix_socket_mode",
     &ListenConfig::unix_socket_mode,
     Reload::no,
     {},
     "file mode",
     "Permissions of the Unix socket, in octal.",
     "`unix_socket_mode`"},
    {"backlog",
     &ListenConfig::backlog,
     Reload::no,
     {1, 65'535},
     "integer",
     "Connections that may wait to be accepted, as listen(2).",
     "`listen_backlog` (128); here enough for thousands of clients that reconnect at once"},
    {"max_clients",
     &ListenConfig::max_clients,
     Reload::yes,
     {1, 10'000'000},
     "integer",
     "Most clients at a time in all; the console is exempt.",
     "`max_client_conn` (100); here the file descriptors it needs are checked at start"},
}};

constexpr std::array<Key<ShardsConfig>, 2> shards_keys{{
    {"count",
     &ShardsConfig::count,
     Reload::no,
     {1, shard_count_max, "auto"},
     "integer or `\"auto\"`",
     "Number of shards (threads with a ring each); `\"auto\"` is one per usable core.",
     ""},
    {"pin", &ShardsConfig::pin, Reload::no, {}, "boolean", "Bind each shard to a core.", ""},
}};

constexpr std::array<Key<RingConfig>, 3> ring_keys{{
    {"disable",
     &RingConfig::disable,
     Reload::no,
     {},
     "array of strings",
     "Kernel features not to use even where present: `min_wait`, `credit_receive`, "
     "`send_vectorized`.",
     ""},
    {"client_buffer_size",
     &RingConfig::client_buffer_size,
     Reload::no,
     {512, 1 << 20},
     "size",
     "Size of one receive buffer for clients.",
     "`pkt_buf` (4096, one for both sides)"},
    {"server_buffer_size",
     &RingConfig::server_buffer_size,
     Reload::no,
     {512, 1 << 20},
     "size",
     "Size of one receive buffer for server connections.",
     "`pkt_buf` (4096); here larger, because results are larger than queries"},
}};

constexpr std::array<Key<ServerConfig>, 5> server_keys{{
    {"host",
     &ServerConfig::host,
     Reload::yes,
     {},
     "string",
     "Address or name of PostgreSQL, or the directory (`/…`) of its Unix socket.",
     "`host=` of a database"},
    {"port", &ServerConfig::port, Reload::yes, port_range, "integer",
     "Port of PostgreSQL, also in its Unix socket's name.", "`port=` of a database"},
    {"max_connections",
     &ServerConfig::max_connections,
     Reload::yes,
     {1, backends_max, "auto", "write \"auto\" for as many as PostgreSQL has room for"},
     "integer or `\"auto\"`",
     "Most server connections of pgring in all; `\"auto\"` is as many as PostgreSQL has room for.",
     ""},
    {"keep_free",
     &ServerConfig::keep_free,
     Reload::yes,
     {0, backends_max},
     "integer",
     "Ordinary connection slots of PostgreSQL that are left to others.",
     ""},
    {"max_replication",
     &ServerConfig::max_replication,
     Reload::yes,
     {0, backends_max},
     "integer",
     "Most replication connections at a time, apart from the budget; 0 refuses them.",
     ""},
}};

constexpr std::array<Key<DatabaseConfig>, 24> database_keys{{
    {"server",
     &DatabaseConfig::server,
     Reload::yes,
     {},
     "string",
     "The `[server.NAME]` this database is on.",
     ""},
    {"dbname",
     &DatabaseConfig::dbname,
     Reload::yes,
     {},
     "string",
     "The database's name in PostgreSQL.",
     "`dbname=`",
     "NAME"},
    {"user",
     &DatabaseConfig::user,
     Reload::yes,
     {},
     "string",
     "Forced role: every client's server connection logs in as this one.",
     "`user=`",
     "the client's role"},
    {"password",
     &DatabaseConfig::password,
     Reload::yes,
     {},
     "secret",
     "Password of `user`; without it the one in the userlist.",
     "`password=`",
     "none"},
    {"pool_mode",
     &DatabaseConfig::pool_mode,
     Reload::yes,
     {},
     "string",
     "When a server connection goes back to the pool: `session`, `transaction` or `statement`.",
     "`pool_mode` (`session`); here `transaction`, which is what a pooler is put up for"},
    {"pool_size", &DatabaseConfig::pool_size, Reload::yes, pool_range, "integer",
     "Most server connections of each (database, role) pool.",
     "`pool_size`, `default_pool_size`; here not 0: a pool without a bound can use up PostgreSQL"},
    {"min_pool_size", &DatabaseConfig::min_pool_size, Reload::yes, pool_part_range, "integer",
     "Server connections a pool keeps open once a client has used it.", "`min_pool_size`"},
    {"reserve_pool_size", &DatabaseConfig::reserve_pool_size, Reload::yes, pool_part_range,
     "integer",
     "Server connections a pool may have beyond `pool_size` while a client has waited for "
     "`reserve_pool_timeout`.",
     "`reserve_pool_size`, `reserve_pool`"},
    {"reserve_pool_timeout", &DatabaseConfig::reserve_pool_timeout, Reload::yes, or_off, "duration",
     "Wait of a client that opens the reserve to its pool; `\"off\"` is never.",
     "`reserve_pool_timeout`, one for all databases"},
    {"max_connections", &DatabaseConfig::max_connections, Reload::yes, connections_range,
     "integer or `\"unlimited\"`",
     "Most server connections of this database at a time, over all its pools.",
     "`max_db_connections` (0, which is unlimited)"},
    {"weight", &DatabaseConfig::weight, Reload::yes, weight_range, "integer",
     "Share of each of its pools where server connections are short, relative to other pools.", ""},
    {"max_clients", &DatabaseConfig::max_clients, Reload::yes, limit_range,
     "integer or `\"unlimited\"`", "Most clients of this database at a time.",
     "`max_db_client_connections` (0, which is unlimited)"},
    {"connect_query",
     &DatabaseConfig::connect_query,
     Reload::yes,
     {},
     "string",
     "SQL run on each new server connection before a client uses it, and in session mode behind "
     "each reset.",
     "`connect_query=`; there on a new one only",
     "none"},
    {"reset_query",
     &DatabaseConfig::reset_query,
     Reload::yes,
     {},
     "string",
     "SQL run in session mode when a client leaves its server connection; `\"\"` runs none.",
     "`server_reset_query`"},
    {"lazy_begin",
     &DatabaseConfig::lazy_begin,
     Reload::yes,
     {},
     "boolean",
     "In transaction mode a `BEGIN` without options takes no server connection: it goes with the "
     "statement behind it, at whose time `now()` stands. If that gets none in time it fails with "
     "an "
     "error and the client can `ROLLBACK`.",
     ""},
    {"on_session_state",
     &DatabaseConfig::on_session_state,
     Reload::yes,
     {},
     "string",
     "What a client may do that only its server connection would know of (temporary tables, "
     "session "
     "advisory locks, `LISTEN`, cursors `WITH HOLD`, SQL `PREPARE`, `LOAD`): `pin` keeps the "
     "connection for it until that is gone, `error` refuses, `ignore` leaves it behind.",
     "none: there it is left behind"},
    {"max_pinned", &DatabaseConfig::max_pinned, Reload::yes, pool_range, "integer",
     "Most clients of a pool that keep their server connection for such state.", "",
     "three quarters of `pool_size`"},
    {"max_prepared_statements", &DatabaseConfig::max_prepared_statements, Reload::yes,
     prepared_range, "integer",
     "Prepared statements kept on each server connection, outside session mode; 0 refuses named "
     "ones.",
     "`max_prepared_statements` (200)"},
    {"reuse_parse",
     &DatabaseConfig::reuse_parse,
     Reload::yes,
     {},
     "boolean",
     "Outside transactions and session mode a client's `Parse` of a query that was prepared within "
     "the last second is answered without PostgreSQL, which a definition made past pgring can "
     "show.",
     ""},
    {"auth_query",
     &DatabaseConfig::auth_query,
     Reload::yes,
     {},
     "string",
     "As `auth.query`, for logins to this database.",
     "`auth_query=`",
     "`auth.query`"},
    {"auth_database",
     &DatabaseConfig::auth_database,
     Reload::yes,
     {},
     "string",
     "As `auth.database`, for logins to this database.",
     "`auth_dbname=`",
     "`auth.database`"},
    {"share",
     &DatabaseConfig::share,
     Reload::yes,
     {},
     "string",
     "Whether single statements of several clients are in flight on one server connection, in "
     "transaction and statement mode: `off`, or `reads` for short queries that only read.",
     "none"},
    {"share_depth", &DatabaseConfig::share_depth, Reload::yes, depth_range, "integer",
     "Most of them on one server connection.", "none"},
    {"share_stall",
     &DatabaseConfig::share_stall,
     Reload::yes,
     {},
     "duration",
     "How long one of them may take before those behind it go to other server connections.",
     "none"},
}};

constexpr std::array<Key<RoleConfig>, 9> role_keys{{
    {"password",
     &RoleConfig::password,
     Reload::yes,
     {},
     "secret",
     "Plain, md5 or SCRAM secret of the role; goes before the userlist.",
     "",
     "the userlist's"},
    {"pool_mode",
     &RoleConfig::pool_mode,
     Reload::yes,
     {},
     "string",
     "Pool mode of this role's pools.",
     "`pool_mode=` of a user",
     "the database's"},
    {"on_session_state",
     &RoleConfig::on_session_state,
     Reload::yes,
     {},
     "string",
     "The same for this role's pools.",
     "",
     "the database's"},
    {"share",
     &RoleConfig::share,
     Reload::yes,
     {},
     "string",
     "The same for this role's pools.",
     "",
     "the database's"},
    {"pool_size", &RoleConfig::pool_size, Reload::yes, pool_range, "integer",
     "Most server connections of each of this role's pools.", "`pool_size=` of a user",
     "the database's"},
    {"reserve_pool_size", &RoleConfig::reserve_pool_size, Reload::yes, pool_part_range, "integer",
     "Reserve of each of this role's pools.", "`reserve_pool_size=` of a user", "the database's"},
    {"max_connections", &RoleConfig::max_connections, Reload::yes, connections_range,
     "integer or `\"unlimited\"`",
     "Most server connections as this role at a time, over all databases of a server.",
     "`max_user_connections` (0, which is unlimited)"},
    {"weight", &RoleConfig::weight, Reload::yes, weight_range, "integer",
     "Multiplies the `weight` of the database for this role's pools.", ""},
    {"max_clients", &RoleConfig::max_clients, Reload::yes, limit_range,
     "integer or `\"unlimited\"`", "Most clients of this role at a time.",
     "`max_user_client_connections` (0, which is unlimited)"},
}};

constexpr std::array<Key<TimeoutsConfig>, 12> timeouts_keys{{
    {"query_wait", &TimeoutsConfig::query_wait, Reload::yes, or_off, "duration",
     "Longest wait of a client for a server connection. Then it is disconnected; in a transaction "
     "that waits for its first statement (`lazy_begin`) it gets an error.",
     "`query_wait_timeout`"},
    {"query", &TimeoutsConfig::query, Reload::yes, or_off, "duration", "Longest time of a query.",
     "`query_timeout`"},
    {"transaction", &TimeoutsConfig::transaction, Reload::yes, or_off, "duration",
     "Longest time of a transaction.", "`transaction_timeout`"},
    {"idle_transaction", &TimeoutsConfig::idle_transaction, Reload::yes, or_off, "duration",
     "Longest time without a query inside a transaction.", "`idle_transaction_timeout`"},
    {"client_idle", &TimeoutsConfig::client_idle, Reload::yes, or_off, "duration",
     "Longest time without a query before a client is disconnected.", "`client_idle_timeout`"},
    {"client_login", &TimeoutsConfig::client_login, Reload::yes, or_off, "duration",
     "Longest time of a client's login.", "`client_login_timeout`"},
    {"server_connect", &TimeoutsConfig::server_connect, Reload::yes, or_off, "duration",
     "Longest time to connect to PostgreSQL and log in.", "`server_connect_timeout`"},
    {"server_login_retry",
     &TimeoutsConfig::server_login_retry,
     Reload::yes,
     {},
     "duration",
     "Wait after a failed login to PostgreSQL before the next try; cannot be off.",
     "`server_login_retry`"},
    {"server_lifetime", &TimeoutsConfig::server_lifetime, Reload::yes, or_off, "duration",
     "Age at which a server connection is closed when it is free.",
     "`server_lifetime`; its 0 (use once) has no counterpart, `\"off\"` is no limit"},
    {"server_idle", &TimeoutsConfig::server_idle, Reload::yes, or_off, "duration",
     "Idle time after which a server connection is closed.", "`server_idle_timeout`"},
    {"cancel_wait", &TimeoutsConfig::cancel_wait, Reload::yes, or_off, "duration",
     "Longest wait of a cancel request to be passed on.", "`cancel_wait_timeout`"},
    {"query_wait_notify", &TimeoutsConfig::query_wait_notify, Reload::yes, or_off, "duration",
     "Wait after which a queued client is told so by a NOTICE.", "`query_wait_notify`"},
}};

constexpr std::array<Key<ConsoleConfig>, 2> console_keys{{
    {"admins",
     &ConsoleConfig::admins,
     Reload::yes,
     {},
     "array of strings",
     "Roles that may run every console command.",
     "`admin_users` (nobody); here PostgreSQL's own first role"},
    {"viewers",
     &ConsoleConfig::viewers,
     Reload::yes,
     {},
     "array of strings",
     "Roles that may only look (`SHOW …`).",
     "`stats_users`",
     "nobody"},
}};

constexpr std::array<Key<LogConfig>, 4> log_keys{{
    {"level",
     &LogConfig::level,
     Reload::yes,
     {},
     "string",
     "Least severe line written: `debug`, `info`, `warning` or `error`.",
     "`verbose`"},
    {"format",
     &LogConfig::format,
     Reload::yes,
     {},
     "string",
     "`text` (`key=value`) or `json` (an object per line).",
     ""},
    {"connections",
     &LogConfig::connections,
     Reload::yes,
     {},
     "boolean",
     "Log clients that log in.",
     "`log_connections`"},
    {"disconnections",
     &LogConfig::disconnections,
     Reload::yes,
     {},
     "boolean",
     "Log clients that leave, and why.",
     "`log_disconnections`"},
}};

}  // namespace

template <>
std::span<const Key<ListenConfig>> keys_of() {
  return listen_keys;
}
template <>
std::span<const Key<ShardsConfig>> keys_of() {
  return shards_keys;
}
template <>
std::span<const Key<RingConfig>> keys_of() {
  return ring_keys;
}
template <>
std::span<const Key<ServerConfig>> keys_of() {
  return server_keys;
}
template <>
std::span<const Key<DatabaseConfig>> keys_of() {
  return database_keys;
}
template <>
std::span<const Key<RoleConfig>> keys_of() {
  return role_keys;
}
template <>
std::span<const Key<TimeoutsConfig>> keys_of() {
  return timeouts_keys;
}
template <>
std::span<const Key<ConsoleConfig>> keys_of() {
  return console_keys;
}
template <>
std::span<const Key<LogConfig>> keys_of() {
  return log_keys;
}

}  // namespace pgring
