// startup.h: what a client sends before anything else, and what it asks for there.
//
// What:   scan_startup says where the first packet ends, parse_startup what it is. The packet has
//         no type byte, and a client may send several: SSLRequest, GSSENCRequest, then the rest.
//         Bytes that follow an SSLRequest answered with 'S' are not to be read as plain text
//         (CVE-2021-3935), and a second StartupMessage is never accepted (CVE-2026-107350); the
//         caller keeps that state.
// Life:   names, values and secret are views into the packet.
// Errors: with PostgreSQL's own SQLSTATE and text.
// Source: PostgreSQL docs protocol-flow, "Start-up", and protocol-message-formats;
//         src/backend/tcop/backend_startup.c (ProcessStartupPacket).
#ifndef WIRE_STARTUP_H_
#define WIRE_STARTUP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/name_value.h"

namespace wire {

// They stand where a protocol version does; the major number 1234 will never be one.
inline constexpr std::uint32_t cancel_request_code = (1234u << 16) | 5678u;
inline constexpr std::uint32_t ssl_request_code = (1234u << 16) | 5679u;
inline constexpr std::uint32_t gssenc_request_code = (1234u << 16) | 5680u;

inline constexpr std::uint32_t protocol_major_supported = 3;
// 3.2 brings cancel keys of more than four bytes. 3.1 was never used: PostgreSQL 18 goes on with it without a
// word, as if it were 3.0, and so do we.
inline constexpr std::uint32_t protocol_minor_supported = 2;
inline constexpr std::uint32_t protocol_minor_long_keys = 2;

enum class StartupScanKind : std::uint8_t { need_more, packet, malformed };

struct [[nodiscard]] StartupScan {
  StartupScanKind kind;
  std::uint32_t size;       // packet: its bytes, length word included
  std::string_view reason;  // malformed: message of an 08P01
};

// Looks at the length only, as soon as its four bytes are there: a packet that is too long is
// refused before it is collected.
StartupScan scan_startup(std::span<const std::byte> input) noexcept;

struct StartupError {
  std::string_view sqlstate;
  std::string message;
};

struct CancelRequest {
  std::uint32_t pid = 0;
  std::span<const std::byte> secret;  // 4 to 256 bytes
};

struct StartupMessage {
  std::uint32_t protocol_major = 0;
  std::uint32_t protocol_minor = 0;   // may be newer than ours: answer NegotiateProtocolVersion
  std::vector<NameValue> parameters;  // in the order sent, user and database included
  std::vector<NameValue> protocol_options;  // named _pq_.…; we know none: negotiate them away

  // The last value given, as PostgreSQL takes it.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::string_view user() const;      // never empty
  [[nodiscard]] std::string_view database() const;  // defaults to the user
  [[nodiscard]] bool needs_negotiation() const;
  // What is spoken from here on: the minor asked for, or ours if that is older.
  [[nodiscard]] std::uint16_t minor_spoken() const;
};

enum class StartupKind : std::uint8_t {
  SSLRequest,
  GSSENCRequest,
  CancelRequest,
  StartupMessage,
  refused,
};

struct [[nodiscard]] Startup {
  StartupKind kind = StartupKind::refused;
  CancelRequest cancel;    // CancelRequest
  StartupMessage message;  // StartupMessage
  // refused. A malformed CancelRequest is answered with nothing but the end of the connection,
  // as PostgreSQL does: `is_cancel` tells.
  StartupError error;
  bool is_cancel = false;
};

// `packet` is what scan_startup measured; any other bytes are refused, not trusted.
Startup parse_startup(std::span<const std::byte> packet);

}  // namespace wire

#endif  // WIRE_STARTUP_H_
