#include "src/process/listeners.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "src/server/address.h"

namespace pgring {
namespace {

using Failure = Unexpected<std::string>;

Failure failure(const std::string& what, const std::string& name) {
  return Failure{what + " " + name + ": " + std::generic_category().message(errno)};
}

Result<int, std::string> listen_on(const SocketAddress& address, const std::string& name,
                                   std::uint32_t backlog) {
  const int socket = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return failure("no socket for", name);
  const int on = 1;
  bool ok = true;
  if (address.family() != AF_UNIX) {
    ok = ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
         ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  }
  if (address.family() == AF_INET6)
    ok = ok && ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
  if (ok && ::bind(socket, address.get(), address.size) == 0 &&
      ::listen(socket, static_cast<int>(backlog)) == 0)
    return socket;
  auto result = failure("cannot listen on", name);
  ::close(socket);
  return result;
}

// SO_REUSEPORT would let a second pgring share the port in silence.
bool taken_by_another(const SocketAddress& address) {
  const int socket = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const int on = 1;
  (void)::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6)
    (void)::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const bool taken = ::bind(socket, address.get(), address.size) != 0 && errno == EADDRINUSE;
  ::close(socket);
  return taken;
}

Result<void, std::string> add_tcp(Listeners& listeners, const ListenConfig& config,
                                  const std::string& host, std::uint32_t shards) {
  auto resolved = resolve_server(host, config.port);
  if (!resolved) return Failure{resolved.error()};
  for (const auto& address : *resolved) {
    const std::string name = (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
                             std::to_string(config.port);
    if (taken_by_another(address)) {
      errno = EADDRINUSE;
      return failure("cannot listen on", name);
    }
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      const auto socket = listen_on(address, name, config.backlog);
      if (!socket) return Failure{socket.error()};
      listeners.sockets.push_back({*socket, shard});
    }
    listeners.names.push_back(name);
  }
  return {};
}

Result<void, std::string> add_unix(Listeners& listeners, const ListenConfig& config) {
  const std::string path = unix_socket_path(config.unix_socket_dir, config.port);
  auto resolved = resolve_server(config.unix_socket_dir, config.port);
  if (!resolved) return Failure{resolved.error()};
  const SocketAddress& address = resolved->front();
  // A socket left by a pgring that was killed is replaced, one that answers is not.
  if (struct stat state{}; ::lstat(path.c_str(), &state) == 0 && S_ISSOCK(state.st_mode)) {
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool alive = probe >= 0 && ::connect(probe, address.get(), address.size) == 0;
    if (probe >= 0) ::close(probe);
    if (alive) {
      errno = EADDRINUSE;
      return failure("cannot listen on", path);
    }
    ::unlink(path.c_str());
  }
  const auto socket = listen_on(address, path, config.backlog);
  if (!socket) return Failure{socket.error()};
  listeners.sockets.push_back({*socket, 0});
  listeners.unix_path = path;
  listeners.names.push_back(path);
  if (struct stat state{}; ::lstat(path.c_str(), &state) == 0) listeners.unix_inode = state.st_ino;
  if (::chmod(path.c_str(), config.unix_socket_mode.bits) != 0)
    return failure("cannot set the mode of", path);
  return {};
}

}  // namespace

Result<Listeners, std::string> open_listeners(const ListenConfig& config, std::uint32_t shards) {
  Listeners listeners;
  Result<void, std::string> done{};
  for (const auto& host : config.address) {
    if (host == "*") {
      done = add_tcp(listeners, config, "0.0.0.0", shards);
      // A machine without IPv6 still has all its addresses.
      if (done && ::access("/proc/net/if_inet6", F_OK) == 0)
        done = add_tcp(listeners, config, "::", shards);
    } else {
      done = add_tcp(listeners, config, host, shards);
    }
    if (!done) break;
  }
  if (done && !config.unix_socket_dir.empty()) done = add_unix(listeners, config);
  if (done) return listeners;
  for (const auto& entry : listeners.sockets) ::close(entry.socket);
  remove_unix_socket(listeners);
  return Failure{done.error()};
}

void remove_unix_socket(const Listeners& listeners) {
  struct stat state{};
  if (listeners.unix_path.empty() || ::lstat(listeners.unix_path.c_str(), &state) != 0) return;
  if (state.st_ino == listeners.unix_inode) ::unlink(listeners.unix_path.c_str());
}

}  // namespace pgring
