#include "src/server/request_queue.h"

#include "src/base/check.h"

namespace pgring {

void RequestQueue::push(Request request) {
  if (size_ == entries_.size()) grow();
  entries_[index(size_)] = request;
  ++size_;
}

void RequestQueue::pop() {
  POOLER_CHECK(size_ > 0);
  head_ = index(1);
  --size_;
}

void RequestQueue::grow() {
  std::vector<Request> larger(entries_.empty() ? 8 : entries_.size() * 2);
  for (std::uint32_t i = 0; i < size_; ++i) larger[i] = entries_[index(i)];
  entries_ = std::move(larger);
  head_ = 0;
}

bool RequestQueue::enter_copy_in(bool& violation) {
  // The head is what executes the COPY: a Query, which stays, or the Sync behind an Execute, which the server
  // will read while it copies.
  std::vector<Request> kept;
  bool ended = false;
  for (std::uint32_t i = 0; i < size_; ++i) {
    const Request request = entries_[index(i)];
    if (ended || (i == 0 && request == Request::query)) {
      kept.push_back(request);
    } else if (request == Request::copy_end) {
      ended = true;
    } else if (request != Request::sync) {
      violation = true;
    }
  }
  clear();
  for (const Request request : kept) push(request);
  return ended;
}

}  // namespace pgring
