#include "src/log/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "src/base/check.h"
#include "src/log/log_queue.h"

using namespace pgring;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() { REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    close(ends[0]);
    close_writer();
  }
  void close_writer() {
    if (ends[1] >= 0) close(ends[1]);
    ends[1] = -1;
  }
  std::string read_all() {
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = read(ends[0], piece.data(), piece.size())) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  std::array<int, 2> ends{-1, -1};
};

std::size_t count(std::string_view text, std::string_view word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("log: lines of several threads come out whole and in each thread's order") {
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read_all(); });
  const std::uint64_t dropped_before = log::dropped();
  log::start({}, pipe.ends[1]);
  constexpr int lines = 200;  // 4 x 200 fit the queue, so none may be dropped
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([t] {
      for (int i = 0; i < lines; ++i) log::info("event", {{"thread", t}, {"i", i}});
    });
  }
  for (auto& writer : writers) writer.join();
  log::stop();
  pipe.close_writer();
  reader.join();
  CHECK(log::dropped() == dropped_before);
  CHECK(count(text, "\n") == 4 * lines);
  for (int t = 0; t < 4; ++t) {
    std::size_t at = 0;
    for (int i = 0; i < lines; ++i) {
      at = text.find(fmt::format("INFO event thread={} i={}\n", t, i), at);
      REQUIRE(at != std::string::npos);
    }
  }
}

TEST_CASE("log: a level below the configured one costs no line, and a reload changes it") {
  Pipe pipe;
  CHECK_FALSE(log::enabled(LogLevel::error));
  log::error("before start", {});
  log::start({.level = LogLevel::warning}, pipe.ends[1]);
  CHECK_FALSE(log::enabled(LogLevel::info));
  log::info("hidden", {});
  log::warning("shown", {});
  log::configure({.level = LogLevel::debug, .format = LogFormat::json});
  log::debug("deep", {{"k", 1}});
  log::stop();
  CHECK_FALSE(log::enabled(LogLevel::error));
  log::error("after stop", {});
  pipe.close_writer();
  const std::string text = pipe.read_all();
  CHECK(count(text, "\n") == 2);
  CHECK(text.find("WARNING shown\n") != std::string::npos);
  CHECK(text.find("\"message\":\"deep\",\"k\":1}\n") != std::string::npos);
}

TEST_CASE("log: with nobody reading, writers go on, lines are dropped, counted and told") {
  // Method: a pipe that fills up; more lines than pipe and queue hold; then it is read.
  Pipe pipe;
  const std::uint64_t dropped_before = log::dropped();
  log::start({}, pipe.ends[1]);
  const std::string filler(1000, 'x');
  constexpr std::uint64_t lines = 10'000;
  for (std::uint64_t i = 0; i < lines; ++i) log::info("flood", {{"filler", filler}});
  const std::uint64_t lost = log::dropped() - dropped_before;
  CHECK(lost > 0);
  CHECK(lost <= lines);
  std::string text;
  std::thread reader([&] { text = pipe.read_all(); });
  log::stop();
  pipe.close_writer();
  reader.join();
  CHECK(count(text, "INFO flood") == lines - (log::dropped() - dropped_before));
  CHECK(count(text, "WARNING log lines dropped count=") >= 1);
}

TEST_CASE("log: stop gives up after its time when nobody ever reads") {
  Pipe pipe;
  log::start({}, pipe.ends[1]);
  const std::string filler(1000, 'x');
  for (int i = 0; i < 3000; ++i) log::info("flood", {{"filler", filler}});
  const auto begin = std::chrono::steady_clock::now();
  log::stop();
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
}

TEST_CASE("log: the queue refuses when full and serves every slot again after a lap") {
  static log::LogQueue queue;
  for (int lap = 0; lap < 3; ++lap) {
    for (std::size_t i = 0; i < log::slot_count; ++i) {
      const auto claim = queue.claim();
      REQUIRE(claim.slot != nullptr);
      claim.slot->size = static_cast<std::uint32_t>(i);
      queue.publish(claim);
    }
    REQUIRE(queue.claim().slot == nullptr);
    for (std::size_t i = 0; i < log::slot_count; ++i) {
      REQUIRE(queue.front() != nullptr);
      CHECK(queue.front()->size == i);
      queue.release();
    }
    CHECK(queue.front() == nullptr);
  }
}

TEST_CASE("log: a line claimed but not yet published holds back those behind it") {
  static log::LogQueue queue;
  const auto first = queue.claim();
  queue.publish(queue.claim());
  CHECK(queue.front() == nullptr);
  queue.publish(first);
  CHECK(queue.front() == first.slot);
}

TEST_CASE("log: a rate limit admits n a second and tells how many it held back") {
  log::RateLimit limit(2);
  const log::RateLimit::Instant t0{};
  CHECK(limit.admit(t0) == 0);
  CHECK(limit.admit(t0 + 10ms) == 0);
  CHECK_FALSE(limit.admit(t0 + 20ms));
  CHECK_FALSE(limit.admit(t0 + 999ms));
  CHECK(limit.admit(t0 + 1000ms) == 2);
  CHECK(limit.admit(t0 + 1001ms) == 0);
  CHECK_FALSE(limit.admit(t0 + 1002ms));
  CHECK(limit.take_suppressed() == 1);
  CHECK(limit.take_suppressed() == 0);
}

TEST_CASE("log: a limited line carries the number suppressed before it") {
  Pipe pipe;
  log::start({}, pipe.ends[1]);
  log::RateLimit limit(1);
  const log::RateLimit::Instant t0{};
  for (int i = 0; i < 5; ++i) log::write_limited(limit, t0, LogLevel::error, "storm", {});
  log::write_limited(limit, t0 + 1s, LogLevel::error, "storm", {{"k", "v"}});
  log::stop();
  pipe.close_writer();
  const std::string text = pipe.read_all();
  CHECK(count(text, "storm") == 2);
  CHECK(text.find("ERROR storm k=v suppressed=4\n") != std::string::npos);
}

TEST_CASE("log: a broken promise writes the queued lines before it aborts") {
  Pipe pipe;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);  // not the test framework's
    dup2(pipe.ends[1], STDERR_FILENO);
    log::start({});
    log::info("last words", {});
    check_failed("one == two", "file.cc", 7);
  }
  pipe.close_writer();
  const std::string text = pipe.read_all();
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(text.find("INFO last words\nfile.cc:7: broken promise: one == two\n") != std::string::npos);
}
