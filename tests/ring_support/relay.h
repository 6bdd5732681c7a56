// The pooler's use of ring/ without PostgreSQL: bytes go from one stream to the other in the buffers they
// came in, with back-pressure in both directions, and the pair ends in order. For simulation and real
// kernel alike.
//
// Bound: queued bytes per direction stay below queue_bound(). Life: finished() when both are closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tests/ring_support/hooked.h"

namespace ring_test {

inline constexpr std::uint32_t relay_timer_kind = 1;

struct RelayOptions {
  ring::ReceiveOptions client{.group = 0, .credit = 32 * 1024};
  ring::ReceiveOptions server{.group = 1, .credit = 128 * 1024};
  std::size_t queue_high =
      std::size_t{64} * 1024;                      // above: nothing more is received for this queue
  std::size_t queue_low = std::size_t{16} * 1024;  // below: it is again
  ring::Duration linger = std::chrono::seconds{60};
};

class Relay {
 public:
  Relay(ring::Loop& loop, const RelayOptions& options);

  void open(int client, int server);
  void open_client(int client);
  void connect_server(int socket, const sockaddr* address, socklen_t size);
  void close();  // at once, both
  // To be called for each expired timer of relay_timer_kind.
  static void expired(ring::Timer& timer);

  [[nodiscard]] bool finished() const { return client_closed_ && server_closed_; }
  // Fails the test when a queue is longer than promised.
  void check_bounds() const;
  [[nodiscard]] std::size_t queue_bound(const ring::ReceiveOptions& from) const;

  [[nodiscard]] std::string describe() const;

  // How it ended: from which side, with which error (0: end of stream); nothing: by close().
  struct End {
    bool client = false;
    int error = 0;
  };
  [[nodiscard]] std::optional<End> first_end() const { return first_end_; }
  // Bytes that were taken over may have been dropped: a send failed or somebody closed at once.
  [[nodiscard]] bool dropped() const { return dropped_; }

  HookedStream client;
  HookedStream server;

 private:
  void hook(HookedStream& from, HookedStream& to, bool is_client);
  void end(HookedStream& from, HookedStream& to, bool is_client, int error);
  void start_lingering();

  ring::Loop& loop_;
  RelayOptions options_;
  ring::Timer deadline_;
  std::optional<End> first_end_;
  bool dropped_ = false;
  bool client_closed_ = true;
  bool server_closed_ = true;
};

}  // namespace ring_test
