#include "src/budget/facts_desk.h"

#include <doctest/doctest.h>

using pgring::Facts;
using pgring::FactsDesk;
using pgring::FactsDesks;
using pgring::OurConnection;
using ring::Duration;
using ring::Instant;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr Instant start{std::chrono::hours{1}};
constexpr Duration any_age = Duration::max();

Facts facts_of(std::uint32_t max_connections) {
  return {
      .system_identifier = 1, .started_us = 1, .own_pid = 1, .max_connections = max_connections};
}

// A desk that was answered at `start`.
struct Answered {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  Answered() {
    const auto claim = desk.claim(start, any_age);
    REQUIRE(claim);
    REQUIRE(desk.learned(*claim, facts_of(100), start) != nullptr);
  }
};

}  // namespace

TEST_CASE("facts desk: the first who comes asks, and one asks at a time") {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  CHECK(desk.due(start));
  const auto claim = desk.claim(start, any_age);
  REQUIRE(claim);
  CHECK_FALSE(desk.due(start));
  CHECK_FALSE(desk.claim(start, Duration::zero()));
  CHECK(desk.latest() == nullptr);
  const auto learned = desk.learned(*claim, facts_of(100), start + milliseconds{1});
  REQUIRE(learned != nullptr);
  CHECK(learned->facts.max_connections == 100);
  CHECK(learned->at == start + milliseconds{1});
  CHECK(desk.latest() == learned);
}

TEST_CASE("facts desk: the next answer is due an interval after the last") {
  Answered answered;
  auto& desk = answered.desk;
  CHECK_FALSE(desk.due(start + milliseconds{999}));
  CHECK_FALSE(desk.claim(start + milliseconds{999}, any_age));
  CHECK(desk.due(start + seconds{1}));
  CHECK(desk.claim(start + seconds{1}, any_age));
}

TEST_CASE("facts desk: who wants younger facts than there are asks before they are due") {
  Answered answered;
  auto& desk = answered.desk;
  CHECK_FALSE(desk.claim(start + milliseconds{199}, milliseconds{200}));
  CHECK(desk.claim(start + milliseconds{200}, milliseconds{200}));
}

TEST_CASE("facts desk: an interval counts from the last answer, at once") {
  Answered answered;
  auto& desk = answered.desk;
  desk.set_interval(seconds{5});
  CHECK(desk.interval() == seconds{5});
  CHECK_FALSE(desk.due(start + milliseconds{4999}));
  desk.set_interval(milliseconds{250});
  CHECK(desk.due(start + milliseconds{250}));
  const auto claim = desk.claim(start + seconds{1}, any_age);
  REQUIRE(claim);
  desk.set_interval(milliseconds{500});
  CHECK_FALSE(desk.due(start + seconds{2}));  // somebody is asking
  (void)desk.learned(*claim, facts_of(100), start + seconds{2});
  CHECK(desk.due(start + milliseconds{2500}));
}

TEST_CASE("facts desk: a claim whose answer does not come passes to another") {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  const auto lost = desk.claim(start, any_age);
  REQUIRE(lost);
  CHECK_FALSE(desk.claim(start + milliseconds{4999}, Duration::zero()));
  CHECK(desk.due(start + FactsDesk::claim_limit));
  const auto next = desk.claim(start + FactsDesk::claim_limit, any_age);
  REQUIRE(next);
  SUBCASE("the late answer is taken, and the other claim goes on") {
    CHECK(desk.learned(*lost, facts_of(90), start + seconds{6}) != nullptr);
    CHECK_FALSE(desk.claim(start + seconds{8}, Duration::zero()));
    CHECK(desk.learned(*next, facts_of(80), start + seconds{8})->facts.max_connections == 80);
    CHECK(desk.due(start + seconds{9}));
  }
  SUBCASE("the late answer is older than what is known") {
    CHECK(desk.learned(*next, facts_of(80), start + seconds{6}) != nullptr);
    CHECK(desk.learned(*lost, facts_of(90), start + seconds{7}) == nullptr);
    CHECK(desk.latest()->facts.max_connections == 80);
  }
  SUBCASE("its failure is nobody's any more") {
    desk.failed(*lost, start + seconds{6});
    CHECK(desk.learned(*next, facts_of(80), start + seconds{7}) != nullptr);
    CHECK(desk.due(start + seconds{8}));
  }
}

TEST_CASE("facts desk: failures are tried again later and later, also by who wants younger facts") {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  auto now = start;
  for (const auto pause : {seconds{1}, seconds{2}, seconds{4}, seconds{8}, seconds{16}, seconds{32},
                           seconds{60}, seconds{60}}) {
    const auto claim = desk.claim(now, any_age);
    REQUIRE(claim);
    desk.failed(*claim, now);
    CHECK_FALSE(desk.due(now + pause - milliseconds{1}));
    CHECK_FALSE(desk.claim(now + pause - milliseconds{1}, Duration::zero()));
    now += pause;
    CHECK(desk.due(now));
  }
  const auto claim = desk.claim(now, any_age);
  REQUIRE(claim);
  (void)desk.learned(*claim, facts_of(100), now);
  CHECK(desk.due(now + seconds{1}));
}

