#include "ring/setup_error.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace {

using ring::explain_setup_error;
using ring::SetupCause;
using ring::SetupFacts;

bool says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("setup error: EPERM with the sysctl set names the sysctl and its value") {
  for (const int value : {1, 2}) {
    const auto error = explain_setup_error(EPERM, {.io_uring_disabled = value});
    CHECK(error.cause == SetupCause::sysctl);
    CHECK(error.error == EPERM);
    CHECK(says(error.message, "kernel.io_uring_disabled"));
    CHECK(says(error.message, std::to_string(value).c_str()));
    CHECK(says(error.hint, "sysctl -w kernel.io_uring_disabled=0"));
    CHECK(says(error.hint, "io_uring_group") == (value == 1));
  }
}

TEST_CASE("setup error: EPERM although the sysctl allows it is a seccomp filter") {
  for (const auto& facts : {SetupFacts{.io_uring_disabled = 0, .seccomp_filter = true},
                            SetupFacts{.seccomp_filter = true}}) {
    const auto error = explain_setup_error(EPERM, facts);
    CHECK(error.cause == SetupCause::seccomp);
    for (const char* const call : {"io_uring_setup", "io_uring_enter", "io_uring_register"})
      CHECK(says(error.hint, call));
  }
  CHECK(explain_setup_error(ENOSYS, {.seccomp_filter = true}).cause == SetupCause::seccomp);
}

TEST_CASE("setup error: ENOSYS without a filter is a kernel without io_uring") {
  const auto error = explain_setup_error(ENOSYS, {});
  CHECK(says(error.message, "no io_uring"));
  CHECK(says(error.hint, "6.1"));
  CHECK(error.cause == SetupCause::too_old);
}

TEST_CASE("setup error: ENOMEM names the memlock limit and its value") {
  const auto error = explain_setup_error(ENOMEM, {.memlock_soft = std::uint64_t{8} * 1024 * 1024});
  CHECK(error.cause == SetupCause::memlock);
  CHECK(says(error.message, "8192 KiB"));
  CHECK(says(error.hint, "LimitMEMLOCK"));
}

TEST_CASE("setup error: other causes say what to raise, or at least the error's name") {
  CHECK(explain_setup_error(EMFILE, {}).cause == SetupCause::descriptors);
  CHECK(says(explain_setup_error(ENFILE, {}).hint, "LimitNOFILE"));
  CHECK(explain_setup_error(EINVAL, {}).cause == SetupCause::too_old);
  const auto other = explain_setup_error(EIO, {});
  CHECK(other.cause == SetupCause::other);
  CHECK(says(other.message, "Input/output error"));
}

TEST_CASE("setup error: the facts of this machine can be read") {
  const auto facts = ring::read_setup_facts();
  CHECK(facts.memlock_soft > 0);
  if (facts.io_uring_disabled)
    CHECK((*facts.io_uring_disabled >= 0 && *facts.io_uring_disabled <= 2));
}

}  // namespace
