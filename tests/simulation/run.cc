#include "tests/simulation/run.h"

#include <doctest/doctest.h>

namespace sim {
namespace {

// Turns in which no byte moves and nobody ends; the longest wait of a run is a minute of virtual time.
constexpr std::uint64_t idle_turns_max = 300'000;

}  // namespace

ring::LoopOptions random_loop(Random& random) {
  ring::LoopOptions options;
  for (const char* const name : {"min_wait", "credit_receive", "send_vectorized"}) {
    (void)options.kernel.allowed.set(name, random.chance(500));
  }
  const auto count_max = 1U << random.between(2, 8);
  options.groups = {{.id = 0,
                     .size = 4096,
                     .count_min = static_cast<std::uint32_t>(random.between(1, count_max)),
                     .count_max = count_max},
                    {.id = 1,
                     .size = 32768,
                     .count_min = static_cast<std::uint32_t>(random.between(1, 8)),
                     .count_max = 8}};
  return options;
}

Faults random_faults(std::uint64_t seed) {
  Random random{seed * 7919};
  return Faults::any(random);
}

PeerOptions random_peer(World& world, std::uint64_t seed, unsigned death) {
  Random& random = world.random();
  const bool lazy = random.chance(200);
  // Not more than a narrow connection carries in some thousand turns.
  const std::size_t reach = lazy ? 20'000 : 200'000;
  return {.seed = seed,
          .total = random.chance(100)   ? 0
                   : random.chance(150) ? reach
                                        : random.size(reach),
          .death = death,
          .lazy = lazy ? 50U : 0U};
}

void turn_until_over(World& world, const Run& run) {
  std::uint64_t last = 0;
  for (std::uint64_t idle = 0; !run.over(); ++idle) {
    if (world.stuck()) world.fail("nothing can go on, but not all is over\n" + run.describe());
    if (idle == idle_turns_max) world.fail("nothing moves any more\n" + run.describe());
    run.turn();
    if (const auto now = run.progress(); now != last) {
      last = now;
      idle = 0;
    }
  }
}

void check_nothing_left(ring::Loop& loop) {
  REQUIRE(loop.live() == 0);
  REQUIRE(loop.group(0).all_free());
  REQUIRE(loop.group(1).all_free());
}

}  // namespace sim
