// Logging: one event, one line on stderr, written by a thread of its own.
//
// What:   log::info("client connected", {{"shard", 1}, {"database", name}}) builds the line in a
//         slot of a bounded queue (log_queue.h) and returns; it allocates nothing and waits for
//         nothing. If stderr is slower than the events, lines are dropped, counted, and the count
//         is written as a line of its own.
// Owner:  the process. start() and stop() on the main thread; lines from any thread.
// Life:   before start() and after stop() every level is off, so lines vanish without cost.
// Errors: none to the caller; see dropped().
#pragma once

#include <unistd.h>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "src/config/config.h"
#include "src/log/line_writer.h"
#include "src/log/rate_limit.h"

namespace pgring::log {

namespace detail {
inline constexpr int level_off = 255;
inline std::atomic<int> level_min{level_off};
void write(LogLevel level, std::string_view message, std::initializer_list<Field> fields,
           std::uint64_t suppressed);
}  // namespace detail

// Starts the logger thread. REQUIRES: not started. `fd` stays the caller's.
void start(const LogConfig& config, int fd);
inline void start(const LogConfig& config) { start(config, STDERR_FILENO); }
// Level and format anew, for a reload. REQUIRES: started.
void configure(const LogConfig& config);
// Writes what is queued (for two seconds at most, if nobody reads stderr) and ends the thread.
// Without start() it does nothing. A failed POOLER_CHECK flushes in the same way.
void stop();

// Lines lost since the process began: the queue was full or stderr could not be written.
[[nodiscard]] std::uint64_t dropped();

[[nodiscard]] inline bool enabled(LogLevel level) {
  return static_cast<int>(level) >= detail::level_min.load(std::memory_order_relaxed);
}

inline void write(LogLevel level, std::string_view message, std::initializer_list<Field> fields) {
  if (enabled(level)) detail::write(level, message, fields, 0);
}
inline void debug(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::error, message, fields);
}

// For lines that a storm would repeat: adds suppressed=N when N were left out before this one.
inline void write_limited(RateLimit& limit, RateLimit::Instant now, LogLevel level,
                          std::string_view message, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  if (const auto suppressed = limit.admit(now)) {
    detail::write(level, message, fields, *suppressed);
  }
}

}  // namespace pgring::log
