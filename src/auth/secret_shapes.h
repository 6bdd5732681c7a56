// What of stored secrets shows in a login, and how often each kind occurs: for roles that do not exist.
//
// What:   a login shows by its messages, rounds and time what kind of secret a role has. A role that does not
//         exist is treated as one of those that do: pick() draws one for its name, always the same.
// Life:   made with the configuration; constant.
// Errors: none.
#pragma once

#include <cstdint>
#include <vector>

#include "src/auth/stored_secret.h"

namespace pgring {

struct SecretShape {
  SecretKind kind = SecretKind::scram_sha_256;
  std::uint32_t iterations = 0;  // of SCRAM; 0: not said, PostgreSQL's default
  friend bool operator==(const SecretShape&, const SecretShape&) = default;
};

[[nodiscard]] SecretShape shape_of(const StoredSecret& secret);

class SecretShapes {
 public:
  SecretShapes() = default;  // of no roles: pick() gives PostgreSQL's default
  explicit SecretShapes(const UserList& users);

  // `number` stands for the name: a keyed hash of it.
  [[nodiscard]] SecretShape pick(std::uint64_t number) const;

 private:
  struct Part {
    SecretShape shape;
    std::uint64_t end = 0;  // counted from the first: those before it and its own
  };
  std::vector<Part> parts_;
};

}  // namespace pgring
