// Goal: a role that PostgreSQL exempts from its limits is named in the log once, not at every look.
#include "src/shard/superuser_hints.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "src/log/log.h"

namespace pgring {
namespace {

// What `work` logs.
template <class Work>
std::string logged(Work work) {
  std::array<int, 2> ends{-1, -1};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  log::start({}, ends[1]);
  work();
  log::stop();
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t got = 0; (got = ::read(ends[0], piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  return text;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TEST_CASE("superuser hints: each role is named once, with its database and what to do") {
  BudgetDesk desk{1};
  desk.start({.open = [](PoolId, std::uint32_t, Permit) {}, .shed = [](PoolId, std::uint32_t) {}});
  const ring::Instant now{std::chrono::hours{1}};
  PoolBoard boards[]{PoolBoard{1}, PoolBoard{1}, PoolBoard{1}};
  desk.set_server("main", {}, now);
  (void)desk.add_pool({.server = "main", .database = "shop", .dbname = "shop", .role = "root"},
                      boards[0]);
  (void)desk.add_pool({.server = "main", .database = "blog", .dbname = "blog", .role = "root"},
                      boards[1]);
  (void)desk.add_pool({.server = "main", .database = "shop", .dbname = "shop", .role = "web"},
                      boards[2]);
  SuperuserHints hints;
  CHECK(logged([&] { hints.check(desk); }).empty());  // nothing is known yet

  ServerLimits limits;
  limits.max_connections = 100;
  limits.roles["root"].superuser = true;
  limits.roles["web"].superuser = false;
  desk.learned("main", limits, {}, now, now);
  const std::string text = logged([&] {
    hints.check(desk);
    hints.check(desk);
  });
  CHECK(lines_of(text) == 1);
  CHECK(text.find("WARNING applications log in as a superuser server=main role=root database=shop "
                  "advice=") != std::string::npos);
  CHECK(text.find("without SUPERUSER.") != std::string::npos);  // not cut

  limits.roles["web"].superuser = true;
  desk.learned("main", limits, {}, now, now);
  const std::string more = logged([&] { hints.check(desk); });
  CHECK(lines_of(more) == 1);
  CHECK(more.find("role=web") != std::string::npos);
  desk.stop();
}

}  // namespace pgring
