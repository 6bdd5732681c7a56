// One thread's ring and everything on it. THE LOOP: START READING HERE. Hot path: turn() and dispatch().
//
// What:   a turn flushes what was queued on streams, lends buffers back, submits and waits in one system
//         call, hands completions to the handler, then expires timers, runs the mailbox and closes what has
//         settled. Handlers may queue, arm, close; they never enter the kernel and are never re-entered.
// Owner:  one thread, which makes it, turns it and destroys it. Only mailbox().post() is for others.
// Errors: open() says why there is no ring. Everything later goes to the handler:
//           on_accepted(Listener&, int socket)            the socket is the handler's
//           on_refused(Listener&, int socket)             no descriptors are left: say so, it is closed after
//           on_connected(Stream&, int error)              0 or errno
//           on_received(Stream&, Slice)
//           on_end(Stream&, int error)                    nothing more will come: 0 end of stream, or errno
//           on_send_failed(Stream&, int error)            the peer takes nothing any more
//           on_sent(Stream&)                              the queue is shorter now
//           on_quiet(Stream&)                             after quiesce(): nothing is in flight
//           on_closed(Stream&)                            may be destroyed; its socket is closed
//           on_timer(Timer&)
// Source: io_uring(7); docs/architecture.md "The loop".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ring/buffer_group.h"
#include "ring/clock.h"
#include "ring/kernel.h"
#include "ring/listener.h"
#include "ring/mailbox.h"
#include "ring/send_queue.h"
#include "ring/stream.h"
#include "ring/timer_wheel.h"

namespace ring {

struct LoopOptions {
  KernelOptions kernel;
  std::vector<BufferGroupOptions> groups;  // ids 0, 1, …
  Duration min_wait = std::chrono::microseconds{30};
};

struct LoopCounters {
  std::uint64_t turns = 0;
  std::uint64_t completions = 0;
  std::uint64_t starved = 0;  // receives that found no buffer (ENOBUFS)
  std::uint64_t gathers = 0;  // sends of more than one range
  std::uint64_t sends = 0;
  std::uint64_t accept_errors = 0;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] std::optional<SetupError> open(const LoopOptions& options);

  template <class Handler>
  void turn(Handler& handler);
  // The next turn does not sleep (something is left to do).
  void again() { again_ = true; }

  [[nodiscard]] Mailbox& mailbox() { return mailbox_; }
  [[nodiscard]] TimerWheel& timers() { return *timers_; }
  [[nodiscard]] Kernel& kernel() { return kernel_; }
  [[nodiscard]] BufferGroup& group(std::uint16_t id) { return *groups_[id]; }
  [[nodiscard]] const LoopCounters& counters() const { return counters_; }
  // Time as of this turn.
  [[nodiscard]] Instant now() const { return now_; }
  // Streams and listeners that still have a descriptor or an operation.
  [[nodiscard]] std::size_t live() const { return slots_.size() - free_slots_.size(); }

 private:
  friend class Stream;
  friend class Listener;
  static constexpr std::size_t batch_max = 256;
  static constexpr std::size_t gather_max = 64;
  static constexpr std::size_t iovecs_max = 4096;
  static constexpr std::uint32_t no_slot = 0xffffffffU;

  struct Slot {
    void* object = nullptr;
    std::uint32_t generation = 0;
  };

  [[nodiscard]] std::uint32_t take_slot(void* object);
  void free_slot(std::uint32_t slot);
  [[nodiscard]] UserData name(Operation operation, std::uint32_t slot) const {
    return {operation, slots_[slot].generation & 0xffffffU, slot};
  }
  template <class Object>
  [[nodiscard]] Object& object_of(const UserData& data);
  void check_name(const UserData& data) const;

  void connect(Stream& stream, const sockaddr* address, socklen_t size);
  void mark_dirty(Stream& stream);
  void flush();
  void flush(Stream& stream);
  void starve(Stream& stream);
  void rearm_starved();
  void read_wake_file();
  void wait();
  void forget(Stream& stream);  // closes the socket and frees the slot

  template <class Handler>
  void dispatch(const Completion& completion, Handler& handler);
  template <class Handler>
  void connected(Stream& stream, const Completion& completion, Handler& handler);
  template <class Handler>
  void received(Stream& stream, const Completion& completion, Handler& handler);
  void stopped(Stream& stream, const Completion& completion);
  template <class Handler>
  void sent(Stream& stream, const Completion& completion, Handler& handler);
  template <class Handler>
  void accepted(Listener& listener, const Completion& completion, Handler& handler);
  [[nodiscard]] int accept_failed(Listener& listener, int error);  // a socket to refuse, or -1

  Kernel kernel_;
  int wake_file_;
  Mailbox mailbox_;
  std::uint64_t wake_value_ = 0;
  std::unique_ptr<TimerWheel> timers_;
  std::vector<std::unique_ptr<BufferGroup>> groups_;
  SendNodePool nodes_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Stream*> dirty_;
  std::vector<Stream*> quiet_;
  std::vector<Stream*> settled_;
  std::vector<UserData> starved_;
  std::vector<std::uint32_t> rearm_budget_;  // by group; only rearm_starved() uses it
  std::array<Completion, batch_max> batch_{};
  std::array<iovec, iovecs_max> iovecs_{};
  std::size_t iovecs_used_ = 0;
  std::uint32_t sends_queued_ = 0;                            // since the last enter
  std::vector<std::unique_ptr<sockaddr_storage>> addresses_;  // of connects since the last enter
  Duration min_wait_{0};
  LoopCounters counters_;
  Instant now_{};
  bool again_ = false;
  bool more_completions_ = false;
};

