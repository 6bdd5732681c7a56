// cancel_secret.h: the secret halves of the cancel keys that clients get.
//
// What:   a secret is not kept for each client but computed when it is told and when somebody claims to know
//         it: HMAC-SHA-256 under a random key of 32 bytes, over what names the client. Who does not have the
//         key cannot tell the outcome from random bytes, however many secrets of other clients it has seen,
//         so they are as good as stored ones; and an idle client carries none of their 32 bytes. It costs
//         about a microsecond for each login and each cancel request, none for a query.
// Owner:  whoever gives keys out, for as long as they are valid. Constant after construction.
// Errors: without random bytes or memory for the hash there is no secret to be had: aborts (WIRE_CHECK).
// Source: PostgreSQL docs protocol-flow, "Canceling Requests in Progress".
#ifndef WIRE_CANCEL_SECRET_H_
#define WIRE_CANCEL_SECRET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/limits.h"

namespace wire {

class CancelSecrets {
 public:
  CancelSecrets();
  CancelSecrets(const CancelSecrets&) = delete;
  CancelSecrets& operator=(const CancelSecrets&) = delete;

  // `pid` is the key's other half; `serial` tells apart those who have it one after the other, so that no key
  // comes back. Secrets of different sizes have nothing in common. REQUIRES: size is that of a protocol version.
  [[nodiscard]] std::string secret(std::uint32_t pid, std::uint64_t serial, std::size_t size) const;
  // In a time that does not depend on how much of it is right.
  [[nodiscard]] bool matches(std::span<const std::byte> claimed, std::uint32_t pid,
                             std::uint64_t serial, std::size_t size) const;

 private:
  static constexpr std::size_t key_size = 32;  // as much as the hash can use
  std::array<std::byte, key_size> key_{};
};

}  // namespace wire

#endif  // WIRE_CANCEL_SECRET_H_
