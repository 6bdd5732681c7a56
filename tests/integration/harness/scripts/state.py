"""What a session holds on its server connection: temporary tables, held cursors, locks, channels, sequences."""

from harness.differential import Script, group, simple
from harness.raw import parse, unnamed
from harness.scripts.prepared import use
from harness.scripts.simple import each

LOCKS = "select objid, mode from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() order by 1, 2"
SEQUENCE = """drop sequence if exists diff_seq; create sequence diff_seq;
grant all on sequence diff_seq to public"""
SCRIPTS = [
    Script("temporary tables", each(
        "create temporary table diff_temp (n int)", "insert into diff_temp values (1), (2)",
        "select * from diff_temp", "select * from diff_temp", "begin", "update diff_temp set n = n + 1",
        "rollback", "select * from diff_temp", "drop table diff_temp", "select * from diff_temp",
        "select 1 into temp diff_temp", "select * from diff_temp", "discard temp",
        "select * from diff_temp", "create temp table diff_temp as select 5 as n", "table diff_temp",
        "discard all", "table diff_temp"), holds=True),
    Script("temporary tables of a transaction", each(
        "begin", "create temp table diff_temp (n int) on commit drop", "insert into diff_temp values (1)",
        "table diff_temp", "commit", "table diff_temp", "begin", "create temp table diff_temp (n int)",
        "rollback", "table diff_temp", "create temp table diff_temp (n int) on commit delete rows",
        "insert into diff_temp values (1)", "table diff_temp", "create temp view diff_temp_view as select 1",
        "table diff_temp_view", "drop view diff_temp_view", "drop table diff_temp"), holds=True),
    Script("other temporary things", each(
        "create temp sequence diff_temp_seq", "select nextval('diff_temp_seq')",
        "select currval('diff_temp_seq')", "create function pg_temp.diff_f() returns int language sql as"
        " 'select 6'", "select pg_temp.diff_f()", "select pg_temp.diff_f()", "create temp table a (n int)",
        "create temp table a (n int)", "create temp table if not exists a (n int)",
        "insert into pg_temp.a values (3)", "select * from pg_temp.a", "drop table a", "discard temp"),
        holds=True),
    # A session that has had a temporary schema before plans otherwise: this one has it from the start.
    Script("a temporary table hides another", [
        simple("create temp table diff_temp (n int)"),
        group(parse("select name from diff_items where id = 1", "s")), group(use("s")),
        simple("create temp table diff_items as select 1 as id, 'hidden'::text as name"), group(use("s")),
        simple("select name from diff_items where id = 1"), simple("drop table pg_temp.diff_items"),
        group(use("s")), simple("select name from diff_items where id = 1")], holds=True),
    Script("cursors that are held", each(
        "declare c cursor with hold for select generate_series(1, 5)", "fetch 2 from c", "fetch 1 from c",
        "begin", "fetch 1 from c", "rollback", "fetch 1 from c", "fetch all from c", "close c", "fetch c",
        "begin", "declare d cursor with hold for select 7", "commit", "fetch d", "close all", "fetch d",
        "begin", "declare e cursor with hold for select 8", "rollback", "fetch e",
        "declare f cursor with hold for select 9", "discard all", "fetch f"), holds=True),
    Script("listening to oneself", each(
        "listen diff_news", "notify diff_news, 'one'", "select pg_notify('diff_news', 'two')", "begin",
        "notify diff_news, 'three'", "notify diff_news, 'three'", "notify diff_news, 'four'",
        "select 'still inside'", "commit", "begin", "notify diff_news, 'never'", "rollback",
        "select pg_listening_channels()", "unlisten diff_news", "notify diff_news, 'unheard'",
        "listen \"Odd Channel\"", "notify \"Odd Channel\"", "unlisten *", "notify \"Odd Channel\"", "begin",
        "listen diff_news", "rollback", "notify diff_news, 'unheard too'",
        "listen diff_news", "discard all", "notify diff_news, 'unheard again'"), holds=True),
    Script("notify by the extended protocol", [
        group(unnamed("listen diff_more")), group(unnamed("select pg_notify('diff_more', $1)", ["x"])),
        group(unnamed("select 1")), simple("begin", "notify diff_more, 'y'", "commit", "select 1"),
        simple("notify diff_more, ''; select 2"), simple("unlisten diff_more")], holds=True),
    Script("advisory locks of a session", each(
        "select pg_try_advisory_lock(71)", "select pg_try_advisory_lock(71)", LOCKS,
        "select pg_advisory_unlock(71)", LOCKS, "select pg_advisory_unlock(71)",
        "select pg_advisory_unlock(71)", LOCKS, "select pg_advisory_lock(72), pg_advisory_lock_shared(73)",
        LOCKS, "begin", "select pg_advisory_lock(74)", "rollback", LOCKS, "select pg_advisory_unlock_all()",
        LOCKS, "select pg_advisory_lock(7, 8)", LOCKS, "discard all", LOCKS,
        "select pg_advisory_unlock_shared(73)"), holds=True),
    Script("advisory locks of a transaction", each(
        "begin", "select pg_advisory_xact_lock(81)", LOCKS, "select pg_try_advisory_xact_lock_shared(82)",
        "commit", LOCKS, "select pg_advisory_xact_lock(83)", LOCKS)),
    Script("a lock taken by a function", [
        *each("create function diff_lock() returns bool language sql as 'select pg_try_advisory_lock(91)'",
              "select diff_lock()", LOCKS, LOCKS, "select pg_advisory_unlock(91)", LOCKS,
              "drop function diff_lock")],
        setup="drop function if exists diff_lock", holds=True),
    Script("sequences", each(
        "select nextval('diff_seq')", "select currval('diff_seq')", "select lastval()", "begin",
        "select nextval('diff_seq')", "select currval('diff_seq'), lastval()", "commit",
        "select currval('diff_seq')", "select setval('diff_seq', 50)", "select nextval('diff_seq')",
        "discard sequences", "select lastval()"), holds=True,
        setup=SEQUENCE),
    Script("before anything was taken from a sequence", each(
        "select lastval()", "select currval('diff_seq')"),
        setup=SEQUENCE),
    Script("load and random seeds", each(
        "load 'plpgsql'", "load 'nowhere'", "select setseed(0.5)", "select 1"), holds=True, user="owner"),
    Script("temporary tables made by text nobody sees", each(
        "do $$ begin create temp table diff_hidden (n int); end $$", "insert into diff_hidden values (3)",
        "table diff_hidden", "table diff_hidden", "do $$ begin drop table diff_hidden; end $$",
        "table diff_hidden"), holds=True),
]
