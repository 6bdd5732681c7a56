// StoredSecret: what is known about a role's password, as a userlist or the config gives it.
//
// What:   the text and its kind: plain, PostgreSQL's md5 hash, or a SCRAM-SHA-256 verifier.
// Owner:  the configuration snapshot. Life: as the snapshot.
// Source: PostgreSQL docs, catalog-pg-authid, "rolpassword"; RFC 5803.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "src/base/secret.h"

namespace pgring {

enum class SecretKind : std::uint8_t {
  none,           // the role exists, it has no password: no password login can succeed
  plain,          // the password itself
  md5,            // "md5" and 32 lower-case hex digits
  scram_sha_256,  // SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
};

struct StoredSecret {
  Secret text;
  SecretKind kind = SecretKind::none;
};

// Role name to secret; std::less<> so that a login looks up a string_view.
using UserList = std::map<std::string, StoredSecret, std::less<>>;

// NAMEDATALEN - 1: PostgreSQL cuts longer names, so one could never match.
inline constexpr std::size_t role_name_size_max = 63;
inline constexpr std::size_t secret_size_max = std::size_t{64} * 1024;

// The kind PostgreSQL would see (get_password_type). Text that begins as a SCRAM verifier and is
// none is an error, not a password: the returned text says what is wrong with it.
[[nodiscard]] Result<SecretKind, std::string> classify_secret(std::string_view text);

}  // namespace pgring
