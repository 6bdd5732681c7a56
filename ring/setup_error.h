// Why a ring could not be made, in words an administrator can act on.
// Source: io_uring_setup(2) "ERRORS"; kernel.io_uring_disabled (Linux 6.6), Documentation/admin-guide/sysctl/kernel.rst.
#pragma once

#include <optional>
#include <string>

namespace ring {

enum class SetupCause { sysctl, seccomp, memlock, descriptors, too_old, other };

struct SetupError {
  SetupCause cause = SetupCause::other;
  int error = 0;        // errno
  std::string message;  // what happened
  std::string hint;     // what to do
};

// What the machine says about itself; read by read_setup_facts(), given by tests.
struct SetupFacts {
  std::optional<int> io_uring_disabled;  // the sysctl; nothing: the kernel has no such sysctl
  bool may_lock_memory = false;          // CAP_IPC_LOCK
  unsigned long long memlock_soft = 0;   // RLIMIT_MEMLOCK, bytes
  bool seccomp_filter = false;           // /proc/self/status: Seccomp: 2
};

[[nodiscard]] SetupFacts read_setup_facts();
[[nodiscard]] SetupError explain_setup_error(int error, const SetupFacts& facts);

}  // namespace ring
