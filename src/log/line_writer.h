// LineWriter: one log line, text or JSON, built in a fixed buffer.
//
// What:   escapes and bounds: a line never holds a raw control character or invalid UTF-8, never
//         passes the buffer's end, and when cut is still well-formed and says so (truncated=true).
// Owner:  the calling thread, on the queue slot it has claimed. Allocates nothing.
// Errors: none; what does not fit is left out.
// Source: RFC 8259 section 7.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "src/config/config.h"

namespace pgring::log {

// key=value of a line. Borrows its texts: made and used within one call.
class Field {
 public:
  using Value = std::variant<std::int64_t, std::uint64_t, bool, std::string_view>;

  template <std::same_as<bool> Bool>  // no pointer may slip in as a bool
  Field(std::string_view key, Bool value) : key_(key), value_(value) {}
  template <std::signed_integral Integer>
  Field(std::string_view key, Integer value) : key_(key), value_(std::int64_t{value}) {}
  template <std::unsigned_integral Integer>
    requires(!std::same_as<Integer, bool>)
  Field(std::string_view key, Integer value) : key_(key), value_(std::uint64_t{value}) {}
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : key_(key), value_(std::string_view(value)) {}

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] const Value& value() const { return value_; }

 private:
  std::string_view key_;
  Value value_;
};

using Clock = std::chrono::system_clock;

class LineWriter {
 public:
  // REQUIRES: buffer.size() >= 256.
  LineWriter(std::span<char> buffer, LogFormat format);

  void begin(Clock::time_point now, LogLevel level, std::string_view message);
  void field(const Field& field);
  // Ends the line with \n and gives its size in bytes.
  [[nodiscard]] std::size_t finish();

 private:
  bool put(std::string_view text);
  bool put_integer(auto number);
  bool put_escaped(std::string_view text);
  void put_text(std::string_view text);
  bool put_value(const Field::Value& value);
  void put_time(Clock::time_point now);

  std::span<char> buffer_;
  LogFormat format_;
  std::size_t size_ = 0;
  std::size_t limit_;  // of size_: room for the end of a cut line is kept behind it
  bool truncated_ = false;
};

}  // namespace pgring::log
