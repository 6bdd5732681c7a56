"""Named statements of the protocol: made in one transaction, used in many others."""

from harness.differential import Script, Step, group, partly, pipeline, simple
from harness.raw import (bind, close, describe, execute, flush, parse, query, sync, unnamed)
from harness.scripts.extended import INT4, INT8, TEXT, bind_as, int4
from harness.scripts.simple import WORK

LONG = "n" * 200
ODD_NAMES = ["with space", "ünï€𝄞", "quo\"te'd", "pgring_0_1", "__pgring", "S_1", "\t", LONG, LONG + "!"]


def use(name, *values):
    """Bind, Describe and Execute."""
    return bind(values, statement=name) + describe() + execute()


SCRIPTS = [
    Script("a statement is used in many transactions", [
        group(parse("select $1::int + 1", "s")), *[group(use("s", number)) for number in range(8)],
        simple("begin"), group(use("s", 100)), group(use("s", 101)), simple("commit"),
        group(use("s", 102)), group(close("S", "s")), group(use("s", 103))]),
    Script("a statement is described later", [
        group(parse("select id, name from diff_items where id = $1", "s")), group(describe("S", "s")),
        simple("select 1"), group(describe("S", "s"), use("s", 3)), group(describe("S", "s")),
        group(close("S", "s")), group(describe("S", "s"))]),
    Script("statements are made, used and closed in one group", [
        group(parse("select 1", "s"), use("s"), close("S", "s")),
        group(parse("select 2", "s"), use("s"), close("S", "s"), parse("select 3", "s"), use("s")),
        group(use("s")), group(use("s"), close("S", "s"), use("s")), group(use("s"))]),
    Script("a name is taken", [
        group(parse("select 1", "s")), group(parse("select 1", "s")), group(parse("select 2", "s")),
        group(use("s")), simple("begin"), group(parse("select 2", "s")), group(use("s")),
        simple("rollback"), group(use("s")), group(parse("select 3", "t"), parse("select 4", "t"), use("t")),
        group(use("t"))]),
    Script("unknown names", [
        group(use("nowhere")), group(describe("S", "nowhere")), group(close("S", "nowhere")),
        group(parse("select 1", "s"), use("nowhere"), use("s")), group(use("s")), simple("begin"),
        group(use("nowhere")), group(use("s")), simple("rollback"), group(use("s")),
        group(use(""))]),
    Script("a parse that fails makes no statement", [
        group(parse("selec", "s")), group(use("s")), group(parse("select 1", "s")), group(use("s")),
        group(parse("select * from nowhere", "t")), group(parse("select 2", "t")), group(use("t")),
        group(unnamed("select 1/0"), parse("select 3", "u")), group(use("u")),
        group(parse("select 4", "v"), unnamed("select 1/0")), group(use("v"))]),
    Script("a name gets another text", [
        *[step for number in range(6) for step in (
            group(close("S", "s"), parse(f"select {number}, $1::text", "s")), group(use("s", "a")),
            group(use("s", "b")))]]),
    Script("the same text under several names", [
        group(parse("select $1::int", "a")), group(parse("select $1::int", "b"), use("b", 1)),
        group(close("S", "a"), use("b", 2)), group(use("b", 3)), group(use("a", 4)),
        group(parse("select $1::int", "a", [INT8]), use("a", 5)), group(parse("select $1", "c", [TEXT])),
        group(parse("select $1", "d", [INT4])), group(use("c", 6)), group(use("d", 6)),
        group(describe("S", "c"), describe("S", "d"))]),
    Script("odd names", [
        *[step for name in ODD_NAMES for step in (
            group(parse(f"select {len(name)}, $1::int", name)), group(use(name, 1)))],
        *[group(describe("S", name), use(name, 2)) for name in ODD_NAMES],
        *[group(close("S", name), use(name, 3)) for name in ODD_NAMES]]),
    Script("a statement survives the rollback of its transaction", [
        simple("begin"), group(parse("select 'kept', $1::int", "s")), simple("rollback"),
        group(use("s", 1)), group(use("s", 2)), simple("begin"), group(close("S", "s")),
        simple("rollback"), group(use("s", 3)), simple("begin"), group(parse("select 'kept too'", "t")),
        simple("select 1/0"), simple("commit"), group(use("t")), simple("begin"), simple("savepoint a"),
        group(parse("select 'third'", "u")), simple("rollback to a"), group(use("u")), simple("commit"),
        group(use("u"))]),
    Script("in a failed transaction", [
        group(parse("select 1", "s")), group(parse("rollback", "end")), simple("begin"),
        simple("select 1/0"), group(use("s")), group(parse("select 2", "t")), group(describe("S", "s")),
        group(close("S", "s")), group(use("end")), group(use("s")), group(use("t"))]),
    Script("begin, statement and commit by name", [
        group(parse("begin", "b"), parse("commit", "c"), parse("rollback", "r"),
              parse("insert into diff_work values ($1, $2)", "i"),
              parse("select count(*) from diff_work", "n")),
        *[step for number in range(3) for step in (
            group(use("b")), group(use("i", 10 + number, "x")), group(use("n")),
            group(use("c" if number % 2 else "r")))],
        pipeline(use("b"), sync(), use("i", 20, "y"), sync(), use("n"), sync(), use("c"), sync(), ready=4),
        group(use("b"), use("i", 21, "z"), use("c"), use("n")), group(use("i", 21, "again"), use("n")),
        group(use("n"))], setup=WORK),
    Script("pipelines of statements", [
        group(parse("select $1::int", "s"), parse("select $1::text || '!'", "t")),
        pipeline(*[use("s" if number % 2 else "t", number) + sync() for number in range(60)], ready=60),
        pipeline(parse("select 1", "u"), sync(), use("u"), sync(), close("S", "u"), sync(), use("u"), sync(),
                 parse("select 2", "u"), sync(), use("u"), sync(), ready=6),
        pipeline(use("s", "x"), use("s", 1), sync(), use("s", 2), sync(), use("gone"), sync(), use("t", 3),
                 sync(), ready=4),
        pipeline(query("begin"), use("s", 4), sync(), query("commit"), use("t", 5), sync(), query("select 6"),
                 use("s", 7), sync(), ready=6),
        partly(use("s", 8), flush(), kinds="C"), partly(use("t", 9), flush(), kinds="C"), Step(sync())]),
    Script("wrong parameters of a statement", [
        group(parse("select $1::int", "s")), group(bind([], statement="s"), execute()),
        group(bind([1, 2], statement="s"), execute()), group(use("s", "x")), group(use("s", None)),
        group(bind_as([int4(5)], [1], [1], statement="s"), describe(), execute()),
        group(bind_as([int4(5)], [1, 1], [1], statement="s"), execute()), group(use("s", 6))]),
    Script("portals of a statement", [
        group(parse("select generate_series(1, $1::int)", "s")), simple("begin"),
        group(bind([5], portal="p", statement="s"), execute("p", 2)), group(execute("p", 2)),
        group(bind([3], portal="q", statement="s"), execute("q", 1), execute("p", 9), execute("q", 9)),
        group(close("S", "s")), group(execute("q", 1)), simple("commit"), group(use("s", 1)),
        group(parse("select 9", "s"), bind(portal="p", statement="s"), execute("p")), group(use("s"))]),
    Script("the table changes: columns are added", [
        group(parse("select * from diff_work where id = $1", "s")), group(use("s", 1)),
        simple("alter table diff_work add column extra int"), group(use("s", 1)), group(use("s", 1)),
        group(describe("S", "s")), group(close("S", "s")),
        group(parse("select * from diff_work where id = $1", "s")),
        *[group(use("s", 1)) for _ in range(4)], group(describe("S", "s")),
        group(parse("select * from diff_work where id = $1", "t"), use("t", 2)), group(use("t", 2))],
        setup=WORK + "; alter table diff_work owner to app_trust"),
    Script("the table changes: a type is another", [
        group(parse("select amount, $1::text from diff_work where id = 1", "s")), group(use("s", "x")),
        simple("alter table diff_work alter amount type text"), group(use("s", "x")),
        simple("begin"), group(use("s", "x")), group(use("s", "x")), simple("rollback"),
        group(parse("select amount, $1::text from diff_work where id = 1", "t")), group(use("t", "y")),
        group(use("t", "y")), group(use("s", "x")),
        simple("alter table diff_work alter amount type numeric using 1"), group(use("s", "x")),
        group(use("t", "y"))], setup=WORK + "; alter table diff_work owner to app_trust"),
    Script("the table changes: it is dropped and made again", [
        group(parse("select name from diff_work where id = $1", "s")), group(use("s", 1)),
        simple("drop table diff_work"), group(use("s", 1)), group(describe("S", "s")),
        simple("create table diff_work (id int, name text)"), group(use("s", 1)),
        simple("insert into diff_work values (1, 'new')"), group(use("s", 1)), group(use("s", 1))],
        setup=WORK + "; alter table diff_work owner to app_trust"),
    Script("the table changes: what does not matter to the result", [
        group(parse("select name from diff_work where id = $1", "s"),
              parse("update diff_work set amount = $2 where id = $1", "u")),
        group(use("s", 1)), simple("alter table diff_work add column extra int"), group(use("s", 1)),
        group(use("u", 1, 5)), simple("alter table diff_work drop column extra"), group(use("u", 1, 6)),
        simple("create index on diff_work (name)"), group(use("s", 2)), simple("analyze diff_work"),
        group(use("s", 2)), simple("alter table diff_work rename column name to other"),
        group(use("s", 2)), simple("alter table diff_work rename column other to name"),
        group(use("s", 2))], setup=WORK + "; alter table diff_work owner to app_trust"),
    Script("the parameter's type changes with the table", [
        group(parse("select id from diff_work where id = $1", "s")), group(use("s", 1)),
        simple("alter table diff_work alter id type bigint"), group(use("s", 1)), group(describe("S", "s")),
        group(parse("select id from diff_work where id = $1", "t")), group(describe("S", "t"), use("t", 1)),
        group(use("t", 2))], setup=WORK + "; alter table diff_work owner to app_trust"),
    Script("statements follow search_path", [
        simple("set search_path = diff_one"), group(parse("select n from diff_where", "s")),
        group(use("s")), simple("set search_path = diff_two"), group(use("s")),
        group(parse("select n from diff_where", "t"), use("t")), group(use("t")),
        simple("set search_path = diff_one"), group(use("s")), group(use("t")),
        simple("reset search_path"), group(use("s"))], holds=True, setup="""
        drop schema if exists diff_one, diff_two cascade; create schema diff_one; create schema diff_two;
        create table diff_one.diff_where as select 1 as n; create table diff_two.diff_where as select 2 as n;
        grant usage on schema diff_one, diff_two to public;
        grant select on diff_one.diff_where, diff_two.diff_where to public"""),
    Script("a hundred statements", [
        pipeline(*[parse(f"select {number}, $1::text", f"s{number}") + sync() for number in range(100)],
                 ready=100),
        *[pipeline(*[use(f"s{number}", "v") + sync() for number in range(start, 100, 7)],
                   ready=len(range(start, 100, 7))) for start in range(7)]]),
    Script("large statements", [
        group(parse(f"select 1 /* {'comment ' * 10000} */", "s")), group(use("s")), group(use("s")),
        group(parse(f"select '{'x' * 200000}'::text, $1::text", "t")), group(use("t", "y" * 100000)),
        group(describe("S", "t"), use("t", "z"))]),
    Script("no rows, no result and empty statements by name", [
        group(parse("", "e"), parse("select 1 where false", "f"), parse("set local work_mem = '1MB'", "l")),
        group(use("e")), group(use("f")), group(describe("S", "e"), describe("S", "f")), group(use("e")),
        group(use("l"))]),
]
