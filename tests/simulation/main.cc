// SIM_SEED: the first seed; SIM_STEPS: how many. After a failure run again with SIM_SEED=the seed
// SIM_STEPS=1. --seed=N and --steps=N on the command line are the same.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ring/poison.h"
#include "tests/simulation/seeds.h"

#ifdef RING_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

void tell_seed() {
  std::fprintf(stderr, "to see it again: SIM_SEED=%llu SIM_STEPS=1\n",
               static_cast<unsigned long long>(sim::seed_running));
}

void on_abort(int) {
  tell_seed();
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    if (argument.starts_with("--seed=")) ::setenv("SIM_SEED", argv[i] + 7, 1);
    if (argument.starts_with("--steps=")) ::setenv("SIM_STEPS", argv[i] + 8, 1);
  }
  std::signal(SIGABRT, on_abort);
#ifdef RING_ADDRESS_SANITIZER
  __sanitizer_set_death_callback(tell_seed);
#endif
  return doctest::Context{argc, argv}.run();
}
