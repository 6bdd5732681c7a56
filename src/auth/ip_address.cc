#include "src/auth/ip_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "src/base/check.h"

namespace pgring {

IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress address;
  address.family_ = Family::v6;
  address.bytes_ = bytes;
  return address;
}

Result<std::optional<IpAddress>, std::string> IpAddress::parse(const std::string& text) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // one answer: several would be sorted by way of sockets
  addrinfo* raw = nullptr;
  const int error = ::getaddrinfo(text.c_str(), nullptr, &hints, &raw);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> found(raw, [](addrinfo* list) {
    if (list != nullptr) ::freeaddrinfo(list);
  });
  if (error == EAI_NONAME) return std::optional<IpAddress>();
  if (error != 0) return Unexpected(std::string(::gai_strerror(error)));
  if (found->ai_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, found->ai_addr, sizeof address);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
    return std::optional(v4(bytes));
  }
  if (found->ai_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, found->ai_addr, sizeof address);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
    return std::optional(v6(bytes));
  }
  return Unexpected(std::string("neither an IPv4 nor an IPv6 address"));
}

IpAddress IpAddress::mask(Family family, unsigned bits) {
  POOLER_CHECK(bits <= bits_max(family));
  IpAddress mask;
  mask.family_ = family;
  for (unsigned bit = 0; bit < bits; ++bit) {
    mask.bytes_[bit / 8] = static_cast<std::uint8_t>(mask.bytes_[bit / 8] | (0x80U >> (bit % 8)));
  }
  return mask;
}

IpAddress IpAddress::unmapped() const {
  constexpr std::array<std::uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (family_ == Family::v4 || !std::equal(prefix.begin(), prefix.end(), bytes_.begin()))
    return *this;
  return v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]});
}

IpAddress IpAddress::prefix(unsigned bits) const {
  const IpAddress kept = mask(family_, bits);
  IpAddress result = *this;
  for (std::size_t i = 0; i < size(); ++i) result.bytes_[i] &= kept.bytes_[i];
  return result;
}

bool IpAddress::agrees(const IpAddress& other, const IpAddress& mask) const {
  if (family_ != other.family_ || family_ != mask.family_) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    if (((bytes_[i] ^ other.bytes_[i]) & mask.bytes_[i]) != 0) return false;
  }
  return true;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = family_ == Family::v4 ? AF_INET : AF_INET6;
  POOLER_CHECK(::inet_ntop(family, bytes_.data(), text.data(), text.size()) != nullptr);
  return text.data();
}

}  // namespace pgring
