// The requests of other clients that were sent to a server connection behind the one that is being answered.
//
// What:   each is one whole group with the entries of its replies, which become the connection's FIFO when all before it is
//         answered. An owner that goes away, or has its group done elsewhere, is taken out: the replies are dropped then.
// Owner:  a Server. Hot path: places are used again, so that nothing is allocated once it has been as full as it gets.
// Source: CORRECTNESS.md 12 to 18 in words: docs/architecture.md, "Shared pipelines".
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "ring/slice.h"
#include "src/base/check.h"
#include "src/server/request_queue.h"

namespace pgring {

class Client;

struct StagedGroup {
  Client* client = nullptr;  // null: nobody waits for the replies
  RequestQueue requests;
  ring::Slice group;  // as it came, to be done again elsewhere
  std::uint64_t fingerprint = 0;
};

// One that is to be done elsewhere.
struct FleeingGroup {
  Client* client = nullptr;
  ring::Slice group;
};

class StagedGroups {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // Behind the others; it stays where it is until it is taken out. Its requests are empty.
  StagedGroup& push() {
    if (size_ == places_.size()) grow();
    return at(size_++);
  }
  // REQUIRES: !empty().
  [[nodiscard]] StagedGroup& front() { return at(0); }
  [[nodiscard]] StagedGroup& back() { return at(size_ - 1); }
  // REQUIRES: !empty(). Its place keeps the memory of its requests.
  void pop() {
    POOLER_CHECK(size_ > 0);
    StagedGroup& first = at(0);
    first.client = nullptr;
    first.requests.clear();
    first.group = {};
    head_ = index(1);
    --size_;
  }
  // Oldest first. REQUIRES: i < size().
  [[nodiscard]] StagedGroup& at(std::uint32_t i) { return *places_[index(i)]; }

 private:
  [[nodiscard]] std::uint32_t index(std::uint32_t offset) const {
    return (head_ + offset) & static_cast<std::uint32_t>(places_.size() - 1);
  }
  void grow() {
    std::vector<std::unique_ptr<StagedGroup>> larger;
    const std::size_t wanted = places_.empty() ? 4 : places_.size() * 2;
    larger.reserve(wanted);
    for (std::uint32_t i = 0; i < size_; ++i) larger.push_back(std::move(places_[index(i)]));
    while (larger.size() < wanted) larger.push_back(std::make_unique<StagedGroup>());
    places_ = std::move(larger);
    head_ = 0;
  }

  std::vector<std::unique_ptr<StagedGroup>> places_;  // a ring; its size is a power of two
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace pgring
