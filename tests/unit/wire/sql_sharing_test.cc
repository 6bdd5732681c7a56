#include "wire/sql_sharing.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "tests/unit/wire/bytes.h"
#include "wire/sql_traits.h"

using wire::SharingMode;
using wire::SharingRefusal;
using wire::SqlForm;
using wire::SqlSharing;

namespace {

constexpr wire::SharingTerms reads{.standard_conforming_strings = true};
constexpr wire::SharingTerms all{.mode = SharingMode::all, .standard_conforming_strings = true};

wire::SharingTerms parsed(wire::SharingTerms terms) {
  terms.form = SqlForm::parse;
  return terms;
}

SharingRefusal refusal(std::string_view sql, wire::SharingTerms terms = reads) {
  return wire::sql_sharing(sql, terms).refusal;
}

// What is a read shares in both modes, and as a read.
void check_reads(std::initializer_list<std::string_view> texts) {
  for (const std::string_view sql : texts) {
    CAPTURE(sql);
    for (const wire::SharingTerms terms : {reads, all, parsed(reads), parsed(all)}) {
      const SqlSharing sharing = wire::sql_sharing(sql, terms);
      CHECK(to_string(sharing.refusal) == "none");
      CHECK_FALSE(sharing.writes);
    }
  }
}

void check_refused(SharingRefusal expected, std::initializer_list<std::string_view> texts,
                   wire::SharingTerms terms) {
  for (const std::string_view sql : texts) {
    CAPTURE(sql);
    CHECK(to_string(refusal(sql, terms)) == to_string(expected));
  }
}

// Refused in both modes.
void check_refused(SharingRefusal expected, std::initializer_list<std::string_view> texts) {
  check_refused(expected, texts, reads);
  check_refused(expected, texts, all);
}

// Refused with `reads`, a write with `all`.
void check_writes(SharingRefusal expected, std::initializer_list<std::string_view> texts) {
  check_refused(expected, texts, reads);
  for (const std::string_view sql : texts) {
    CAPTURE(sql);
    const SqlSharing sharing = wire::sql_sharing(sql, all);
    CHECK(to_string(sharing.refusal) == "none");
    CHECK(sharing.writes);
  }
}

}  // namespace

TEST_CASE("sql sharing: plain reads share") {
  check_reads({
      "SELECT 1",
      "select 1;",
      "SELECT 1;\n",
      " \t\nSELECT abalance FROM pgbench_accounts WHERE aid = 17;",
      "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
      "VALUES (1, 'a'), (2, 'b')",
      "TABLE t",
      "TABLE s.t",
      "(SELECT 1)",
      "((SELECT 1)) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 3",
      "SELECT 1 UNION SELECT 2 INTERSECT (VALUES (3)) EXCEPT TABLE t",
      "/* a */ SELECT -- b\n 1 /* c /* d */ e */",
      "SELECT * FROM a JOIN b USING (x) LEFT JOIN c ON (c.y = b.y) WHERE a.z IN (1, 2, 3)",
      "SELECT * FROM a WHERE EXISTS (SELECT FROM b WHERE b.x = a.x) AND NOT (a.y IS NULL)",
      "SELECT a.x, (SELECT max(y) FROM b WHERE b.x = a.x) FROM a ORDER BY 2 DESC NULLS LAST",
      "SELECT CASE WHEN a THEN (1) ELSE (2) END FROM t",
      "SELECT CAST(x AS numeric(10, 2)), y::varchar(10), z::character varying (20), q::s.dom(3)",
      "SELECT ARRAY(SELECT 1), ARRAY[1, 2], ROW(1, 2), (1, 2) = ANY (SELECT a, b FROM t)",
      "SELECT DISTINCT ON (a) b FROM t",
      "SELECT x FROM t WHERE x LIKE ('a' || 'b') AND y BETWEEN (1) AND (2)",
      "SELECT interval '1 day', timestamp (3) '2020-01-01', current_timestamp (3), DATE "
      "'2020-01-01'",
      "SELECT now() AT TIME ZONE ('UTC')",
      "SELECT share, no, key, temp FROM t",
      "SELECT substring(a from 1 for 2) FROM t",
      "SELECT E'\\'', $$'$$, $a$ '\" $a$",
      "SELECT \"drop\", \"a\"\"b\" FROM \"begin\"",
  });
}

