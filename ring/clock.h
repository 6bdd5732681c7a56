// Monotonic time in nanoseconds. The kernel seam reads it (Kernel::now), so that a simulation owns time.
#pragma once

#include <chrono>

namespace ring {

struct Clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock, duration>;
  static constexpr bool is_steady = true;
};

using Instant = Clock::time_point;
using Duration = Clock::duration;

}  // namespace ring
