// Checks of our own promises, on in every build. Never for what a peer or the kernel may send.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ring::detail {
[[noreturn]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what);
  std::abort();
}
}  // namespace ring::detail

#define RING_CHECK(condition)                                       \
  do {                                                              \
    if (!(condition)) [[unlikely]]                                  \
      ::ring::detail::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
