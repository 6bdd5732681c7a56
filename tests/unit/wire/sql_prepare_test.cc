#include "wire/sql_prepare.h"

#include <doctest/doctest.h>

#include <string>

using wire::parse_prepare;
using Kind = wire::SqlPrepare::Kind;

TEST_CASE("sql prepare: PREPARE with and without types") {
  constexpr std::string_view sql =
      " PREPARE Plan (int, numeric(10,2)) AS SELECT ';', $1 /* a */ ; ";
  const auto prepare = parse_prepare(sql);
  REQUIRE(prepare.has_value());
  CHECK(prepare->kind == Kind::prepare);
  CHECK(prepare->name == "plan");
  CHECK(sql.substr(prepare->name_offset, prepare->name_length) == "Plan");
  CHECK(prepare->types == "int, numeric(10,2)");
  CHECK(prepare->body == "SELECT ';', $1");

  const auto plain = parse_prepare("prepare p as(select 1)");
  REQUIRE(plain.has_value());
  CHECK(plain->types == "");
  CHECK(plain->body == "(select 1)");
}

TEST_CASE("sql prepare: EXECUTE and its arguments") {
  const auto execute = parse_prepare("/* a */ EXECUTE p ( 1, f(')') ) -- b");
  REQUIRE(execute.has_value());
  CHECK(execute->kind == Kind::execute);
  CHECK(execute->name == "p");
  CHECK(execute->body == "( 1, f(')') )");
  REQUIRE(parse_prepare("EXECUTE p;").has_value());
  CHECK(parse_prepare("EXECUTE p;")->body == "");
}

TEST_CASE("sql prepare: DEALLOCATE of one and of all") {
  for (const auto sql : {"DEALLOCATE ALL", "deallocate prepare all;"}) {
    CAPTURE(sql);
    REQUIRE(parse_prepare(sql).has_value());
    CHECK(parse_prepare(sql)->kind == Kind::deallocate_all);
    CHECK(parse_prepare(sql)->name == "");
    CHECK(parse_prepare(sql)->name_length == 0);
  }
  const struct {
    std::string_view sql;
    std::string_view name;
    std::string_view token;
  } cases[] = {
      {"DEALLOCATE p", "p", "p"},
      {"DEALLOCATE PREPARE P", "p", "P"},
      {"DEALLOCATE \"all\"", "all", "\"all\""},
      {"DEALLOCATE PREPARE;", "prepare", "PREPARE"},
      {"DEALLOCATE prepare \"prepare\"", "prepare", "\"prepare\""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.sql);
    const auto deallocate = parse_prepare(c.sql);
    REQUIRE(deallocate.has_value());
    CHECK(deallocate->kind == Kind::deallocate);
    CHECK(deallocate->name == c.name);
    CHECK(c.sql.substr(deallocate->name_offset, deallocate->name_length) == c.token);
  }
}

TEST_CASE("sql prepare: names are what PostgreSQL makes of them") {
  const auto name_of = [](const std::string& written) {
    const auto execute = parse_prepare("EXECUTE " + written);
    return execute ? execute->name : "(none)";
  };
  CHECK(name_of("AbC_$1") == "abc_$1");
  CHECK(name_of("\"A b\"\"C\"") == "A b\"C");
  CHECK(name_of("\"\"\"\"") == "\"");
  CHECK(name_of("\xc3\x84") == "\xc3\x84");
  CHECK(name_of(std::string(63, 'A')) == std::string(63, 'a'));
  CHECK(name_of(std::string(64, 'A')) == std::string(63, 'a'));
  CHECK(name_of('"' + std::string(100, 'A') + '"') == std::string(63, 'A'));
  // A character of two and one of four bytes across the border, and bytes that are no characters.
  CHECK(name_of(std::string(62, 'a') + "\xc3\xa9") == std::string(62, 'a'));
  CHECK(name_of(std::string(60, 'a') + "\xf0\x9f\x98\x80") == std::string(60, 'a'));
  CHECK(name_of(std::string(61, 'a') + "\xc3\xa9x") == std::string(61, 'a') + "\xc3\xa9");
  CHECK(name_of(std::string(70, '\x80')) == std::string(63, '\x80'));
}

