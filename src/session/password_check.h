// Whether a password sent in clear text is the role's, by what is stored of it.
//
// What:   of a SCRAM verifier with the verifier's own rounds, which is work for a worker.
// Errors: none: a secret that cannot be read fits no password.
#pragma once

#include <optional>
#include <string_view>

#include "src/auth/secret_shapes.h"
#include "src/auth/stored_secret.h"
#include "wire/scram_secret.h"

namespace pgring {

struct PasswordVerdict {
  bool fits = false;
  std::optional<wire::ScramKeys>
      keys;  // to log in elsewhere with; where the secret is a SCRAM verifier
};

[[nodiscard]] PasswordVerdict check_password(const StoredSecret& secret, std::string_view role,
                                             std::string_view password);

// A secret of that kind that no password fits; the work of finding that out is the same.
[[nodiscard]] StoredSecret mock_secret(const SecretShape& shape, std::string_view role,
                                       std::string_view process_secret);

}  // namespace pgring
