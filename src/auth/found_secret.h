// FoundSecret: what auth.query said of a role.
//
// Owner:  shared between the cache and the logins that wait for it, on any thread; constant.
// Errors: none. That there is no secret is an answer, and says why.
#pragma once

#include <memory>
#include <string>

#include "src/auth/stored_secret.h"

namespace pgring {

struct FoundSecret {
  StoredSecret secret;   // kind none: no login can succeed by it
  std::string why_none;  // for the log, never for the client
};
using FoundSecretRef = std::shared_ptr<const FoundSecret>;

// More than any of PostgreSQL's own; a longer one is none.
inline constexpr std::size_t found_secret_size_max = 1024;

}  // namespace pgring
