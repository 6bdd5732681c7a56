// B1, B2 and B3 under millions of steps of chance, and the proof that the checks see mistakes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/budget/model.h"
#include "tests/simulation/seeds.h"

namespace sim::budget {
namespace {

std::uint64_t steps_all = 0;

std::optional<Failure> run(const Script& script) {
  Model model{script};
  const auto failure = model.run();
  steps_all += model.steps();
  return failure;
}

// What a developer needs: what went wrong, and the shortest way there.
std::string report(const Script& script) {
  const Script shortest = shortest_failing(script, run);
  const auto failure = run(shortest);
  return failure->text + "\n" + describe(shortest);
}

void must_hold(Mode mode, std::uint64_t seeds) {
  for_each_seed(seeds, [mode](std::uint64_t seed) {
    const Script script = generate(seed, mode);
    if (run(script)) FAIL(report(script));
  });
  MESSAGE(steps_all << " steps so far");
}

TEST_CASE("budget simulation: with no delay between shards service follows arrival exactly") {
  must_hold(Mode::exact, 1500);
}

TEST_CASE("budget simulation: limits, reasons, bounds and permits whatever happens") {
  must_hold(Mode::general, 3000);
}

TEST_CASE("budget simulation: under constant overload shares become fair and stay") {
  must_hold(Mode::overload, 100);
}

// The model makes one of its mistakes: some run must fail, in one of the ways that the mistake can be seen, and a
// short script must be left of it.
void must_be_seen(Mistake mistake, Mode mode, const std::vector<std::string>& kinds) {
  std::string seen;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Script script = generate(seed, mode);
    script.setup.mistake = mistake;
    const auto failure = run(script);
    if (!failure) continue;
    const Script shortest = shortest_failing(script, run);
    CAPTURE(report(shortest));
    REQUIRE(run(shortest));
    CHECK(std::ranges::find(kinds, failure->kind) != kinds.end());
    CHECK(shortest.events.size() <= 60);
    return;
  }
  FAIL("nothing was seen");
}

TEST_CASE("budget simulation: a permit given back when closing begins is seen") {
  must_be_seen(Mistake::permit_back_too_early, Mode::general, {"slots", "permits"});
}

TEST_CASE("budget simulation: waiters served last in, first out, are seen") {
  must_be_seen(Mistake::last_in_first_out, Mode::general, {"B3 order"});
}

TEST_CASE("budget simulation: connections of others that are not counted are seen") {
  must_be_seen(Mistake::others_not_counted, Mode::general,
               {"B1 ceiling", "B1 role", "B1 database"});
}

TEST_CASE("budget simulation: connections that are never given up are seen") {
  must_be_seen(Mistake::gives_nothing_up, Mode::general, {"B2 evictable", "B2 served"});
  must_be_seen(Mistake::gives_nothing_up, Mode::overload, {"B3 shares", "B2 served"});
}

TEST_CASE("budget simulation: connections that stay on their shard are seen") {
  must_be_seen(Mistake::no_promises, Mode::exact, {"B3 order"});
}

}  // namespace
}  // namespace sim::budget
