#include "ring/send_queue.h"

#include <utility>

#include "ring/check.h"

namespace ring {

SendNode* SendNodePool::get() {
  if (free_ == nullptr) {
    chunks_.push_back(std::make_unique<SendNode[]>(chunk_nodes));
    for (std::size_t i = 0; i < chunk_nodes; ++i) put(&chunks_.back()[i]);
  }
  SendNode* const node = free_;
  free_ = node->next;
  node->next = nullptr;
  return node;
}

void SendQueue::push(Slice slice, std::uint32_t locked) {
  if (slice.empty()) return;
  bytes_ += slice.size();
  if (ranges_ > locked && tail_->slice.continues_with(slice)) {
    tail_->slice.append(std::move(slice));
    return;
  }
  SendNode* const node = pool_.get();
  node->slice = std::move(slice);
  if (tail_ == nullptr) {
    head_ = node;
  } else {
    tail_->next = node;
  }
  tail_ = node;
  ++ranges_;
}

std::uint32_t SendQueue::gather(std::span<iovec> into) const {
  std::uint32_t count = 0;
  for (const SendNode* node = head_; node != nullptr && count < into.size(); node = node->next) {
    const auto bytes = node->slice.bytes();
    into[count++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  }
  return count;
}

void SendQueue::pop(std::size_t bytes) {
  RING_CHECK(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    SendNode* const node = head_;
    if (bytes < node->slice.size()) {
      node->slice.drop_front(static_cast<std::uint32_t>(bytes));
      return;
    }
    bytes -= node->slice.size();
    head_ = node->next;
    if (head_ == nullptr) tail_ = nullptr;
    --ranges_;
    pool_.put(node);
  }
}

void SendQueue::clear() {
  while (head_ != nullptr) {
    SendNode* const node = head_;
    head_ = node->next;
    pool_.put(node);
  }
  tail_ = nullptr;
  bytes_ = 0;
  ranges_ = 0;
}

}  // namespace ring
