#include "wire/startup_options.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/wire/bytes.h"

using Settings = std::vector<wire::StartupOption>;

namespace {

Settings settings(std::string_view text) {
  const wire::StartupOptions parsed = wire::parse_startup_options(text);
  CHECK_FALSE(parsed.error.has_value());
  return parsed.settings;
}

void check_refused(std::string_view text, std::string_view sqlstate, std::string_view message) {
  CAPTURE(text);
  const wire::StartupOptions parsed = wire::parse_startup_options(text);
  REQUIRE(parsed.error.has_value());
  CHECK(parsed.error->sqlstate == sqlstate);
  CHECK(parsed.error->message == message);
  CHECK(parsed.settings.empty());
}

}  // namespace

TEST_CASE("startup options: the three ways to write a setting") {
  const Settings one = {{"geqo", "off"}};
  CHECK(settings("-c geqo=off") == one);
  CHECK(settings("-cgeqo=off") == one);
  CHECK(settings("--geqo=off") == one);
  CHECK(settings(" \t-c\n geqo=off\v ") == one);
  CHECK(settings("-c a=1 --b=2 -cc=3") == Settings{{"a", "1"}, {"b", "2"}, {"c", "3"}});
}

TEST_CASE("startup options: nothing but white space is no setting") {
  CHECK(settings("").empty());
  CHECK(settings(" \t\r\n\f\v").empty());
}

TEST_CASE("startup options: a backslash takes the next byte as it is") {
  CHECK(settings("-c search_path=a,\\ b") == Settings{{"search_path", "a, b"}});
  CHECK(settings("-c\\ x=1") == Settings{{" x", "1"}});
  CHECK(settings("-c a=\\\\") == Settings{{"a", "\\"}});
  CHECK(settings("-c a=b\\") == Settings{{"a", "b"}});
}

TEST_CASE(
    "startup options: only the first equals sign separates, dashes in a name are underscores") {
  CHECK(settings("--statement-timeout=5s") == Settings{{"statement_timeout", "5s"}});
  CHECK(settings("-c a=b=c-d") == Settings{{"a", "b=c-d"}});
  CHECK(settings("-c a=") == Settings{{"a", ""}});
}

TEST_CASE("CVE-2026-107349: an option with an empty name ends in an error") {
  constexpr std::string_view message = "unrecognized configuration parameter \"\"";
  for (const std::string_view text : {"-c=", "-c =", "--=", "-c=x", "-c = -c ="}) {
    check_refused(text, "42704", message);
  }
}

TEST_CASE("startup options: what is no setting is refused with PostgreSQL's words") {
  check_refused("-c a", "42601", "-c a requires a value");
  check_refused("--a", "42601", "--a requires a value");
  for (const std::string_view word : {"-c", "-", "--", "a=b", "-e", "-ec"}) {
    check_refused(word, "42601",
                  "invalid command-line argument for server process: " + std::string(word));
  }
  check_refused("\\", "42601", "invalid command-line argument for server process: ");
  check_refused("-c a=1 junk", "42601", "invalid command-line argument for server process: junk");
}

TEST_CASE("startup options: random texts come to an end, and no name is empty") {
  std::mt19937 random(7);
  std::size_t accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string text = wire_test::random_text(random, 14, "--ccab== \\\t");
    const wire::StartupOptions parsed = wire::parse_startup_options(text);
    for (const wire::StartupOption& option : parsed.settings) REQUIRE_FALSE(option.name.empty());
    accepted += parsed.settings.size();
  }
  CHECK(accepted > 100);
}
