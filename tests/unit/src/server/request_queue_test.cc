#include "src/server/request_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

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

void fail(RequestQueue& queue) {
  queue.failed([](RequestEntry&&) {});
}

std::string all_types() {
  std::string types;
  for (int c = 0; c < 256; ++c) types += static_cast<char>(c);
  return types;
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
  CHECK_FALSE(queue.fits('2'));
  CHECK(queue.answered());
  CHECK(queue.empty());
}

TEST_CASE("request queue: what may come as an answer, and what ends it, is as in protocol-flow") {
  // Method: every byte as a type, for every request; ReadyForQuery is not asked for here.
  const struct {
    Request request;
    std::string_view fits;
    std::string_view completes;
  } rows[]{
      {Request::query, "TDCIGHdc", ""},
      {Request::function_call, "V", ""},
      {Request::sync, "", ""},
      {Request::parse, "1", "1"},
      {Request::bind, "2", "2"},
      {Request::close, "3", "3"},
      {Request::describe_statement, "tTn", "Tn"},
      {Request::describe_portal, "Tn", "Tn"},
      {Request::execute, "DCIsGHdc", "CIs"},
      {Request::bad_flush, "", ""},
      {Request::copy_end, "", ""},
  };
  for (const auto& [request, fits, completes] : rows) {
    CAPTURE(static_cast<int>(request));
    const auto queue = queue_of({request});
    std::string fitting;
    std::string completing;
    for (const char type : all_types()) {
      if (!queue.fits(type)) continue;
      fitting += type;
      if (queue.completes(type)) completing += type;
    }
    const auto sorted = [](std::string_view text) {
      std::string copy{text};
      std::ranges::sort(copy);
      return copy;
    };
    CHECK(fitting == sorted(fits));
    CHECK(completing == sorted(completes));
  }
}

TEST_CASE("request queue: nothing fits where nothing is asked") {
  const RequestQueue queue;
  for (const char type : all_types()) CHECK_FALSE(queue.fits(type));
}

TEST_CASE("request queue: what ends an answer in the extended protocol does not end a Query's") {
  const auto queue = queue_of({Request::query, Request::execute});
  for (const char type : all_types()) CHECK_FALSE(queue.completes(type));
}

TEST_CASE("request queue: take() gives the oldest, and drops the ends of copies that were none") {
  RequestQueue queue;
  queue.push({.request = Request::bind, .reply = pgring::Reply::swallow, .statement = 7});
  queue.push(Request::copy_end);
  queue.push(Request::copy_end);
  queue.push({.request = Request::execute, .statement = 8});
  queue.push(Request::copy_end);
  const RequestEntry bind = queue.take();
  CHECK(bind.request == Request::bind);
  CHECK(bind.reply == pgring::Reply::swallow);
  CHECK(bind.statement == 7);
  REQUIRE(queue.size() == 2);
  CHECK(queue.front().request == Request::execute);
  CHECK(queue.front().reply == pgring::Reply::forward);
  CHECK(queue.take().statement == 8);
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
  auto queue = queue_of({Request::execute, Request::sync});
  bool violation = false;
  CHECK_FALSE(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  CHECK_FALSE(queue.owes_ready());
  REQUIRE(queue.size() == 1);
  CHECK(queue.front().request == Request::execute);
}

TEST_CASE("request queue: a copy whose end was sent ahead is over, and what follows it stays") {
  auto queue =
      queue_of({Request::execute, Request::sync, Request::copy_end, Request::sync, Request::query});
  bool violation = false;
  CHECK(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  REQUIRE(queue.completes('C'));
  CHECK(queue.take().request == Request::execute);
  CHECK(ready_count(queue) == 2);
}

TEST_CASE("request queue: a request sent into a COPY is a violation") {
  for (const auto request : {Request::query, Request::function_call, Request::parse, Request::bind,
                             Request::describe_statement, Request::describe_portal,
                             Request::execute, Request::close, Request::bad_flush}) {
    CAPTURE(static_cast<int>(request));
    auto queue = queue_of({Request::query, request});
    bool violation = false;
    (void)queue.enter_copy_in(violation);
    CHECK(violation);
  }
}

TEST_CASE("request queue: a COPY that was asked for by no Query or Execute is a violation") {
  auto queue = queue_of({Request::bind, Request::sync});
  bool violation = false;
  (void)queue.enter_copy_in(violation);
  CHECK(violation);
}
