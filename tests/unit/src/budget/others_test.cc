#include "src/budget/others.h"

#include <doctest/doctest.h>

using pgring::Backend;
using pgring::Facts;
using pgring::Others;
using pgring::OthersCounter;
using pgring::OurPids;
using pgring::Ours;
using ring::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Instant start{std::chrono::hours{1}};
constexpr std::uint32_t own_pid = 100;

using Counts = std::map<std::string, std::uint32_t>;

Facts facts_of(std::vector<Backend> others) {
  Facts facts{.system_identifier = 1, .started_us = 1, .own_pid = own_pid};
  facts.backends = std::move(others);
  facts.backends.push_back({.pid = own_pid, .database = "app", .role = "app", .client = true});
  return facts;
}

Backend direct(std::uint32_t pid, std::string role = "etl", std::string database = "app") {
  return {.pid = pid, .database = std::move(database), .role = std::move(role), .client = true};
}

Backend hidden(std::uint32_t pid, std::string role = "etl") {
  return {
      .pid = pid, .database = "app", .role = std::move(role), .client = true, .estimated = true};
}

OurPids pids_of(std::initializer_list<std::uint32_t> pids) {
  OurPids all;
  for (const auto pid : pids) all.add(pid);
  return all;
}

const OurPids own = pids_of({own_pid});
const Ours only_own{.pids = {&own}, .opening = {}};

}  // namespace

TEST_CASE("our pids: a pid is ours while it is open and two seconds longer") {
  OurPids pids;
  pids.add(7);
  CHECK(pids.contains(7, start));
  CHECK_FALSE(pids.contains(8, start));
  pids.remove(7, start);
  CHECK(pids.open() == 0);
  CHECK(pids.contains(7, start + seconds{2}));
  CHECK_FALSE(pids.contains(7, start + seconds{2} + milliseconds{1}));
}

TEST_CASE("our pids: one whose end nobody saw is ours until an answer does not name it") {
  OurPids pids;
  pids.add(7);
  pids.lose(7, start);
  CHECK(pids.open() == 0);
  pids.answered(facts_of({direct(7)}), false, start + seconds{60});
  CHECK(pids.contains(7, start + seconds{90}));
  pids.answered(facts_of({}), false, start - seconds{1});  // asked before it was lost
  CHECK(pids.contains(7, start + seconds{90}));
  pids.answered(facts_of({}), false, start + seconds{91});
  CHECK_FALSE(pids.contains(7, start + seconds{92}));
}

TEST_CASE("our pids: none of those lost before a restart is ours after it") {
  OurPids pids;
  pids.add(7);
  pids.lose(7, start);
  pids.answered(facts_of({direct(7)}), true, start + seconds{60});
  CHECK_FALSE(pids.contains(7, start + seconds{61}));
}

TEST_CASE("our pids: a pid that comes again, or twice at once, is ours until its last end") {
  OurPids pids;
  pids.add(7);
  pids.remove(7, start);
  pids.add(7);
  pids.add(7);
  CHECK(pids.open() == 2);
  pids.remove(7, start + seconds{10});
  CHECK(pids.contains(7, start + seconds{60}));
  pids.remove(7, start + seconds{60});
  CHECK(pids.contains(7, start + seconds{61}));
  pids.add(8);
  pids.remove(8, start + seconds{61});
  CHECK(pids.contains(7, start + seconds{62}));  // the first end is forgotten, the last is not
  CHECK_FALSE(pids.contains(7, start + seconds{63}));
}

TEST_CASE("others: clients that are not ours count, by role and database; other processes do not") {
  OthersCounter counter;
  Facts facts = facts_of({direct(1), direct(2, "etl", "dwh"), direct(3, "", ""), direct(101)});
  facts.backends.push_back({.pid = 9, .database = "app", .role = "owner"});
  const OurPids pids = pids_of({own_pid, 101});
  const Others others = counter.count(facts, {.pids = {&pids}, .opening = {}}, start);
  CHECK(others.total == 3);
  CHECK(others.by_role == Counts{{"etl", 2}});
  CHECK(others.by_database == Counts{{"app", 1}, {"dwh", 1}});
  CHECK_FALSE(others.estimated);
}

