// What the simulated runs share: chance for loops, faults and peers, and the loop around all turns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ring/loop.h"
#include "tests/simulation/kernel_sim.h"
#include "tests/simulation/peer.h"

namespace sim {

[[nodiscard]] ring::LoopOptions random_loop(Random& random);
[[nodiscard]] Faults random_faults(std::uint64_t seed);
[[nodiscard]] PeerOptions random_peer(World& world, std::uint64_t seed, unsigned death);

struct Run {
  std::function<bool()> over;
  std::function<void()> turn;
  std::function<std::string()> describe;
  std::function<std::uint64_t()> progress;  // changes when bytes move or somebody ends
};

// Fails the run when nothing can go on, or nothing moves any more.
void turn_until_over(World& world, const Run& run);
// No stream is left, and every buffer is back.
void check_nothing_left(ring::Loop& loop);

}  // namespace sim
