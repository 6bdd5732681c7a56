#include "wire/negotiate_protocol_version.h"

#include "wire/byte_reader.h"

namespace wire {

std::optional<NegotiateProtocolVersion> parse_negotiate_protocol_version(
    std::span<const std::byte> body) noexcept {
  ByteReader reader(body);
  const std::uint32_t version = reader.read_u32();
  const std::uint32_t options = reader.read_u32();
  if (!reader.ok() || version >> 16 != 3) return std::nullopt;
  // Every name consumes at least its terminator, so that the count cannot make this long.
  for (std::uint32_t i = 0; i < options; ++i) {
    if (!reader.read_cstring()) return std::nullopt;
  }
  if (!reader.at_end()) return std::nullopt;
  return NegotiateProtocolVersion{version & 0xffff, options};
}

}  // namespace wire
