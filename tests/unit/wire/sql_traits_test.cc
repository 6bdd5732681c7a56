#include "wire/sql_traits.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>

#include "tests/unit/wire/bytes.h"

using wire::sql_traits;
using wire::SqlTrait;

namespace {

struct Case {
  std::string_view sql;
  std::uint32_t bits;
};

constexpr std::uint32_t bits(SqlTrait trait) { return static_cast<std::uint32_t>(trait); }

template <std::size_t Count>
void check(const Case (&cases)[Count]) {
  for (const Case& c : cases) {
    CAPTURE(c.sql);
    CHECK(sql_traits(c.sql).bits == c.bits);
    if (c.bits != 0) CHECK(wire::may_have_traits(c.sql));
  }
}

}  // namespace

TEST_CASE("sql traits: SET in its forms") {
  check({
      {"SET x = 1", bits(SqlTrait::settings)},
      {"set session x to 1", bits(SqlTrait::settings)},
      {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", bits(SqlTrait::settings)},
      {"SET SESSION AUTHORIZATION joe", bits(SqlTrait::settings)},
      {"SET ROLE joe", bits(SqlTrait::settings)},
      {"SET TIME ZONE 'UTC'", bits(SqlTrait::settings)},
      {"sEt/**/LOCAL x = 1", bits(SqlTrait::settings_local)},
      {"SET LOCAL ROLE joe", bits(SqlTrait::settings_local)},
      {"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", 0},
      {"SET TRANSACTION SNAPSHOT '1'", 0},
      {"SET CONSTRAINTS ALL DEFERRED", 0},
      {"SET CONSTRAINTS \"to\" DEFERRED", 0},
      // Settings with a prefix that is spelled like the keyword.
      {"SET local.x = 1", bits(SqlTrait::settings)},
      {"SET transaction.x TO 1", bits(SqlTrait::settings)},
      {"SET constraints.x = 1", bits(SqlTrait::settings)},
      {"SET \"local\" TO 1", bits(SqlTrait::settings)},
      {"RESET x", bits(SqlTrait::settings)},
      {"RESET ALL", SqlTrait::settings | SqlTrait::reset_all},
      {"reset\n\"all\"", bits(SqlTrait::settings)},
      {"DISCARD ALL", SqlTrait::settings | SqlTrait::reset_all | SqlTrait::discard_all},
      {"DISCARD PLANS", bits(SqlTrait::settings)},
      {"DO $$ BEGIN PERFORM 1; END $$", bits(SqlTrait::settings)},
  });
}

TEST_CASE("sql traits: settings changed by name") {
  check({
      {"SELECT set_config('a', 'b', false)", bits(SqlTrait::settings)},
      {"SELECT pg_catalog.\"set_config\"('a', 'b', false)", bits(SqlTrait::settings)},
      {"SELECT Pg_Catalog.SET_CONFIG('a', 'b', false)", bits(SqlTrait::settings)},
      {"SELECT \"SET_CONFIG\"('a', 'b', false)", 0},
      {"update t set set_config = 1", bits(SqlTrait::settings)},
      {"UPDATE pg_settings SET setting = 1", bits(SqlTrait::settings)},
      {"UPDATE pg_catalog.\"pg_settings\" SET setting = 1", bits(SqlTrait::settings)},
      {"WITH x AS (UPDATE pg_settings SET setting = 1 RETURNING *) SELECT * FROM x",
       bits(SqlTrait::settings)},
      {"COPY (UPDATE pg_settings SET setting = 1 RETURNING 1) TO STDOUT",
       SqlTrait::settings | SqlTrait::copy},
      {"SELECT * FROM pg_settings", 0},
      {"SELECT * FROM pg_settings; UPDATE t SET a = 1", 0},
      {"select U&\"\\0073et_config\"('a','b',false)", bits(SqlTrait::settings)},
      {"select U&\"set\"", bits(SqlTrait::settings)},
  });
}

TEST_CASE("sql traits: words that only look like it") {
  check({
      {"", 0},
      {";", 0},
      {" ; ;; ", 0},
      {"-- set x = 1", 0},
      {"/* set /* x */ = 1 */", 0},
      {"select 'set x = 1; set y = 2'", 0},
      {"select 'it''s; set x = 1'", 0},
      {"select \"; set x = 1\"", 0},
      {"select \"a\"\"; set x = 1\"", 0},
      {"SELECT $$ ; set x=1 $$", 0},
      {"SELECT $a$ ; $$; $b$; set x=1 $a$", 0},
      {"SELECT E'\\'; set a=b'", 0},
      {"SELECT E'a'\n'\\'; set a=b'", 0},
      {"SELECT 'pg_advisory_lock', 'U&\"a\"'", 0},
      {"UPDATE t SET listen = 1, load = 2, \"do\" = 3", 0},
      {"SELECT lock.call, copy FROM lock", 0},
      {"SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1)", 0},
      {"SELECT \"execute\"", 0},
      {"INSERT INTO temp SELECT 1", 0},
      {"SELECT temp FROM temporary", 0},
      {"SAVEPOINT a", 0},
      {"CREATE TABLE t (a int)", 0},
      {"selectset", 0},
      {"\"set\" x = 1", 0},
      {"$1 set x", 0},
      {"CREATE TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION f()", 0},
  });
}

TEST_CASE("sql traits: statements behind what only looks like it") {
  check({
      {"select 'a' -- ;\n; set x = 1", bits(SqlTrait::settings)},
      {"select '\\'; set x = 1; --'", bits(SqlTrait::settings)},
      {"select 'a'; /* /* */ ; */ set x = 1", bits(SqlTrait::settings)},
      {"select $$a$$; set x = 1", bits(SqlTrait::settings)},
      {"select a$$; set x = 1; select $$", bits(SqlTrait::settings)},
      {"select E'\\\\'; set a=b", bits(SqlTrait::settings)},
      {"select E'a' 'b\\'; set a=b --'", bits(SqlTrait::settings)},
      {"select 1*/* ; */2; set a = b", bits(SqlTrait::settings)},
      {"\xc2\xa0; set a = b", bits(SqlTrait::settings)},
      {";;\r\nset\tx = 1", bits(SqlTrait::settings)},
      {"select 1) ; set x = 1", bits(SqlTrait::settings)},
      {"--\rset x = 1", bits(SqlTrait::settings)},
  });
}

TEST_CASE("sql traits: locks, and state under other names") {
  check({
      {"SELECT pg_advisory_lock(1)", bits(SqlTrait::advisory_lock)},
      {"select \"pg_catalog\".\"pg_try_advisory_lock_shared\"(1)", bits(SqlTrait::advisory_lock)},
      {"SELECT pg_try_advisory_lock(1), PG_ADVISORY_LOCK_SHARED(2)", bits(SqlTrait::advisory_lock)},
      {"SELECT pg_advisory_unlock(1)", bits(SqlTrait::advisory_unlock)},
      {"SELECT pg_advisory_unlock_shared(1)", bits(SqlTrait::advisory_unlock)},
      {"SELECT pg_advisory_unlock_all()", bits(SqlTrait::advisory_unlock)},
      {"SELECT dblink_connect('a')", bits(SqlTrait::other_state)},
      {"SELECT public.dblink_connect_u('a')", bits(SqlTrait::other_state)},
      {"SELECT setseed(0.5)", bits(SqlTrait::other_state)},
      {"SELECT pg_backup_start('a')", bits(SqlTrait::other_state)},
      {"SELECT pg_start_backup('a')", bits(SqlTrait::other_state)},
      {"SELECT pg_create_physical_replication_slot('a')", bits(SqlTrait::other_state)},
      {"SELECT pg_create_logical_replication_slot('a', 'b')", bits(SqlTrait::other_state)},
      {"SELECT pg_copy_physical_replication_slot('a', 'b')", bits(SqlTrait::other_state)},
      {"SELECT pg_copy_logical_replication_slot('a', 'b')", bits(SqlTrait::other_state)},
      {"SELECT lastval()", bits(SqlTrait::sequence_value)},
      {"SELECT currval('s')", bits(SqlTrait::sequence_value)},
      {"LISTEN a", bits(SqlTrait::listen)},
      {"UNLISTEN *", bits(SqlTrait::unlisten)},
      {"LOAD 'a'", bits(SqlTrait::load)},
      {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", bits(SqlTrait::held_cursor)},
      {"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", 0},
      {"CLOSE c", bits(SqlTrait::close)},
      {"CALL p()", bits(SqlTrait::call)},
      {"COPY t FROM STDIN", bits(SqlTrait::copy)},
      {"DROP TABLE t", bits(SqlTrait::drop)},
      {"ALTER TABLE t ADD a int", bits(SqlTrait::drop)},
  });
}

TEST_CASE("sql traits: temporary objects") {
  constexpr std::uint32_t temporary = bits(SqlTrait::temporary);
  constexpr std::uint32_t dropped = SqlTrait::temporary | SqlTrait::temporary_on_commit_drop;
  check({
      {"CREATE TEMP TABLE t (a int)", temporary},
      {"create or replace temporary view v as select 1", temporary},
      {"CREATE LOCAL TEMPORARY TABLE t (a int)", temporary},
      {"CREATE OR REPLACE GLOBAL TEMP VIEW v AS SELECT 1", temporary},
      {"CREATE TEMP SEQUENCE s", temporary},
      {"CREATE TEMP TABLE t (a int) ON COMMIT DROP", dropped},
      {"CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS", temporary},
      {"CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1; CREATE TEMP TABLE u (a int)", temporary},
      {"CREATE TEMP TABLE u (a int); CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1", temporary},
      {"SELECT 1 INTO TEMP t", temporary},
      {"SELECT insert INTO TEMP t FROM s", temporary},
      {"SELECT a, merge INTO TEMPORARY t FROM s", temporary},
      {"WITH x AS (SELECT 1) SELECT * INTO LOCAL TEMPORARY TABLE t FROM x", temporary},
      {"select 1into temp t", temporary},
      {"CREATE TABLE pg_temp.t (a int)", temporary},
      {"CREATE TABLE pg_temp_3.t (a int)", temporary},
      {"CREATE TABLE \"pg_temp\".t (a int) ON COMMIT DROP", dropped},
      {"CREATE TABLE pg_template.t (a int)", 0},
      {"SELECT 1 INTO temperature", 0},
      {"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", temporary},
  });
}

TEST_CASE("sql traits: statements of SQL's own PREPARE, also behind EXPLAIN and CREATE TABLE") {
  check({
      {"PREPARE p AS SELECT 1", bits(SqlTrait::prepare)},
      {"PREPARE TRANSACTION 'a'", 0},
      {"PREPARE transaction AS SELECT 1", bits(SqlTrait::prepare)},
      {"PREPARE transaction (int) AS SELECT 1", bits(SqlTrait::prepare)},
      {"EXECUTE p", bits(SqlTrait::execute)},
      {"EXPLAIN EXECUTE p", bits(SqlTrait::execute)},
      {"EXPLAIN ANALYZE VERBOSE EXECUTE p(1)", bits(SqlTrait::execute)},
      {"EXPLAIN (ANALYZE, FORMAT json) EXECUTE p", bits(SqlTrait::execute)},
      {"EXPLAIN (ANALYZE) UPDATE pg_settings SET setting = 1", bits(SqlTrait::settings)},
      {"EXPLAIN SELECT 1", 0},
      {"CREATE TABLE t AS EXECUTE p", bits(SqlTrait::execute)},
      {"CREATE TEMP TABLE t AS EXECUTE p", SqlTrait::temporary | SqlTrait::execute},
      {"DEALLOCATE p", bits(SqlTrait::deallocate)},
  });
}

TEST_CASE("sql traits: transactions") {
  constexpr std::uint32_t plain = SqlTrait::begin | SqlTrait::plain_begin;
  check({
      {"BEGIN", plain},
      {" begin ; ; -- a", plain},
      {"BEGIN WORK", plain},
      {"BEGIN TRANSACTION;", plain},
      {"START TRANSACTION", plain},
      {"START", 0},
      {"BEGIN READ ONLY", bits(SqlTrait::begin)},
      {"BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE", bits(SqlTrait::begin)},
      {"START TRANSACTION READ ONLY", bits(SqlTrait::begin)},
      {"BEGIN; SELECT 1", bits(SqlTrait::begin)},
      {"SELECT 1; BEGIN", bits(SqlTrait::begin)},
      {"BEGIN; BEGIN", bits(SqlTrait::begin)},
      {"COMMIT", bits(SqlTrait::commit)},
      {"END WORK", bits(SqlTrait::commit)},
      {"COMMIT AND CHAIN", bits(SqlTrait::commit)},
      {"COMMIT PREPARED 'a'", 0},
      {"ROLLBACK", bits(SqlTrait::rollback)},
      {"ABORT TRANSACTION", bits(SqlTrait::rollback)},
      {"ROLLBACK TO a", 0},
      {"ROLLBACK WORK TO SAVEPOINT a", 0},
      {"ROLLBACK TRANSACTION TO a", 0},
      {"ROLLBACK PREPARED 'a'", 0},
      {"BEGIN; SET LOCAL a = 1; COMMIT",
       SqlTrait::begin | SqlTrait::settings_local | SqlTrait::commit},
  });
}

TEST_CASE("sql traits: statements are counted, empty ones are not") {
  CHECK(sql_traits("").statements == 0);
  CHECK(sql_traits(" ;; /* a */ ; -- b").statements == 0);
  CHECK(sql_traits("SELECT 1").statements == 1);
  CHECK(sql_traits(";SELECT 1;;SELECT ';';").statements == 2);
  CHECK(sql_traits("CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)").statements == 1);
}

TEST_CASE("sql traits: the body of a routine written in SQL is part of its statement") {
  constexpr std::string_view routine =
      "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC "
      "SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 1 AS end; SELECT 2; END";
  CHECK(sql_traits(routine) == wire::SqlTraits{0, 1, true});
  const auto with_end = sql_traits(std::string(routine) + "; END");
  CHECK(with_end == wire::SqlTraits{bits(SqlTrait::commit), 2, true});
  // A function named begin has no such body.
  CHECK(sql_traits("create function begin() returns int return 1; set x = 1; end") ==
        wire::SqlTraits{SqlTrait::settings | SqlTrait::commit, 3, true});
  CHECK(sql_traits("create function f() begin atomic set x = 1; end") ==
        wire::SqlTraits{bits(SqlTrait::settings), 1, true});
  CHECK(sql_traits("begin atomic; end") == wire::SqlTraits{SqlTrait::begin | SqlTrait::commit, 2});
}

TEST_CASE("sql traits: what may change the meaning of names in other sessions") {
  for (const std::string_view sql : {"CREATE TABLE t ()",
                                     "create or replace view v as select 1",
                                     "ALTER TABLE t ADD c int",
                                     "DROP FUNCTION f()",
                                     "DO $$ BEGIN END $$",
                                     "CALL p()",
                                     "GRANT SELECT ON t TO r",
                                     "COMMENT ON TABLE t IS ''",
                                     "IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y",
                                     "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
                                     "SELECT 1; DROP TABLE t",
                                     "SELECT * INTO t FROM u",
                                     "/* */ select 1 as a\ninto t",
                                     "(SELECT 1 INTO t)",
                                     "WITH x AS (SELECT 1) SELECT * INTO t FROM x",
                                     "select\t*\tINTO\tt",
                                     "COMMIT PREPARED 'x'",
                                     "SECURITY LABEL ON TABLE t IS ''",
                                     "REINDEX TABLE t",
                                     "nonsense"}) {
    CAPTURE(sql);
    CHECK(sql_traits(sql).defines);
    CHECK(wire::may_have_traits(sql));
  }
  for (const std::string_view sql :
       {"SELECT 1",
        "select 'create table t', \"into\" from t",
        "INSERT INTO t VALUES (1)",
        "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
        "UPDATE t SET x = 1",
        "DELETE FROM t",
        "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE",
        "VALUES (1)",
        "TABLE t",
        "BEGIN",
        "START TRANSACTION",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT a",
        "RELEASE a",
        "ROLLBACK TO a",
        "SET x = 1",
        "RESET ALL",
        "SHOW x",
        "DISCARD ALL",
        "DECLARE c CURSOR FOR SELECT 1",
        "FETCH c",
        "MOVE c",
        "CLOSE c",
        "COPY t FROM STDIN",
        "LISTEN x",
        "NOTIFY x",
        "UNLISTEN *",
        "LOCK TABLE t",
        "PREPARE s AS SELECT 1",
        "EXECUTE s",
        "DEALLOCATE s",
        "ANALYZE t",
        "VACUUM t",
        "TRUNCATE t",
        "CHECKPOINT",
        "EXPLAIN SELECT 1",
        "PREPARE TRANSACTION 'x'",
        "",
        ";"}) {
    CAPTURE(sql);
    CHECK_FALSE(sql_traits(sql).defines);
  }
}

TEST_CASE("sql traits: the text ends at the first NUL") {
  using namespace std::string_view_literals;
  CHECK(sql_traits("SELECT 1\0; SET x = 1"sv) == wire::SqlTraits{0, 1});
  CHECK(sql_traits("SET\0 LOCAL x = 1"sv).has(SqlTrait::settings));
}

TEST_CASE("sql traits: long texts are read to their end") {
  const std::size_t size = 1U << 20U;
  CHECK(sql_traits("SELECT '" + std::string(size, 'x') + "'; LISTEN a").has(SqlTrait::listen));
  CHECK(sql_traits(std::string(size, ';') + "LISTEN a").has(SqlTrait::listen));
  CHECK(sql_traits(std::string(size, '(') + "LISTEN a").has(SqlTrait::listen));
  CHECK(sql_traits(std::string(size, 'a') + "; LISTEN a").has(SqlTrait::listen));
  CHECK(sql_traits(std::string(size, '/') + "; LISTEN a").has(SqlTrait::listen));
  CHECK(sql_traits("/*" + std::string(size, '*') + "/ LISTEN a").has(SqlTrait::listen));
  std::string comments;
  for (std::size_t i = 0; i < size / 4; ++i) comments.append("/*");
  for (std::size_t i = 0; i < size / 4; ++i) comments.append("*/");
  CHECK(sql_traits(comments + "LISTEN a").has(SqlTrait::listen));
  std::string dollars;
  for (std::size_t i = 0; i < size / 3; ++i) dollars.append("$a ");
  CHECK(sql_traits(dollars + " ; LISTEN a").has(SqlTrait::listen));
  CHECK_FALSE(sql_traits("$" + dollars + "$b$; LISTEN a").has(SqlTrait::listen));
}

TEST_CASE("sql prefilter: the hot queries get past it") {
  for (const std::string_view sql :
       {"", ";", "SELECT abalance FROM pgbench_accounts WHERE aid = 1;",
        "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = $1;",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, "
        "CURRENT_TIMESTAMP)",
        "/* app */ select 1", "  SELECT 1 ; ", "WITH x AS (SELECT 1) DELETE FROM t USING x",
        "SELECT interval '1 day', order_status, server_set FROM subset"}) {
    CAPTURE(sql);
    CHECK_FALSE(wire::may_have_traits(sql));
  }
}

TEST_CASE("sql prefilter: a name is seen at every position of texts of every length") {
  for (std::size_t size = 8; size < 120; ++size) {
    const std::string text = "SELECT " + std::string(size, '.');
    REQUIRE_FALSE(wire::may_have_traits(text));
    for (const std::string_view piece :
         {"set_config", "SETSEED", "pg_settings", "Advisory", "dblink_connect", "pg_backup_start",
          "pg_start_backup", "_replication_slot", "temp", "LastVal", "currval", "u&\"", ";x"}) {
      for (std::size_t at = 7; at + piece.size() <= text.size(); ++at) {
        std::string with = text;
        with.replace(at, piece.size(), piece);
        if (!wire::may_have_traits(with)) FAIL(piece << " at " << at << " of " << size);
      }
    }
  }
}

TEST_CASE("sql prefilter: INTO is found at any place of a query, and not looked for elsewhere") {
  for (std::size_t size = 8; size < 120; ++size) {
    for (std::size_t at = 7; at + 4 <= size; ++at) {
      std::string text = "SELECT " + std::string(size - 7, '.');
      text.replace(at, 4, at % 2 == 0 ? "into" : "INTO");
      if (!wire::may_have_traits(text)) FAIL("at " << at << " of " << size);
    }
  }
  CHECK_FALSE(wire::may_have_traits("INSERT INTO t VALUES (1)"));
  CHECK_FALSE(wire::may_have_traits("select count(int4) from hint"));
}

TEST_CASE("sql prefilter: random texts that it lets pass have no traits") {
  static constexpr std::string_view pieces[] = {
      "select",      "update",   "with",   "set",         "set_config",
      "pg_settings", "temp",     "into",   "lastval",     "pg_advisory_lock",
      "u&\"",        "\"",       "'",      ";",           " ",
      " ",           "--",       "\n",     "/*",          "*/",
      "$$",          "(",        ")",      "begin",       "atomic",
      "end",         "e'",       "\\",     "\"currval\"", "local",
      "create",      "function", "explain"};
  std::mt19937 random(11);
  int passed = 0;
  int with_traits = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string sql;
    for (std::size_t left = random() % 12; left > 0; --left) {
      sql.append(pieces[random() % std::size(pieces)]);
      if (random() % 2 == 0) sql.push_back(' ');
    }
    CAPTURE(sql);
    const wire::SqlTraits found = sql_traits(sql);
    const bool traits = found.bits != 0 || found.defines;
    if (wire::may_have_traits(sql)) {
      with_traits += traits ? 1 : 0;
    } else {
      ++passed;
      REQUIRE_FALSE(traits);
    }
  }
  CHECK(passed > 1000);
  CHECK(with_traits > 1000);
}

TEST_CASE("sql traits: a DO block says what nothing would show, also in what it executes") {
  constexpr auto load = SqlTrait::load;
  constexpr auto other = SqlTrait::other_state;
  CHECK(sql_traits("do $$ begin load 'auto_explain'; end $$").has(load));
  CHECK(sql_traits("DO LANGUAGE plpgsql $a$ begin execute $b$ LOAD 'x' $b$; end $a$").has(load));
  CHECK(sql_traits("do 'begin load ''auto_explain''; end'").has(load));
  CHECK(sql_traits("do $$ begin perform setseed(0.5); end $$").has(other));
  CHECK(sql_traits("do $$ begin execute 'select setseed(0.5)'; end $$").has(other));
  CHECK(sql_traits("do $$ begin execute E'select \"setseed\"(0.5)'; end $$").has(other));
  CHECK(sql_traits("select 1; do $$ begin perform pg_catalog.setseed(0.5); end $$").has(other));
  // Bits of other kinds are asked of PostgreSQL, which knows them.
  CHECK(!sql_traits("do $$ begin perform pg_advisory_lock(1); end $$")
             .has_any(SqlTrait::advisory_lock | load | static_cast<std::uint32_t>(other)));
  CHECK(!sql_traits("do $$ begin load := 'a'; end $$").has(load));
  CHECK(!sql_traits("do $$ begin perform f(load); end $$").has(load));
  CHECK(!sql_traits("select $$ load 'x', setseed(1) $$").has_any(load | other));
}
