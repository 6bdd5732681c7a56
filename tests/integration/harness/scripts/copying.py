"""COPY in both directions, with errors on either side."""

from harness.differential import Script, Step, group, partly, simple
from harness.raw import cstring, message, query, sync, unnamed
from harness.scripts.simple import WORK, each

IN = "copy diff_work (id, name) from stdin"


def data(text):
    return message("d", text.encode() if isinstance(text, str) else text)


def done():
    return message("c")


def fail(reason="the client gave up"):
    return message("f", cstring(reason))


def begun(text=IN):
    """A step up to CopyInResponse."""
    return partly(query(text), kinds="G")


COUNT = "select count(*), min(id), max(id) from diff_work"
SCRIPTS = [
    Script("copy to stdout", each(
        "copy (select id, name from diff_items order by id) to stdout",
        "copy (select 1 where false) to stdout", "copy (select generate_series(1, 5000)) to stdout",
        "copy (select 1, 'a,b') to stdout (format csv, header)", "copy (select 1, 'x') to stdout (format binary)",
        "copy (select 1/0) to stdout", "copy nowhere to stdout",
        "copy (select case when n < 4 then n else 1/(n-4) end from generate_series(1, 9) n) to stdout",
        "select 1; copy (select 2) to stdout; select 3", "begin", "copy (select 4) to stdout",
        "copy (select 1/0) to stdout", "copy (select 5) to stdout", "rollback", "select 1")),
    Script("copy from stdin", [
        begun(), Step(data("10\tten\n") + data("11\televen\n") + done()), *each(COUNT),
        begun(), Step(done()), begun(), Step(data("12\tt") + data("welve\n13\tthirteen\n") + data("") + done()),
        begun(), Step(data("14\tlast without end") + done()),
        begun("copy diff_work (id, name) from stdin (format csv)"), Step(data('15,"a,b"\n') + done()),
        begun(), Step(data("16\tend\n\\.\n") + done()), *each(COUNT),
        begun(), Step(b"".join(data(f"{number}\trow {number}\n") for number in range(100, 1100)) + done()),
        *each(COUNT)], setup=WORK),
    Script("copy from stdin in one write", [
        partly(query(IN), data("20\ttwenty\n"), done(), kinds="Z"), *each(COUNT),
        Step(query(IN) + data("21\tx\n") + done() + query(COUNT), 2),
        Step(query("begin") + query(IN) + data("22\tx\n") + done() + query("rollback") + query(COUNT), 4),
        Step(query(IN) + data("23\tx\n") + done() + query(IN) + data("24\ty\n") + done(), 2), *each(COUNT)],
        setup=WORK),
    Script("copy from stdin that fails", [
        begun(), Step(data("30\tx\n") + fail()), *each(COUNT),
        begun(), Step(data("not a number\tx\n") + done()), *each("select 1"),
        begun(), Step(data("31\n") + done()), begun(), Step(data("1\ttwice\n") + done()),
        Step(query("copy nowhere from stdin")), *each(COUNT, "begin"), begun(), Step(data("x\ty\n") + done()),
        *each("select 1", "rollback"), begun(), Step(fail("")), begun(), Step(data("32\tok\n") + done()),
        *each(COUNT)], setup=WORK),
    Script("copy that fails while data still comes", [
        Step(query("copy nowhere from stdin") + data("1\n") + data("2\n") + done() + query("select 'after'"), 2),
        Step(query(IN) + data("bad\tx\n") + data("40\tx\n") * 50 + done() + query("select 'after'"), 2),
        *each(COUNT)], setup=WORK),
    Script("copy in transactions", [
        *each("begin"), begun(), Step(data("50\tx\n") + done()), *each(COUNT, "rollback", COUNT, "begin"),
        begun(), Step(data("51\tx\n") + done()), *each("commit", COUNT),
        partly(query(f"select 1; {IN}; select 2"), kinds="G"), Step(data("52\tx\n") + done()), *each(COUNT),
        partly(query(f"{IN}; {IN}"), kinds="G"), partly(data("53\tx\n"), done(), kinds="G"),
        Step(data("54\ty\n") + done()), *each(COUNT),
        partly(query(f"{IN}; select 1/0"), kinds="G"), Step(data("55\tx\n") + done()), *each(COUNT)],
        setup=WORK),
    Script("copy from stdin by the extended protocol", [
        partly(unnamed(IN), message("H"), kinds="G"), Step(data("60\tx\n") + done() + sync()), *each(COUNT),
        partly(unnamed(IN), message("H"), kinds="G"), Step(data("61\tx\n") + fail() + sync()), *each(COUNT),
        partly(unnamed(IN), message("H"), kinds="G"), Step(data("x\ty\n") + done() + sync()),
        Step(unnamed(IN) + data("62\tx\n") + done() + sync()), *each(COUNT),
        group(unnamed("copy (select 1) to stdout"), unnamed("select 2")), *each("select 1")], setup=WORK),
    Script("large copies", [
        begun(), Step(b"".join(data(f"{number}\t{'x' * 900}\n") for number in range(1000, 4000)) + done()),
        *each(COUNT), simple("copy (select id, name from diff_work order by id) to stdout"),
        begun(), Step(data(f"9999\t{'y' * 1500000}\n") + done()), *each("select length(name) from diff_work"
                                                                        " where id = 9999")], setup=WORK),
    Script("copy data where no copy is", [
        Step(data("1\n") + query("select 1")), Step(done() + query("select 2")),
        Step(fail() + query("select 3")), *each("select 4")]),
]
