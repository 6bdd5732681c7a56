"""Simple queries, transactions, errors, notices."""

from harness.differential import PLAIN_USER, Script, Step, pipeline, simple
from harness.raw import query, sync

WORK = """drop table if exists diff_work;
create table diff_work (id int primary key, name text not null, amount numeric default 0);
insert into diff_work values (1, 'one', 1), (2, 'two', 2);
grant all on diff_work to public"""
GONE = "drop table if exists diff_made, diff_other; drop view if exists diff_view"


def each(*texts):
    """A step for each text."""
    return [simple(text) for text in texts]


SCRIPTS = [
    Script("select of every kind", each(
        "select 1", "select", "select null", "select 1 as a, 'two' as b, null::int as c, 1.5, true",
        "values (1, 'a'), (2, 'b')", "table diff_items", "select * from diff_items where id > 100",
        "select name, made, price from diff_items where id in (1, 21) order by id",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select * from n",
        "explain (costs off) select 1", "show server_version_num")),
    Script("writes and their tags", each(
        "insert into diff_work values (3, 'three', 3), (4, 'four', 4)",
        "insert into diff_work values (1, 'x', 9) on conflict (id) do update set amount = 9"
        " returning id, name, amount",
        "update diff_work set amount = amount + 1", "update diff_work set amount = 0 where id = 77",
        "delete from diff_work where id > 2 returning *", "truncate diff_work",
        "select count(*) from diff_work",
        "merge into diff_work w using (values (5, 'five')) v(i, n) on w.id = v.i"
        " when not matched then insert values (v.i, v.n, 5)"), setup=WORK),
    Script("tables are made and changed", each(
        "create table diff_made (n int)", "insert into diff_made values (1)",
        "alter table diff_made add column t text default 'new'", "select * from diff_made",
        "create index on diff_made (n)", "create view diff_view as select n from diff_made",
        "select * from diff_view", "drop view diff_view", "create table diff_made (n int)",
        "create table if not exists diff_made (n int)", "vacuum diff_made", "analyze diff_made",
        "drop table diff_made", "drop table diff_made", "drop table if exists diff_made",
        "select * from diff_made"), setup=GONE),
    Script("several statements in one query", each(
        "select 1; select 2; select 3", "select 1;; select 2;", "select 1; select 1/0; select 2",
        "insert into diff_work values (7, 'seven', 7); select 1/0",
        "select count(*) from diff_work where id = 7",
        "insert into diff_work values (8, 'eight', 8); select 1; delete from diff_work where id = 8",
        "begin; select 1; commit; select 2", "begin; select 1/0; commit", "rollback",
        "select 1; begin; select 2", "select 3; commit; select 4", "select 1; syntax error; select 2",
        "begin; insert into diff_work values (9, 'nine', 9); commit; select 1/0",
        "select count(*) from diff_work where id = 9"), setup=WORK),
    Script("empty queries", each("", ";", " ; ; ", "-- a comment", "/* another */", "select 1")),
    Script("errors outside a transaction", each(
        "selec 1", "select 1 +", "select 1/0", "select * from nowhere", "select nothing",
        "insert into diff_work values (1, 'again', 1)", "insert into diff_work values (5, null, 1)",
        "select 'x'::int", "select 'unfinished", "select $1", "select \"", "select 5.5.5",
        "select nosuch(1)", "select cast('2026-02-30' as date)", "select 1 where 'x' = 5.5.5",
        "do $$ begin raise exception using errcode = 'P0042', message = 'mine', detail = 'more',"
        " hint = 'none', table = 'diff_work', column = 'c', schema = 's', datatype = 'd',"
        " constraint = 'k'; end $$", "do $$ begin perform 1/0; end $$", "select 1"), setup=WORK),
    Script("errors inside a transaction", each(
        "begin", "select 1/0", "select 1", "selec", "savepoint a", "", "rollback", "select 1",
        "begin", "insert into diff_work values (1, 'again', 1)", "commit", "select 1",
        "begin", "insert into diff_work values (6, 'six', 6)", "select 1/0", "end",
        "select count(*) from diff_work"), setup=WORK),
    Script("transactions in every form", each(
        "begin", "commit", "begin work", "rollback work", "begin transaction", "abort",
        "start transaction", "end", "begin isolation level serializable", "show transaction_isolation",
        "commit and chain", "show transaction_isolation", "rollback and no chain",
        "begin read only", "insert into diff_work values (5, 'five', 5)", "rollback",
        "start transaction isolation level repeatable read, read write, not deferrable", "select 1",
        "commit work", "begin; commit", "begin;", "rollback ;", "BEGIN", "/* c */ COMMIT",
        "begin transaction read only", "set transaction read write", "commit",
        "set transaction isolation level serializable", "show transaction_isolation"), setup=WORK),
    Script("warnings about transactions", each(
        "commit", "rollback", "begin", "begin", "begin isolation level serializable", "commit",
        "commit", "commit and chain", "set local work_mem = '1MB'", "savepoint a",
        "release savepoint a", "rollback to a", "begin", "begin; begin; commit; commit", "rollback")),
    Script("savepoints", each(
        "select 0", "select 0", "begin", "savepoint a", "insert into diff_work values (3, 'three', 3)", "savepoint b",
        "select 1/0", "select 1", "rollback to b", "select count(*) from diff_work", "rollback to a",
        "select count(*) from diff_work", "release a", "release a", "rollback to savepoint nowhere",
        "rollback", "begin", "savepoint \"Odd name\"", "rollback to \"Odd name\"", "commit"),
        setup=WORK),
    Script("begin, update and commit without reading", [
        simple("begin", "update diff_work set amount = amount + 1 where id = 1", "commit"),
        simple("select amount from diff_work order by id"),
        simple("begin", "update diff_work set amount = 1/0", "commit", "select 1"),
        simple("begin", "select 1", "rollback", "begin", "select 2", "commit"),
        simple("begin", "begin", "commit", "commit"),
        simple("begin", "selec", "begin", "rollback", "select amount from diff_work order by id"),
        *[simple("begin", f"select {number}", "commit") for number in range(10)]], setup=WORK),
    Script("many simple queries without reading", [
        simple(*[f"select {number}, 'row {number}'" for number in range(200)]),
        simple("select 1", "selec", "", "select 2", "select 1/0", "select 3")]),
    Script("status bytes", [
        simple("select 0"), simple("select 0"),
        pipeline(sync(), query("begin"), sync(), query("select 1/0"), sync(), query("commit"), sync(),
                 ready=7),
        simple("begin"), Step(sync()), simple("rollback"), Step(sync())]),
    Script("notices", each(
        "do $$ begin raise notice 'one'; raise warning 'two' using hint = 'h', detail = 'd'; end $$",
        "do $$ begin for i in 1..50 loop raise notice 'number %', i; end loop; end $$",
        "drop table if exists diff_nowhere", "begin",
        "do $$ begin raise notice 'inside'; end $$", "commit",
        "set client_min_messages = error", "do $$ begin raise notice 'unheard'; end $$",
        "reset client_min_messages", "do $$ begin raise notice 'heard'; end $$",
        "do $$ begin raise debug 'unheard'; end $$")),
    Script("large rows", each(
        "select repeat('x', 100000)", "select repeat('y', 3000000), 1",
        "select repeat('z', 1000) from generate_series(1, 2000)", "select generate_series(1, 20000)",
        "select '" + "q" * 300000 + "'", "select repeat('x', 70000), 1/0", "select 1")),
    Script("odd characters", each(
        "select 'ä€𝄞', U&'\\0041', E'\\n\\t', '''', $$a;b$$, $x$;$$;$x$, 'a;b'",
        "select 1 /* ; /* nested */ ; */ ; select '--'", "select \"ä;\" from (select 1 as \"ä;\") x",
        "select e'\\'; select 2; --'", b"select 'wrong \xff'", "select '\u0130'",
        "begin /* ; */; select $a$ commit; $a$; end --")),
    Script("what may not run in a transaction", each(
        "begin", "vacuum diff_work", "rollback", "vacuum diff_work; select 1", "select 1; vacuum diff_work",
        "begin", "create database diff_never", "rollback", "reindex (verbose off) table diff_work",
        "begin", "discard all", "rollback", "begin", "lock table diff_work in share mode", "commit",
        "lock table diff_work"), setup=WORK + f"; alter table diff_work owner to {PLAIN_USER}"),
    Script("procedures that commit", each(
        "create procedure diff_proc() language plpgsql as $$ begin"
        " insert into diff_work values (10, 'ten', 10); commit;"
        " insert into diff_work values (11, 'eleven', 11); rollback; end $$",
        "call diff_proc()", "select id from diff_work order by 1", "begin",
        "delete from diff_work", "call diff_proc()",
        "rollback", "drop procedure diff_proc"), setup=WORK + "; drop procedure if exists diff_proc"),
    Script("cursors inside a transaction", each(
        "begin", "declare c cursor for select id from diff_items order by id", "fetch 3 from c",
        "move 5 in c", "fetch next from c", "fetch backward 1 from c", "fetch all from c", "close c",
        "fetch c", "rollback", "fetch c", "declare c cursor for select 1", "begin",
        "declare c scroll cursor for select 1", "commit", "fetch c")),
    Script("two-phase is off", each("begin", "select 1", "prepare transaction 'diff'", "select 1",
                                    "commit prepared 'diff'", "rollback prepared 'diff'")),
    Script("deferred constraints", each(
        "create table diff_made (n int unique deferrable initially deferred)",
        "begin", "insert into diff_made values (1), (1)", "commit", "select count(*) from diff_made",
        "begin", "insert into diff_made values (1), (1)", "set constraints all immediate", "commit",
        "insert into diff_made values (1), (1)", "drop table diff_made"), setup=GONE),
    Script("protocol of the unknown kind in a query's text", each(
        "select 1\n\n\t;\r\n", "\n", "SELECT/**/1", "(select 1) union (select 2) order by 1",
        "select set_config('no_dot', '1', false)", "declare", "fetch", "prepare", "execute", "copy",
        "listen", "deallocate", "discard", "set", "reset", "show")),
]
