#include "src/server/request_queue.h"

#include <doctest/doctest.h>

#include <random>

using pgring::Request;
using pgring::RequestEntry;
using pgring::RequestQueue;

namespace {

RequestQueue queue_of(std::initializer_list<Request> requests) {
  RequestQueue queue;
  for (const auto request : requests) queue.push(request);
  return queue;
}

// How many ReadyForQuery it takes until none is owed.
int ready_count(RequestQueue& queue) {
  int count = 0;
  while (queue.answered()) ++count;
  return count;
}

// BindComplete has come.
void answer_bind(RequestQueue& queue) {
  REQUIRE(queue.fits('2'));
  REQUIRE(queue.completes('2'));
  (void)queue.take();
}

int fail(RequestQueue& queue) {
  int dropped = 0;
  queue.failed([&](RequestEntry&&) { ++dropped; });
  return dropped;
}

}  // namespace

TEST_CASE("request queue: a ReadyForQuery for each Query and Sync, over growth and turns") {
  // Method: against a count, random pushes and answers.
  std::mt19937 random{1};
  RequestQueue queue;
  int owed = 0;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 100 < 52) {
      queue.push(random() % 2 == 0 ? Request::query : Request::sync);
      ++owed;
    } else {
      REQUIRE(queue.answered() == (owed > 0));
      if (owed > 0) --owed;
    }
    REQUIRE(queue.owes_ready() == (owed > 0));
  }
}

TEST_CASE("request queue: a Sync is answered after the messages before it") {
  auto queue = queue_of({Request::bind, Request::bind, Request::sync});
  CHECK_FALSE(queue.answered());
  answer_bind(queue);
  CHECK_FALSE(queue.answered());
  answer_bind(queue);
  answer_bind(queue);  // the head is no such message: as in the answer to a simple Query
  CHECK(queue.answered());
  CHECK(queue.empty());
}

TEST_CASE("request queue: copy ends that ended nothing are dropped") {
  auto queue = queue_of({Request::copy_end, Request::query, Request::copy_end, Request::copy_end});
  CHECK(queue.answered());
  CHECK(queue.empty());
}

TEST_CASE("request queue: a failed group skips to its Sync") {
  auto queue = queue_of({Request::bind, Request::bind, Request::sync, Request::query});
  fail(queue);
  CHECK_FALSE(queue.skipping());
  CHECK(ready_count(queue) == 2);
}

TEST_CASE("request queue: without its Sync a failed group drops what comes until there is one") {
  auto queue = queue_of({Request::bind, Request::query});
  fail(queue);
  CHECK(queue.skipping());
  CHECK_FALSE(queue.owes_ready());
  queue.push(Request::query);
  queue.push(Request::copy_end);
  CHECK(queue.empty());
  queue.push(Request::sync);
  CHECK_FALSE(queue.skipping());
  CHECK(ready_count(queue) == 1);
}

TEST_CASE("request queue: a FunctionCall that fails behind an answered group is answered itself") {
  auto queue = queue_of({Request::bind, Request::function_call, Request::sync});
  answer_bind(queue);
  fail(queue);
  CHECK(ready_count(queue) == 2);
}

TEST_CASE("request queue: a simple COPY keeps its Query and waits for the copy's end") {
  auto queue = queue_of({Request::query});
  bool violation = false;
  CHECK_FALSE(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  CHECK(ready_count(queue) == 1);
}

TEST_CASE("request queue: the Sync behind an extended COPY is swallowed by the server") {
  auto queue = queue_of({Request::bind, Request::sync});
  bool violation = false;
  CHECK_FALSE(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  CHECK_FALSE(queue.owes_ready());
  CHECK(queue.front().request == Request::bind);
}

TEST_CASE("request queue: a copy whose end was sent ahead is over, and what follows it stays") {
  auto queue = queue_of(
      {Request::bind, Request::sync, Request::copy_end, Request::sync, Request::query});
  bool violation = false;
  CHECK(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  answer_bind(queue);
  CHECK(ready_count(queue) == 2);
}

TEST_CASE("request queue: a request sent into a COPY is a violation") {
  for (const auto request : {Request::query, Request::function_call, Request::bind}) {
    auto queue = queue_of({Request::query, request});
    bool violation = false;
    (void)queue.enter_copy_in(violation);
    CHECK(violation);
  }
}
