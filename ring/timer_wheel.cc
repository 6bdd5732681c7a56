#include "ring/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "ring/check.h"

namespace ring {
namespace {

void make_head(Timer& head) { head.previous = head.next = &head; }

void unlink(Timer& timer) {
  timer.previous->next = timer.next;
  timer.next->previous = timer.previous;
  timer.previous = timer.next = nullptr;
}

void append(Timer& head, Timer& timer) {
  timer.previous = head.previous;
  timer.next = &head;
  head.previous->next = &timer;
  head.previous = &timer;
}

}  // namespace

Timer::~Timer() {
  if (next != nullptr && next != this) unlink(*this);
}

TimerWheel::TimerWheel(Instant start) : current_{due_tick(start) - 1} {
  for (auto& head : heads_) make_head(head);
  make_head(due_);
}

TimerWheel::~TimerWheel() {
  // Owners may outlive the wheel: leave them timers that point nowhere.
  const auto clear = [](Timer& head) {
    while (head.next != &head) unlink(*head.next);
  };
  for (auto& head : heads_) clear(head);
  clear(due_);
}

std::int64_t TimerWheel::due_tick(Instant deadline) {
  // Rounded up: never before the deadline. Not by adding first, which the farthest deadlines overflow.
  const Duration since = deadline.time_since_epoch();
  return since / tick + (since % tick > Duration{0} ? 1 : 0);
}

void TimerWheel::set(Timer& timer, Instant deadline) {
  if (timer.pending()) unlink(timer);
  timer.deadline = deadline;
  const auto due = std::max(due_tick(deadline), current_ + 1);
  const auto slot = static_cast<std::size_t>(due) % slots;
  append(heads_[slot], timer);
  maybe_[slot / word_bits] |= std::uint64_t{1} << (slot % word_bits);
}

void TimerWheel::cancel(Timer& timer) {
  if (timer.pending()) unlink(timer);
}

std::optional<Instant> TimerWheel::next_deadline() {
  if (due_.next != &due_) return Instant{current_ * tick};
  const auto first = static_cast<std::size_t>(current_ + 1);
  // From the next slot around the wheel, a word of bits at a time.
  for (std::size_t offset = 0; offset < slots;) {
    const std::size_t slot = (first + offset) % slots;
    const std::uint64_t word = maybe_[slot / word_bits] >> (slot % word_bits);
    if (word == 0) {
      offset += word_bits - slot % word_bits;
      continue;
    }
    const auto skip = static_cast<std::size_t>(std::countr_zero(word));
    const std::size_t found = slot + skip;
    offset += skip;
    if (offset >= slots) break;
    if (empty(found)) {
      maybe_[found / word_bits] &= ~(std::uint64_t{1} << (found % word_bits));
      continue;
    }
    return Instant{(current_ + 1 + static_cast<std::int64_t>(offset)) * tick};
  }
  return std::nullopt;
}

void TimerWheel::collect(std::size_t slot, Instant now) {
  Timer& head = heads_[slot];
  for (Timer* timer = head.next; timer != &head;) {
    Timer* const next = timer->next;
    if (timer->deadline <= now) {
      unlink(*timer);
      append(due_, *timer);
    }
    timer = next;
  }
}

Timer* TimerWheel::expire(Instant now) {
  const std::int64_t last = now.time_since_epoch() / tick;
  if (last - current_ > static_cast<std::int64_t>(slots)) {
    // Slept for more than a turn: every slot once is enough.
    current_ = last - static_cast<std::int64_t>(slots);
  }
  while (current_ < last) {
    ++current_;
    collect(static_cast<std::size_t>(current_) % slots, now);
  }
  Timer* timer = due_.next;
  if (timer == &due_) return nullptr;
  unlink(*timer);
  return timer;
}

}  // namespace ring
