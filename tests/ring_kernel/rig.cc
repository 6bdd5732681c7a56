#include "tests/ring_kernel/rig.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace ring_test {
namespace {

constexpr std::uint32_t tick_kind = 7777;

int checked(int result, const char* what) {
  if (result < 0) {
    std::perror(what);
    std::abort();
  }
  return result;
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    reset();
    descriptor_ = other.release();
  }
  return *this;
}

int File::release() { return std::exchange(descriptor_, -1); }

void File::reset() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void set_nonblocking(const File& socket) {
  checked(::fcntl(socket.get(), F_SETFL, O_NONBLOCK), "fcntl");
}

void set_reset_on_close(const File& socket) {
  const linger on{.l_onoff = 1, .l_linger = 0};
  checked(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &on, sizeof on), "SO_LINGER");
}

void set_buffers(const File& socket, int bytes) {
  checked(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), "SO_SNDBUF");
  checked(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), "SO_RCVBUF");
}

File unconnected_socket(Family family) {
  const int domain = family == Family::tcp ? AF_INET : AF_UNIX;
  return File{checked(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
}

File listening_socket(Family family, int backlog) {
  File socket = unconnected_socket(family);
  Address address;
  if (family == Family::tcp) {
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof in;
  } else {
    // Autobind: the kernel picks an abstract name.
    address.storage.ss_family = AF_UNIX;
    address.size = sizeof(sa_family_t);
  }
  checked(::bind(socket.get(), address.get(), address.size), "bind");
  checked(::listen(socket.get(), backlog), "listen");
  return socket;
}

Address address_of(const File& socket) {
  Address address;
  address.size = sizeof address.storage;
  checked(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size),
          "getsockname");
  return address;
}

File connect_to(const Address& address) {
  File socket{
      checked(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
  checked(::connect(socket.get(), address.get(), address.size), "connect");
  set_nonblocking(socket);
  return socket;
}

Pair connected_pair(Family family) {
  if (family == Family::unix_socket) {
    std::array<int, 2> ends{};
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    Pair pair{File{ends[0]}, File{ends[1]}};
    set_nonblocking(pair.theirs);
    return pair;
  }
  const File listener = listening_socket(family, 1);
  Pair pair;
  pair.theirs = connect_to(address_of(listener));
  pair.ours = File{checked(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept")};
  const int on = 1;
  checked(::setsockopt(pair.ours.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  checked(::setsockopt(pair.theirs.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  return pair;
}

bool read_some(const File& socket, std::string& into, std::size_t size_max) {
  const std::size_t before = into.size();
  into.resize(before + size_max);
  const ssize_t count = ::recv(socket.get(), into.data() + before, size_max, MSG_DONTWAIT);
  into.resize(before + static_cast<std::size_t>(count > 0 ? count : 0));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

std::size_t write_some(const File& socket, std::string_view bytes) {
  const ssize_t count =
      ::send(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return static_cast<std::size_t>(count > 0 ? count : 0);
}

Rig::Rig(const RigOptions& options) {
  ring::LoopOptions loop_options;
  loop_options.kernel.submission_entries = 64;
  loop_options.kernel.completion_entries = 1024;
  loop_options.kernel.allowed = options.allowed;
  loop_options.groups = {options.group, options.second_group};
  const auto error = loop.open(loop_options);
  if (error) std::fprintf(stderr, "%s: %s\n", error->message.c_str(), error->hint.c_str());
  REQUIRE(!error);
  tick_.kind = tick_kind;
}

Rig::~Rig() {
  // Whatever a test did: nothing may be left on the loop, and every buffer must be back.
  CHECK(loop.live() == 0);
  CHECK(loop.group(0).all_free());
  CHECK(loop.group(1).all_free());
}

bool Rig::run(const std::function<bool()>& done, const std::function<void()>& pump,
              std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    if (pump) pump();
    if (pump) loop.again();
    // So that a turn does not sleep past the limit.
    if (!tick_.pending()) loop.timers().set(tick_, loop.now() + std::chrono::milliseconds{20});
    loop.turn(handler);
  }
  return true;
}

void for_each_capability_off(const std::function<void(const ring::Capabilities&)>& test) {
  test(ring::Capabilities::all());
  for (const char* const name : {"min_wait", "credit_receive", "send_vectorized"}) {
    CAPTURE(name);
    auto allowed = ring::Capabilities::all();
    REQUIRE(allowed.set(name, false));
    test(allowed);
  }
}

}  // namespace ring_test
