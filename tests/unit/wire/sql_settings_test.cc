#include "wire/sql_settings.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/wire/bytes.h"

using Names = std::vector<std::string>;
using wire::custom_setting_names;

TEST_CASE("sql settings: names with dots behind SET and RESET") {
  CHECK(custom_setting_names("SET my.var = 1") == Names{"my.var"});
  CHECK(custom_setting_names("set session My.Var to 'x'; RESET a.b.c") == Names{"My.Var", "a.b.c"});
  CHECK(custom_setting_names("SET my . var = 1") == Names{"my.var"});
  CHECK(custom_setting_names("SET /* a */ my/**/./**/var = 1") == Names{"my.var"});
  CHECK(custom_setting_names("SET \"My\".\"va$r\" = 1") == Names{"My.va$r"});
}

TEST_CASE("sql settings: names in strings, such as set_config's") {
  CHECK(custom_setting_names("select set_config('app.user', '7', false)") == Names{"app.user"});
  CHECK(custom_setting_names("select set_config('app.user', 'a.b', false)") ==
        Names{"app.user", "a.b"});
  // Not one name: what is in it is no identifier.
  CHECK(custom_setting_names("select set_config('statement_timeout', '1.5s', false)").empty());
}

TEST_CASE("sql settings: what is no name with a dot is left out") {
  for (const auto* sql :
       {"", ";", "SET work_mem = 1", "SET a. = 1", "select 1.5", "select 'a.', '.a', 'a..b', '.'",
        "select '1a.b', 'a.1b', 'a b.c', '', '''a.b'", "set \"\".a = 1", "-- my.var",
        "/* my.var */", "select $$-- my.var$$", "select a.", "."}) {
    CAPTURE(sql);
    CHECK(custom_setting_names(sql).empty());
  }
}

TEST_CASE("sql settings: the body of a DO is looked into, one level deep") {
  CHECK(custom_setting_names("do $$ begin set my.var = 1; end $$") == Names{"my.var"});
  CHECK(custom_setting_names("do $x$ begin perform set_config('my.var', '1', false); end $x$") ==
        Names{"my.var"});
  CHECK(custom_setting_names("do $").empty());
}

TEST_CASE("sql settings: a name counts once, without regard to case, as first spelled") {
  CHECK(custom_setting_names("set My.Var = 1; set my.var = 2; select 'MY.VAR'") == Names{"My.Var"});
}

TEST_CASE("sql settings: digits, dollars and letters beyond ASCII belong to names") {
  CHECK(custom_setting_names("set _a1.b$2 = 1") == Names{"_a1.b$2"});
  CHECK(custom_setting_names("select 'caf\xc3\xa9.prix'") == Names{"caf\xc3\xa9.prix"});
}

TEST_CASE("sql settings: neither endless names nor endlessly many") {
  const std::string longest = "a." + std::string(198, 'b');
  CHECK(custom_setting_names("select '" + longest + "'") == Names{longest});
  CHECK(custom_setting_names("select '" + longest + "b'").empty());
  std::string many;
  for (int i = 0; i < 100; ++i) many += "set a.b" + std::to_string(i) + " = 1;";
  const Names names = custom_setting_names(many);
  CHECK(names.size() == 64);
  CHECK(names.back() == "a.b63");
}

TEST_CASE("sql settings: any text comes to an end, and gives names that PostgreSQL would take") {
  std::mt19937 random(11);
  std::size_t found = 0;
  for (int i = 0; i < 50'000; ++i) {
    for (const std::string& name :
         custom_setting_names(wire_test::random_text(random, 24, "aB.'\"$ ;1E-/*"))) {
      ++found;
      CHECK(name.find('.') != std::string::npos);
      CHECK(name.find_first_of("'\" ;-/*") == std::string::npos);
      CHECK(name.find("..") == std::string::npos);
      CHECK(name.front() != '.');
      CHECK(name.back() != '.');
    }
  }
  CHECK(found > 0);
}

TEST_CASE("sql settings: what may set more than is found in the text") {
  for (const auto* sql :
       {"select set_config($1, $2, false)", "select set_config('my.' || 'x', 'a', false)",
        "select set_config(n, 'a', false) from t", "do $$ begin end $$", "select 1; do 'begin end'",
        "select \"set_config\"($1, $2, false)", "select U&\"set_config\"('a.b', 'c', false)",
        "select set_config(E'a.b', 'c', false)", "select set_config", "select set_config('a.b'"}) {
    CAPTURE(sql);
    CHECK(wire::sets_unnamed(sql));
  }
  for (const auto* sql :
       {"select set_config('my.x', $1, false)", "set my.x = 1", "",
        "select 'do', $$set_config($1)$$",
        "select pg_catalog.set_config('a', 'b', false), set_config('c', 'd', true)",
        "insert into t values (1) on conflict do nothing"}) {
    CAPTURE(sql);
    CHECK_FALSE(wire::sets_unnamed(sql));
  }
}