TEST_CASE("sql prepare: what executes one inside of another statement is an EXECUTE") {
  for (const std::string before : {
           "EXPLAIN ",
           "explain analyze ",
           "EXPLAIN ANALYSE VERBOSE ",
           "EXPLAIN VERBOSE ",
           "EXPLAIN (ANALYZE, COSTS off, FORMAT json) ",
           "CREATE TABLE t AS ",
           "create temporary table if not exists s.\"t u\" (a, b) AS ",
           "CREATE UNLOGGED TABLE t WITH (fillfactor = 50) TABLESPACE x AS ",
           "CREATE LOCAL TEMP TABLE t ON COMMIT DROP AS ",
           "EXPLAIN (ANALYZE) CREATE TABLE t AS ",
       }) {
    CAPTURE(before);
    const std::string sql = before + "EXECUTE \"P\" (1, ')')";
    const auto execute = parse_prepare(sql);
    REQUIRE(execute.has_value());
    CHECK(execute->kind == Kind::execute);
    CHECK(execute->name == "P");
    CHECK(execute->name_offset == before.size() + 8);
    CHECK(execute->name_length == 3);
    CHECK(execute->body == "(1, ')')");
  }
  const auto without_data = parse_prepare("CREATE TABLE t AS EXECUTE p WITH NO DATA;");
  REQUIRE(without_data.has_value());
  CHECK(without_data->name == "p");
  CHECK(parse_prepare("CREATE TABLE t AS EXECUTE p (1) WITH DATA").has_value());
}

TEST_CASE("sql prepare: other texts are none") {
  using namespace std::string_view_literals;
  for (const auto sql : {
           ""sv,
           ";"sv,
           "SELECT 1"sv,
           "PREPARE"sv,
           "PREPARE p"sv,
           "PREPARE p AS"sv,
           "PREPARE p AS ;"sv,
           "PREPARE p() SELECT 1"sv,
           "PREPARE p(int AS SELECT 1"sv,
           "PREPARE TRANSACTION 'a'"sv,
           "PREPARE p AS SELECT 1; SELECT 2"sv,
           "SELECT 1; EXECUTE p"sv,
           "EXECUTE p; EXECUTE p"sv,
           "EXECUTE p (1"sv,
           "EXECUTE p (1) 2"sv,
           "EXECUTE p 1"sv,
           "EXECUTE 'p'"sv,
           "EXECUTE \"\""sv,
           "EXECUTE U&\"p\""sv,
           "EXECUTE \"p"sv,
           "EXECUTE \"p\"\""sv,
           "EXECUTE p /* a"sv,
           "PREPARE p AS SELECT 'a"sv,
           "EXPLAIN"sv,
           "EXPLAIN (ANALYZE"sv,
           "EXPLAIN EXPLAIN EXECUTE p"sv,
           "EXPLAIN VERBOSE ANALYZE EXECUTE p"sv,
           "EXPLAIN SELECT 1"sv,
           "EXPLAIN PREPARE p AS SELECT 1"sv,
           "EXPLAIN DEALLOCATE p"sv,
           "EXPLAIN EXECUTE p WITH NO DATA"sv,
           "EXECUTE p WITH NO DATA"sv,
           "CREATE TABLE t AS SELECT 1"sv,
           "CREATE TABLE t (a, b AS EXECUTE p"sv,
           "CREATE TABLE t AS EXECUTE"sv,
           "CREATE TABLE t AS EXECUTE p WITH"sv,
           "CREATE TABLE t AS EXECUTE p WITH NO"sv,
           "CREATE VIEW t AS EXECUTE p"sv,
           "CREATE TRIGGER t AFTER INSERT ON u EXECUTE FUNCTION p()"sv,
           "DEALLOCATE"sv,
           "DEALLOCATE ALL p"sv,
           "DEALLOCATE p q"sv,
           "DEALLOCATE PREPARE p q"sv,
           "\"execute\" p"sv,
           "EXECUTE\0 p"sv,
       }) {
    CAPTURE(sql);
    CHECK_FALSE(parse_prepare(sql).has_value());
  }
}
