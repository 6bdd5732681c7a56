// authentication.h: the login exchange's messages, read: AuthenticationXxx of a server, and the
// three shapes of 'p' of a client.
//
// Life:   views into the body given.
// Errors: a body that is not what its kind says yields nullopt. A kind we do not know is not an
//         error here: it is reported with its number.
// Source: PostgreSQL docs protocol-message-formats; src/include/libpq/protocol.h (AUTH_REQ_…).
#ifndef WIRE_AUTHENTICATION_H_
#define WIRE_AUTHENTICATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace wire {

// Spelled as the messages are: AuthenticationOk …; the values are those on the wire.
enum class AuthenticationKind : std::uint32_t {
  Ok = 0,
  KerberosV5 = 2,
  CleartextPassword = 3,
  MD5Password = 5,
  GSS = 7,
  GSSContinue = 8,
  SSPI = 9,
  SASL = 10,
  SASLContinue = 11,
  SASLFinal = 12,
  unknown = 0xffffffff,
};

struct Authentication {
  AuthenticationKind kind = AuthenticationKind::unknown;
  std::uint32_t number = 0;                  // as sent; what to name when kind is unknown
  std::array<std::byte, 4> salt{};           // MD5Password
  std::vector<std::string_view> mechanisms;  // SASL
  std::string_view data;                     // SASLContinue, SASLFinal, GSSContinue

  [[nodiscard]] bool offers(std::string_view mechanism) const;
};

[[nodiscard]] std::optional<Authentication> parse_authentication(std::span<const std::byte> body);

struct SASLInitialResponse {
  std::string_view mechanism;
  std::optional<std::string_view> data;  // absent: the client waits for an empty challenge
};

[[nodiscard]] std::optional<SASLInitialResponse> parse_sasl_initial_response(
    std::span<const std::byte> body);

// The text of a PasswordMessage. Nullopt: not exactly one cstring ("invalid password packet
// size"). Empty is possible, and never a valid password.
[[nodiscard]] std::optional<std::string_view> parse_password_message(
    std::span<const std::byte> body);

}  // namespace wire

#endif  // WIRE_AUTHENTICATION_H_
