#include "wire/error_response.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/wire/bytes.h"
#include "wire/message_builder.h"

using namespace std::string_view_literals;

namespace {

auto parse(std::string_view body) { return wire::parse_error_response(wire::as_bytes(body)); }

constexpr std::string_view sample =
    "SFATAL\0VFATAL\0C53300\0Mtoo many\0Dd\0Hh\0Fproc.c\0L1\0RInitProcess\0\0"sv;

}  // namespace

TEST_CASE("error response: every field pgring uses is read, others are skipped") {
  const auto error = parse(sample);
  REQUIRE(error.has_value());
  CHECK(error->severity == "FATAL");
  CHECK(error->sqlstate == "53300");
  CHECK(error->message == "too many");
  CHECK(error->detail == "d");
  CHECK(error->hint == "h");
  CHECK(error->routine == "InitProcess");
}

TEST_CASE("error response: the severity is the untranslated one") {
  CHECK(parse("SFEHLER\0VERROR\0\0"sv)->severity == "ERROR");
  CHECK(parse("SERROR\0\0"sv)->severity == "ERROR");
}

TEST_CASE("CVE-2026-6666: an error without SQLSTATE, or without anything, is read as that") {
  const auto no_state = parse("SERROR\0Mno state\0\0"sv);
  REQUIRE(no_state.has_value());
  CHECK(no_state->sqlstate.empty());
  CHECK(no_state->message == "no state");
  const auto nothing = parse("\0"sv);
  REQUIRE(nothing.has_value());
  CHECK(nothing->message.empty());
  CHECK(nothing->severity.empty());
}

TEST_CASE("error response: a SQLSTATE that is none is left out") {
  CHECK(parse("C5330\0\0"sv)->sqlstate.empty());
  CHECK(parse("C533000\0\0"sv)->sqlstate.empty());
  CHECK(parse("C5330a\0\0"sv)->sqlstate.empty());
  CHECK(parse("C\0\0"sv)->sqlstate.empty());
}

TEST_CASE("error response: cut at any byte it is malformed") {
  for (std::size_t cut = 0; cut < sample.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(parse(sample.substr(0, cut)).has_value());
  }
  CHECK_FALSE(parse("SERROR\0\0x"sv).has_value());
}

TEST_CASE("error response: what is written is read back") {
  std::string out;
  wire::append_error_response(out,
                              {"FATAL", "3D000", "no database", "why", "do this", "InitPostgres"});
  const auto error = parse(wire_test::body_of(out));
  REQUIRE(error.has_value());
  CHECK(error->severity == "FATAL");
  CHECK(error->sqlstate == "3D000");
  CHECK(error->message == "no database");
  CHECK(error->detail == "why");
  CHECK(error->hint == "do this");
  CHECK(error->routine == "InitPostgres");
}

TEST_CASE("error response: random bytes are refused or read, and both happen") {
  std::mt19937 random(3);
  int accepted = 0;
  for (int i = 0; i < 50000; ++i) {
    if (parse(wire_test::random_text(random, 12, "SVCMDHR\0\0\0"sv))) ++accepted;
  }
  CHECK(accepted > 0);
  CHECK(accepted < 50000);
}
