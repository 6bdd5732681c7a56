// ldap://host:port/base?attribute?scope?filter, as hba files have it in ldapurl.
#pragma once

#include <string>
#include <string_view>

#include "src/auth/hba_options.h"
#include "src/base/result.h"

namespace pgring {

// Writes what the URL names into `options` and leaves what it does not name. The error says what is wrong.
// Source: RFC 4516; PostgreSQL docs, auth-ldap, "ldapurl".
[[nodiscard]] Result<void, std::string> read_ldap_url(std::string_view url, LdapOptions& options);

}  // namespace pgring
