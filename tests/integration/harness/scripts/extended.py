"""The extended protocol without named statements: groups, portals, formats, errors."""

import struct

from harness.differential import Script, Step, group, partly, pipeline, simple
from harness.raw import (bind, close, cstring, describe, execute, flush, message, parse, query, sync,
                         unnamed)
from harness.scripts.simple import WORK

INT4, INT8, TEXT, BYTEA, TIMESTAMP = 23, 20, 25, 17, 1114


def bind_as(values, formats=(), results=(), portal="", statement=""):
    """Bind of raw bytes, with format codes."""
    body = cstring(portal) + cstring(statement)
    body += struct.pack(f"!H{len(formats)}H", len(formats), *formats) + struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack(f"!H{len(results)}H", len(results), *results))


def function_call(oid, *arguments):
    """FunctionCall in binary."""
    body = struct.pack("!IHHH", oid, 1, 1, len(arguments))
    return message("F", body + b"".join(struct.pack("!i", len(value)) + value for value in arguments)
                   + struct.pack("!H", 1))


def int4(value):
    return struct.pack("!i", value)


def int8(value):
    return struct.pack("!q", value)


SERIES = parse("select generate_series(1, 5)")
SCRIPTS = [
    Script("unnamed statements", [
        group(unnamed("select 1")), group(unnamed("select $1::int + $2::int, $3::text", [1, 2, "x"])),
        group(unnamed("")), group(unnamed("select $1::text", [None])),
        group(unnamed("insert into diff_work values ($1, $2)", [5, "five"])),
        group(unnamed("update diff_work set amount = $1 where id = $2 returning *", ["1.5", 5])),
        group(unnamed("delete from diff_work where id = $1", [99])),
        group(parse("select 1"), bind(), execute()), group(parse("select 1")), group(bind(), execute()),
        group(unnamed("select * from diff_items order by id"))], setup=WORK),
    Script("describe of statements and portals", [
        group(parse("select id, name from diff_items where id = $1 and price > $2"), describe("S")),
        group(parse("insert into diff_work values ($1, $2, $3)"), describe("S")),
        group(parse("insert into diff_work values ($1, $2) returning id, name"), describe("S"),
              bind([8, "eight"]), describe("P"), execute()),
        group(parse("select 1"), describe("S"), bind(), describe("P"), close("P"), close("S")),
        group(parse(""), describe("S"), bind(), describe("P"), execute()),
        group(parse("begin"), describe("S"), bind(), describe("P"), execute()),
        group(parse("commit"), describe("S"), bind(), describe("P"), execute()),
        group(describe("S", "nowhere")), group(describe("P", "nowhere")),
        group(parse("select 1"), describe("X"))], setup=WORK),
    Script("types given and inferred", [
        group(parse("select $1, $2", types=[INT4, TEXT]), describe("S"), bind([1, "b"]), execute()),
        group(parse("select $1", types=[0]), describe("S"), bind(["x"]), execute()),
        group(parse("select $1"), describe("S"), bind(["x"]), execute()),
        group(parse("select $1 + 1", types=[INT8]), describe("S"), bind([4]), execute()),
        group(parse("select $2::date", types=[INT4]), describe("S"), bind([1, "2026-01-01"]), execute()),
        group(parse("select $2::date"), describe("S")),
        group(parse("select $1::int", types=[INT4, TEXT, BYTEA]), describe("S")),
        group(parse("select $1", types=[999999999]), describe("S")),
        group(parse("select $1 || $2"), describe("S")),
        group(unnamed("select $1::int", ["not a number"])),
        group(unnamed("select $1::int[]", ["{1,2,NULL}"]))]),
    Script("binary and text formats", [
        group(parse("select $1::int, $2::text"), bind_as([int4(7), b"seven"], [1, 0], [1, 0]),
              describe(), execute()),
        group(parse("select $1::int, $2::int8"), bind_as([int4(7), int8(8)], [1], [1]), describe(),
              execute()),
        group(parse("select $1::bytea"), bind_as([bytes(range(256))], [1], [1]), describe(), execute()),
        group(parse("select $1::bytea"), bind_as([bytes(range(256))], [1], []), describe(), execute()),
        group(parse("select $1::timestamp, $2::numeric, $3::bool"),
              bind_as([b"2026-11-21 10:00:00", b"1.50", b"t"], [], [1]), describe(), execute()),
        group(parse("select $1::int, $2::int"), bind_as([int4(1), None], [1, 1], [1]), execute()),
        group(parse("select $1::int"), bind_as([b"abc"], [1]), execute()),
        group(parse("select $1::int"), bind_as([int4(1)], [7]), execute()),
        group(parse("select $1::int, 2"), bind_as([b"1"], [], [0, 1, 0]), execute()),
        group(parse("select $1::int"), bind_as([b"1"], [0, 0, 1]), execute())]),
    Script("wrong numbers of parameters", [
        group(parse("select $1::int"), bind([]), execute()),
        group(parse("select $1::int"), bind([1, 2]), execute()),
        group(parse("select 1"), bind([1]), execute()), group(unnamed("select 1")),
        simple("begin"), group(parse("select $1::int"), bind([])), group(unnamed("select 1")),
        simple("rollback")]),
    Script("an error in the middle of a group", [
        group(unnamed("select 1"), unnamed("select 1/0"), unnamed("select 2")),
        group(unnamed("selec"), unnamed("select 2")),
        group(unnamed("select 1"), bind(statement="nowhere"), unnamed("select 2")),
        group(unnamed("insert into diff_work values (20, 'x')"), unnamed("select 1/0")),
        simple("select count(*) from diff_work where id = 20"),
        group(unnamed("selec"), query("select 'is skipped'"), describe("S"), close("S"), flush()),
        pipeline(unnamed("select 1/0"), sync(), unnamed("select 1"), sync(), query("select 2"), sync(),
                 ready=4)], setup=WORK),
    Script("groups in a pipeline", [
        pipeline(*[unnamed("select $1::text", [number]) + sync() for number in range(100)], ready=100),
        pipeline(unnamed("begin"), sync(), unnamed("insert into diff_work values (30, 'y')"), sync(),
                 unnamed("select count(*) from diff_work"), sync(), unnamed("rollback"), sync(), ready=4),
        pipeline(unnamed("begin"), unnamed("select 1/0"), sync(), unnamed("select 1"), sync(),
                 unnamed("commit"), sync(), unnamed("select 2"), sync(), ready=4),
        pipeline(unnamed("begin"), unnamed("select 1"), unnamed("commit"), unnamed("select 2"), sync(),
                 query("select 3"), unnamed("select 4"), sync(), ready=3),
        pipeline(*[sync()] * 5, ready=5)], setup=WORK),
    Script("one group is one transaction", [
        group(unnamed("insert into diff_work values (40, 'a')"),
              unnamed("insert into diff_work values (41, 'b')"), unnamed("select count(*) from diff_work")),
        group(unnamed("insert into diff_work values (42, 'a')"),
              unnamed("insert into diff_work values (42, 'b')")),
        simple("select id from diff_work order by id"),
        group(unnamed("begin"), unnamed("insert into diff_work values (43, 'c')")),
        group(unnamed("commit"), unnamed("begin")), group(unnamed("select 1/0")),
        group(unnamed("rollback"), unnamed("select count(*) from diff_work"))], setup=WORK),
    Script("flush", [
        partly(unnamed("select 1"), flush(), kinds="C"), Step(sync()),
        partly(parse("select $1::int"), describe("S"), flush(), kinds="T"),
        partly(bind([4]), execute(), flush(), kinds="C"), partly(bind([5]), execute(), flush(), kinds="C"),
        Step(sync()), partly(parse("selec"), flush(), kinds="E"), Step(unnamed("select 1") + sync()),
        pipeline(flush(), flush(), sync(), flush(), sync(), ready=2)]),
    Script("portals read in parts", [
        simple("begin"), group(SERIES, bind(), execute(limit=2)), group(execute(limit=2)),
        group(SERIES, bind(portal="p"), execute("p", 2), execute("p", 2), execute("p", 2), execute("p", 2)),
        group(bind(portal="q"), execute("q", 1)), group(execute("q", 1)), group(describe("P", "q")),
        group(bind(portal="q")), simple("rollback"), group(execute("q", 1)),
        group(SERIES, bind(), execute(limit=2)), group(execute(limit=2)),
        group(SERIES, bind(), execute(limit=2), execute(limit=5), execute(limit=5)),
        partly(SERIES, bind(), execute(limit=3), flush(), kinds="s"),
        partly(execute(limit=3), flush(), kinds="C"), Step(sync())]),
    Script("portals, known and unknown", [
        group(execute("nowhere")), group(close("P", "nowhere")), group(describe("P", "nowhere")),
        group(execute()), simple("begin"), group(parse("select 1"), bind(portal="p")),
        group(close("P", "p")), group(execute("p")), group(execute("p")), simple("rollback"),
        simple("begin"), group(parse("select 1"), bind(portal="p"), execute("p")), group(execute("p")),
        simple("commit"), simple("begin"), group(parse("select 7"), bind(portal="c1")),
        simple("fetch all from c1"), simple("close c1"), group(execute("c1")), simple("rollback"),
        simple("begin"), simple("declare d cursor for select 8"), group(describe("P", "d"), execute("d")),
        simple("commit")]),
    Script("parse now, bind in a later transaction", [
        group(parse("select $1::int + 1")), group(describe("S")), group(bind([1]), describe(), execute()),
        group(bind([2]), execute()), simple("begin"), group(bind([3]), execute()), simple("commit"),
        group(bind([4]), execute()), group(parse("select 'other'")), group(bind(), execute()),
        group(close("S")), group(bind(), execute()), group(describe("S"))]),
    Script("a simple query destroys the unnamed statement", [
        group(parse("select 'unnamed'")), simple("select 1"), group(bind(), execute()),
        group(describe("S")), group(parse("select 'again'")), simple(""), group(bind(), execute()),
        group(parse("select 'third'")), simple("selec"), group(bind(), execute())]),
    Script("a failed parse destroys the unnamed statement", [
        group(parse("select 'good'")), group(parse("selec")), group(bind(), execute()),
        group(describe("S")), group(parse("select 'good'")), group(unnamed("select 1/0")),
        group(bind(), execute())]),
    Script("several statements in one parse", [
        group(parse("select 1; select 2")), group(parse("select 1;")), group(bind(), execute()),
        group(parse(";")), group(bind(), execute()), group(parse("-- nothing")), group(bind(), execute())]),
    Script("copy and other odd things by the extended protocol", [
        partly(unnamed("copy (select 1) to stdout"), sync(), kinds="Z"),
        group(unnamed("set work_mem = '2MB'")), group(unnamed("show work_mem")),
        group(unnamed("reset work_mem")), group(unnamed("show work_mem")),
        group(unnamed("explain (costs off) select 1")), group(unnamed("vacuum diff_work")),
        group(unnamed("select 1"), unnamed("vacuum diff_work")), group(unnamed("do $$ begin end $$")),
        group(unnamed("listen $1", ["x"]))], setup=WORK),
    Script("function calls", [
        Step(function_call(177, int4(40), int4(2))), Step(function_call(177, int4(40))),
        Step(function_call(4_000_000)), simple("begin"), Step(function_call(177, int4(1), int4(2))),
        Step(function_call(154, int4(1), int4(0))), Step(function_call(177, int4(1), int4(2))),
        simple("rollback"),
        pipeline(function_call(177, int4(1), int4(2)), query("select 1"),
                 function_call(154, int4(1), int4(0)), query("select 2"), ready=4)]),
    Script("large parameters", [
        group(unnamed("select length($1::text), $1::text", ["x" * size])) for size in (0, 5000, 70000, 900000)]),
    Script("mixed simple and extended in one write", [
        pipeline(query("begin"), unnamed("select $1::int", [1]), sync(), query("select 2"),
                 unnamed("select 3"), query("commit"), ready=4),
        Step(sync()), pipeline(unnamed("select 1"), query("select 2"), sync(), ready=2),
        pipeline(unnamed("select 1/0"), query("select 'skipped'"), sync(), query("select 3"), ready=2),
        pipeline(parse("select 'p'"), query("select 2"), bind(), execute(), sync(), ready=2)]),
]
