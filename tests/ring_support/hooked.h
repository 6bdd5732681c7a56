// What the tests of ring/ put on a loop: streams and listeners whose events are functions, and a handler
// that calls them. Owner: the test; one thread. A hook that is not set ignores its event.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "ring/loop.h"

namespace ring_test {

class HookedStream : public ring::Stream {
 public:
  explicit HookedStream(ring::Loop& loop) : Stream{loop, 0} {}

  std::function<void(int)> connected;
  std::function<void(ring::Slice)> received;
  std::function<void(int)> ended;
  std::function<void(int)> send_failed;
  std::function<void()> sent;
  std::function<void()> quiet;
  std::function<void()> closed;
};

struct Handler {
  std::function<void(ring::Listener&, int)> accepted;
  std::function<void(ring::Listener&, int)> refused;
  std::function<void(ring::Timer&)> timer;

  void on_accepted(ring::Listener& listener, int socket) {
    if (accepted) accepted(listener, socket);
  }
  void on_refused(ring::Listener& listener, int socket) {
    if (refused) refused(listener, socket);
  }
  void on_timer(ring::Timer& expired) {
    if (timer) timer(expired);
  }
  // Copies: a hook may replace itself, and `closed` may destroy the stream with its hooks.
  template <class Hook, class... Values>
  static void call(const Hook& hook, Values&&... values) {
    if (const Hook copy = hook) copy(std::forward<Values>(values)...);
  }
  static HookedStream& of(ring::Stream& stream) { return static_cast<HookedStream&>(stream); }
  void on_connected(ring::Stream& stream, int error) { call(of(stream).connected, error); }
  void on_received(ring::Stream& stream, ring::Slice slice) {
    call(of(stream).received, std::move(slice));
  }
  void on_end(ring::Stream& stream, int error) { call(of(stream).ended, error); }
  void on_send_failed(ring::Stream& stream, int error) { call(of(stream).send_failed, error); }
  void on_sent(ring::Stream& stream) { call(of(stream).sent); }
  void on_quiet(ring::Stream& stream) { call(of(stream).quiet); }
  void on_closed(ring::Stream& stream) { call(of(stream).closed); }
};

}  // namespace ring_test
