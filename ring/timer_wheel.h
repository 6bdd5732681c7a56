// Timeouts of one loop: a hashed wheel of intrusive timers.
//
// What:   set() and cancel() cost a few pointer writes, no allocation. A timer is due within one tick after
//         its deadline, never before. Deadlines beyond one turn of the wheel stay and are looked at once
//         per turn.
// Owner:  the Loop; not thread-safe. A timer lies in its owner, which outlives it or cancels it.
// Units:  ticks of 8 ms, 2048 slots (16 s per turn): a pooler's timeouts are 100 ms and longer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "ring/clock.h"

namespace ring {

// What a timer is for is the owner's `kind`; whose it is, the owner knows by where it lies.
struct Timer {
  static constexpr std::uint32_t kind_of_loop = 0xffffffffU;  // the loop's own, never handed out

  Timer* previous = nullptr;
  Timer* next = nullptr;
  Instant deadline{};
  void* owner = nullptr;
  std::uint32_t kind = 0;

  Timer() = default;
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  [[nodiscard]] bool pending() const { return next != nullptr; }
};

class TimerWheel {
 public:
  explicit TimerWheel(Instant start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // (Re)arms; a pending timer moves.
  void set(Timer& timer, Instant deadline);
  static void cancel(Timer& timer);

  // The next moment at which expire() may find something; nothing: no timer is pending.
  [[nodiscard]] std::optional<Instant> next_deadline();

  // Takes out the next timer due at `now`; nothing when there is none. Call until it says so.
  [[nodiscard]] Timer* expire(Instant now);

 private:
  static constexpr std::size_t slots = 2048;
  static constexpr std::size_t word_bits = 64;
  static constexpr Duration tick = std::chrono::milliseconds{8};

  // The first tick at which a timer with this deadline is due.
  [[nodiscard]] static std::int64_t due_tick(Instant deadline);
  void collect(std::size_t slot, Instant now);
  [[nodiscard]] bool empty(std::size_t slot) const { return heads_[slot].next == &heads_[slot]; }

  std::array<Timer, slots> heads_;  // rings through a head that belongs to nobody
  Timer due_;                       // taken out of their slots, not yet handed out
  // A set bit: the slot may have timers. Cleared when it is found empty, since cancel() does not know it.
  std::array<std::uint64_t, slots / word_bits> maybe_{};
  std::int64_t current_;  // all ticks up to this one are collected
};

}  // namespace ring
