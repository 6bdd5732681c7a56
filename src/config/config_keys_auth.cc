// The keys of [auth].
#include <array>

#include "src/config/config_keys.h"

namespace pgring {
namespace {

constexpr std::array<Key<AuthConfig>, 4> auth_keys{{
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
}};

}  // namespace

template <>
std::span<const Key<AuthConfig>> keys_of() {
  return auth_keys;
}

}  // namespace pgring
