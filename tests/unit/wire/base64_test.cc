#include "wire/base64.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/wire/bytes.h"

TEST_CASE("base64: the vectors of RFC 4648 hold both ways") {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [bytes, text] : vectors) {
    CHECK(wire::base64_encode(bytes) == text);
    CHECK(wire::base64_decode(text) == bytes);
  }
}

TEST_CASE("base64: what is not canonical is refused") {
  for (const std::string_view text : {"A", "AA", "AAA", "Zg=", "Zg===", "====", "=AAA", "A=AA",
                                      "Zh==", "Zm9=", " Zg=", "Zg==\n", "Z-==", "AAA\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(wire::base64_decode(text).has_value());
  }
}

TEST_CASE("base64: random bytes come back") {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = wire_test::random_bytes(random, 70);
    CHECK(wire::base64_decode(wire::base64_encode(bytes)) == bytes);
  }
}

TEST_CASE("base64: whatever text is accepted is the one spelling of its value") {
  std::mt19937 random(2);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = wire_test::random_text(random, 8, "AQgwBZ+/==");
    const auto bytes = wire::base64_decode(text);
    if (!bytes) continue;
    ++accepted;
    CHECK(wire::base64_encode(*bytes) == text);
  }
  CHECK(accepted > 1000);
}
