// The keys of [auth].
#include <array>

#include "src/config/config_keys.h"

namespace pgring {
namespace {

constexpr ValueRule or_off{0, 0, "off"};

constexpr std::array<Key<AuthConfig>, 10> auth_keys{{
    {"method",
     &AuthConfig::method,
     Reload::yes,
     {},
     "string",
     "How clients prove who they are: `scram-sha-256`, `md5` (SCRAM where the stored secret is "
     "SCRAM) or `trust` (not at all).",
     "`auth_type` (`md5`); here what PostgreSQL itself defaults to"},
    {"file",
     &AuthConfig::file,
     Reload::yes,
     {},
     "string",
     "The userlist; a relative path starts at pgring.toml's directory.",
     "`auth_file` (unset)"},
    {"hba_file",
     &AuthConfig::hba_file,
     Reload::yes,
     {},
     "string",
     "A file in the syntax of PostgreSQL's `pg_hba.conf` that says for each login how it is made, "
     "in "
     "place of `method`; a relative path as of `file`.",
     "`auth_hba_file` (unset), with `auth_type=hba`",
     "none"},
    {"ident_file",
     &AuthConfig::ident_file,
     Reload::yes,
     {},
     "string",
     "A file in the syntax of `pg_ident.conf`: the maps that `map=` in `hba_file` names.",
     "`auth_ident_file` (unset)",
     "none"},
    {"failed_login_delay", &AuthConfig::failed_login_delay, Reload::yes, or_off, "duration",
     "Longest delay of logins from an address and as a role that have failed again and again; from "
     "the "
     "fourth failure on it grows from 100 ms.",
     ""},
    {"role",
     &AuthConfig::role,
     Reload::yes,
     {},
     "string",
     "Role that asks PostgreSQL, by `query`, for the secrets of roles that the userlist does not "
     "have.",
     "`auth_user` (unset)",
     "nobody is asked"},
    {"password",
     &AuthConfig::password,
     Reload::yes,
     {},
     "secret",
     "Password of `role`; none is needed where PostgreSQL lets it in by `peer`, `cert` or `trust`.",
     "in `auth_file`",
     "the userlist's"},
    {"query",
     &AuthConfig::query,
     Reload::yes,
     {},
     "string",
     "What is asked: `$1` is the role's name, the two columns are the name and the secret. The "
     "default is the function "
     "of `pgring setup-sql`, which minds `VALID UNTIL`.",
     "`auth_query`; there `pg_authid` itself, which takes a superuser"},
    {"database",
     &AuthConfig::database,
     Reload::yes,
     {},
     "string",
     "Where it is asked: a database of PostgreSQL's, on the server of the database that the client "
     "asks for.",
     "`auth_dbname` (the client's database)"},
    {"query_cache", &AuthConfig::query_cache, Reload::yes, or_off, "duration",
     "How long an answer is used, also that there is no such role; a failed login ends it at once.",
     "none: each login asks"},
}};

}  // namespace

template <>
std::span<const Key<AuthConfig>> keys_of() {
  return auth_keys;
}

}  // namespace pgring
