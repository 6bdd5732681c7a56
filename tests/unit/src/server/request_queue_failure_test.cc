// What becomes of requests that PostgreSQL drops, and of what hangs on them.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "src/server/request_queue.h"

using pgring::Request;
using pgring::RequestEntry;
using pgring::RequestNote;
using pgring::RequestQueue;

namespace {

RequestEntry noted(Request request, std::string name) {
  RequestEntry entry{.request = request};
  entry.note = std::make_unique<RequestNote>();
  entry.note->name = std::move(name);
  return entry;
}

std::string name_of(const RequestEntry& entry) {
  return entry.note == nullptr ? "-" : entry.note->name;
}

// The names of what failed() gave back, in its order.
std::vector<std::string> fail(RequestQueue& queue) {
  std::vector<std::string> names;
  queue.failed([&](RequestEntry&& entry) { names.push_back(name_of(entry)); });
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("request queue: what a failure drops comes with its notes, what failed first") {
  RequestQueue queue;
  queue.push(noted(Request::close, "a"));
  queue.push(noted(Request::parse, "b"));
  queue.push(Request::bind);
  queue.push(noted(Request::describe_statement, "d"));
  queue.push(Request::sync);
  queue.push(noted(Request::parse, "next group"));
  (void)queue.take();  // the Close was answered
  CHECK(fail(queue) == Names{"b", "-", "d"});
  CHECK_FALSE(queue.skipping());
  CHECK(queue.answered());
  REQUIRE(queue.size() == 1);
  CHECK(name_of(queue.front()) == "next group");
  CHECK_FALSE(queue.owes_ready());
}

TEST_CASE("request queue: a Query behind a failed group is dropped like the rest, up to the Sync") {
  RequestQueue queue;
  queue.push(noted(Request::parse, "p"));
  queue.push(noted(Request::query, "q"));
  queue.push(noted(Request::function_call, "f"));
  queue.push(noted(Request::copy_end, "c"));
  queue.push(Request::sync);
  queue.push(Request::query);
  CHECK(fail(queue) == Names{"p", "q", "f", "c"});
  CHECK_FALSE(queue.skipping());
  CHECK(queue.answered());
  CHECK(queue.answered());
  CHECK(queue.empty());
}

TEST_CASE("request queue: while skipping, an entry that is not queued is as it was") {
  RequestQueue queue;
  queue.push(Request::bind);
  CHECK(fail(queue) == Names{"-"});
  REQUIRE(queue.skipping());
  RequestEntry entry = noted(Request::parse, "kept");
  CHECK_FALSE(queue.push(std::move(entry)));
  REQUIRE(entry.note != nullptr);
  CHECK(entry.note->name == "kept");
  CHECK(queue.empty());
  for (const auto request : {Request::query, Request::function_call, Request::bind,
                             Request::execute, Request::close, Request::copy_end}) {
    CHECK_FALSE(queue.push(request));
  }
  CHECK(queue.skipping());
  CHECK(queue.push(Request::sync));
  CHECK_FALSE(queue.skipping());
  CHECK(queue.push(Request::query));
  CHECK(queue.size() == 2);
}

TEST_CASE("request queue: the error of a Query, a FunctionCall or a Sync drops nothing") {
  for (const auto request : {Request::query, Request::function_call, Request::sync}) {
    CAPTURE(static_cast<int>(request));
    RequestQueue queue;
    queue.push(request);
    queue.push(Request::bind);
    CHECK(fail(queue).empty());
    CHECK_FALSE(queue.skipping());
    CHECK(queue.size() == 2);
  }
  RequestQueue queue;
  CHECK(fail(queue).empty());
  CHECK_FALSE(queue.skipping());
}

TEST_CASE("request queue: a group may fail again behind the Sync of one that failed") {
  RequestQueue queue;
  for (const auto* name : {"first", "second"}) {
    queue.push(noted(Request::bind, name));
    queue.push(noted(Request::execute, name));
    queue.push(Request::sync);
  }
  CHECK(fail(queue) == Names{"first", "first"});
  CHECK(queue.answered());
  CHECK(fail(queue) == Names{"second", "second"});
  CHECK(queue.answered());
  CHECK_FALSE(queue.owes_ready());
  CHECK(queue.empty());
}

TEST_CASE("request queue: entering a COPY keeps the entries behind it, notes and order and all") {
  RequestQueue queue;
  queue.push(noted(Request::execute, "copy"));
  queue.push(Request::sync);
  queue.push(Request::copy_end);
  queue.push(Request::sync);
  queue.push(noted(Request::close, "a"));
  queue.push(noted(Request::parse, "b"));
  queue.push(noted(Request::query, "c"));
  bool violation = false;
  CHECK(queue.enter_copy_in(violation));
  CHECK_FALSE(violation);
  REQUIRE(queue.size() == 5);
  CHECK(name_of(queue.take()) == "copy");
  CHECK(queue.answered());
  CHECK(name_of(queue.take()) == "a");
  CHECK(name_of(queue.take()) == "b");
  CHECK(name_of(queue.front()) == "c");
  CHECK(queue.owes_ready());
  CHECK(queue.answered());
  CHECK(queue.empty());
  CHECK_FALSE(queue.owes_ready());
}

TEST_CASE("request queue: notes outlive growth and turns of the ring") {
  RequestQueue queue;
  int pushed = 0;
  int taken = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < round % 13; ++i)
      queue.push(noted(Request::close, std::to_string(pushed++)));
    for (int i = 0; i < round % 11 && !queue.empty(); ++i)
      REQUIRE(name_of(queue.take()) == std::to_string(taken++));
  }
  CHECK(queue.size() == static_cast<std::uint32_t>(pushed - taken));
  CHECK(queue.size() > 8);
  queue.clear();
  CHECK(queue.empty());
  CHECK_FALSE(queue.owes_ready());
}

