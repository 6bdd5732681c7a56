// negotiate_protocol_version.h: a server's answer to a protocol version it does not have.
//
// What:   which version it speaks instead, and which of the protocol options (_pq_.…) asked for it does not know.
// Errors: nullopt if it is cut short, has bytes to spare, or a major version other than 3.
// Source: PostgreSQL docs protocol-message-formats, NegotiateProtocolVersion. They say "minor version"; all
//         servers send the whole one (src/backend/tcop/backend_startup.c, SendNegotiateProtocolVersion).
#ifndef WIRE_NEGOTIATE_PROTOCOL_VERSION_H_
#define WIRE_NEGOTIATE_PROTOCOL_VERSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace wire {

struct NegotiateProtocolVersion {
  std::uint32_t minor;
  std::uint32_t options;  // how many are not known
};

[[nodiscard]] std::optional<NegotiateProtocolVersion> parse_negotiate_protocol_version(
    std::span<const std::byte> body) noexcept;

}  // namespace wire

#endif  // WIRE_NEGOTIATE_PROTOCOL_VERSION_H_
