// Work for one loop from other threads, in the order each sender posted it.
//
// What:   post() from any thread; drain() on the loop's thread. The sender writes the loop's eventfd only
//         when the loop says it sleeps, so a busy loop costs its senders no system call.
// Owner:  the Loop. Nobody begins a post once it is being destroyed (shards end together); posts under way
//         are waited for, since the task that ends the loop may run before the post of it has returned.
// Life:   a task runs once, on the loop's thread; what is left at destruction is destroyed unrun.
// Method: an intrusive stack pushed with one compare-exchange and taken whole, then turned around;
//         the sleeping flag and the stack's head form a Dekker pair (sequentially consistent).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>

namespace ring {

class Mailbox {
 public:
  using Task = std::move_only_function<void()>;

  // wake_file: an eventfd the loop reads; owned by the caller.
  explicit Mailbox(int wake_file) : wake_file_{wake_file} {}
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void post(Task task);  // any thread

  // The loop's thread. True: something is there already, do not sleep.
  [[nodiscard]] bool prepare_sleep();
  void awake();
  void drain();
  // Until no post() is under way. Before the wake file is closed.
  void wait_for_senders() const;

 private:
  struct Node {
    Task task;
    Node* next = nullptr;
  };
  void wake() const;

  // Keeps the words that senders write off the owner's cache line. Not alignas(64): g++ 12 misplaces
  // over-aligned locals in AddressSanitizer's stack frames (GCC bug 110027).
  [[maybe_unused]] std::array<char, 64> apart_{};
  std::atomic<Node*> head_{nullptr};
  std::atomic<bool> sleeping_{false};
  std::atomic<std::uint32_t> senders_{0};  // posts under way
  int wake_file_;
};

}  // namespace ring
