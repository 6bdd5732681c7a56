// Checks of pgring's own promises, on in every build.
//
// What:   POOLER_CHECK aborts with the condition's text; POOLER_UNREACHABLE ends a switch that
//         names every enumerator. Never for what a peer, a file or the kernel may give us.
// Life:   the hook is set once (by the logger) so that queued log lines come out before the abort.
// Errors: none; both abort.
#pragma once

namespace pgring {

[[noreturn]] void check_failed(const char* what, const char* file, int line);

// Called once, before the abort, on the failing thread. nullptr takes it away.
void set_check_failed_hook(void (*hook)());

}  // namespace pgring

#define POOLER_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::pgring::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

#define POOLER_UNREACHABLE() ::pgring::check_failed("unreachable", __FILE__, __LINE__)
