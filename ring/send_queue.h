// What waits to be sent on one socket, in order. Hot path: pushed and popped once per message.
//
// What:   a list of slices whose nodes come from a pool of the loop: an idle socket holds none, and a busy
//         one allocates nothing.
// Owner:  a Stream. The slices go when their bytes are sent or the queue is cleared.
#pragma once

#include <sys/uio.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ring/slice.h"

namespace ring {

struct SendNode {
  Slice slice;
  SendNode* next = nullptr;
};

// Nodes of all queues of one loop. Outlives the queues. Grows by chunks, never shrinks.
class SendNodePool {
 public:
  [[nodiscard]] SendNode* get();
  void put(SendNode* node) {
    node->slice = Slice{};
    node->next = free_;
    free_ = node;
  }

 private:
  static constexpr std::size_t chunk_nodes = 256;
  SendNode* free_ = nullptr;
  std::vector<std::unique_ptr<SendNode[]>> chunks_;
};

class SendQueue {
 public:
  explicit SendQueue(SendNodePool& pool) : pool_{pool} {}
  ~SendQueue() { clear(); }
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  [[nodiscard]] bool empty() const { return head_ == nullptr; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t ranges() const { return ranges_; }

  // `locked` ranges at the head are in flight: nothing is merged into the last of them.
  void push(Slice slice, std::uint32_t locked);
  // Fills `into` from the head; returns how many ranges.
  [[nodiscard]] std::uint32_t gather(std::span<iovec> into) const;
  // So many bytes from the head are sent.
  void pop(std::size_t bytes);
  void clear();

 private:
  SendNodePool& pool_;
  SendNode* head_ = nullptr;
  SendNode* tail_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint32_t ranges_ = 0;
};

}  // namespace ring
