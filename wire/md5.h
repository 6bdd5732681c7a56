// md5.h: PostgreSQL's md5 password method, both ways.
//
// What:   the stored secret is "md5" + hex(md5(password + user)), the answer to a salt is
//         "md5" + hex(md5(hex of the secret + salt)).
// Errors: nullopt (`unavailable`) where this machine's OpenSSL refuses MD5, as in FIPS mode. Then
//         md5 authentication does not work at all, and only scram-sha-256 can be used.
// Source: PostgreSQL docs protocol-flow, AuthenticationMD5Password; auth-password.
#ifndef WIRE_MD5_H_
#define WIRE_MD5_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wire {

// "md5" and 32 hexadecimal digits, as in pg_authid.rolpassword.
[[nodiscard]] bool is_md5_secret(std::string_view text) noexcept;

[[nodiscard]] std::optional<std::string> md5_secret(std::string_view password,
                                                    std::string_view user);

// What a client with this secret answers. REQUIRES: is_md5_secret(secret); else nullopt.
[[nodiscard]] std::optional<std::string> md5_response(std::string_view secret,
                                                      std::span<const std::byte, 4> salt);

enum class Md5Verdict : std::uint8_t { match, mismatch, unavailable };

// Takes the same time whatever the first differing byte is.
[[nodiscard]] Md5Verdict verify_md5_response(std::string_view secret,
                                             std::span<const std::byte, 4> salt,
                                             std::string_view response);

}  // namespace wire

#endif  // WIRE_MD5_H_