template <class Object>
Object& Loop::object_of(const UserData& data) {
  check_name(data);
  return *static_cast<Object*>(slots_[data.slot].object);
}

template <class Handler>
void Loop::turn(Handler& handler) {
  flush();
  for (const auto& group : groups_) group->publish();
  if (!starved_.empty()) rearm_starved();
  wait();
  now_ = kernel_.now();
  const std::size_t count = kernel_.reap(batch_);
  more_completions_ = count == batch_.size();
  ++counters_.turns;
  counters_.completions += count;
  for (std::size_t i = 0; i < count; ++i) dispatch(batch_[i], handler);
  while (Timer* const timer = timers_->expire(now_)) {
    if (timer->kind == Timer::kind_of_loop) {
      static_cast<Listener*>(timer->owner)->arm();
    } else {
      handler.on_timer(*timer);
    }
  }
  mailbox_.drain();
  while (!quiet_.empty()) {
    Stream& stream = *quiet_.back();
    quiet_.pop_back();
    stream.quiet_due_ = false;
    if (!stream.quiescing_ || !stream.is_quiet()) continue;  // it is wanted again, or sends
    stream.quiescing_ = false;
    handler.on_quiet(stream);
  }
  while (!settled_.empty()) {
    Stream& stream = *settled_.back();
    settled_.pop_back();
    forget(stream);
    handler.on_closed(stream);
  }
}

template <class Handler>
void Loop::dispatch(const Completion& completion, Handler& handler) {
  const auto data = UserData::unpack(completion.user_data);
  switch (data.operation) {
    case Operation::receive:
      return received(object_of<Stream>(data), completion, handler);
    case Operation::stop:
      return stopped(object_of<Stream>(data), completion);
    case Operation::send:
      return sent(object_of<Stream>(data), completion, handler);
    case Operation::accept:
      return accepted(object_of<Listener>(data), completion, handler);
    case Operation::connect:
      return connected(object_of<Stream>(data), completion, handler);
    case Operation::wake:
      return read_wake_file();
    case Operation::cancel:  // the cancelled operation reports for itself
    case Operation::none:
      return;
  }
}

template <class Handler>
void Loop::connected(Stream& stream, const Completion& completion, Handler& handler) {
  const int error = completion.result < 0 ? -completion.result : 0;
  stream.connecting_ = false;
  if (stream.state_ == Stream::State::closing) return stream.settle();
  if (error != 0) {
    stream.ended_ = stream.send_failed_ = true;
    stream.queue_.clear();
  }
  if (stream.state_ == Stream::State::finishing) {
    if (stream.queue_.empty()) return stream.finish();
    return mark_dirty(stream);
  }
  handler.on_connected(stream, error);
  // What was asked for while connecting.
  if (!stream.queue_.empty()) mark_dirty(stream);
  stream.arm();
  stream.note_quiet();
}

template <class Handler>
void Loop::received(Stream& stream, const Completion& completion, Handler& handler) {
  // Take the buffer first, whatever became of the stream: nobody else gives it back.
  Slice slice;
  if (completion.has_buffer()) {
    slice = groups_[stream.armed_group_]->take(
        completion.buffer_id(),
        static_cast<std::uint32_t>(completion.result > 0 ? completion.result : 0));
  }
  if (!completion.more()) stream.receiving_ = false;
  const bool open = stream.state_ == Stream::State::open;
  // That it has stopped when it was told to is no news. One that a worker thread was at is interrupted.
  const bool stopped =
      stream.stopped_ && (completion.result == -ECANCELED || completion.result == -EINTR);
  if (completion.result > 0) {
    if (open) handler.on_received(stream, std::move(slice));
  } else if (completion.result == -ENOBUFS) {
    starve(stream);
  } else if (!stopped && (completion.result != -ECANCELED || open)) {
    stream.ended_ = true;
    if (open) handler.on_end(stream, -completion.result);
  }
  if (stream.receiving_) return;
  if (stream.state_ == Stream::State::lingering && stream.ended_) return stream.close();
  if (stream.state_ == Stream::State::closing) return stream.settle();
  stream.arm();
  stream.note_quiet();
}

template <class Handler>
void Loop::sent(Stream& stream, const Completion& completion, Handler& handler) {
  stream.sending_ = false;
  stream.ranges_in_flight_ = 0;
  if (stream.state_ == Stream::State::closing) {
    stream.queue_.clear();
    return stream.settle();
  }
  if (completion.result < 0) {
    stream.send_failed_ = true;
    stream.queue_.clear();
    if (stream.state_ != Stream::State::open) return stream.close();
    handler.on_send_failed(stream, -completion.result);
    return stream.note_quiet();
  }
  stream.queue_.pop(static_cast<std::size_t>(completion.result));
  if (!stream.queue_.empty()) {
    mark_dirty(stream);
  } else if (stream.state_ == Stream::State::finishing) {
    return stream.finish();
  }
  if (stream.state_ != Stream::State::open) return;
  handler.on_sent(stream);
  stream.note_quiet();
}

template <class Handler>
void Loop::accepted(Listener& listener, const Completion& completion, Handler& handler) {
  if (!completion.more()) listener.accepting_ = false;
  if (completion.result >= 0) {
    handler.on_accepted(listener, completion.result);
  } else if (!listener.stopping_) {
    const int refused = accept_failed(listener, -completion.result);
    if (refused >= 0) {
      handler.on_refused(listener, refused);
      kernel_.close(refused);
    }
    return;
  }
  if (!listener.accepting_) listener.arm();
}

}  // namespace ring
