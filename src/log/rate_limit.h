// RateLimit: at most n of a repeated line per second, and how many were left out.
//
// Owner:  one per kind of line and thread; not thread-safe. The clock is the caller's.
// Units:  a second begins with the first line admitted after the last one ended.
// Errors: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace pgring::log {

class RateLimit {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit RateLimit(std::uint32_t lines_per_second) : lines_per_second_(lines_per_second) {}

  // nullopt: leave this line out. Otherwise write it, with the number left out before it.
  [[nodiscard]] std::optional<std::uint64_t> admit(Instant now) {
    if (!second_began_ || now - *second_began_ >= std::chrono::seconds(1)) {
      second_began_ = now;
      written_ = 0;
    }
    if (written_ >= lines_per_second_) {
      ++suppressed_;
      return std::nullopt;
    }
    ++written_;
    return take_suppressed();
  }

  // What is still untold, for an owner that is about to fall silent.
  [[nodiscard]] std::uint64_t take_suppressed() { return std::exchange(suppressed_, 0); }

 private:
  std::uint32_t lines_per_second_;
  std::uint32_t written_ = 0;
  std::uint64_t suppressed_ = 0;
  std::optional<Instant> second_began_;
};

}  // namespace pgring::log
