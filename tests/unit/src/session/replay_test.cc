// SQL that takes a session from one state to another: replay_sql().
#include <doctest/doctest.h>

#include "src/session/parameters.h"

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

struct Rig {
  ParameterTable table;

  std::string replay(std::initializer_list<pgring::Parameter> from,
                     std::initializer_list<pgring::Parameter> to,
                     std::initializer_list<pgring::Parameter> base = {}) {
    return replay_sql(table.intern(list_of(from)), table.intern(list_of(to)), list_of(base));
  }
};

std::string set(std::string_view name, std::string_view value) {
  return "pg_catalog.set_config(E'" + std::string{name} + "',E'" + std::string{value} + "',false)";
}

}  // namespace

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

TEST_CASE("replay: the role comes last, so that the others are set with the login's privileges") {
  Rig rig;
  CHECK(rig.replay({}, {{"work_mem", "1"}, {"role", "r"}, {"application_name", "a"}}) ==
        "SELECT " + set("application_name", "a") + "," + set("work_mem", "1") + "," +
            set("role", "r"));
}

TEST_CASE("replay: the role goes first, for the same reason") {
  Rig rig;
  CHECK(rig.replay({{"application_name", "a"}, {"role", "r"}, {"work_mem", "1"}}, {}) ==
        "RESET \"role\";RESET \"application_name\";RESET \"work_mem\"");
  CHECK(rig.replay({{"a.b", "x"}, {"ROLE", "r"}}, {{"a.b", "y"}}) ==
        "RESET \"role\";SELECT " + set("a.b", "y"));
}

TEST_CASE("replay: session_authorization comes before the role, and goes behind it") {
  Rig rig;
  CHECK(rig.replay({}, {{"role", "r"}, {"session_authorization", "s"}, {"work_mem", "1"}}) ==
        "SELECT " + set("work_mem", "1") + "," + set("session_authorization", "s") + "," +
            set("role", "r"));
  CHECK(rig.replay({{"role", "r"}, {"session_authorization", "s"}, {"work_mem", "1"}}, {}) ==
        "RESET \"role\";RESET \"session_authorization\";RESET \"work_mem\"");
}

TEST_CASE("replay: another session_authorization takes the role away, so that it is set again") {
  Rig rig;
  CHECK(rig.replay({{"role", "r"}, {"session_authorization", "s"}},
                   {{"role", "r"}, {"session_authorization", "t"}}) ==
        "SELECT " + set("session_authorization", "t") + "," + set("role", "r"));
  CHECK(rig.replay({{"role", "r"}}, {{"role", "r"}, {"session_authorization", "t"}}) ==
        "SELECT " + set("session_authorization", "t") + "," + set("role", "r"));
  CHECK(rig.replay({{"role", "r"}, {"session_authorization", "s"}}, {{"role", "r"}}) ==
        "RESET \"session_authorization\";SELECT " + set("role", "r"));
}

TEST_CASE("replay: settings are changed as whoever logged in, and the role comes back") {
  Rig rig;
  CHECK(rig.replay({{"role", "r"}, {"session_authorization", "s"}, {"a.b", "1"}},
                   {{"role", "r"}, {"session_authorization", "s"}, {"a.b", "2"}}) ==
        "RESET \"role\";RESET \"session_authorization\";SELECT " + set("a.b", "2") + "," +
            set("session_authorization", "s") + "," + set("role", "r"));
  CHECK(rig.replay({{"role", "r"}, {"session_authorization", "s"}},
                   {{"role", "q"}, {"session_authorization", "s"}}) ==
        "SELECT " + set("role", "q"));
}

TEST_CASE("replay: what connect_query has set is gone back to, not to PostgreSQL's default") {
  Rig rig;
  CHECK(rig.replay({{"work_mem", "9"}}, {}, {{"work_mem", "5"}}) ==
        "SELECT " + set("work_mem", "5"));
  CHECK(rig.replay({{"Work_Mem", "9"}, {"a.b", "1"}}, {{"application_name", "x"}},
                   {{"lock_timeout", "3"}, {"work_mem", "5"}}) ==
        "RESET \"a\".\"b\";SELECT " + set("work_mem", "5") + "," + set("application_name", "x"));
  // What the connection has not changed of it is there.
  CHECK(rig.replay({{"a.b", "1"}}, {}, {{"work_mem", "5"}}) == "RESET \"a\".\"b\"");
  // The client has a value of its own.
  CHECK(rig.replay({{"work_mem", "9"}}, {{"work_mem", "7"}}, {{"work_mem", "5"}}) ==
        "SELECT " + set("work_mem", "7"));
}

TEST_CASE("replay: names are quoted, part by part, and cannot leave their quotes") {
  Rig rig;
  CHECK(rig.replay({{"a.b\"c.d", "1"}}, {}) == "RESET \"a\".\"b\"\"c\".\"d\"");
}
