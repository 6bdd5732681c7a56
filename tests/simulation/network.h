// The simulated network and clock behind sim::World: sockets, addresses, descriptors. What the tests see
// is kernel_sim.h; this is shared by its parts only. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/kernel_sim.h"

namespace sim {

struct Socket {
  enum class Kind { unconnected, stream, listener, reserve };
  Kind kind = Kind::unconnected;
  int descriptor = -1;  // -1: the test's end, or closed
  Socket* peer = nullptr;
  std::string incoming;  // bytes not yet read; from `taken` on
  std::size_t taken = 0;
  std::size_t capacity = 0;  // of incoming
  bool write_shut = false;   // we sent the end of the stream
  bool read_shut = false;
  bool closed = false;
  bool was_reset = false;
  bool sending = false;         // a send is in flight
  bool takes_silently = false;  // sends to a closed peer vanish for a while before they fail
  std::deque<Socket*> backlog;  // listener: accepted ends that wait
  std::string address;          // listener

  [[nodiscard]] std::size_t readable() const { return incoming.size() - taken; }
  [[nodiscard]] std::size_t space() const {
    return capacity > readable() ? capacity - readable() : 0;
  }
  // Nothing more will come after what is readable.
  [[nodiscard]] bool at_end() const {
    return was_reset || read_shut || peer == nullptr || peer->write_shut || peer->closed;
  }
};

// What a World asks of each of its kernels (kernel_sim.cc).
class KernelView {
 public:
  [[nodiscard]] virtual bool names(const Socket& socket) const = 0;
  [[nodiscard]] virtual bool can_go_on() const = 0;  // something is under way
  [[nodiscard]] virtual std::optional<ring::Instant> next_event() const = 0;

 protected:
  ~KernelView() = default;
};

class Network {
 public:
  Network(std::uint64_t seed_given, const Faults& faults_given)
      : seed{seed_given}, random{seed_given}, faults{faults_given} {}

  [[noreturn]] void fail(const std::string& what) const;
  [[nodiscard]] static std::string key_of(const sockaddr* address, socklen_t size);

  Socket& make(Socket::Kind kind);
  // -EMFILE when the limit is reached.
  [[nodiscard]] int give_descriptor(Socket& socket);
  [[nodiscard]] Socket* find(int descriptor) const;
  [[nodiscard]] Socket& get(int descriptor) const;  // fails when there is none
  // A socket the program under test made itself (::socket) becomes one of the World, unconnected. Again: no
  // effect.
  void take_in(int descriptor);
  void connect(Socket& first, Socket& second);
  // Bytes from `from` to its peer: how many were taken, or -errno. 0: no space.
  [[nodiscard]] long write(Socket& from, std::string_view bytes);
  [[nodiscard]] std::string read(Socket& socket, std::size_t size_max);
  void reset(Socket& socket);
  void close(Socket& socket);
  void close_descriptor(int descriptor);
  [[nodiscard]] int shutdown(int descriptor, int how);

  // Something happened: nobody may think that all is quiet.
  void stir() { ++stirred; }
  void pass_time();  // the few microseconds of an enter, and actions that are due
  void jump_if_all_quiet();
  [[nodiscard]] std::optional<ring::Instant> next_event() const;

  std::uint64_t seed;
  Random random;
  Faults faults;
  ring::Instant now{std::chrono::seconds{1000}};
  std::multimap<ring::Instant, std::function<void()>> actions;
  std::vector<KernelView*> kernels;
  std::map<std::string, Socket*> listeners;
  std::map<std::string, std::function<void(Endpoint)>> servers;  // an empty function: silence
  std::size_t descriptor_limit = 1'000'000;
  std::map<int, Socket*> descriptors;
  std::uint64_t stirred = 0;  // counts what happened
  std::uint64_t digest = 1469598103934665603ULL;
  int open_error = 0;

 private:
  std::vector<std::unique_ptr<Socket>> sockets_;
};

}  // namespace sim
