// A loop on the real kernel for tests, its handler, and plain sockets as its peers. One thread.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "ring/loop.h"
#include "tests/ring_support/hooked.h"
#include "tests/ring_support/pattern.h"

namespace ring_test {

// A descriptor closed at the end of its scope.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_{descriptor} {}
  File(File&& other) noexcept : descriptor_{other.release()} {}
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { reset(); }
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool valid() const { return descriptor_ >= 0; }
  int release();
  void reset();

 private:
  int descriptor_ = -1;
};

enum class Family { tcp, unix_socket };

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Everything below aborts the test when the system call fails: it is not what is tested.
struct Pair {
  File ours;    // blocking, for a Stream
  File theirs;  // nonblocking, the peer's
};
Pair connected_pair(Family family);
File listening_socket(Family family, int backlog = 512);
File unconnected_socket(Family family);
Address address_of(const File& socket);
File connect_to(const Address& address);  // nonblocking once connected
void set_nonblocking(const File& socket);
void set_reset_on_close(const File& socket);  // SO_LINGER 0
void set_buffers(const File& socket, int bytes);

// What can be had now: appends to `into`. Returns false at the end of the stream or an error.
bool read_some(const File& socket, std::string& into, std::size_t size_max = 65536);
// Writes what fits; returns how much (0: nothing fits or the peer is gone).
std::size_t write_some(const File& socket, std::string_view bytes);

struct RigOptions {
  ring::Capabilities allowed = ring::Capabilities::all();
  ring::BufferGroupOptions group{.id = 0, .size = 4096, .count_min = 64, .count_max = 1024};
  ring::BufferGroupOptions second_group{.id = 1, .size = 32768, .count_min = 16, .count_max = 256};
};

class Rig {
 public:
  explicit Rig(const RigOptions& options = {});
  ~Rig();
  // Turns until `done`, at most `limit`; between turns calls `pump` (the peers). False: too late.
  bool run(const std::function<bool()>& done, const std::function<void()>& pump = {},
           std::chrono::milliseconds limit = std::chrono::seconds{20});

  ring::Loop loop;
  Handler handler;

 private:
  ring::Timer tick_;
};

// Calls `test` with every capability allowed, then with each one forced off.
void for_each_capability_off(const std::function<void(const ring::Capabilities&)>& test);

}  // namespace ring_test
