// limits.h: how long what a peer sends may be, with the reason for each number.
//
// Units:  bytes. A message length is the length word of the message: it counts itself (4) but not
//         the type byte, as PostgreSQL compares it.
// Source: PostgreSQL src/include/libpq/libpq.h (PQ_SMALL_MESSAGE_LIMIT, PQ_LARGE_MESSAGE_LIMIT),
//         src/backend/tcop/postgres.c (SocketBackend), src/include/libpq/pqcomm.h,
//         src/backend/libpq/auth.c and auth-sasl.h.
#ifndef WIRE_LIMITS_H_
#define WIRE_LIMITS_H_

#include <cstdint>

namespace wire {

// MaxAllocSize - 1: more could not be held by the server's StringInfo.
inline constexpr std::uint32_t large_message_length_max = 0x3ffffffe;
inline constexpr std::uint32_t small_message_length_max = 10'000;

// PG_MAX_AUTH_TOKEN_LENGTH and PG_MAX_SASL_MESSAGE_LENGTH: what 'p' may be while logging in.
inline constexpr std::uint32_t password_message_length_max = 65'535;
inline constexpr std::uint32_t sasl_message_length_max = 1'024;

// MAX_STARTUP_PACKET_LENGTH counts the bytes after the length word, of which at least the four
// of the protocol version must be there.
inline constexpr std::uint32_t startup_body_size_min = 4;
inline constexpr std::uint32_t startup_body_size_max = 10'000;

// A cancel key: four bytes in protocol 3.0, up to 256 since 3.2.
inline constexpr std::uint32_t cancel_secret_size_min = 4;
inline constexpr std::uint32_t cancel_secret_size_max = 256;
// What PostgreSQL 18 gives (MAX_CANCEL_KEY_LENGTH in src/include/storage/procsignal.h), and we do.
inline constexpr std::uint32_t cancel_secret_size_3_2 = 32;

// PostgreSQL writes 24 characters of nonce and 16 bytes of salt; these leave room for others and
// keep a hostile server from growing what we send back (CVE-2026-6665).
inline constexpr std::uint32_t scram_server_message_size_max = 4'096;
inline constexpr std::uint32_t scram_nonce_size_max = 512;
inline constexpr std::uint32_t scram_salt_size_max = 1'024;

// PostgreSQL's default. The bound keeps a hostile server from using up our time (CVE-2026-6669).
inline constexpr std::uint32_t scram_iterations_default = 4'096;
inline constexpr std::uint32_t scram_iterations_max = 1'000'000;

static_assert(scram_nonce_size_max * 2 < scram_server_message_size_max);
static_assert(small_message_length_max < large_message_length_max);

// The longest message of this type PostgreSQL accepts; a longer one is FATAL to the connection.
// 0: a type no client may send. 'p' is legal only while logging in, where the exchange at hand
// sets the limit (a SASL message: sasl_message_length_max); this is the largest of them.
[[nodiscard]] constexpr std::uint32_t max_frontend_message_length(char type) noexcept {
  switch (type) {
    case 'B':  // Bind
    case 'F':  // FunctionCall
    case 'P':  // Parse
    case 'Q':  // Query
    case 'd':  // CopyData
      return large_message_length_max;
    case 'C':  // Close
    case 'D':  // Describe
    case 'E':  // Execute
    case 'H':  // Flush
    case 'S':  // Sync
    case 'X':  // Terminate
    case 'c':  // CopyDone
    case 'f':  // CopyFail
      return small_message_length_max;
    case 'p':  // PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse
      return password_message_length_max;
    default:
      return 0;
  }
}

}  // namespace wire

#endif  // WIRE_LIMITS_H_
