// Where a client comes from, in 20 bytes.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "src/auth/ip_address.h"

namespace pgring {

class PeerAddress {
 public:
  PeerAddress() = default;
  // Of a connected socket; unknown families count as a Unix socket.
  [[nodiscard]] static PeerAddress of_peer(int socket);
  [[nodiscard]] static PeerAddress of_local(int socket);

  [[nodiscard]] std::string host() const;  // "127.0.0.1", "::1", "unix"
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string text() const;  // "127.0.0.1:5432", "[::1]:5432", "unix"
  [[nodiscard]] bool is_unix() const { return family_ == Family::local; }
  [[nodiscard]] std::optional<IpAddress> ip() const;  // none of a Unix socket

 private:
  enum class Family : std::uint8_t { local, v4, v6 };
  template <class Call>
  [[nodiscard]] static PeerAddress read(Call call);
  std::array<unsigned char, 16> bytes_{};
  std::uint16_t port_ = 0;
  Family family_ = Family::local;
};

// The user whose program connected to a Unix socket, as the kernel knows. Nullopt: it does not tell.
[[nodiscard]] std::optional<uid_t> peer_user_id(int socket);

}  // namespace pgring
