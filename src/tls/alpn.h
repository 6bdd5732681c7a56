// PostgreSQL's name in ALPN (RFC 7301), as the extension spells it. For src/tls only.
#pragma once

#include <array>
#include <string_view>

namespace pgring::alpn {

inline constexpr std::string_view name = "postgresql";
inline constexpr auto wire = [] {
  std::array<unsigned char, name.size() + 1> bytes{name.size()};
  for (std::size_t i = 0; i < name.size(); ++i) bytes[i + 1] = static_cast<unsigned char>(name[i]);
  return bytes;
}();

}  // namespace pgring::alpn