TEST_CASE(
    "sql sharing: known functions share, and tell whether their names stand without a schema") {
  check_reads({
      "SELECT count(*), lower (name), \"upper\"(name), coalesce(a, b), EXTRACT(year FROM now()) "
      "FROM t",
      "SELECT count(*) FILTER (WHERE a) OVER (PARTITION BY b ORDER BY (c)) FROM t",
      "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FILTER (WHERE y) FROM t GROUP BY (z)",
      "SELECT rank() OVER w FROM t WINDOW w AS (PARTITION BY lower(x))",
      "SELECT * FROM unnest($1::int[]) AS u(id), unnest($2::text[]) WITH ORDINALITY v(name, n)",
      "SELECT * FROM unnest($1::int[]) u (id)",
      "SELECT * FROM json_to_recordset($1) AS r(id int, price numeric(10, 2))",
      "SELECT * FROM ROWS FROM (unnest($1::int[]), jsonb_each($2)) AS r(a, b, c)",
      "SELECT * FROM t GROUP BY GROUPING SETS ((a), (b))",
  });
  CHECK(wire::sql_sharing("SELECT lower(x)", reads).unqualified);
  CHECK(wire::sql_sharing("SELECT pg_catalog.upper(x), lower(x)", reads).unqualified);
  CHECK_FALSE(wire::sql_sharing("SELECT pg_catalog.lower(x), pg_catalog . \"upper\" (y)", reads)
                  .unqualified);
  CHECK_FALSE(wire::sql_sharing("SELECT coalesce(x, 1), extract(year FROM y)", reads).unqualified);
  CHECK_FALSE(wire::sql_sharing("SELECT x FROM lower", reads).unqualified);
}

TEST_CASE("sql sharing: a function of a user's own does not pass for one that is known") {
  check_writes(
      SharingRefusal::unknown_function,
      {
          "SELECT mine()",
          "SELECT public.lower(x)",
          "SELECT \"LOWER\"(x)",
          "SELECT db.pg_catalog.lower(x)",
          "SELECT \"pg_catalog \".lower(x)",
          "SELECT pg_catalogx.lower(x)",
          "SELECT mine (1)",
          "SELECT mine/**/(1)",
          "SELECT mine--\n(1)",
          "SELECT \"mine\"(1)",
          "SELECT lower(mine(x))",
          "SELECT coalesce(mine(), 1)",
          "SELECT 1 WHERE NOT mine(x)",
          "SELECT 1mine(x)",
          "SELECT $1mine(x)",
          "SELECT 1 + .5 mine(x)",
          // Where the grammar would let a column list or a type stand nearby.
          "SELECT DISTINCT ON (a) mine(b) FROM t",
          "SELECT DISTINCT ON (a, (b)) mine(b) FROM t",
          "SELECT DISTINCT ON (lower(a)) mine(b) FROM t",
          "SELECT 1 OPERATOR (pg_catalog.+) mine(1)",
          "SELECT a[1:mine(2)] FROM t",
          "SELECT x::int, mine(y) FROM t",
          "SELECT * FROM t GROUP BY mine(x)",
          "SELECT * FROM t ORDER BY mine(x)",
          "SELECT * FROM t ORDER BY a, mine(x)",
          "SELECT * FROM a JOIN b ON mine(a, b)",
          "SELECT * FROM a, mine(1)",
          "SELECT * FROM a CROSS JOIN mine(1)",
          "SELECT * FROM a, LATERAL mine(a.x)",
          "SELECT * FROM (SELECT 1) t, mine(2)",
          "SELECT * FROM unnest($1) t(a), mine(2)",
          "SELECT * FROM f() AS (a int), mine(2)",
          "SELECT * FROM ROWS FROM (mine(1), unnest($1)) t(a, b)",
          "WITH a AS (SELECT 1), b AS (SELECT mine()) SELECT 1",
          "WITH a AS (SELECT 1) SELECT mine() FROM a",
          "SELECT lag(x) OVER (ORDER BY mine(x)) FROM t WINDOW w AS (PARTITION BY mine(y))",
          "SELECT * FROM t LIMIT mine()",
          "SELECT x IN (mine(1)), x = ANY (mine(2))",
          "SELECT CAST(mine(1) AS text)",
          "SELECT t.mine(1)",
          // Words of the grammar that may name a function too.
          "SELECT by(1)",
          "SELECT sets(1), zone(2), varying(3)",
          "SELECT over(1), filter(2)",
          "SELECT materialized(1)",
          "SELECT NOT materialized(x)",
          "SELECT join(1)",
          "SELECT is(1)",
          "SELECT s.coalesce(1), s.values(1)",
          "SELECT \"coalesce\"(1), \"select\"(2)",
          "SELECT mine(values) FROM t",
          "SELECT mine(values, 1) FROM t",
          "VALUES (mine(1))",
          "SELECT * FROM t TABLESAMPLE mine(1)",
      });
}

