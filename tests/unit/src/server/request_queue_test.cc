#include "src/server/request_queue.h"

#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <vector>

using pgring::Request;
using pgring::RequestQueue;

namespace {

RequestQueue queue_of(std::initializer_list<Request> requests) {
  RequestQueue queue;
  for (const auto request : requests) queue.push(request);
  return queue;
}

std::vector<Request> drained(RequestQueue& queue) {
  std::vector<Request> requests;
  while (!queue.empty()) {
    requests.push_back(queue.front());
    queue.pop();
  }
  return requests;
}

}  // namespace

TEST_CASE("request queue: first in, first out, over its growth and turns") {
  // Method: against std::deque, random pushes and pops.
  std::mt19937 random{1};
  RequestQueue queue;
  std::deque<Request> model;
  for (int step = 0; step < 20000; ++step) {
    if (model.empty() || random() % 100 < 52) {
      const auto request = static_cast<Request>(random() % 5);
      queue.push(request);
      model.push_back(request);
    } else {
      REQUIRE(queue.front() == model.front());
      queue.pop();
      model.pop_front();
    }
    REQUIRE(queue.size() == model.size());
  }
}

TEST_CASE("request queue: a simple COPY keeps its Query and waits for the copy's end") {
  auto queue = queue_of({Request::query});
  bool violation = false;
  CHECK_FALSE(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  CHECK(drained(queue) == std::vector{Request::query});
}

TEST_CASE("request queue: the Sync behind an extended COPY is swallowed by the server") {
  auto queue = queue_of({Request::sync});
  bool violation = false;
  CHECK_FALSE(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  CHECK(queue.empty());
}

TEST_CASE(
    "request queue: a copy whose end was sent ahead is over at once, and what follows it stays") {
  auto queue = queue_of({Request::sync, Request::copy_end, Request::sync, Request::query});
  bool violation = false;
  CHECK(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  CHECK(drained(queue) == std::vector{Request::sync, Request::query});
}

TEST_CASE("request queue: a request sent into a COPY is a violation") {
  for (const auto request : {Request::query, Request::function_call}) {
    auto queue = queue_of({Request::query, request});
    bool violation = false;
    (void)queue.enter_copy_in(violation);
    CHECK(violation);
  }
}

TEST_CASE("request queue: ends of a COPY that was none are dropped up to the next request") {
  auto queue = queue_of({Request::copy_end, Request::copy_end, Request::sync, Request::copy_end});
  queue.drop_copy_ends();
  CHECK(drained(queue) == std::vector{Request::sync, Request::copy_end});
  queue.drop_copy_ends();
  CHECK(queue.empty());
}
