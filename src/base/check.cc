#include "src/base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace pgring {
namespace {
std::atomic<void (*)()> hook_before_abort{nullptr};
}  // namespace

void set_check_failed_hook(void (*hook)()) { hook_before_abort.store(hook); }

void check_failed(const char* what, const char* file, int line) {
  // exchange: a check that fails inside the hook must not run the hook again.
  if (auto* hook = hook_before_abort.exchange(nullptr)) hook();
  std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what);
  std::abort();
}

}  // namespace pgring
