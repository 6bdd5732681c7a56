// IpAddress: an address or a mask, IPv4 or IPv6, as hba files and clients have them.
//
// What:   plain bytes in network order. No port and no scope: PostgreSQL compares neither.
// Errors: parse() tells what is no numeric address from what is none at all.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace pgring {

class IpAddress {
 public:
  enum class Family : std::uint8_t { v4, v6 };

  IpAddress() = default;
  // In network order. An IPv6 address keeps its kind even if it stands for an IPv4 one; see unmapped().
  [[nodiscard]] static IpAddress v4(const std::array<std::uint8_t, 4>& bytes);
  [[nodiscard]] static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);

  // As getaddrinfo with AI_NUMERICHOST reads it, and so PostgreSQL. Nothing: it is not numeric, a name
  // perhaps. The error is getaddrinfo's.
  [[nodiscard]] static Result<std::optional<IpAddress>, std::string> parse(const std::string& text);

  // Of `bits` ones. REQUIRES: bits <= bits_max(family).
  [[nodiscard]] static IpAddress mask(Family family, unsigned bits);
  [[nodiscard]] static unsigned bits_max(Family family) { return family == Family::v4 ? 32 : 128; }

  [[nodiscard]] Family family() const { return family_; }
  // ::ffff:a.b.c.d as a.b.c.d, anything else as it is.
  [[nodiscard]] IpAddress unmapped() const;
  // Its first `bits`, the rest zero. REQUIRES: as mask().
  [[nodiscard]] IpAddress prefix(unsigned bits) const;
  // Whether both agree in the bits that are set in `mask`. Different families never do.
  [[nodiscard]] bool agrees(const IpAddress& other, const IpAddress& mask) const;
  [[nodiscard]] std::string text() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  [[nodiscard]] std::size_t size() const { return family_ == Family::v4 ? 4 : 16; }

  std::array<std::uint8_t, 16> bytes_{};  // of IPv4 the first four
  Family family_ = Family::v4;
};

}  // namespace pgring