TEST_CASE("sql sharing: common table expressions and derived tables may name their columns") {
  check_reads({
      "WITH a AS (SELECT 1) SELECT * FROM a",
      "WITH a (x, y) AS (SELECT 1, 2), b (z) AS MATERIALIZED (SELECT x FROM a), c (q) AS NOT "
      "MATERIALIZED (TABLE a) SELECT * FROM b, c",
      "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) TABLE n",
      "WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM a",
      "WITH a AS ((SELECT 1)), b (x) AS (SELECT 2) SELECT 1",
      "(WITH a AS (SELECT 1) SELECT * FROM a)",
      "SELECT * FROM (VALUES (1, 'a')) AS v (id, name)",
      "SELECT * FROM (VALUES (1, 'a')) v (id, name)",
      "SELECT * FROM t JOIN (SELECT 1) q (a) ON true JOIN (VALUES (1), (2)) r (b) ON true",
      "SELECT * FROM t, (SELECT 1) AS q (a), LATERAL (SELECT t.x) l (b)",
  });
}

TEST_CASE("sql sharing: writes share with `all` only, and are known for writes") {
  check_writes(
      SharingRefusal::write,
      {
          "INSERT INTO t VALUES (1)",
          "INSERT INTO s.t (a, b) VALUES ($1, $2) RETURNING a",
          "INSERT INTO t AS x (a) SELECT 1 ON CONFLICT (a) DO UPDATE SET (a, b) = (1, 2)",
          "INSERT INTO t DEFAULT VALUES",
          "UPDATE t SET a = a + 1 WHERE id = $1",
          "DELETE FROM t WHERE id = $1",
          "MERGE INTO t USING s ON (t.a = s.a) WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
          "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x",
          "WITH x AS (SELECT 1), y (b) AS (DELETE FROM t RETURNING 1) SELECT 1",
          "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
          "WITH x AS (SELECT 1) UPDATE t SET a = 1",
          "WITH x AS (WITH y AS (SELECT 1) SELECT 1) DELETE FROM t",
          "wItH x As MATERIALIZED (UPDATE t SET a = 1 RETURNING 1) TABLE x",
      });
  CHECK(refusal("INSERT INTO temp (a) VALUES (1)", all) == SharingRefusal::none);
  // A column of such a name: refused for nothing.
  CHECK(refusal("SELECT update FROM t") == SharingRefusal::write);
}

TEST_CASE("sql sharing: a query INTO a table makes one") {
  check_refused(SharingRefusal::definition, {
                                                "SELECT 1 INTO t",
                                                "SELECT a, b INTO TEMP t FROM s",
                                                "SELECT/**/1 into/**/unlogged t",
                                                "WITH x AS (SELECT 1) SELECT * INTO t FROM x",
                                                "(SELECT 1 INTO t)",
                                                "SELECT \"insert\" INTO t FROM s",
                                            });
  // The column `insert`, or a name like it, before INTO.
  check_refused(
      SharingRefusal::definition,
      {
          "SELECT insert INTO t FROM s",
          "SELECT insert INTO TEMP t FROM s",
          "SELECT (a) insert INTO t FROM s",
          "SELECT a, merge INTO t FROM s",
          "WITH x AS (SELECT 1) SELECT (1) insert INTO t FROM x",
          "WITH x AS (SELECT 1) SEARCH DEPTH FIRST BY a SET b SELECT (1) insert INTO t FROM x",
          "WITH x AS (SELECT 1) VALUES (1) insert INTO t",
          "INSERT INTO t SELECT insert INTO u FROM s",
      },
      all);
}