TEST_CASE("facts desk: a new role or database is asked for at once, a known one changes nothing") {
  Answered answered;
  auto& desk = answered.desk;
  desk.use("app", "shop");
  CHECK(desk.due(start));
  auto claim = desk.claim(start, any_age);
  REQUIRE(claim);
  CHECK(claim->names()->roles == std::vector<std::string>{"app"});
  CHECK(claim->names()->databases == std::vector<std::string>{"shop"});
  CHECK(claim->question->sql == pgring::facts_query(*claim->names()));
  desk.use("app", "shop");
  (void)desk.learned(*claim, facts_of(100), start);
  CHECK_FALSE(desk.due(start + milliseconds{999}));

  // One that comes in while somebody asks is in the next question.
  claim = desk.claim(start + seconds{1}, any_age);
  REQUIRE(claim);
  desk.use("etl", "shop");
  CHECK_FALSE(desk.claim(start + seconds{1}, Duration::zero()));
  (void)desk.learned(*claim, facts_of(100), start + seconds{1});
  CHECK(desk.due(start + seconds{1}));
  claim = desk.claim(start + seconds{1}, any_age);
  REQUIRE(claim);
  CHECK(claim->names()->roles == std::vector<std::string>{"app", "etl"});
}

TEST_CASE("facts desk: a new role does not shorten the pause after a failure") {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  const auto claim = desk.claim(start, any_age);
  REQUIRE(claim);
  desk.failed(*claim, start);
  desk.use("app", "shop");
  CHECK_FALSE(desk.due(start + milliseconds{999}));
}

TEST_CASE("facts desk: a role that may not read the identifier does not change the instance") {
  Answered answered;
  auto& desk = answered.desk;
  const auto ask = [&](Instant now, std::int64_t started_us) {
    const auto claim = desk.claim(now, any_age);
    REQUIRE(claim);
    Facts facts = facts_of(100);
    facts.system_identifier = 0;
    facts.started_us = started_us;
    return desk.learned(*claim, std::move(facts), now)->facts.system_identifier;
  };
  CHECK(ask(start + seconds{1}, 1) == 1);
  CHECK(ask(start + seconds{2}, 2) == 0);  // it has restarted, and may be another one
}

TEST_CASE(
    "facts desk: connections of ours are not others, from before their pid is known to after") {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  OurConnection first;
  first.begin(desk, "app", "app");
  first.identified(1);
  first.identified(77);  // a server that says it twice
  OurConnection second;
  second.begin(desk, "app", "app");
  auto now = start;
  const auto others = [&](std::uint32_t pid) {
    now += seconds{1};
    const auto claim = desk.claim(now, any_age);
    REQUIRE(claim);
    Facts facts = facts_of(100);
    for (const auto one : {1U, pid}) {
      facts.backends.push_back({.pid = one, .database = "app", .role = "app", .client = true});
    }
    return desk.learned(*claim, std::move(facts), now)->others.total;
  };
  CHECK(others(2) == 0);
  second.identified(2);
  CHECK(others(2) == 0);
  CHECK(others(3) == 1);
  second.end(now);
  CHECK(others(2) == 0);  // a moment ago
  now += seconds{2};
  CHECK(others(2) == 1);

  OurConnection refused;
  refused.begin(desk, "app", "app");
  refused.end(now);
  CHECK(others(4) == 1);
  first.end(now);
}

TEST_CASE("facts desk: connections by another name are ours where it is the same instance") {
  FactsDesks desks;
  FactsDesk& main = desks.desk("main");
  FactsDesk& other = desks.desk("other");
  OurConnection here;
  here.begin(main, "app", "app");
  here.identified(1);
  OurConnection there;
  there.begin(other, "app", "app");
  there.identified(2);
  const auto others = [](FactsDesk& desk, std::uint32_t own_pid, std::int64_t started_us) {
    const auto claim = desk.claim(start, Duration::zero());
    REQUIRE(claim);
    Facts facts = facts_of(100);
    facts.own_pid = own_pid;
    facts.started_us = started_us;
    for (const auto pid : {1U, 2U}) {
      facts.backends.push_back({.pid = pid, .database = "app", .role = "app", .client = true});
    }
    return desk.learned(*claim, std::move(facts), start)->others.total;
  };
  CHECK(others(main, 1, 5) == 1);  // not known yet to be the same
  CHECK(others(other, 2, 5) == 0);
  CHECK(others(main, 1, 5) == 0);
  CHECK(others(other, 2, 6) == 1);  // the name has moved to another instance
  CHECK(others(main, 1, 5) == 1);
  here.end(start);
  there.end(start);
}

TEST_CASE("facts desk: a warning is due once a minute, the word about estimates once") {
  FactsDesks desks;
  FactsDesk& desk = desks.desk("main");
  CHECK(desk.may_warn(start));
  CHECK_FALSE(desk.may_warn(start + seconds{59}));
  CHECK(desk.may_warn(start + minutes{1}));
  CHECK(desk.first_estimate());
  CHECK_FALSE(desk.first_estimate());
}

TEST_CASE("facts desks: one desk for each server") {
  FactsDesks desks;
  FactsDesk& main = desks.desk("main");
  CHECK(&main == &desks.desk("main"));
  CHECK(&main != &desks.desk("other"));
  CHECK(main.server() == "main");
}
