#include "ring/send_queue.h"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "tests/ring_support/pattern.h"

namespace {

using ring::SendNodePool;
using ring::SendQueue;
using ring::Slice;

std::vector<std::string> ranges_of(const SendQueue& queue, std::size_t limit = 64) {
  std::vector<iovec> space(limit);
  const auto count = queue.gather(space);
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < count; ++i)
    ranges.emplace_back(static_cast<const char*>(space[i].iov_base), space[i].iov_len);
  return ranges;
}

using Texts = std::vector<std::string>;

TEST_CASE("send queue: neighbours in one block become one range, strangers stay apart") {
  SendNodePool pool;
  SendQueue queue{pool};
  const Slice block = Slice::copy_of("abcdef");
  queue.push(block.share(0, 2), 0);
  queue.push(block.share(2, 2), 0);
  queue.push(Slice::copy_of("X"), 0);
  queue.push(block.share(4, 2), 0);
  queue.push(Slice{}, 0);  // nothing to send
  CHECK(ranges_of(queue) == Texts{"abcd", "X", "ef"});
  CHECK(queue.ranges() == 3);
  CHECK(queue.bytes() == 7);
}

TEST_CASE("send queue: nothing is merged into a range in flight") {
  SendNodePool pool;
  SendQueue queue{pool};
  const Slice block = Slice::copy_of("abcdef");
  queue.push(block.share(0, 2), 0);
  queue.push(block.share(2, 2), 1);  // the first is in flight
  CHECK(ranges_of(queue) == Texts{"ab", "cd"});
  queue.push(block.share(4, 2), 1);  // the second is not
  CHECK(ranges_of(queue) == Texts{"ab", "cdef"});
}

TEST_CASE("send queue: popping stops at any byte, across any ranges") {
  const std::string text = "abcdefghijkl";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = 0; first + second <= text.size(); ++second) {
      SendNodePool pool;
      SendQueue queue{pool};
      queue.push(Slice::copy_of(text.substr(0, 3)), 0);
      queue.push(Slice::copy_of(text.substr(3, 1)), 0);
      queue.push(Slice::copy_of(text.substr(4, 5)), 0);
      queue.push(Slice::copy_of(text.substr(9)), 0);
      queue.pop(first);
      queue.pop(second);
      std::string left;
      for (const auto& range : ranges_of(queue)) left += range;
      CHECK(left == text.substr(first + second));
      CHECK(queue.bytes() == left.size());
      CHECK(queue.empty() == left.empty());
      queue.push(Slice::copy_of("z"), 0);
      CHECK(ranges_of(queue).back() == "z");
    }
  }
}

TEST_CASE("send queue: a gather takes from the head and no more than there is room for") {
  SendNodePool pool;
  SendQueue queue{pool};
  for (const char* const text : {"a", "b", "c"}) queue.push(Slice::copy_of(text), 0);
  CHECK(ranges_of(queue, 2) == Texts{"a", "b"});
  CHECK(ranges_of(queue, 0).empty());
  queue.clear();
  CHECK(queue.empty());
  CHECK(queue.bytes() == 0);
  CHECK(queue.ranges() == 0);
}

TEST_CASE("send queue: random use agrees with a string") {
  // Method: pushes of shares of a few blocks, sends of some ranges that complete short or whole.
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random{seed};
    const auto below = [&](std::size_t limit) {
      return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    SendNodePool pool;
    SendQueue queue{pool};
    std::string model;
    std::uint64_t pushed = 0;
    Slice block;
    std::uint32_t used = 0;
    std::string in_flight;
    std::uint32_t locked = 0;
    for (int step = 0; step < 2000; ++step) {
      if (below(3) > 0) {
        if (used >= block.size()) {
          block = Slice::copy_of(ring_test::pattern(seed, pushed, 1 + below(200)));
          pushed += block.size();
          used = 0;
        }
        const auto size = static_cast<std::uint32_t>(1 + below(block.size() - used));
        const Slice part = block.share(used, size);
        model += ring_test::text_of(part);
        queue.push(block.share(used, size), locked);
        used += size;
      } else if (in_flight.empty() && !queue.empty()) {
        const auto ranges = ranges_of(queue, 1 + below(4));
        locked = static_cast<std::uint32_t>(ranges.size());
        for (const auto& range : ranges) in_flight += range;
        REQUIRE(model.starts_with(in_flight));
      } else if (!in_flight.empty()) {
        // What is in flight may not have moved or grown meanwhile.
        std::string now;
        for (const auto& range : ranges_of(queue, locked)) now += range;
        REQUIRE(now == in_flight);
        const std::size_t sent = below(4) == 0 ? below(in_flight.size() + 1) : in_flight.size();
        queue.pop(sent);
        model.erase(0, sent);
        in_flight.clear();
        locked = 0;
      }
      REQUIRE(queue.bytes() == model.size());
    }
  }
}

}  // namespace
