#include "wire/base64.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace wire {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t not_a_digit = 0xff;

constexpr std::array<std::uint8_t, 256> make_digit_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_a_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> digit_values = make_digit_values();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::string_view group = bytes.substr(0, 3);
    bytes.remove_prefix(group.size());
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8) | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const bool padding = i > group.size();
      text.push_back(padding ? '=' : alphabet[(bits >> (18 - 6 * i)) & 63]);
    }
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  std::uint32_t bits = 0;
  std::uint32_t bit_count = 0;
  for (const char c : text) {
    const std::uint8_t value = digit_values[static_cast<unsigned char>(c)];
    if (value == not_a_digit) return std::nullopt;
    bits = ((bits << 6) | value) & 0xffff;  // at most 6 + 7 of them are still wanted
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes.push_back(static_cast<char>((bits >> bit_count) & 0xff));
  }
  // Bits the padding leaves over must be zero, else two texts would mean one value.
  const std::uint32_t left_over = bits & ((1u << bit_count) - 1);
  if (left_over != 0) return std::nullopt;
  return bytes;
}

}  // namespace wire
