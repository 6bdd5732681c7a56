#include "src/session/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace pgring {

template <class Call>
PeerAddress PeerAddress::read(Call call) {
  PeerAddress result;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (call(reinterpret_cast<sockaddr*>(&storage), &size) != 0) return result;
  if (storage.ss_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &storage, sizeof address);
    std::memcpy(result.bytes_.data(), &address.sin_addr, sizeof address.sin_addr);
    result.port_ = ntohs(address.sin_port);
    result.family_ = Family::v4;
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &storage, sizeof address);
    std::memcpy(result.bytes_.data(), &address.sin6_addr, sizeof address.sin6_addr);
    result.port_ = ntohs(address.sin6_port);
    result.family_ = Family::v6;
  }
  return result;
}

PeerAddress PeerAddress::of_peer(int socket) {
  return read([socket](sockaddr* address, socklen_t* size) {
    return ::getpeername(socket, address, size);
  });
}

PeerAddress PeerAddress::of_local(int socket) {
  return read([socket](sockaddr* address, socklen_t* size) {
    return ::getsockname(socket, address, size);
  });
}

std::string PeerAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (family_) {
    case Family::local:
      return "unix";
    case Family::v4:
      return ::inet_ntop(AF_INET, bytes_.data(), text.data(), text.size()) != nullptr ? text.data()
                                                                                      : "?";
    case Family::v6:
      return ::inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size()) != nullptr ? text.data()
                                                                                       : "?";
  }
  return "?";
}

std::optional<IpAddress> PeerAddress::ip() const {
  if (family_ == Family::v6) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), bytes_.data(), bytes.size());
    return IpAddress::v6(bytes);
  }
  if (family_ == Family::local) return std::nullopt;
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), bytes_.data(), bytes.size());
  return IpAddress::v4(bytes);
}

std::optional<uid_t> peer_user_id(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return credentials.uid;
}

std::string PeerAddress::text() const {
  if (is_unix()) return "unix";
  const bool bracketed = family_ == Family::v6;
  return (bracketed ? "[" : "") + host() + (bracketed ? "]:" : ":") + std::to_string(port_);
}

}  // namespace pgring
