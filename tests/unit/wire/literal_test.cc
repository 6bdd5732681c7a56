#include "wire/literal.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

using namespace std::string_view_literals;

namespace {

std::string literal(std::string_view value) {
  std::string out;
  wire::append_escape_string(out, value);
  return out;
}

std::string identifier(std::string_view name) {
  std::string out;
  wire::append_quoted_identifier(out, name);
  return out;
}

}  // namespace

TEST_CASE("literal: quotes and backslashes are doubled, other printable text stays") {
  CHECK(literal("") == "E''");
  CHECK(literal("ISO, MDY") == "E'ISO, MDY'");
  CHECK(literal("it's") == "E'it''s'");
  CHECK(literal("a\\'b") == "E'a\\\\''b'");
}

TEST_CASE("literal: control and non-ASCII bytes are escapes of two digits") {
  CHECK(literal("\n0") == "E'\\x0A0'");
  CHECK(literal("\0"sv) == "E'\\x00'");
  CHECK(literal("\x7f\x83\x5c'") == "E'\\x7F\\x83\\\\'''");  // a SJIS character ends in 0x5c
}

TEST_CASE("literal: whatever the value, only the first and last quote are single") {
  // Method: every pair of bytes; strip the doubled ones, then nothing that ends the literal is
  // left.
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char value[2] = {static_cast<char>(first), static_cast<char>(second)};
      const std::string text = literal({value, 2});
      REQUIRE(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
      std::string_view inner = text;
      inner.remove_prefix(2);
      inner.remove_suffix(1);
      while (!inner.empty()) {
        if (inner.front() == '\'') {
          REQUIRE(inner.starts_with("''"));
          inner.remove_prefix(2);
        } else if (inner.front() == '\\') {
          const bool backslash = inner.starts_with("\\\\");
          REQUIRE((backslash || (inner.starts_with("\\x") && inner.size() >= 4)));
          inner.remove_prefix(backslash ? 2 : 4);
        } else {
          inner.remove_prefix(1);
        }
      }
    }
  }
}

TEST_CASE("literal: an identifier is quoted and its quotes doubled") {
  CHECK(identifier("role") == "\"role\"");
  CHECK(identifier("a\"b\\") == "\"a\"\"b\\\"");
}
