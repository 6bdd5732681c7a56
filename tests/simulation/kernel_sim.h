// A kernel of our own behind ring::Kernel, for tests that need every order of events: linked instead of
// kernel_uring.cc. This header is what a test controls it by.
//
// What:   a World is the clock, the network and the chance of one run. All ring::Kernel made while it
//         lives belong to it (several loops of one thread can be turned in any order). Peers are
//         Endpoints in the hands of the test.
// Owner:  the test; one thread. The World outlives its kernels. One World at a time in a thread.
// Life:   descriptors are numbers of the World (from 1,000,000 up, the lowest free one first, so they are
//         reused at once); the loop's eventfd is a real one and is polled.
// Rules:  nothing completes inside a queueing call; completions show at reap() only; those of one
//         operation keep their order, all others are shuffled and may be late. What the real kernel
//         would punish sooner or later ends the process at once, with the seed:
//           a descriptor closed that an operation names; two sends in flight on one socket; bytes of a
//           send changed or freed before it completed, or sent out of a buffer the kernel owns; a
//           buffer written by us while the kernel owns it, or provided twice; an unknown descriptor; a
//           send or receive on a socket that was never connected.
// Time:   virtual. Each enter takes a few microseconds; when nothing can happen any more in any kernel,
//         the clock jumps to the next deadline. stuck() says that there is none.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ring/clock.h"
#include "ring/kernel.h"
#include "tests/simulation/random.h"

namespace sim {

// How often things go wrong, in 1/1000 of the occasions.
struct Faults {
  unsigned delay = 0;       // an operation that could go on does not, this time
  unsigned hold = 0;        // a completion is not yet shown
  unsigned spurious = 0;    // enter returns at once with nothing (interrupted)
  unsigned short_send = 0;  // a send ends after fewer bytes with no error to follow
  unsigned reset = 0;       // the connection of an operation is reset
  unsigned early_end = 0;   // a multishot receive ends although it brought bytes
  unsigned no_buffer = 0;   // ENOBUFS although there are buffers
  unsigned late_cancel =
      0;  // a cancel finds the operation running (EALREADY); it goes on, or is interrupted
  unsigned no_descriptor = 0;  // accept meets EMFILE although there are descriptors
  unsigned refuse = 0;         // a connect is refused
  ring::Duration connect_delay_max{0};
  std::size_t socket_buffer_max =
      65536;  // each direction of each connection gets up to this (and 256)

  [[nodiscard]] static Faults none() { return {}; }
  // A mixture that differs by seed: each fault absent, rare or frequent.
  [[nodiscard]] static Faults any(Random& random);
};

class Network;
struct Socket;

// The test's end of a connection. A handle: copies name the same end.
class Endpoint {
 public:
  Endpoint() = default;
  Endpoint(Network& network, Socket& socket) : network_{&network}, socket_{&socket} {}
  [[nodiscard]] bool valid() const { return socket_ != nullptr; }

  // Takes what fits and says how much. Bytes for a peer that is gone vanish, or take the reset.
  std::size_t write(std::string_view bytes);
  [[nodiscard]] std::string read(std::size_t size_max);
  [[nodiscard]] std::size_t readable() const;
  // Nothing more will come: end of stream or reset, and all before it is read.
  [[nodiscard]] bool ended() const;
  [[nodiscard]] bool was_reset() const;
  [[nodiscard]] bool is_closed() const;  // by us
  void finish();                         // half-close: the peer reads the end of the stream
  void close();                          // with unread bytes the peer gets a reset
  void reset();

 private:
  Network* network_ = nullptr;
  Socket* socket_ = nullptr;
};

class World {
 public:
  World(std::uint64_t seed, const Faults& faults);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Random& random();
  [[nodiscard]] Faults& faults();
  [[nodiscard]] ring::Instant now() const;
  // Runs `action` when the clock gets there (before completions are shown).
  void at(ring::Instant when, std::function<void()> action);
  // All kernels sleep, nothing is under way and no deadline is set: only the test can go on.
  [[nodiscard]] bool stuck() const;
  // Changes with everything the kernels ever told: equal runs have equal digests.
  [[nodiscard]] std::uint64_t digest() const;

  // A connection: our descriptor, for a ring::Stream, and the peer.
  [[nodiscard]] std::pair<int, Endpoint> connection();
  [[nodiscard]] int socket();  // unconnected, for Stream::connect
  // A listening socket of ours at `address`, for a ring::Listener, and a peer that connects to it (not
  // valid: nobody listens there).
  [[nodiscard]] int listen(const sockaddr* address, socklen_t size);
  [[nodiscard]] Endpoint connect(const sockaddr* address, socklen_t size);
  // A server of the test at `address`: gets every connection our side makes. And one that never answers.
  void serve(const sockaddr* address, socklen_t size, std::function<void(Endpoint)> server);
  void serve_silence(const sockaddr* address, socklen_t size);

  // Descriptors open now, and how many there may be.
  [[nodiscard]] std::size_t open_descriptors() const;
  void limit_descriptors(std::size_t limit);
  // The next Kernel::open fails with this errno.
  void fail_open(int error);

  [[noreturn]] void fail(const std::string& what) const;

  [[nodiscard]] Network& network() { return *network_; }
  [[nodiscard]] static World* current();

 private:
  std::unique_ptr<Network> network_;
};

}  // namespace sim
