"""Queries prepared again and again, whose Parse pgring may answer itself: by the fourth time it does."""

from harness.differential import Script, group, pipeline, simple
from harness.raw import bind, close, describe, execute, flush, parse, sync, unnamed
from harness.scripts.extended import INT4, INT8, TEXT, bind_as, int4, int8
from harness.scripts.simple import WORK

OFTEN = 5
# Tables of the client's own, in the schemas of its search_path.
OWN = """drop schema if exists reused_a, reused_b cascade;
create schema reused_a authorization app_trust; create schema reused_b authorization app_trust;
create table reused_b.t (id int, it text); insert into reused_b.t values (1, 'one'), (2, 'two');
alter table reused_b.t owner to app_trust"""
PATH = (("options", "-c search_path=reused_a,reused_b"),)


def again(*messages, times=OFTEN):
    return [group(*messages)] * times


ALL_OF_T = unnamed("select * from t order by id")
ONE_OF_T = unnamed("select it from t where id = $1", [1])

SCRIPTS = [
    Script("reused: unnamed queries", [
        *again(unnamed("select id, name from diff_items where id = $1", [3]), times=12),
        *again(unnamed("select 1")), *again(unnamed("select $1::text, $2::int", ["x", None])),
        *again(unnamed("insert into diff_work values ($1, 'n') on conflict do nothing", [7])),
        *again(unnamed("update diff_work set amount = amount + 1 where id = $1 returning amount", [1]), times=8),
        *again(unnamed("with x as (select $1::int as n) select n from x", [5]))], setup=WORK),
    Script("reused: wrong values and counts of values", [
        *again(unnamed("select $1::int + 1", [1])), group(unnamed("select $1::int + 1", ["x"])),
        *again(unnamed("select $1::int + 1", [2]), times=2), group(unnamed("select $1::int + 1", [1, 2])),
        *again(unnamed("select $1::int + 1", [2])), group(unnamed("select $1::int + 1")),
        *again(unnamed("select $1::int + 1", [2])),
        group(parse("select $1::int + 1"), bind_as([b"ab"], [1]), execute()),
        *again(unnamed("select $1::int / $2::int", [1, 1])),
        *again(unnamed("select $1::int / $2::int", [1, 0]), times=3),
        *again(unnamed("select $1::int / $2::int", [1, 1]))]),
    Script("reused: texts that PostgreSQL refuses", [
        *again(unnamed("select * from nowhere where id = $1", [1])), *again(unnamed("selec")),
        *again(unnamed("select 1 where 'a' = 1")), *again(unnamed("select $1", [1])),
        *again(unnamed(""))]),
    Script("reused: the table is dropped and made again", [
        *again(ALL_OF_T), *again(ONE_OF_T), simple("drop table t"), *again(ALL_OF_T), *again(ONE_OF_T),
        simple("create table t (id bigint, it text, more int default 3)"),
        simple("insert into t values (1, 'other')"), *again(ALL_OF_T), *again(ONE_OF_T),
        *again(parse("select it from t where id = $1"), describe("S"))], setup=OWN, startup=PATH),
    Script("reused: the table is altered", [
        *again(ALL_OF_T), simple("alter table t add column more int default 4"), *again(ALL_OF_T),
        simple("alter table t drop column it"), *again(ALL_OF_T), *again(ONE_OF_T),
        simple("alter table t alter id type bigint"), *again(ALL_OF_T),
        *again(parse("select 'x' from t where id = $1"), describe("S"), bind([1]), execute()),
        simple("alter table t alter id type text"),
        *again(parse("select 'x' from t where id = $1"), describe("S"), bind([1]), execute()),
        simple("begin"), simple("alter table t rename to u"), group(ALL_OF_T), simple("rollback"),
        *again(ALL_OF_T, times=2)], setup=OWN, startup=PATH),
    Script("reused: a new object stands before another", [
        *again(ALL_OF_T), simple("create table reused_a.t as select 9 as id, 'nine' as it"), *again(ALL_OF_T),
        simple("drop table reused_a.t"), *again(ALL_OF_T), simple("begin"),
        simple("create view reused_a.t as select 8 as id"), group(ALL_OF_T), simple("commit"), *again(ALL_OF_T),
        simple("do $$ begin drop view reused_a.t; end $$"), *again(ALL_OF_T),
        *again(unnamed("select length('four')")),
        simple("create function reused_a.length(text) returns int language sql as 'select 44'"),
        simple("set search_path = reused_a, pg_catalog"), *again(unnamed("select length('four')")),
        simple("set search_path = reused_a, reused_b"), group(parse("select 7 as id into reused_a.t"), bind(), execute()),
        *again(ALL_OF_T)], setup=OWN, startup=PATH),
    Script("reused: prepared in one transaction and used in the next", [
        *again(parse("select id, name from diff_items where id = $1"), describe("S")),
        *again(bind([4]), describe(), execute(), times=8),
        *[step for n in range(8) for step in (
            group(parse("select name from diff_items where id = $1"), describe("S")),
            group(bind([n]), execute()))],
        group(parse("select $1::int"), bind([1], portal="p"), execute("p")), group(bind([2]), execute()),
        group(execute("p"))]),
    Script("reused: names of portals", [
        *again(parse("select generate_series(1, $1::int)"), bind([5], portal="p"), describe("P", "p"),
               execute("p", 2), execute("p", 1), close("P", "p")),
        *again(parse("select generate_series(1, $1::int)"), bind([5], portal="p"), bind([2]), execute(),
               execute("p"), bind([1], portal="p")),
        *again(parse("select generate_series(1, $1::int)"), bind([3]), flush(), execute(limit=2), execute())]),
    Script("reused: types declared and found", [
        *again(parse("select $1", types=[INT4]), describe("S"), bind_as([int4(5)], [1], [1]), execute()),
        *again(parse("select $1", types=[INT8]), describe("S"), bind_as([int8(5)], [1], [1]), execute()),
        *again(parse("select $1", types=[TEXT]), describe("S"), bind(["t"]), execute()),
        *again(parse("select $1"), describe("S"), bind(["t"]), execute()),
        *again(parse("select $1 + 1", types=[0]), describe("S"), bind([2]), execute()),
        *again(parse("select $1 + 1", types=[0]), bind_as([int8(5)], [1]), execute()),
        *again(parse("select $2::int, $1", types=[0, INT4]), describe("S")),
        *again(parse("select $1", types=[INT4, INT4]), describe("S"), bind([1, 2]), execute()),
        *again(parse("select $1", types=[999999]), describe("S"))]),
    Script("reused: in a transaction it is not", [
        *again(ALL_OF_T), simple("begin"), *again(ALL_OF_T), simple("drop table t"), *again(ALL_OF_T, times=1),
        simple("rollback"), *again(ALL_OF_T), simple("begin"), simple("savepoint s"),
        simple("alter table t add more int"), group(ALL_OF_T), simple("rollback to s"), group(ALL_OF_T),
        simple("commit"), *again(ALL_OF_T), group(unnamed("begin")), *again(ALL_OF_T), group(unnamed("commit")),
        *again(ALL_OF_T)], setup=OWN, startup=PATH),
    Script("reused: pipelines", [
        *again(unnamed("select 1")), *again(unnamed("select $1::int", [1])),
        *[pipeline(unnamed("select 1"), sync(), unnamed("select $1::int", [n]), sync(), unnamed("select 1"), sync(),
                   ready=3) for n in (1, "x", 3)],
        pipeline(unnamed("select $1::int", ["x"]), sync(), unnamed("select 1"), sync(), ready=2),
        *again(unnamed("select 1"), unnamed("select $1::int", [2]), unnamed("select 1")),
        *again(unnamed("select $1::int", ["x"]), unnamed("select 1"), times=2),
        *again(unnamed("select 1"), unnamed("select $1::int", ["x"]), unnamed("select 1"), times=2),
        *again(parse("select $1::int"), bind([1]), execute(), bind(["x"]), execute(), bind([3]), execute()),
        *again(parse("select $1::int"), *[part for n in range(8) for part in (bind([n]), execute())])]),
    Script("reused: named", [
        *[step for n in range(OFTEN) for step in (
            group(parse("select name from diff_items where id = $1", f"s{n}"), describe("S", f"s{n}")),
            group(bind([n], statement=f"s{n}"), execute()))],
        group(parse("select name from diff_items where id = $1", "s1"), describe("S", "s1")),
        group(parse("select name from diff_items where id = $1", "bad"), bind(["x"], statement="bad"), execute()),
        group(bind([3], statement="bad"), execute()),
        *[group(close("S", f"s{n}")) for n in range(OFTEN)], group(bind([1], statement="s1"), execute()),
        *[step for n in range(OFTEN) for step in (
            group(parse("select it from t where id = $1", f"t{n}"), bind([1], statement=f"t{n}"), execute()),
            group(bind([2], statement=f"t{n}"), execute()))],
        simple("drop table t"),
        group(parse("select it from t where id = $1", "gone"), bind([1], statement="gone"), execute()),
        group(bind([1], statement="gone"), execute()), group(bind([1], statement="t1"), execute())],
        setup=OWN, startup=PATH),
    Script("reused: settings", [
        *again(unnamed("select date '01/02/2026' + $1::int", [0])), simple("set datestyle = 'SQL, DMY'"),
        *again(unnamed("select date '01/02/2026' + $1::int", [0])), simple("reset datestyle"),
        *again(unnamed("select date '01/02/2026' + $1::int", [0]))]),
]
