#include "src/auth/regex_escape.h"

#include <fmt/format.h>

#include <optional>

#include "src/auth/regex_class.h"

namespace pgring {
namespace {

using Escape = Result<RegexEscape, std::string>;

RegexEscape byte_escape(unsigned char byte) { return {.byte = byte}; }

RegexEscape set_escape(const ByteSet& set) { return {.kind = RegexEscape::Kind::set, .set = set}; }

RegexEscape class_escape(std::string_view name, bool is_complement) {
  const ByteSet set = named_class(name).value_or(ByteSet{});
  return set_escape(is_complement ? ~set : set);
}

RegexEscape condition_escape(RegexCondition condition) {
  return {.kind = RegexEscape::Kind::condition, .condition = condition};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Digits of `base`, `least` to `most` of them; nothing if there are too few. Large values stay at 0x10000.
std::optional<unsigned> take_number(std::string_view pattern, std::size_t& at, int base, int least,
                                    int most) {
  unsigned value = 0;
  int count = 0;
  for (; count < most && at < pattern.size(); ++count, ++at) {
    const int digit = digit_value(pattern[at]);
    if (digit >= base) break;
    value = std::min(value * static_cast<unsigned>(base) + static_cast<unsigned>(digit), 0x10000U);
  }
  return count < least ? std::nullopt : std::optional(value);
}

Escape numbered(std::string_view pattern, std::size_t& at, int base, int least, int most) {
  const auto value = take_number(pattern, at, base, least, most);
  if (!value) return Unexpected(std::string("a backslash escape has too few digits"));
  if (*value > 0xFF) {
    return Unexpected(std::string(
        "a backslash escape names a character beyond one byte; names are compared byte by "
        "byte, write the character itself"));
  }
  return byte_escape(static_cast<unsigned char>(*value));
}

// \1 … \9 is a back-reference, and so are more digits where there are that many parentheses; else octal.
Escape digits(std::string_view pattern, std::size_t& at, unsigned groups) {
  const std::size_t start = at;
  const auto decimal = take_number(pattern, at, 10, 1, 255);
  if (pattern[start] != '0' && (at == start + 1 || *decimal <= groups)) {
    return Unexpected(fmt::format(
        "back-references (\\{}) are not supported: matching them takes unbounded time", *decimal));
  }
  at = start;
  auto octal = take_number(pattern, at, 8, 1, 3);
  if (!octal) return Unexpected(fmt::format("\\{} is not an escape", pattern[start]));
  if (*octal > 0xFF) {
    --at;
    *octal >>= 3;
  }
  return byte_escape(static_cast<unsigned char>(*octal));
}

std::optional<RegexEscape> condition_of(char c) {
  switch (c) {
    case 'A':
      return condition_escape(RegexCondition::text_begin);
    case 'Z':
      return condition_escape(RegexCondition::text_end);
    case 'm':
      return condition_escape(RegexCondition::word_begin);
    case 'M':
      return condition_escape(RegexCondition::word_end);
    case 'y':
      return condition_escape(RegexCondition::word_boundary);
    case 'Y':
      return condition_escape(RegexCondition::no_word_boundary);
    default:
      return std::nullopt;
  }
}

std::optional<RegexEscape> simple(char c) {
  switch (c) {
    case 'a':
      return byte_escape('\a');
    case 'b':
      return byte_escape('\b');
    case 'B':
      return byte_escape('\\');
    case 'e':
      return byte_escape(033);
    case 'f':
      return byte_escape('\f');
    case 'n':
      return byte_escape('\n');
    case 'r':
      return byte_escape('\r');
    case 't':
      return byte_escape('\t');
    case 'v':
      return byte_escape('\v');
    case 'd':
    case 'D':
      return class_escape("digit", c == 'D');
    case 's':
    case 'S':
      return class_escape("space", c == 'S');
    case 'w':
    case 'W':
      return class_escape("word", c == 'W');
    default:
      return condition_of(c);
  }
}

}  // namespace

Escape read_regex_escape(std::string_view pattern, std::size_t& at, unsigned groups) {
  if (at == pattern.size()) {
    return Unexpected(std::string("the regular expression ends with a backslash"));
  }
  const char c = pattern[at];
  if (is_digit(c)) return digits(pattern, at, groups);
  ++at;
  if (!is_alphanumeric(c)) return byte_escape(static_cast<unsigned char>(c));
  if (const auto known = simple(c)) return *known;
  switch (c) {
    case 'c':
      if (at == pattern.size()) {
        return Unexpected(std::string("\\c needs a character behind it"));
      }
      return byte_escape(static_cast<unsigned char>(pattern[at++]) & 037);
    case 'u':
      return numbered(pattern, at, 16, 4, 4);
    case 'U':
      return numbered(pattern, at, 16, 8, 8);
    case 'x':
      return numbered(pattern, at, 16, 1, 255);
    default:
      return Unexpected(fmt::format("\\{} is not an escape", c));
  }
}

}  // namespace pgring
