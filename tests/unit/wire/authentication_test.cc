#include "wire/authentication.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/wire/bytes.h"
#include "wire/message_builder.h"

using namespace std::string_view_literals;
using wire::AuthenticationKind;

namespace {

auto parse(std::string_view body) { return wire::parse_authentication(wire::as_bytes(body)); }
auto parse_initial(std::string_view body) {
  return wire::parse_sasl_initial_response(wire::as_bytes(body));
}

}  // namespace

TEST_CASE("authentication: what is written is read back, and cut anywhere it is malformed") {
  std::string out;
  constexpr std::array mechanisms = {"SCRAM-SHA-256-PLUS"sv, "SCRAM-SHA-256"sv};
  wire::append_authentication_sasl(out, mechanisms);
  const std::string_view body = wire_test::body_of(out);
  const auto sasl = parse(body);
  REQUIRE(sasl.has_value());
  CHECK(sasl->kind == AuthenticationKind::SASL);
  CHECK(sasl->mechanisms.size() == 2);
  CHECK(sasl->offers("SCRAM-SHA-256"));
  CHECK_FALSE(sasl->offers("SCRAM-SHA"));
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(parse(body.substr(0, cut)).has_value());
  }
}

TEST_CASE("authentication: each kind has its payload and nothing behind it") {
  CHECK(parse("\0\0\0\0"sv)->kind == AuthenticationKind::Ok);
  CHECK(parse("\0\0\0\3"sv)->kind == AuthenticationKind::CleartextPassword);
  const auto md5 = parse("\0\0\0\5abcd"sv);
  REQUIRE(md5.has_value());
  CHECK(wire::as_text(md5->salt) == "abcd");
  CHECK(parse("\0\0\0\x0br=x"sv)->data == "r=x");
  CHECK(parse("\0\0\0\x0cv=x"sv)->data == "v=x");
  CHECK_FALSE(parse("\0\0\0\0x"sv).has_value());
  CHECK_FALSE(parse("\0\0\0\5abc"sv).has_value());
  CHECK_FALSE(parse("\0\0\0\5abcde"sv).has_value());
}

TEST_CASE("authentication: an unknown kind is reported with its number") {
  for (const std::string_view body :
       {"\0\0\0\1"sv, "\0\0\0\4xx"sv, "\0\0\0\x0d"sv, "\xff\xff\xff\xff"sv}) {
    const auto unknown = parse(body);
    REQUIRE(unknown.has_value());
    CHECK(unknown->kind == AuthenticationKind::unknown);
  }
  CHECK(parse("\0\0\0\x0d"sv)->number == 13);
}

TEST_CASE("authentication: SASLInitialResponse is read back, with and without data") {
  std::string out;
  wire::append_sasl_initial_response(out, "SCRAM-SHA-256", "n,,n=,r=x");
  const std::string_view body = wire_test::body_of(out);
  const auto response = parse_initial(body);
  REQUIRE(response.has_value());
  CHECK(response->mechanism == "SCRAM-SHA-256");
  CHECK(response->data == "n,,n=,r=x"sv);
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(parse_initial(body.substr(0, cut)).has_value());
  }
  const auto absent = parse_initial("M\0\xff\xff\xff\xff"sv);
  REQUIRE(absent.has_value());
  CHECK_FALSE(absent->data.has_value());
  CHECK_FALSE(parse_initial("M\0\xff\xff\xff\xffx"sv).has_value());
}

TEST_CASE("CVE-2026-6664: a SASL length beyond the message is malformed, not read") {
  for (const std::string_view length :
       {"\xff\xff\xff\xfe"sv, "\x7f\xff\xff\xff"sv, "\x80\0\0\0"sv, "\0\0\0\5"sv, "\0\0\0\3"sv}) {
    std::string body("M\0"sv);
    body.append(length).append("four");
    CHECK_FALSE(parse_initial(body).has_value());
  }
}

TEST_CASE("authentication: a password message is exactly one string") {
  const auto password = [](std::string_view body) {
    return wire::parse_password_message(wire::as_bytes(body));
  };
  CHECK(password("pw\0"sv) == "pw"sv);
  CHECK(password("\0"sv) == ""sv);
  CHECK_FALSE(password("pw"sv).has_value());
  CHECK_FALSE(password("pw\0x\0"sv).has_value());
  CHECK_FALSE(password(""sv).has_value());
}

TEST_CASE("authentication: random bytes are refused or read, and both happen") {
  std::mt19937 random(5);
  int accepted = 0;
  for (int i = 0; i < 50000; ++i) {
    const std::string body =
        wire_test::random_text(random, 14, "\0\0\0\0\3\5\x0a\x0b\x0c\x7f\xff"sv);
    if (parse(body)) ++accepted;
    if (parse_initial(body)) ++accepted;
  }
  CHECK(accepted > 0);
  CHECK(accepted < 50000);
}
