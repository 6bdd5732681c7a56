#include "ring/setup_error.h"

#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

namespace ring {
namespace {

std::string in_kib(unsigned long long bytes) { return std::to_string(bytes / 1024) + " KiB"; }

SetupError refused(int error, const SetupFacts& facts) {
  SetupError result{.error = error};
  if (error == EPERM && facts.io_uring_disabled.value_or(0) > 0) {
    result.cause = SetupCause::sysctl;
    result.message = "io_uring is switched off by the sysctl kernel.io_uring_disabled = " +
                     std::to_string(*facts.io_uring_disabled);
    result.hint = *facts.io_uring_disabled == 1
                      ? "sysctl -w kernel.io_uring_disabled=0, or put the service's group into "
                        "kernel.io_uring_group"
                      : "sysctl -w kernel.io_uring_disabled=0 (and in /etc/sysctl.d/ to keep it)";
    return result;
  }
  result.cause = SetupCause::seccomp;
  result.message = std::string{"io_uring_setup is refused ("} +
                   std::generic_category().message(error) +
                   ") although the sysctl allows it: a seccomp filter forbids it";
  result.hint =
      "allow io_uring_setup, io_uring_enter and io_uring_register: under systemd "
      "SystemCallFilter=@system-service has them (no ~@aio); in a container give a seccomp profile "
      "that allows the three";
  if (!facts.seccomp_filter && error == ENOSYS) {
    result.cause = SetupCause::too_old;
    result.message = "this kernel has no io_uring (ENOSYS)";
    result.hint =
        "pgring needs Linux 6.1 or newer with CONFIG_IO_URING, or a seccomp profile that allows it";
  }
  return result;
}

}  // namespace

SetupFacts read_setup_facts() {
  SetupFacts facts;
  if (std::ifstream file{"/proc/sys/kernel/io_uring_disabled"}; file) {
    int value = 0;
    if (file >> value) facts.io_uring_disabled = value;
  }
  if (rlimit limit{}; ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) facts.memlock_soft = limit.rlim_cur;
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    const std::string_view text{line};
    if (text.starts_with("Seccomp:")) facts.seccomp_filter = text.ends_with('2');
    if (text.starts_with("CapEff:")) {
      const auto digits = text.substr(text.find_first_not_of(" \t", 7));
      unsigned long long bits = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
      facts.may_lock_memory = (bits >> 14 & 1) != 0;  // CAP_IPC_LOCK is 14
    }
  }
  return facts;
}

SetupError explain_setup_error(int error, const SetupFacts& facts) {
  SetupError result{.error = error};
  switch (error) {
    case EPERM:
    case EACCES:
    case ENOSYS:
      return refused(error, facts);
    case ENOMEM:
      result.cause = SetupCause::memlock;
      result.message = "the kernel has no memory for a ring (ENOMEM); RLIMIT_MEMLOCK is " +
                       in_kib(facts.memlock_soft) + " and rings of the same user count together";
      result.hint = "raise the limit: LimitMEMLOCK=infinity in the unit, or ulimit -l";
      return result;
    case EMFILE:
    case ENFILE:
      result.cause = SetupCause::descriptors;
      result.message = "no file descriptor is left for a ring";
      result.hint = "raise LimitNOFILE= in the unit, or ulimit -n";
      return result;
    case EINVAL:
      result.cause = SetupCause::too_old;
      result.message =
          "this kernel's io_uring lacks what pgring needs (single issuer, deferred task work)";
      result.hint = "pgring needs Linux 6.1 or newer";
      return result;
    default:
      result.message =
          std::string{"io_uring_setup failed: "} + std::generic_category().message(error);
      return result;
  }
}

}  // namespace ring
