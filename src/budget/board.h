// What the parts of a pool show each other and the budget without being asked.
//
// What:   a few words for each part, written by its own shard as its lists change and read by others only when
//         somebody is short of a connection. Readers may see a moment ago: whatever they conclude is checked
//         again by the shard it concerns.
// Owner:  the pool's home (Placement). Life: the process's. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "ring/clock.h"

namespace pgring {

class alignas(64) PartBoard {
 public:
  static constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::max();
  // So many of the longest waiting clients are shown, and so many connections may be on their way at once: with
  // fewer, those behind the first would be passed over while its connection moves.
  static constexpr std::size_t shown = 4;

  // The part's own shard.
  void show_idle(std::uint32_t count, std::optional<ring::Instant> since) {
    idle_.store(count, std::memory_order_relaxed);
    idle_since_.store(count_of(since), std::memory_order_relaxed);
  }
  // since: when the first of them asked, in their order; more than `shown` are of no use.
  void show_waiting(std::uint32_t count, std::span<const ring::Instant> since) {
    waiting_.store(count, std::memory_order_relaxed);
    for (std::size_t i = 0; i < shown; ++i) {
      asked_[i].store(i < since.size() ? count_of(since[i]) : nobody, std::memory_order_relaxed);
    }
  }
  // Since when the link that lasts longest does; as of a second ago.
  void show_busy(std::optional<ring::Instant> since) {
    busy_since_.store(count_of(since), std::memory_order_relaxed);
  }
  // Not made yet, paused or ending: it takes no connection.
  void show_closed(bool closed) { closed_.store(closed, std::memory_order_relaxed); }

  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t idle() const { return idle_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t waiting() const {
    return closed() ? 0 : waiting_.load(std::memory_order_relaxed);
  }
  // When the client that waits longest asked; `nobody` when none does.
  [[nodiscard]] std::int64_t oldest() const { return asked(0); }
  // The same of the one that `before` others are before.
  [[nodiscard]] std::int64_t asked(std::size_t before) const {
    return closed() || before >= shown ? nobody : asked_[before].load(std::memory_order_relaxed);
  }
  // Since when the connection unused for longest is idle; `nobody` when none is.
  [[nodiscard]] std::int64_t idle_since() const {
    return idle_since_.load(std::memory_order_relaxed);
  }
  // `nobody` when no connection is in use.
  [[nodiscard]] std::int64_t busy_since() const {
    return busy_since_.load(std::memory_order_relaxed);
  }

  // Connections on their way to this part. Promised by any shard, kept or broken by one.
  [[nodiscard]] std::uint32_t inbound() const { return inbound_.load(std::memory_order_relaxed); }
  // False: as many are coming already.
  [[nodiscard]] bool promise(std::uint32_t at_most) {
    std::uint32_t present = inbound();
    while (present < at_most) {
      if (inbound_.compare_exchange_weak(present, present + 1, std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  void promise_over() { inbound_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  static std::int64_t count_of(std::optional<ring::Instant> when) {
    return when ? when->time_since_epoch().count() : nobody;
  }

  // Written for every transaction, read by others when somebody is short.
  std::atomic<std::uint32_t> idle_{0};
  std::atomic<std::int64_t> idle_since_{nobody};
  std::atomic<std::int64_t> busy_since_{nobody};
  // Read by all parts for every transaction, written when somebody is short.
  alignas(64) std::array<std::atomic<std::int64_t>, shown> asked_{nobody, nobody, nobody, nobody};
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<std::uint32_t> inbound_{0};
  std::atomic<bool> closed_{true};  // until the part is made
};

class PoolBoard {
 public:
  explicit PoolBoard(std::uint32_t parts)
      : parts_{std::make_unique<PartBoard[]>(parts)}, size_{parts} {}

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] PartBoard& part(std::uint32_t index) { return parts_[index]; }
  [[nodiscard]] const PartBoard& part(std::uint32_t index) const { return parts_[index]; }

  // How many connections the budget wants this pool to give up, as soon as they are idle. Written under the
  // budget's lock, read by all parts.
  [[nodiscard]] std::uint32_t to_shed() const { return to_shed_.load(std::memory_order_relaxed); }
  void set_to_shed(std::uint32_t count) {
    // Not written when it stays the same: parts read this line for every transaction.
    if (to_shed() != count) to_shed_.store(count, std::memory_order_relaxed);
  }

  // Sums and extremes over the parts.
  struct Totals {
    std::uint32_t idle = 0, waiting = 0, inbound = 0;
    std::int64_t oldest = PartBoard::nobody, idle_since = PartBoard::nobody;
    std::int64_t busy_since = PartBoard::nobody;
    bool open = false;  // some part is not closed
    // Waiters no connection is idle or moving for.
    [[nodiscard]] std::uint32_t short_of() const {
      const std::uint64_t coming = std::uint64_t{idle} + inbound;
      return coming >= waiting ? 0 : waiting - static_cast<std::uint32_t>(coming);
    }
  };
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] std::uint32_t idle() const { return totals().idle; }
  [[nodiscard]] std::uint32_t waiting() const { return totals().waiting; }
  [[nodiscard]] std::uint32_t inbound() const { return totals().inbound; }
  [[nodiscard]] std::int64_t oldest() const { return totals().oldest; }
  [[nodiscard]] std::int64_t idle_since() const { return totals().idle_since; }
  [[nodiscard]] std::int64_t busy_since() const { return totals().busy_since; }

  struct Hungrier {
    std::optional<std::uint32_t> part;
    bool others = false;  // somebody waits elsewhere whom no connection is on its way for
  };
  // The part whose waiter asked first of those no connection is on its way for, if it is by more than `slack`
  // before `own_oldest` (the oldest waiter of `part`, which has a connection to give). The promise is made when
  // this returns it.
  [[nodiscard]] Hungrier promise_to_hungrier(std::uint32_t part, std::int64_t own_oldest,
                                             ring::Duration slack);
  // The part a new connection should open on: where the oldest waiter is, else any that is not closed;
  // `turn` spreads them. nullopt: all are closed.
  [[nodiscard]] std::optional<std::uint32_t> hungriest(std::uint32_t turn) const;

 private:
  std::unique_ptr<PartBoard[]> parts_;
  std::uint32_t size_;
  // Padding, see ring/mailbox.h.
  [[maybe_unused]] std::array<char, 64> apart_{};
  std::atomic<std::uint32_t> to_shed_{0};
};

}  // namespace pgring
