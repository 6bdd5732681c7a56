#include "ring/mailbox.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "ring/check.h"

namespace ring {

Mailbox::~Mailbox() {
  wait_for_senders();
  for (Node* node = head_.exchange(nullptr); node != nullptr;) {
    const std::unique_ptr<Node> owned{node};
    node = node->next;
  }
}

void Mailbox::post(Task task) {
  auto node = std::make_unique<Node>(std::move(task));
  Node* const raw = node.release();
  senders_.fetch_add(
      1, std::memory_order_relaxed);  // visible with the task, which the compare-exchange releases
  raw->next = head_.load(std::memory_order_relaxed);
  while (!head_.compare_exchange_weak(raw->next, raw, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
  }
  if (sleeping_.load(std::memory_order_seq_cst)) wake();
  senders_.fetch_sub(1, std::memory_order_release);
}

void Mailbox::wait_for_senders() const {
  while (senders_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

bool Mailbox::prepare_sleep() {
  sleeping_.store(true, std::memory_order_seq_cst);
  return head_.load(std::memory_order_seq_cst) != nullptr;
}

void Mailbox::awake() { sleeping_.store(false, std::memory_order_relaxed); }

void Mailbox::drain() {
  if (head_.load(std::memory_order_relaxed) == nullptr) return;
  Node* newest = head_.exchange(nullptr, std::memory_order_acquire);
  Node* oldest = nullptr;
  while (newest != nullptr) {
    Node* const next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    const std::unique_ptr<Node> owned{oldest};
    oldest = oldest->next;
    owned->task();
  }
}

void Mailbox::wake() const {
  const std::uint64_t one = 1;
  const auto written = ::write(wake_file_, &one, sizeof one);
  // EAGAIN: the counter is full, so the loop is woken already.
  (void)written;
}

}  // namespace ring