TEST_CASE("sql sharing: what locks rows, waits, or is not local is refused") {
  check_refused(SharingRefusal::row_lock, {
                                              "SELECT * FROM t FOR UPDATE",
                                              "SELECT * FROM t FOR/**/NO KEY UPDATE",
                                              "SELECT * FROM t for share",
                                              "SELECT * FROM t FOR KEY SHARE SKIP LOCKED",
                                              "SELECT * FROM (SELECT * FROM t FOR UPDATE) x",
                                          });
  check_refused(SharingRefusal::wait, {"SELECT pg_sleep(1)", "SELECT pg_catalog.pg_sleep_for('1s')",
                                       "SELECT \"pg_sleep\" (1)"});
  check_refused(SharingRefusal::remote,
                {"SELECT * FROM dblink('x', 'y') AS t(a int)", "SELECT public.dblink_exec('x')"});
  check_refused(SharingRefusal::large_result,
                {"SELECT * FROM generate_series(1, $1)", "SELECT repeat('a', $1)"});
  check_refused(SharingRefusal::server_control, {"SELECT pg_terminate_backend($1)",
                                                 "SELECT pg_logical_emit_message(true, 'a', 'b')"});
  check_refused(SharingRefusal::sql_text,
                {"SELECT query_to_xml('x', true, true, '')", "SELECT * FROM crosstab4('x')",
                 "SELECT ts_stat('x')", "SELECT ts_rewrite(a, 'x')"});
  check_refused(SharingRefusal::large_object, {"SELECT lo_import('x')", "SELECT loread(1, 2)"});
}

TEST_CASE("sql sharing: session state is refused in every spelling") {
  check_refused(SharingRefusal::advisory_lock,
                {"SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock_shared(1)",
                 "SELECT pg_catalog.pg_advisory_xact_lock(1)", "SELECT PG_ADVISORY_UNLOCK_ALL()",
                 "SELECT \"pg_try_advisory_xact_lock\"(1)"});
  check_refused(SharingRefusal::setting,
                {"SELECT set_config('a', 'b', false)", "SELECT * FROM pg_settings",
                 "TABLE pg_catalog.\"pg_settings\""},
                all);
  check_refused(SharingRefusal::setting, {"UPDATE pg_settings SET setting = 1"}, all);
  check_refused(SharingRefusal::sequence_value, {"SELECT nextval('s')", "SELECT setval('s', 1)"});
  check_refused(SharingRefusal::sequence_value,
                {"SELECT currval('s')", "SELECT lastval()", "INSERT INTO t VALUES (lastval())"},
                all);
  check_refused(SharingRefusal::temporary, {"SELECT * FROM pg_temp.t", "TABLE pg_temp_3.t"});
  check_refused(SharingRefusal::session_state,
                {"SELECT * FROM pg_cursors", "TABLE pg_prepared_statements",
                 "SELECT pg_listening_channels()"});
  check_refused(SharingRefusal::session_state, {"SELECT setseed(0.5)", "SELECT mine(setseed(1))"},
                all);
  check_refused(SharingRefusal::escaped_name, {"SELECT U&\"p\\0067_sleep\"(1)", "SELECT u&'a'",
                                               "SELECT * FROM U&\"t\" UESCAPE '!'"});
  // With `all` nothing else would stop what a server's locale may fold to pg_advisory_lock.
  check_refused(SharingRefusal::escaped_name, {"SELECT PG_ADV\xdd"
                                               "SORY_LOCK(1)"});
  check_refused(SharingRefusal::unknown_function, {"SELECT SET_CONF\xdd"
                                                   "G('a', 'b', false)"});
  check_refused(SharingRefusal::unknown_function,
                {"SELECT pg_export_snapshot()", "SELECT pg_catalog.amvalidate(1)"});
}

TEST_CASE("sql sharing: the first word decides what a statement is") {
  const auto first = [](SharingRefusal expected, std::initializer_list<std::string_view> texts) {
    check_refused(expected, texts);
    check_refused(expected, texts, parsed(reads));
  };
  first(SharingRefusal::transaction,
        {"BEGIN", "begin;", "/* */ COMMIT", "ROLLBACK", "START TRANSACTION", "SAVEPOINT a", "END",
         "RELEASE a", "ABORT", "LOCK t", "COMMIT PREPARED 'a'", "(BEGIN)"});
  first(SharingRefusal::setting, {"SET a = 1", "SET LOCAL a = 1", "RESET ALL", "DISCARD ALL"});
  first(SharingRefusal::prepared_statement, {"PREPARE a AS SELECT 1", "EXECUTE a", "DEALLOCATE a"});
  first(SharingRefusal::cursor, {"DECLARE c CURSOR FOR SELECT 1", "FETCH c", "CLOSE c", "MOVE c"});
  first(SharingRefusal::listen, {"LISTEN a", "UNLISTEN *"});
  first(SharingRefusal::copy, {"COPY t TO STDOUT"});
  first(SharingRefusal::code, {"DO $$ BEGIN END $$", "CALL p()", "LOAD 'x'"});
  first(SharingRefusal::definition, {"CREATE TABLE t (a int)", "DROP TABLE t", "TRUNCATE t",
                                     "ALTER TABLE t ADD a int", "GRANT a TO b"});
  first(SharingRefusal::maintenance, {"VACUUM", "ANALYZE t", "CHECKPOINT", "CLUSTER"});
  first(SharingRefusal::utility, {"EXPLAIN SELECT 1", "EXPLAIN ANALYZE DELETE FROM t",
                                  "EXPLAIN (ANALYZE) SELECT 1", "NOTIFY a", "SHOW a"});
  first(SharingRefusal::unknown_statement,
        {"\"select\" 1", "1", "'a'", "SELECTx 1", "\\d", "()", "?", "\xc3\xa4", "PREPAREx", "$1"});
  first(SharingRefusal::empty, {"", " \n", ";", "-- a", "/* a */", " ; "});
}

