#include "src/session/parameters.h"

#include <doctest/doctest.h>

using pgring::find_parameter;
using pgring::Overrides;
using pgring::ParameterList;
using pgring::ParameterTable;
using pgring::put_parameter;
using pgring::replay_sql;

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

TEST_CASE("replay: nothing to say between equal states") {
  ParameterTable table;
  const auto state = table.intern(list_of({{"TimeZone", "UTC"}}));
  CHECK(replay_sql(state, state).empty());
  CHECK(replay_sql({}, {}).empty());
}

TEST_CASE("replay: sets what differs and resets what the client does not have") {
  ParameterTable table;
  const auto server =
      table.intern(list_of({{"TimeZone", "UTC"}, {"DateStyle", "German"}, {"my.setting", "x"}}));
  const auto client =
      table.intern(list_of({{"TimeZone", "Asia/Tokyo"}, {"application_name", "it's"}}));
  CHECK(replay_sql(server, client) ==
        "RESET \"DateStyle\";RESET \"my\".\"setting\";"
        "SELECT pg_catalog.set_config(E'application_name',E'it''s',false),"
        "pg_catalog.set_config(E'TimeZone',E'Asia/Tokyo',false)");
  CHECK(replay_sql(server, {}) ==
        "RESET \"DateStyle\";RESET \"my\".\"setting\";RESET \"TimeZone\"");
}

TEST_CASE("replay: a value cannot leave its literal") {
  ParameterTable table;
  const auto client = table.intern(list_of({{"application_name", "\\'); drop table t; --\xbf'"}}));
  CHECK(replay_sql({}, client) ==
        "SELECT pg_catalog.set_config(E'application_name',E'\\\\''); drop table t; "
        "--\\xBF''',false)");
}
