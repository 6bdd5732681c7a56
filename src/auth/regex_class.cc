#include "src/auth/regex_class.h"

#include <array>
#include <utility>

namespace pgring {
namespace {

constexpr unsigned case_bit = 'a' - 'A';

ByteSet letters(unsigned first) { return byte_range(first, first + ('z' - 'a')); }

}  // namespace

ByteSet byte_range(unsigned first, unsigned last) {
  ByteSet set;
  for (unsigned byte = first; byte <= last; ++byte) set.set(byte);
  return set;
}

ByteSet in_both_cases(const ByteSet& set) {
  ByteSet both = set;
  for (unsigned upper = 'A'; upper <= 'Z'; ++upper) {
    const bool has_either = set[upper] || set[upper | case_bit];
    both[upper] = has_either;
    both[upper | case_bit] = has_either;
  }
  return both;
}

std::optional<ByteSet> named_class(std::string_view name) {
  const ByteSet digits = byte_range('0', '9');
  const ByteSet alpha = letters('a') | letters('A');
  const ByteSet graph = byte_range('!', '~');
  ByteSet blank;
  blank.set(' ').set('\t');
  ByteSet word = alpha | digits;
  word.set('_');
  const std::array<std::pair<std::string_view, ByteSet>, 14> classes{{
      {"alnum", alpha | digits},
      {"alpha", alpha},
      {"ascii", byte_range(0, 0x7F)},
      {"blank", blank},
      {"cntrl", byte_range(0, 0x1F) | byte_range(0x7F, 0x7F)},
      {"digit", digits},
      {"graph", graph},
      {"lower", letters('a')},
      {"print", graph | byte_range(' ', ' ')},
      {"punct", graph & ~(alpha | digits)},
      {"space", byte_range('\t', '\r') | byte_range(' ', ' ')},
      {"upper", letters('A')},
      {"word", word},
      {"xdigit", digits | byte_range('a', 'f') | byte_range('A', 'F')},
  }};
  for (const auto& [known, set] : classes) {
    if (known == name) return set;
  }
  return std::nullopt;
}

}  // namespace pgring
