#include <doctest/doctest.h>

#include <random>
#include <string>

#include "src/auth/userlist.h"
#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;
using namespace std::string_literals;

namespace {

const std::string sample =
    "[listen]\naddress = [\"127.0.0.1\", \"::1\"]\nport = 6432\n[server.main]\nhost = \"db\"\n"
    "[database.app]\npool_size = 20\nuser = \"u\"\npassword = \"p\"\n[database.\"*\"]\n"
    "[timeouts]\nquery_wait = \"1h30m\"\n[auth]\nmethod = \"md5\"\n";

// Every diagnostic points into the text and prints.
void check_places(const Diagnostics& diagnostics, std::string_view text) {
  const SourceText source("f", text);
  for (const Diagnostic& d : diagnostics) {
    CHECK(d.at.line <= source.line_count());
    CHECK_FALSE(d.message.empty());
    CHECK_FALSE(to_string(d).empty());
  }
}

void parse_any(const std::string& text) {
  const auto result = parse_config(text, "f.toml");
  if (result) {
    check_places(result->warnings, text);
  } else {
    CHECK_FALSE(result.error().errors.empty());
    check_places(result.error().errors, text);
  }
}

}  // namespace

TEST_CASE("config nasty: cut at any byte it is read or refused, never lost in") {
  for (std::size_t cut = 0; cut <= sample.size(); ++cut) parse_any(sample.substr(0, cut));
}

TEST_CASE("config nasty: random changes of single bytes") {
  std::mt19937 random(20261121);
  for (int round = 0; round < 1500; ++round) {
    CAPTURE(round);
    std::string text = sample;
    for (int change = 0; change < 3; ++change) {
      text[random() % text.size()] = static_cast<char>(random() % 256);
    }
    parse_any(text);
  }
}

TEST_CASE(
    "config nasty: a table name that begins with no key character is an error, not an abort") {
  CHECK(
      contains(errors_of("[\u00e9]\n" + sample), "f.toml:1:2: error: TOML key: expected bare key"));
  parse_any("[[\u00e9]]");
  parse_any("[a.\u00e9]");
  parse_any("x = { \u00e9 = 1 }");
}

TEST_CASE("config nasty: a letter beyond ASCII where a value belongs is an error with its place") {
  CHECK(contains(errors_of("[log]\nlevel = 1\u00e9\n" + sample), "f.toml:2:"));
  parse_any("a = \u00e9");
  parse_any("\u00e9 = 1");
}

TEST_CASE("config nasty: deep nesting, long lines and thousands of faults end in time") {
  parse_any("a = " + std::string(100'000, '['));
  parse_any("[log]\nlevel = \"" + std::string(100'000, 'x') + "\"\n");
  parse_any(std::string(100'000, '\n') + "x");
  std::string faults;
  for (int i = 0; i < 2000; ++i) faults += "= broken\n";
  const auto result = parse_config(faults, "f.toml");
  REQUIRE_FALSE(result);
  CHECK(result.error().errors.size() == 20);  // syntax_errors_max
}

TEST_CASE("userlist nasty: random bytes are read or refused, never lost in") {
  std::mt19937 random(7);
  const std::string alphabet = "\"\" \t\r\n;#ab\\\0\xff\xC3\xA4"s;
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (auto n = random() % 40; n > 0; --n) text += alphabet[random() % alphabet.size()];
    const auto users = parse_userlist(text, "u");
    if (!users) check_places(users.error(), text);
  }
}
