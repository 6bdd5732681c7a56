// LogQueue: finished log lines on their way from the shards to the logger thread.
//
// What:   a bounded ring of fixed slots (Dmitry Vyukov's bounded queue), many producers, one
//         consumer. A slot's sequence number says whose it is: == position: a producer's; ==
//         position + 1: the consumer's. It is kept less the slot's index, so that all begin at
//         zero and the ring is untouched memory until lines go through it.
// Why:    spdlog's asynchronous queue takes a mutex and a condition variable per message, held while
//         a message is moved, so a producer can be put to sleep behind a thread that was preempted;
//         it also allocates for long lines. Here a producer does one CAS that fails only when another
//         producer succeeded, and a full ring is an immediate "no": nothing ever waits. A producer
//         preempted between claim() and publish() holds up the consumer alone; when the ring has
//         filled behind it, lines are dropped and counted.
// Life:   static storage, never freed: a late producer may still write while the logger stops.
// Units:  slot_size_bytes per line, slot_count lines.
// Errors: claim() gives nullptr when the ring is full.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace pgring::log {

inline constexpr std::size_t line_size_max = 1008;  // a slot is 1 KiB
inline constexpr std::size_t slot_count =
    1024;  // 1 MiB, resident from start(): no later line is the first to touch its page
static_assert(std::has_single_bit(slot_count));

struct Slot {
  std::atomic<std::uint64_t> sequence_less_index{0};
  std::uint32_t size = 0;
  std::array<char, line_size_max> text{};
};
static_assert(sizeof(Slot) == 1024);

class LogQueue {
 public:
  struct Claim {
    Slot* slot;  // nullptr: the ring is full
    std::uint64_t position;
  };

  // Any thread. Every claimed slot must be published, soon.
  [[nodiscard]] Claim claim() {
    std::uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t sequence = sequence_of(position);
      if (sequence == position) {
        // On failure `position` is the newer tail and the loop goes on with it.
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          return {&slots_[position % slot_count], position};
        }
      } else if (sequence < position) {
        return {nullptr, 0};
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  void publish(Claim claim) { set_sequence(claim.position, claim.position + 1); }

  // The logger thread only: the oldest line, or nullptr. Valid until release().
  [[nodiscard]] const Slot* front() const {
    return sequence_of(head_) == head_ + 1 ? &slots_[head_ % slot_count] : nullptr;
  }

  void release() {
    set_sequence(head_, head_ + slot_count);
    ++head_;
  }

  // Makes every slot resident. REQUIRES: nothing is claimed yet.
  void touch() {
    for (Slot& slot : slots_) slot.size = 0;
  }

  // Lines claimed so far, for a thread that waits until they are written.
  [[nodiscard]] std::uint64_t claimed() const { return tail_.load(std::memory_order_acquire); }

 private:
  [[nodiscard]] std::uint64_t sequence_of(std::uint64_t position) const {
    const std::uint64_t index = position % slot_count;
    return slots_[index].sequence_less_index.load(std::memory_order_acquire) + index;
  }
  void set_sequence(std::uint64_t position, std::uint64_t sequence) {
    const std::uint64_t index = position % slot_count;
    slots_[index].sequence_less_index.store(sequence - index, std::memory_order_release);
  }

  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::uint64_t head_ = 0;
  alignas(64) std::array<Slot, slot_count> slots_;
};

}  // namespace pgring::log
