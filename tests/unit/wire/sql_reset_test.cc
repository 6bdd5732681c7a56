#include "wire/sql_reset.h"

#include <doctest/doctest.h>

#include <string_view>

using wire::read_reset;
using Kind = wire::SqlReset::Kind;

TEST_CASE("sql reset: one setting, however it is said") {
  const auto one = [](std::string_view sql, std::string_view name, std::string_view tag) {
    CAPTURE(sql);
    const auto reset = read_reset(sql);
    REQUIRE(reset.has_value());
    CHECK(reset->kind == Kind::one);
    CHECK(reset->name == name);
    CHECK(reset->tag == tag);
  };
  one("reset work_mem", "work_mem", "RESET");
  one(" RESET Work_Mem ; ", "work_mem", "RESET");
  one("reset \"My\".\"set\"", "My.set", "RESET");
  one("reset role -- x", "role", "RESET");
  one("reset time zone", "TimeZone", "RESET");
  one("reset session authorization", "session_authorization", "RESET");
  one("set work_mem to default", "work_mem", "SET");
  one("set session work_mem = default", "work_mem", "SET");
  one("set role none", "role", "SET");
  one("set session role none", "role", "SET");
  one("set session authorization default", "session_authorization", "SET");
  one("set session session authorization default", "session_authorization", "SET");
  one("set time zone local", "TimeZone", "SET");
}

TEST_CASE("sql reset: all of them") {
  CHECK(read_reset("reset all")->kind == Kind::all);
  CHECK(read_reset("/* a */ Discard ALL;")->kind == Kind::discard_all);
  CHECK(read_reset("discard all")->tag == "DISCARD ALL");
}

TEST_CASE("sql reset: other texts are not read") {
  for (const std::string_view sql : {"",
                                     "select 1",
                                     "reset",
                                     "reset all; select 1",
                                     "select 1; reset all",
                                     "reset work_mem x",
                                     "set work_mem = '1MB'",
                                     "set local work_mem to default",
                                     "set role x",
                                     "discard plans",
                                     "reset u&\"a\"",
                                     "reset 'work_mem'",
                                     "reset all 'x",
                                     "reset transaction isolation level",
                                     "set authorization default",
                                     "set session characteristics as transaction read only",
                                     "reset a.",
                                     "set role to x",
                                     "alter system reset all",
                                     "\"reset\" work_mem"}) {
    CAPTURE(sql);
    CHECK_FALSE(read_reset(sql).has_value());
  }
}
