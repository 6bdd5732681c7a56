// Goal: a text is shortened between characters, not within one.
#include "src/base/utf8.h"

#include <doctest/doctest.h>

#include <string>

using pgring::utf8_prefix;

TEST_CASE("utf8: the beginning of a text never ends within a character") {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";  // of 1, 2, 3, 4 and 1 bytes
  constexpr std::size_t borders[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
  for (std::size_t size = 0; size <= text.size(); ++size) {
    CAPTURE(size);
    CHECK(utf8_prefix(text, size) == text.substr(0, borders[size]));
  }
  CHECK(utf8_prefix(text, 1000) == text);
  CHECK(utf8_prefix("", 5).empty());
}

TEST_CASE("utf8: a text in another encoding is cut where it is too long") {
  CHECK(utf8_prefix("\xe9\xe9\xe9\xe9", 2) == "\xe9\xe9");
  CHECK(utf8_prefix("\x80\x80\x80\x80\x80\x80", 5) == "\x80\x80\x80\x80\x80");
}
