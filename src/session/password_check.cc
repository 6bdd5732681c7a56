#include "src/session/password_check.h"

#include <string>

#include "src/base/check.h"
#include "wire/limits.h"
#include "wire/md5.h"
#include "wire/scram_secret.h"

namespace pgring {

PasswordVerdict check_password(const StoredSecret& secret, std::string_view role,
                               std::string_view password) {
  switch (secret.kind) {
    case SecretKind::none:
      return {};
    case SecretKind::plain:
      return {secret.text.equals(password), {}};
    case SecretKind::md5: {
      const auto hashed = wire::md5_secret(password, role);
      return {hashed && secret.text.equals(*hashed), {}};
    }
    case SecretKind::scram_sha_256: {
      const auto stored = wire::parse_scram_secret(secret.text.reveal());
      if (!stored) return {};
      const auto keys = wire::scram_keys_from_password(password, stored->salt, stored->iterations);
      if (!keys || !wire::scram_keys_match(*keys, *stored)) return {};
      return {true, keys};
    }
  }
  POOLER_UNREACHABLE();
}

StoredSecret mock_secret(const SecretShape& shape, std::string_view role,
                         std::string_view process_secret) {
  if (shape.kind == SecretKind::scram_sha_256) {
    const auto mock = wire::scram_mock_secret(
        role, process_secret,
        shape.iterations == 0 ? wire::scram_iterations_default : shape.iterations);
    if (mock) return {Secret{wire::format_scram_secret(*mock)}, SecretKind::scram_sha_256};
  }
  if (shape.kind == SecretKind::md5) {
    if (const auto mock = wire::md5_secret(process_secret, role))
      return {Secret{*mock}, SecretKind::md5};
  }
  // As good as any: nobody knows it.
  return {Secret{process_secret}, SecretKind::plain};
}

}  // namespace pgring
