#include "src/server/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace pgring {

Result<std::vector<SocketAddress>, std::string> resolve_server(const std::string& host,
                                                               std::uint32_t port) {
  std::vector<SocketAddress> found;
  if (host.starts_with('/')) {
    const std::string path = unix_socket_path(host, port);
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path)
      return Unexpected<std::string>{"the socket path " + path + " is too long"};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    SocketAddress entry;
    std::memcpy(&entry.storage, &address, sizeof address);
    entry.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    found.push_back(entry);
    return found;
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
      error != 0) {
    return Unexpected<std::string>{"cannot resolve " + host + ": " + ::gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned{list, &::freeaddrinfo};
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    SocketAddress entry;
    std::memcpy(&entry.storage, info->ai_addr, info->ai_addrlen);
    entry.size = info->ai_addrlen;
    found.push_back(entry);
  }
  return found;
}

int make_socket(const SocketAddress& address) {
  const int socket = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return -errno;
  if (address.family() != AF_UNIX) set_client_options(socket);
  return socket;
}

void set_client_options(int socket) {
  const int on = 1;
  // A Unix socket refuses both; it needs neither.
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

Runtime make_runtime(Config config) {
  Runtime runtime{.config = std::move(config)};
  runtime.secret_shapes = SecretShapes{runtime.config.users};
  for (const auto& [name, server] : runtime.config.servers) {
    auto resolved = resolve_server(server.host, server.port);
    if (!resolved) runtime.problems.push_back(resolved.error());
    runtime.addresses[name] = resolved ? std::move(resolved).value() : std::vector<SocketAddress>{};
    runtime.only_protocol_3_0[name] = std::make_shared<std::atomic<bool>>(false);
  }
  return runtime;
}

}  // namespace pgring
