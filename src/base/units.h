// Durations and sizes as people write them: "30s", "1h30m", "16KiB".
//
// What:   reading and printing of units for the config, the console and messages.
// Units:  Duration is milliseconds, and zero means "off" (there is no zero wait in pgring's
//         settings, so no optional is needed around it). ByteSize is bytes; KiB = 1024.
// Errors: a UnitProblem: what was found and expected, and how to write it instead.
// Source: docs/config.md "Values".
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace pgring {

using Duration = std::chrono::milliseconds;
inline constexpr Duration duration_off = Duration::zero();
// Far more than any setting needs; keeps sums of a deadline and a duration inside 64-bit ns.
inline constexpr Duration duration_max = std::chrono::hours(24) * 3650;

struct ByteSize {
  std::uint64_t bytes = 0;
  friend constexpr auto operator<=>(ByteSize, ByteSize) = default;
};

struct UnitProblem {
  std::string message;  // 'is not a duration: …', to follow the quoted text
  std::string hint;     // may be empty
};

// "250ms", "30s", "1h30m", "2d"; units in falling order, each once. Not "off": that is the caller's.
[[nodiscard]] Result<Duration, UnitProblem> parse_duration(std::string_view text);
// "off" for zero; otherwise the shortest form that parse_duration reads back to the same value.
[[nodiscard]] std::string format_duration(Duration duration);

// "512B", "16KiB", "1MiB", "2GiB".
[[nodiscard]] Result<ByteSize, UnitProblem> parse_size(std::string_view text);
[[nodiscard]] std::string format_size(ByteSize size);

}  // namespace pgring