TEST_CASE("others: connections by another name of the instance are ours too") {
  OthersCounter counter;
  const OurPids more = pids_of({101, 102});
  const Ours ours{.pids = {&own, &more}, .opening = {}};
  CHECK(ours.open() == 3);
  CHECK(counter.count(facts_of({direct(101), direct(102), direct(103)}), ours, start).total == 1);
}

TEST_CASE("others: a connection that ended a moment ago is still ours") {
  OthersCounter counter;
  OurPids pids = pids_of({own_pid, 101});
  pids.remove(101, start);
  const Ours ours{.pids = {&pids}, .opening = {}};
  CHECK(counter.count(facts_of({direct(101)}), ours, start + seconds{1}).total == 0);
  CHECK(counter.count(facts_of({direct(101)}), ours, start + seconds{3}).total == 1);
}

TEST_CASE("others: a connection being opened is recognised by role and database, once") {
  OthersCounter counter;
  const Ours ours{.pids = {&own}, .opening = {{.role = "app", .database = "app", .count = 2}}};
  const auto count = [&](std::vector<Backend> backends) {
    return counter.count(facts_of(std::move(backends)), ours, start).total;
  };
  CHECK(count({direct(1, "app")}) == 0);
  CHECK(count({direct(1, "app"), direct(2, "app"), direct(3, "app")}) == 1);
  CHECK(count({direct(1, "etl"), direct(2, "app", "dwh")}) == 2);
  CHECK(count({direct(1, "", "")}) == 0);  // still logging in
  CHECK(count({direct(1, "", "app"), direct(2, "", "dwh")}) == 1);
  // One known by name is taken before one that might be anybody.
  CHECK(count({direct(1, "", ""), direct(2, "app"), direct(3, "app")}) == 1);
}

TEST_CASE("others: where the pids are a pooler's in between, only numbers are compared") {
  OthersCounter counter;
  Facts facts = facts_of({direct(1), direct(2), direct(3)});
  facts.own_pid = 2;
  OurPids pids = pids_of({9001});
  const Ours ours{.pids = {&pids}, .opening = {{.role = "app", .database = "app", .count = 1}}};
  const Others others = counter.count(facts, ours, start);
  CHECK(others.total == 2);
  CHECK(others.estimated);
  CHECK(others.by_role.empty());
  for (std::uint32_t pid = 0; pid < 10; ++pid) pids.add(pid + 9100);
  CHECK(counter.count(facts, ours, start + seconds{1}).total == 0);
}

TEST_CASE("others: hidden rows count only as far as they were there the poll before") {
  OthersCounter counter;
  const auto poll = [&](std::vector<Backend> backends) {
    return counter.count(facts_of(std::move(backends)), only_own, start);
  };
  CHECK(poll({hidden(1)}).total == 1);  // nothing to compare with: the safe side
  CHECK(poll({hidden(1)}).estimated);
  const Others burst = poll({hidden(1), hidden(2), hidden(3, "bi"), hidden(4, "bi")});
  CHECK(burst.total == 1);
  CHECK(burst.by_role == Counts{{"etl", 1}});
  CHECK(burst.by_database == Counts{{"app", 1}});
  const Others stays = poll({hidden(1), hidden(2), hidden(3, "bi")});
  CHECK(stays.total == 3);
  CHECK(stays.by_role == Counts{{"etl", 2}, {"bi", 1}});
  CHECK(poll({}).total == 0);  // fewer is believed at once
  CHECK_FALSE(poll({}).estimated);
}

TEST_CASE("others: rows that are certain count at once beside hidden ones") {
  OthersCounter counter;
  CHECK(counter.count(facts_of({}), only_own, start).total == 0);
  const Others others = counter.count(facts_of({direct(1), direct(2), hidden(3)}), only_own, start);
  CHECK(others.total == 2);
  CHECK(others.by_role == Counts{{"etl", 2}});
  CHECK(others.estimated);
}

TEST_CASE("others: another instance is not compared with the one before") {
  OthersCounter counter;
  Facts facts = facts_of({});
  CHECK(counter.count(facts, only_own, start).total == 0);
  facts = facts_of({hidden(1), hidden(2)});
  facts.started_us = 2;  // it has restarted
  CHECK(counter.count(facts, only_own, start).total == 2);
}
