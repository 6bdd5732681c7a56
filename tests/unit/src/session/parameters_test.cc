#include "src/session/parameters.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string_view>

using pgring::erase_parameter;
using pgring::find_parameter;
using pgring::Overrides;
using pgring::ParameterList;
using pgring::ParameterTable;
using pgring::planning_settings;
using pgring::put_parameter;
using pgring::setting_duration;

namespace {

ParameterList list_of(std::initializer_list<pgring::Parameter> parameters) {
  ParameterList list;
  for (const auto& [name, value] : parameters) put_parameter(list, name, value);
  return list;
}

}  // namespace

TEST_CASE("parameters: names are compared without regard to case, and keep their first spelling") {
  auto list = list_of({{"TimeZone", "UTC"}, {"DateStyle", "ISO"}});
  put_parameter(list, "timezone", "Asia/Tokyo");
  REQUIRE(list.size() == 2);
  const auto* zone = find_parameter(list, "TIMEZONE");
  REQUIRE(zone != nullptr);
  CHECK(zone->name == "TimeZone");
  CHECK(zone->value == "Asia/Tokyo");
  CHECK(find_parameter(list, "time") == nullptr);
}

TEST_CASE("parameters: equal sets are one object and go with their last reference") {
  ParameterTable table;
  {
    const auto a = table.intern(list_of({{"TimeZone", "UTC"}}));
    const auto b = table.intern(list_of({{"timezone", "UTC"}}));
    const auto c = table.intern(list_of({{"TimeZone", "utc"}}));
    CHECK(a == b);
    CHECK_FALSE(a == c);
    CHECK(table.size() == 2);
    const auto copy = a;  // NOLINT(performance-unnecessary-copy-initialization): what is tested
    CHECK(copy == a);
  }
  CHECK(table.size() == 0);
  CHECK(table.intern({}).empty());
}

TEST_CASE("parameters: with() changes one value and leaves the base alone") {
  ParameterTable table;
  const auto base = table.intern(list_of({{"TimeZone", "UTC"}}));
  const auto changed = table.with(base, "DateStyle", "German");
  CHECK(changed.list().size() == 2);
  CHECK(base.list().size() == 1);
  CHECK(table.with(changed, "DateStyle", "German") == changed);
}

TEST_CASE("parameters: one is erased without regard to case, and what is not there is not") {
  auto list = list_of({{"TimeZone", "UTC"}, {"DateStyle", "ISO"}, {"a.b", "1"}});
  erase_parameter(list, "datestyle");
  erase_parameter(list, "none");
  REQUIRE(list.size() == 2);
  CHECK(find_parameter(list, "DateStyle") == nullptr);
  CHECK(find_parameter(list, "a.b") != nullptr);
  CHECK(find_parameter(list, "TimeZone") != nullptr);
  erase_parameter(list, "A.B");
  erase_parameter(list, "timezone");
  CHECK(list.empty());
  erase_parameter(list, "timezone");
  CHECK(list.empty());
}

TEST_CASE("planning settings: what changes nothing about a text is left out") {
  CHECK(planning_settings({}).empty());
  CHECK(planning_settings(list_of({{"application_name", "a"},
                                   {"Statement_Timeout", "1"},
                                   {"idle_in_transaction_session_timeout", "1"},
                                   {"idle_session_timeout", "1"},
                                   {"transaction_timeout", "1"},
                                   {"lock_timeout", "1"},
                                   {"deadlock_timeout", "1"},
                                   {"client_min_messages", "error"},
                                   {"synchronous_commit", "off"}}))
            .empty());
}

TEST_CASE("planning settings: equal for equal settings, however spelled, and for no others") {
  const std::string path = planning_settings(list_of({{"search_path", "a"}}));
  CHECK(path == "search_path=a" + std::string(1, '\0'));
  CHECK(planning_settings(list_of({{"Search_Path", "a"}})) == path);
  CHECK(planning_settings(list_of({{"search_path", "a"}, {"application_name", "x"}})) == path);
  CHECK(planning_settings(list_of({{"search_path", "A"}})) != path);
  CHECK(planning_settings(list_of({{"search_path", ""}})) != path);
  CHECK(planning_settings(list_of({{"search_path", "a"}, {"role", "r"}})) != path);
  CHECK(planning_settings(list_of({{"role", "r"}, {"search_path", "a"}})) ==
        planning_settings(list_of({{"search_path", "a"}, {"role", "r"}})));
  // A value cannot pass for the next setting: no value holds a zero byte.
  CHECK(planning_settings(list_of({{"a.b", "1c.d=2"}})) !=
        planning_settings(list_of({{"a.b", "1"}, {"c.d", "2"}})));
}

TEST_CASE("parameters: a setting that is a time is read with PostgreSQL's units") {
  using std::chrono::milliseconds;
  const auto is = [](std::string_view text, std::int64_t expected) {
    const auto read = setting_duration(text);
    REQUIRE(read.has_value());
    CHECK(*read == milliseconds{expected});
  };
  is("0", 0);
  is("5000", 5000);
  is("5s", 5000);
  is(" 2 min ", 120'000);
  is("1.5s", 1500);
  is("1h", 3'600'000);
  is("1d", 86'400'000);
  is("1500us", 2);
  is("2147483647", 2'147'483'647);
  for (const std::string_view bad : {"", "?", "-1", "5x", "5 s s", "2147483648", "1e300d", "nan"}) {
    CAPTURE(bad);
    CHECK_FALSE(setting_duration(bad).has_value());
  }
}
