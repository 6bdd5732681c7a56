// Where a server listens: a configured host and port made into socket addresses.
//
// Owner:  resolved on the main thread at start and reload (getaddrinfo may block), read by the shards.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/secret_shapes.h"
#include "src/base/result.h"
#include "src/config/config.h"

namespace pgring {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

// A directory is a Unix socket's; anything else an address or a name. The error says why it has none.
[[nodiscard]] Result<std::vector<SocketAddress>, std::string> resolve_server(
    const std::string& host, std::uint32_t port);

// A stream socket for the address: close-on-exec, without delay on TCP. -errno when there is none.
[[nodiscard]] int make_socket(const SocketAddress& address);
void set_client_options(int socket);  // TCP_NODELAY and keepalive on an accepted one

// Set where a server turned out to refuse other versions of the protocol than 3.0 instead of negotiating. Any
// thread. A login keeps the one it began with: after a reload it knows nothing of the new configuration's server.
using OnlyProtocol30 = std::shared_ptr<std::atomic<bool>>;

// A configuration with its servers' addresses; what shards hold.
struct Runtime {
  Config config;
  std::map<std::string, std::vector<SocketAddress>, std::less<>>
      addresses;  // by server name; empty: unresolved
  std::map<std::string, OnlyProtocol30, std::less<>>
      only_protocol_3_0;              // by server name, as addresses
  SecretShapes secret_shapes;         // of config.users
  std::vector<std::string> problems;  // names that did not resolve, for the log
};

[[nodiscard]] Runtime make_runtime(Config config);

}  // namespace pgring
