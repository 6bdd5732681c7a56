// B1, B2 and B3 under millions of steps of chance, and the proof that the checks see mistakes.
#include <doctest/doctest.h>

#include <cstdio>
#include <string>

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

}  // namespace
}  // namespace sim::budget
