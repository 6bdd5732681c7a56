// scram_secret.h: what is stored of a password for SCRAM-SHA-256, and the keys made from it.
//
// What:   ScramSecret is what a server keeps (pg_authid.rolpassword): it can check a client, it
//         cannot log in. ScramKeys is what logging in takes: ClientKey, which a server learns
//         when a client logs in, and ServerKey, to tell the real server from a false one.
// Errors: nullopt where a text is not a secret, or OpenSSL refuses.
// Limits: a password is hashed as the bytes it is. For ASCII that is what PostgreSQL does. Other
//         passwords PostgreSQL first normalises (SASLprep: NFKC and mappings), unless they hold
//         prohibited or undecodable text; pgring does not, so a non-ASCII password works if it is
//         written in its normal form, and otherwise does not match PostgreSQL's secret.
// Source: RFC 5802 section 3; PostgreSQL src/common/scram-common.c, saslprep.c.
#ifndef WIRE_SCRAM_SECRET_H_
#define WIRE_SCRAM_SECRET_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wire {

inline constexpr std::string_view scram_mechanism = "SCRAM-SHA-256";
inline constexpr std::string_view scram_plus_mechanism = "SCRAM-SHA-256-PLUS";

using ScramKey = std::array<unsigned char, 32>;

struct ScramSecret {
  std::uint32_t iterations = 0;  // 1 to scram_iterations_max
  std::string salt;              // raw bytes
  ScramKey stored_key{};
  ScramKey server_key{};
  friend bool operator==(const ScramSecret&, const ScramSecret&) = default;
};

struct ScramKeys {
  ScramKey client_key{};
  ScramKey server_key{};
};

// "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>"
[[nodiscard]] std::optional<ScramSecret> parse_scram_secret(std::string_view text);
[[nodiscard]] std::string format_scram_secret(const ScramSecret& secret);

// Costs 0.31 µs per iteration (1.3 ms for 4096, one core, OpenSSL 3.0): not for a shard's loop in
// number. Make the secret of a plain password once, when it is read.
[[nodiscard]] std::optional<ScramKeys> scram_keys_from_password(std::string_view password,
                                                                std::string_view salt,
                                                                std::uint32_t iterations);
[[nodiscard]] std::optional<ScramSecret> scram_secret_from_password(std::string_view password,
                                                                    std::string_view salt,
                                                                    std::uint32_t iterations);

// Whether logging in with these keys is what the secret checks for.
[[nodiscard]] bool scram_keys_match(const ScramKeys& keys, const ScramSecret& secret);

// A secret for a user that does not exist: the same salt each time for one name, as a real user
// has, and no password that fits. `process_secret` is random, of the process, at least 16 bytes;
// `iterations` is what real users have.
[[nodiscard]] std::optional<ScramSecret> scram_mock_secret(std::string_view user,
                                                           std::string_view process_secret,
                                                           std::uint32_t iterations);

// Nullopt: no random bytes to be had.
[[nodiscard]] std::optional<std::string> make_scram_nonce();  // 24 printable characters
[[nodiscard]] std::optional<std::string> make_scram_salt();   // 16 raw bytes

// The computations of RFC 5802 section 3, for the two state machines.
[[nodiscard]] std::optional<ScramKey> scram_hmac(std::string_view key, std::string_view text);
[[nodiscard]] std::optional<ScramKey> scram_hmac(const ScramKey& key, std::string_view text);
[[nodiscard]] std::optional<ScramKey> scram_hash(const ScramKey& key);
[[nodiscard]] ScramKey scram_xor(const ScramKey& a, const ScramKey& b);
[[nodiscard]] bool scram_equal(const ScramKey& a, const ScramKey& b);  // in constant time
[[nodiscard]] std::string_view scram_key_text(const ScramKey& key);    // a view of its bytes
[[nodiscard]] std::optional<ScramKey> scram_key_from_base64(std::string_view text);

}  // namespace wire

#endif  // WIRE_SCRAM_SECRET_H_
