#include "wire/sql_fingerprint.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

using wire::sql_fingerprint;
using wire::without_literals;

TEST_CASE("sql fingerprint: literals make no difference") {
  const auto same = [](std::string_view a, std::string_view b) {
    CAPTURE(a);
    CAPTURE(b);
    CHECK(sql_fingerprint(a) == sql_fingerprint(b));
    CHECK(sql_fingerprint(a) != 0);
  };
  same("select f(1)", "select f(23456)");
  same("select f('a')", "select f('it''s; a long one, with a ) and -- in it')");
  same("select f(E'a\\'b')", "select f(E'')");
  same("select f($1, $2)", "select f($11, $12)");
  same("select f(1.5e3)", "select f(0x1f)");
  same("select f(1)", "select f('x')");
  same("select f(1) /* of: request 7 */", "select f(1) /* of: request 8 */");
  same("select 1 -- one\n from t", "select 1 -- two\n from t");
  same("select f(1);", "select f(1) ; \n");
  same(std::string_view{"select f(1)\0set", 15}, "select f(1)");
}

TEST_CASE("sql fingerprint: how long a list of literals is makes no difference") {
  const auto one = sql_fingerprint("select f(x) from t where a in (1)");
  CHECK(one == sql_fingerprint("select f(x) from t where a in (1, 2,3 ,4)"));
  CHECK(one == sql_fingerprint("select f(x) from t where a in ($1,$2)"));
  CHECK(sql_fingerprint("insert into t values (1, 'a')") ==
        sql_fingerprint("insert into t values (1, 'a'), (2, 'b'), (3, 'c')"));
}

TEST_CASE("sql fingerprint: what runs never passes for a value") {
  const auto differ = [](std::string_view a, std::string_view b) {
    CAPTURE(a);
    CAPTURE(b);
    CHECK(sql_fingerprint(a) != sql_fingerprint(b));
  };
  differ(R"(select "a'", f(), 'x')", R"(select "a'", g(), 'x')");
  differ(R"(select "a""'", f(), 'x')", R"(select "a""'", g(), 'x')");
  differ("select $$'$$, f(), 'x'", "select $$'$$, g(), 'x'");
  differ("select $a$ $$ ' $a$, f(), 'x'", "select $a$ $$ ' $a$, g(), 'x'");
  differ("select 1 -- '\r, f(), 'x'", "select 1 -- '\r, g(), 'x'");
  differ("select 1 -- \r, f()", "select 1 -- \r, g()");
  differ("select /* /* */ ' */ f(), 'x'", "select /* /* */ ' */ g(), 'x'");
  // As standard_conforming_strings says, each of these is one string or more.
  differ(R"(select '\', f(), 'x')", R"(select '\', g(), 'x')");
  differ(R"(select '\'', f(), 'x')", R"(select '\'', g(), 'x')");
  differ(R"(select nameE'\', f(), 'x')", R"(select nameE'\', g(), 'x')");
}

TEST_CASE("sql fingerprint: names do") {
  std::set<std::uint64_t> seen;
  const auto texts = {"select f(1)",
                      "select g(1)",
                      "select f1(1)",
                      "select f2(1)",
                      "select f(1) from t",
                      "select f(1), g(1)",
                      "select f(a)",
                      "select f($1::text)",
                      "update t set a = 1 where b = 2",
                      "update t set a = 1 where c = 2",
                      "update t1 set a = 1 where b = 2",
                      "select a from some_rather_long_name_1 where b = 2",
                      "select a from some_rather_long_name_2 where b = 2",
                      "call p(1)",
                      "do $$ begin perform f(); end $$",
                      "do $$ begin perform g(); end $$"};
  for (const auto* const text : texts) {
    CAPTURE(text);
    CHECK(seen.insert(sql_fingerprint(text)).second);
  }
}

TEST_CASE("sql fingerprint: a text that can call nothing has none") {
  for (const auto* text :
       {"", " ", ";;", "begin", "BEGIN;", "commit", "rollback to s", "end", "set x = 1", "show x;",
        " start transaction read only", "reset all", "listen a"}) {
    CAPTURE(text);
    CHECK(sql_fingerprint(text) == 0);
  }
  for (const auto* text : {"select 1", "begin; select f()", "set x = 1; select f()", "sets",
                           "fetch 1", "execute s", "call p()", "do $$ $$", "/* begin */ select f()",
                           "with a as (select 1) select f()", "prepare begin as select f()"}) {
    CAPTURE(text);
    CHECK(sql_fingerprint(text) != 0);
  }
}

TEST_CASE("sql fingerprint: whatever stands in a text, it comes to an end, wherever it is cut") {
  // Method: marks and letters at random, each text whole and as a part of a longer one: what is behind is not read.
  std::mt19937 random{11};  // NOLINT(cert-msc32-c, cert-msc51-cpp): the same texts each time
  constexpr std::string_view marks = "''$$--//**0129aE_ .,()\\\n\x80\"";
  for (int i = 0; i < 20000; ++i) {
    std::string text = "select ";
    for (auto left = random() % 60; left > 0; --left) text += marks[random() % marks.size()];
    const std::string longer = text + "'1$2--/*";
    CHECK(sql_fingerprint(text) ==
          sql_fingerprint(std::string_view{longer}.substr(0, text.size())));
    CHECK(without_literals(text, 40).size() <= 40);
  }
}

TEST_CASE("sql fingerprint: for a log, literals and comments are left out, and the text is cut") {
  CHECK(without_literals("select  f('secret',\n 42) -- to him", 100) == "select f(?, ?)");
  CHECK(without_literals("select /* a */ t1.b, $1", 100) == "select t1.b, ?");
  CHECK(without_literals("select f('x') from something", 12) == "select f(?)");
  CHECK(without_literals("select äöü", 10) == "select ä");
  CHECK(without_literals("", 10).empty());
  CHECK(without_literals(R"(select f('\', 'secret'))", 100) == "select f(?");
}
