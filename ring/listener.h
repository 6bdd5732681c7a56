// One listening socket on a loop: a multishot accept (Linux 5.19), re-armed as needed.
//
// Out of descriptors (EMFILE, ENFILE) the kernel ends the accept and would end it again at once: the spare
// descriptor is given up to accept one connection and tell it why it is refused (Handler::on_refused), and
// the accept is armed again after a pause.
// Owner:  the shard. Life: stop(), then turns until !running(), before destruction.
#pragma once

#include <cstdint>

#include "ring/timer_wheel.h"

namespace ring {

class Loop;

class Listener {
 public:
  explicit Listener(Loop& loop) : loop_{loop} {}
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Takes the listening socket. tag: the owner's, to tell its listeners apart.
  void start(int socket, std::uint32_t tag);
  // No further connections; connections not yet accepted are reset when the socket closes.
  void stop();

  [[nodiscard]] std::uint32_t tag() const { return tag_; }
  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] bool running() const { return socket_ >= 0; }

 private:
  friend class Loop;
  void arm();

  Loop& loop_;
  Timer retry_;
  int socket_ = -1;
  int spare_ = -1;
  std::uint32_t slot_ = 0;
  std::uint32_t tag_ = 0;
  bool accepting_ = false;
  bool stopping_ = false;
};

}  // namespace ring
