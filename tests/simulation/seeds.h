// Which seeds a run of the simulation tries (main.cc says how they are given).
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>

#include "ring/poison.h"

namespace sim {

inline std::uint64_t seed_running = 0;  // for the last words of a run that aborts

// A sanitizer makes a run some thirty times longer.
#ifdef RING_ADDRESS_SANITIZER
inline constexpr std::uint64_t fewer = 20;
#else
inline constexpr std::uint64_t fewer = 1;
#endif

inline std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// One line on failure names the seed; a failed one ends the test.
inline void for_each_seed(std::uint64_t count, const std::function<void(std::uint64_t)>& run) {
  const std::uint64_t first = number_from("SIM_SEED", 1);
  const std::uint64_t end = first + number_from("SIM_STEPS", (count + fewer - 1) / fewer);
  for (std::uint64_t seed = first; seed < end; ++seed) {
    seed_running = seed;
    INFO("SIM_SEED=" << seed << " SIM_STEPS=1");
    run(seed);
  }
}

}  // namespace sim
