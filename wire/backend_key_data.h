// backend_key_data.h: the key a server gives to cancel its connection's query.
//
// Life:   `secret` is a view into the body given.
// Errors: nullopt if the secret is not 4 to 256 bytes long.
// Source: PostgreSQL docs protocol-message-formats, BackendKeyData.
#ifndef WIRE_BACKEND_KEY_DATA_H_
#define WIRE_BACKEND_KEY_DATA_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace wire {

struct BackendKeyData {
  std::uint32_t pid;
  std::span<const std::byte> secret;
};

[[nodiscard]] std::optional<BackendKeyData> parse_backend_key_data(
    std::span<const std::byte> body) noexcept;

}  // namespace wire

#endif  // WIRE_BACKEND_KEY_DATA_H_
