#include "wire/byte_reader.h"

#include <algorithm>

namespace wire {

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}

void ByteReader::fail() noexcept {
  ok_ = false;
  rest_ = {};
}

std::span<const std::byte> ByteReader::read_bytes(std::size_t size) noexcept {
  // Compared before anything is added: a peer's length cannot wrap (CVE-2026-6664).
  if (size > rest_.size()) {
    fail();
    return {};
  }
  const std::span<const std::byte> taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

std::uint32_t ByteReader::read_big_endian(std::size_t size) noexcept {
  std::uint32_t value = 0;
  for (const std::byte byte : read_bytes(size)) {
    value = (value << 8) | std::to_integer<std::uint32_t>(byte);
  }
  return value;
}

std::uint8_t ByteReader::read_u8() noexcept {
  return static_cast<std::uint8_t>(read_big_endian(1));
}

std::uint16_t ByteReader::read_u16() noexcept {
  return static_cast<std::uint16_t>(read_big_endian(2));
}

std::uint32_t ByteReader::read_u32() noexcept { return read_big_endian(4); }

std::optional<std::string_view> ByteReader::read_cstring() noexcept {
  const auto zero = std::find(rest_.begin(), rest_.end(), std::byte{0});
  if (zero == rest_.end()) {
    fail();
    return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(zero - rest_.begin());
  const std::string_view text = as_text(rest_.first(size));
  rest_ = rest_.subspan(size + 1);
  return text;
}

}  // namespace wire
