#include "src/server/request_queue.h"

#include "src/base/check.h"

namespace pgring {

void RequestQueue::push(Request request) {
  if (skipping_ && request != Request::sync) return;
  skipping_ = false;
  append(request);
}

void RequestQueue::append(Request request) {
  if (size_ == entries_.size()) grow();
  entries_[index(size_)] = request;
  ++size_;
  if (ends_in_ready(request)) ++ready_owed_;
}

void RequestQueue::pop() {
  POOLER_CHECK(size_ > 0);
  if (ends_in_ready(front())) --ready_owed_;
  head_ = index(1);
  --size_;
}

void RequestQueue::clear() {
  head_ = size_ = ready_owed_ = 0;
  skipping_ = false;
}

bool RequestQueue::answered() {
  // The ends of copies that were none, or were over.
  const auto drop_copy_ends = [this] {
    while (!empty() && front() == Request::copy_end) pop();
  };
  drop_copy_ends();
  if (empty() || !ends_in_ready(front())) return false;
  pop();
  drop_copy_ends();
  return true;
}

void RequestQueue::failed() {
  // The error of a Query, a FunctionCall or a Sync is its own.
  if (empty() || front() != Request::extended) return;
  while (!empty() && front() != Request::sync) pop();
  skipping_ = empty();
}

void RequestQueue::grow() {
  std::vector<Request> larger(entries_.empty() ? 8 : entries_.size() * 2);
  for (std::uint32_t i = 0; i < size_; ++i) larger[i] = entries_[index(i)];
  entries_ = std::move(larger);
  head_ = 0;
}

bool RequestQueue::enter_copy_in(bool& violation) {
  // The head is what executes the COPY: a Query, or an Execute, whose Sync the server will read while it copies.
  std::vector<Request> kept;
  bool ended = false;
  for (std::uint32_t i = 0; i < size_; ++i) {
    const Request request = entries_[index(i)];
    const bool head = i == 0 && (request == Request::query || request == Request::extended);
    if (ended || head) {
      kept.push_back(request);
    } else if (request == Request::copy_end) {
      ended = true;
    } else if (request != Request::sync) {
      violation = true;
    }
  }
  clear();
  for (const Request request : kept) append(request);
  return ended;
}

}  // namespace pgring
