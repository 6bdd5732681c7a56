#include "tests/simulation/network.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sim {
namespace {

constexpr int descriptor_first = 1'000'000;

}  // namespace

void Network::fail(const std::string& what) const {
  std::fprintf(stderr, "simulation, seed %llu, at %lld ns: %s\n",
               static_cast<unsigned long long>(seed),
               static_cast<long long>(now.time_since_epoch().count()), what.c_str());
  std::abort();
}

std::string Network::key_of(const sockaddr* address, socklen_t size) {
  // Compared by what names the listener only: padding and flow labels differ.
  sockaddr_storage copy{};
  std::memcpy(&copy, address, std::min<std::size_t>(size, sizeof copy));
  const auto bytes = [](const auto& value) {
    return std::string{reinterpret_cast<const char*>(&value), sizeof value};
  };
  switch (copy.ss_family) {
    case AF_INET: {
      const auto& in = reinterpret_cast<const sockaddr_in&>(copy);
      return "4" + bytes(in.sin_addr) + bytes(in.sin_port);
    }
    case AF_INET6: {
      const auto& in = reinterpret_cast<const sockaddr_in6&>(copy);
      return "6" + bytes(in.sin6_addr) + bytes(in.sin6_port);
    }
    default: {
      const auto& path = reinterpret_cast<const sockaddr_un&>(copy).sun_path;
      return "u" + std::string{path, ::strnlen(path, sizeof path)};
    }
  }
}

Socket& Network::make(Socket::Kind kind) {
  auto& socket = *sockets_.emplace_back(std::make_unique<Socket>());
  socket.kind = kind;
  // Not below what a run of bounded length gets through.
  socket.capacity = 256 + random.size(faults.socket_buffer_max);
  return socket;
}

int Network::give_descriptor(Socket& socket) {
  if (descriptors.size() >= descriptor_limit) return -EMFILE;
  int descriptor = descriptor_first;
  for (auto used = descriptors.lower_bound(descriptor); used != descriptors.end(); ++used) {
    if (used->first != descriptor) break;
    ++descriptor;
  }
  descriptors[descriptor] = &socket;
  socket.descriptor = descriptor;
  return descriptor;
}

Socket* Network::find(int descriptor) const {
  const auto found = descriptors.find(descriptor);
  return found == descriptors.end() ? nullptr : found->second;
}

Socket& Network::get(int descriptor) const {
  Socket* const socket = find(descriptor);
  if (socket == nullptr) fail("descriptor " + std::to_string(descriptor) + " is not open");
  return *socket;
}

void Network::take_in(int descriptor) {
  if (descriptor < 0 || descriptor >= descriptor_first || descriptors.contains(descriptor)) return;
  Socket& socket = make(Socket::Kind::unconnected);
  descriptors[descriptor] = &socket;
  socket.descriptor = descriptor;
}

void Network::connect(Socket& first, Socket& second) {
  first.kind = second.kind = Socket::Kind::stream;
  first.peer = &second;
  second.peer = &first;
  stir();
}

long Network::write(Socket& from, std::string_view bytes) {
  if (from.write_shut) return -EPIPE;
  if (from.was_reset) return random.chance(500) ? -ECONNRESET : -EPIPE;
  if (from.peer == nullptr) return -ENOTCONN;
  Socket& to = *from.peer;
  if (to.closed) {
    // The first bytes after the peer's close leave as if all were well; the answer to them is a reset.
    if (from.takes_silently && random.chance(700)) return static_cast<long>(bytes.size());
    reset(from);
    return -ECONNRESET;
  }
  const std::size_t count = std::min(bytes.size(), to.space());
  to.incoming.append(bytes.substr(0, count));
  if (count > 0) stir();
  return static_cast<long>(count);
}

std::string Network::read(Socket& socket, std::size_t size_max) {
  const std::size_t count = std::min(size_max, socket.readable());
  std::string bytes = socket.incoming.substr(socket.taken, count);
  socket.taken += count;
  if (socket.taken > 65536 || socket.readable() == 0) {
    socket.incoming.erase(0, socket.taken);
    socket.taken = 0;
  }
  if (count > 0) stir();
  return bytes;
}

void Network::reset(Socket& socket) {
  stir();
  for (Socket* const end : {&socket, socket.peer}) {
    if (end == nullptr || end->was_reset) continue;
    end->was_reset = true;
    // A reset overtakes bytes on their way: any number of the last ones.
    end->incoming.resize(end->incoming.size() - random.below(end->readable() + 1));
  }
}

void Network::close(Socket& socket) {
  stir();
  if (socket.kind == Socket::Kind::listener) {
    listeners.erase(socket.address);
    for (Socket* const waiting : socket.backlog) {
      reset(*waiting);
      waiting->closed = true;
    }
    socket.backlog.clear();
  }
  // Bytes that nobody will read any more are answered by a reset.
  if (socket.readable() > 0) reset(socket);
  socket.closed = true;
  socket.incoming.clear();
  socket.taken = 0;
  if (socket.peer != nullptr) socket.peer->takes_silently = random.chance(500);
}

void Network::close_descriptor(int descriptor) {
  Socket& socket = get(descriptor);
  for (const KernelView* const kernel : kernels) {
    if (kernel->names(socket))
      fail("descriptor " + std::to_string(descriptor) + " is closed while an operation names it");
  }
  descriptors.erase(descriptor);
  if (descriptor < descriptor_first) ::close(descriptor);  // take_in()
  socket.descriptor = -1;
  close(socket);
}

int Network::shutdown(int descriptor, int how) {
  Socket& socket = get(descriptor);
  if (socket.kind != Socket::Kind::stream || socket.was_reset) return -ENOTCONN;
  stir();
  if (how != SHUT_RD) socket.write_shut = true;
  if (how != SHUT_WR) socket.read_shut = true;
  return 0;
}

void Network::pass_time() {
  now += ring::Duration{static_cast<std::int64_t>(random.below(20'000))};
  while (!actions.empty() && actions.begin()->first <= now) {
    const auto action = std::move(actions.begin()->second);
    actions.erase(actions.begin());
    stir();
    action();
  }
}

std::optional<ring::Instant> Network::next_event() const {
  std::optional<ring::Instant> next;
  const auto consider = [&](std::optional<ring::Instant> when) {
    if (when && (!next || *when < *next)) next = when;
  };
  if (!actions.empty()) consider(actions.begin()->first);
  for (const KernelView* const kernel : kernels) consider(kernel->next_event());
  return next;
}

void Network::jump_if_all_quiet() {
  const bool busy = std::any_of(kernels.begin(), kernels.end(),
                                [](const auto* kernel) { return kernel->can_go_on(); });
  if (busy) return;
  if (const auto next = next_event()) {
    now = std::max(now, *next);
    stir();
  }
}

}  // namespace sim
