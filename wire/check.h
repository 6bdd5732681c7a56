// check.h: stops the process when one of our own invariants is broken, printing the values.
//
// For bugs of ours that could send one client's bytes to another; on in every build. Bytes of a
// peer are never checked with it: those are answered with an error.
#ifndef WIRE_CHECK_H_
#define WIRE_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace wire {

[[noreturn, gnu::cold, gnu::noinline]] inline void check_failed(
    const char* file, int line, const char* condition, std::initializer_list<long long> values) {
  std::fprintf(stderr, "%s:%d: check failed: %s", file, line, condition);
  for (const long long value : values) std::fprintf(stderr, " [%lld]", value);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace wire

// WIRE_CHECK(condition, values…): the values are integers, printed when the condition is false.
#define WIRE_CHECK(condition, ...)    \
  ((condition) ? static_cast<void>(0) \
               : ::wire::check_failed(__FILE__, __LINE__, #condition, {__VA_ARGS__}))

#endif  // WIRE_CHECK_H_