TEST_CASE("request queue: cleared it owes nothing and skips nothing") {
  RequestQueue queue;
  queue.push(Request::query);
  queue.push(Request::bind);
  queue.clear();
  CHECK_FALSE(queue.owes_ready());
  queue.push(Request::bind);
  (void)fail(queue);
  REQUIRE(queue.skipping());
  queue.clear();
  CHECK_FALSE(queue.skipping());
  CHECK(queue.push(Request::query));
}

TEST_CASE(
    "request queue: a reply that is not the server's is taken before any of the server's fits") {
  RequestQueue queue;
  queue.push({.request = Request::close, .reply = pgring::Reply::swallow});
  queue.push({.request = Request::parse, .reply = pgring::Reply::synthesize});
  queue.push(Request::bind);
  queue.push(Request::sync);
  CHECK(queue.synthesizes());
  CHECK_FALSE(queue.synthesizes_next());
  CHECK(queue.fits('3'));
  (void)queue.take();
  CHECK(queue.synthesizes_next());
  for (const char type : {'1', '2', '3', 'D', 'T', 'n', 't', 'C'}) CHECK_FALSE(queue.fits(type));
  CHECK(queue.take().reply == pgring::Reply::synthesize);
  CHECK_FALSE(queue.synthesizes());
  CHECK(queue.fits('2'));
  (void)queue.take();
  CHECK(queue.answered());
}

TEST_CASE("request queue: the end of a group that is done again is nobody's") {
  RequestQueue queue;
  queue.push({.request = Request::parse, .reply = pgring::Reply::synthesize});
  queue.push(noted(Request::bind, "bind"));
  queue.push(Request::sync);
  (void)queue.take();
  CHECK(fail(queue) == Names{"bind"});
  CHECK_FALSE(queue.synthesizes());
  queue.swallow_sync();
  CHECK(queue.front().reply == pgring::Reply::swallow);
  CHECK(queue.answered());
  CHECK(queue.empty());
}
