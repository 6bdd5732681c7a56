#include "wire/backend_key_data.h"

#include "wire/byte_reader.h"
#include "wire/limits.h"

namespace wire {

std::optional<BackendKeyData> parse_backend_key_data(std::span<const std::byte> body) noexcept {
  ByteReader reader(body);
  const std::uint32_t pid = reader.read_u32();
  const std::span<const std::byte> secret = reader.read_bytes(reader.remaining());
  if (secret.size() < cancel_secret_size_min) return std::nullopt;
  if (secret.size() > cancel_secret_size_max) return std::nullopt;
  return BackendKeyData{pid, secret};
}

}  // namespace wire
