#include "wire/negotiate_protocol_version.h"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>

#include "tests/unit/wire/bytes.h"
#include "wire/message_builder.h"

using namespace std::string_view_literals;

namespace {

auto parse(std::string_view body) {
  return wire::parse_negotiate_protocol_version(wire::as_bytes(body));
}

}  // namespace

TEST_CASE("NegotiateProtocolVersion: PostgreSQL 15's answer to 3.2 says 3.0 and no options") {
  const auto answer = parse("\0\3\0\0\0\0\0\0"sv);
  REQUIRE(answer);
  CHECK(answer->minor == 0);
  CHECK(answer->options == 0);
}

TEST_CASE("NegotiateProtocolVersion: what is written is read again") {
  std::string out;
  constexpr std::array options = {wire::NameValue{"_pq_.a", "1"}, wire::NameValue{"_pq_.b", ""}};
  wire::append_negotiate_protocol_version(out, 2, options);
  const auto answer = parse(wire_test::body_of(out));
  REQUIRE(answer);
  CHECK(answer->minor == 2);
  CHECK(answer->options == 2);
}

TEST_CASE("NegotiateProtocolVersion: cut anywhere, too long, or of another major it is refused") {
  const std::string_view whole = "\0\3\0\2\0\0\0\2_pq_.a\0_pq_.b\0"sv;
  REQUIRE(parse(whole));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(parse(whole.substr(0, cut)));
  }
  CHECK_FALSE(parse("\0\3\0\0\0\0\0\0x"sv));
  CHECK_FALSE(parse("\0\2\0\0\0\0\0\0"sv));
  CHECK_FALSE(parse("\0\0\0\2\0\0\0\0"sv));
  CHECK_FALSE(parse("\0\3\0\0\xff\xff\xff\xff"sv));
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes = wire_test::random_bytes(random, 30);
    if (const auto answer = parse(bytes)) CHECK(answer->options <= bytes.size());
  }
}
