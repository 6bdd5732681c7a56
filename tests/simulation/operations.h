// The operations of one simulated kernel, from being queued to their completions. One thread.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ring/completion.h"
#include "tests/simulation/buffers.h"
#include "tests/simulation/network.h"

namespace sim {

// As queued; pointers are followed when it starts (connect, gather) or until it completes (bytes).
struct Request {
  ring::Operation kind = ring::Operation::none;
  int descriptor = -1;
  std::uint64_t name = 0;
  bool multishot = false;
  std::uint16_t group = 0;
  std::uint32_t credit = 0;
  const sockaddr* address = nullptr;
  socklen_t address_size = 0;
  iovec single{nullptr, 0};
  std::span<const iovec> gather{};
  std::span<std::byte> into{};
  std::uint64_t target = 0;
};

class Operations {
 public:
  Operations(Network& network, BufferRings& buffers) : network_{network}, buffers_{buffers} {}

  void queue(const Request& request);
  // Starts what is queued, in order.
  void start();
  // Lets each one in flight go on, in any order; some do not, this time.
  void go_on();
  // What has completed, in order of completion; the caller takes from it.
  [[nodiscard]] std::vector<ring::Completion>& completed() { return completed_; }

  [[nodiscard]] bool names(const Socket& socket) const;
  [[nodiscard]] bool can_go_on() const;
  [[nodiscard]] std::optional<ring::Instant> next_event() const;

 private:
  struct Running {
    Request request;
    Socket* socket = nullptr;
    std::vector<iovec> ranges;  // send: what is left
    std::string copy;           // send: all of it, as it was at the start
    std::uint32_t total = 0;    // bytes so far
    std::string address;        // connect
    ring::Instant ready_at{};   // connect
    bool finished = false;
  };

  void start_send(Running& running);
  void start_connect(Running& running);
  [[nodiscard]] bool is_ready(const Running& running) const;
  void go_on(Running& running);
  void receive(Running& running);
  bool receive_once(Running& running);  // false: that was all for now
  void send(Running& running);
  void connect(Running& running);
  void accept(Running& running);
  void cancel(Running& running);
  void wake(Running& running);
  void post(Running& running, std::int32_t result, std::uint32_t flags);
  void finish(Running& running, std::int32_t result);  // the last completion

  Network& network_;
  BufferRings& buffers_;
  std::vector<Request> queued_;
  std::vector<std::unique_ptr<Running>> running_;
  std::vector<ring::Completion> completed_;
};

}  // namespace sim
