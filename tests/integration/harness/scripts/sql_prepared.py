"""PREPARE, EXECUTE and DEALLOCATE, alone and together with statements of the protocol."""

from harness.differential import Script, group, simple
from harness.raw import close, describe, parse, unnamed
from harness.scripts.prepared import use
from harness.scripts.simple import WORK, each

# Not the copies that a server connection may have for others.
NAMES = "select name, from_sql from pg_prepared_statements where name not like 'pgring%' order by name"
SCRIPTS = [
    Script("prepare and execute in many transactions", each(
        "prepare p as select 1", "execute p", "execute p", "begin", "execute p", "commit",
        "prepare q(int, text) as select $1 + 1, $2", "execute q(1, 'x')", "execute q(2, null)",
        "execute q(1)", "execute q('x', 'y')", "EXECUTE \"q\" (3, 'z');", "/* c */ execute p",
        "execute p; execute q(4, 'a')", "select 1; execute p", "explain (costs off) execute p"),
        holds=True),
    Script("prepare: errors", each(
        "prepare p as select 1", "prepare p as select 2", "execute p", "execute nowhere",
        "deallocate nowhere", "prepare p as selec", "prepare r as select * from nowhere", "execute r",
        "prepare", "execute", "deallocate", "begin", "execute nowhere", "execute p", "rollback",
        "execute p", "prepare \"P\" as select 'upper'", "execute \"P\"", "execute P"), holds=True),
    Script("deallocate", each(
        "prepare p as select 1", "prepare q as select 2", "deallocate p", "execute p", "execute q",
        "deallocate prepare q", "execute q", "prepare p as select 3", "execute p", "deallocate all",
        "execute p", "prepare p as select 4", "prepare \"all\" as select 5", "deallocate \"all\"",
        "execute p", "deallocate prepare all", "execute p", NAMES), holds=True),
    Script("discard", each(
        "prepare p as select 1", "discard plans", "execute p", "discard all", "execute p", NAMES,
        "prepare p as select 2", "execute p", "discard sequences", "discard temp", "execute p",
        "set work_mem = '1MB'", "discard all", "show work_mem", "execute p"), holds=True),
    Script("prepare in a transaction that is rolled back", each(
        "begin", "prepare p as select 'survives'", "rollback", "execute p", "execute p", "begin",
        "deallocate p", "rollback", "execute p", "begin", "prepare p as select 'second'", "select 1/0",
        "commit", "execute p", "prepare q as select 'third'; select 1/0", "execute q", "execute p"),
        holds=True),
    Script("execute of a statement of the protocol", [
        group(parse("select $1::int * 2", "s")), simple("execute s(21)"), simple("execute s(21)"),
        simple("begin"), simple("execute s(4)"), simple("commit"), simple("prepare s as select 1"),
        simple("deallocate s"), group(use("s", 1)), simple("execute s(1)"), group(parse("select 'new'", "s")),
        simple("execute s"), group(use("s"))], holds=True),
    Script("explain and create table as execute of a statement of the protocol", [
        group(parse("select $1::int * 2 as doubled", "s")), simple("explain execute s(1)"),
        simple("explain (costs off, verbose) execute s(2)"), simple("explain execute nowhere"),
        simple("create table diff_made as execute s(3)"), simple("select * from diff_made"),
        simple("explain (costs off) create table diff_other as execute s(4)"), simple("drop table diff_made"),
        group(unnamed("explain (costs off) execute s(5)")),
        group(unnamed("create table diff_made as execute s(6) with no data")), simple("select * from diff_made"),
        simple("drop table diff_made"), group(use("s", 7))],
        setup="drop table if exists diff_made", holds=True),
    Script("bind to a statement of SQL", [
        simple("prepare p(int) as select $1 * 3"), group(use("p", 2)), group(use("p", 3)),
        group(describe("S", "p")), group(parse("select 1", "p")), group(close("S", "p")),
        group(use("p", 4)), simple("execute p(5)"), simple("prepare p as select 6"), group(use("p"))],
        holds=True),
    Script("deallocate all and statements of the protocol", [
        group(parse("select 1", "s")), simple("deallocate all"), group(use("s")),
        group(parse("select 2", "s")), group(use("s")), simple("discard all"), group(use("s")),
        group(parse("select 3", "s"), use("s")), group(unnamed("deallocate all")), group(use("s")),
        group(parse("select 4", "s"), use("s")), group(unnamed("deallocate s")), group(use("s")),
        group(parse("deallocate all", "d"), use("d")), group(use("d"))], holds=True),
    Script("prepare and execute by the extended protocol", [
        group(unnamed("prepare p(int) as select $1 + 5")), group(unnamed("execute p(1)")),
        group(unnamed("execute p(2)")), group(parse("execute p(3)", "e")), group(use("e")), group(use("e")),
        group(unnamed("deallocate p")), group(use("e")), group(unnamed("execute p(1)"))], holds=True),
    Script("create table as execute", each(
        "prepare p as select id from diff_items where id < 4", "create table diff_made as execute p",
        "select * from diff_made", "deallocate p", "drop table diff_made"),
        setup="drop table if exists diff_made", holds=True),
    Script("the table of a prepared statement changes", each(
        "prepare p as select * from diff_work where id = 1", "execute p",
        "alter table diff_work add column extra int", "execute p", "execute p", "deallocate p",
        "prepare p as select * from diff_work where id = 1", "execute p", "execute p"),
        setup=WORK + "; alter table diff_work owner to app_trust", holds=True),
]
