#include "src/base/units.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "src/base/near_match.h"

using namespace pgring;
using namespace std::chrono_literals;

TEST_CASE("units: durations read with each unit and with several in falling order") {
  CHECK(*parse_duration("250ms") == 250ms);
  CHECK(*parse_duration("30s") == 30s);
  CHECK(*parse_duration("5m") == 5min);
  CHECK(*parse_duration("1h30m") == 90min);
  CHECK(*parse_duration("2d") == 48h);
  CHECK(*parse_duration("1d2h3m4s5ms") == 26h + 3min + 4s + 5ms);
}

TEST_CASE("units: a duration printed reads back as itself") {
  for (const auto duration :
       {1ms, 999ms, 1000ms, 61'000ms, 3'600'001ms, 86'400'000ms, 123'456'789'012ms}) {
    const std::string text = format_duration(duration);
    CAPTURE(text);
    REQUIRE(parse_duration(text));
    CHECK(*parse_duration(text) == duration);
  }
  CHECK(format_duration(duration_off) == "off");
  CHECK(format_duration(90min) == "1h30m");
}

TEST_CASE("units: what is no duration is refused with the fix") {
  CHECK(parse_duration("30").error().hint.find("\"30s\"") != std::string::npos);
  CHECK(parse_duration("1.5s").error().hint.find("1500ms") != std::string::npos);
  CHECK(parse_duration("0s").error().message == "is a duration of zero");
  for (const char* bad :
       {"", "s", "30x", "30m1h", "30s30s", "-1s", "+1s", " 1s", "1s ", "1 s",
        "99999999999999999999s", "18446744073709551615d", "3651d", "1e3s", "off"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK(parse_duration("3650d"));
}

TEST_CASE("units: sizes are powers of 1024 and read back as printed") {
  CHECK(parse_size("4KiB")->bytes == 4096);
  CHECK(parse_size("512B")->bytes == 512);
  CHECK(parse_size("1MiB")->bytes == 1024 * 1024);
  CHECK(format_size({4096}) == "4KiB");
  CHECK(format_size({1000}) == "1000B");
  CHECK(format_size({0}) == "0B");
  CHECK(parse_size("4kB").error().hint == "units are powers of 1024: \"4KiB\"");
  CHECK(parse_size("4096").error().hint.find("\"4096B\"") != std::string::npos);
  for (const char* bad : {"", "KiB", "-4KiB", "4 KiB", "4KiB4B", "99999999999999999999GiB",
                          "18446744073709551615KiB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_size(bad));
  }
}

TEST_CASE("near match: counts edits, swaps as one, and knows when nothing is near") {
  CHECK(edit_distance("port", "port") == 0);
  CHECK(edit_distance("prot", "port") == 1);
  CHECK(edit_distance("", "port") == 4);
  constexpr std::array<std::string_view, 3> known{"pool_size", "pool_mode", "min_pool_size"};
  CHECK(near_match("pool_sise", known) == "pool_size");
  CHECK(near_match("POOL_MODE", known) == "pool_mode");
  CHECK(near_match("banana", known) == "");
  CHECK(near_match(std::string(100'000, 'x'), known) == "");
}