TEST_CASE(
    "sql sharing: a Query with a semicolon that is not its last character is not judged any "
    "further") {
  check_refused(SharingRefusal::several_statements,
                {"SELECT 1; SELECT 2", "SELECT 1; BEGIN", ";SELECT 1", "SELECT 1;;", "SELECT ';'",
                 "SELECT $$;$$", "SELECT 1; -- a", "SELECT 1;/**/"});
  CHECK(refusal("SELECT 1 -- ;\n") == SharingRefusal::none);
  // PostgreSQL refuses several statements in a Parse.
  CHECK(refusal("SELECT ';', \";\", $$;$$ /* ; */;;", parsed(reads)) == SharingRefusal::none);
  CHECK(refusal("SELECT 1; SELECT 2", parsed(reads)) == SharingRefusal::several_statements);
  CHECK(refusal(";SELECT 1", parsed(reads)) == SharingRefusal::several_statements);
  CHECK(refusal("SELECT (1;)", parsed(reads)) == SharingRefusal::unreadable);
}

TEST_CASE(
    "sql sharing: without standard_conforming_strings a backslash in a plain string is not read") {
  wire::SharingTerms unknown = reads;
  unknown.standard_conforming_strings = false;
  // On: the string ends before the second one. Off: the string goes on, and pg_sleep is called.
  const std::string_view trap = "SELECT '\\', ' || pg_sleep(1) || '";
  check_refused(SharingRefusal::backslash,
                {trap, "SELECT 'a\\b'", "SELECT N'\\'", "SELECT 'a' 'b\\'"}, unknown);
  CHECK(refusal("SELECT E'\\'', $$\\$$, \"\\\" /* \\ */ -- \\", unknown) == SharingRefusal::none);
  CHECK(refusal("SELECT 'a\\b'") == SharingRefusal::none);
}

TEST_CASE("sql sharing: what is not closed, too long or too deep is refused") {
  check_refused(SharingRefusal::unreadable,
                {"SELECT 'a", "SELECT \"a", "SELECT \"pg_cursors_", "SELECT $$a", "SELECT /* a",
                 "SELECT E'a\\'", "SELECT (1", "SELECT 1)", "SELECT (1))",
                 std::string_view("SELECT 1\0", 9)});
  std::string sql = "SELECT 1";
  sql.resize(wire::shared_text_size_max, ' ');
  CHECK(refusal(sql) == SharingRefusal::none);
  sql += ' ';
  CHECK(refusal(sql) == SharingRefusal::too_long);
  const auto nested = [](std::size_t depth) {
    return "SELECT " + std::string(depth, '(') + "1" + std::string(depth, ')');
  };
  CHECK(refusal(nested(64)) == SharingRefusal::none);
  CHECK(refusal(nested(65)) == SharingRefusal::unreadable);
}

TEST_CASE("sql sharing: in an encoding that is not ASCII's superset only ASCII shares") {
  wire::SharingTerms unsafe = reads;
  unsafe.ascii_safe_encoding = false;
  CHECK(refusal("SELECT 'a'", unsafe) == SharingRefusal::none);
  CHECK(refusal("SELECT '\x83\x5c'", unsafe) == SharingRefusal::encoding);
  CHECK(refusal("SELECT '\xc3\xa4', \xc3\xa4 FROM t") == SharingRefusal::none);
}

TEST_CASE("sql sharing: a refusal tells where") {
  const std::string_view sql = "SELECT a, s.mine(b) FROM t";
  const SqlSharing sharing = wire::sql_sharing(sql, reads);
  CHECK(sql.substr(sharing.offset, sharing.length) == "mine");
}
