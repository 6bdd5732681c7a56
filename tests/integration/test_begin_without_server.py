"""A transaction that was begun without a server connection and gets none: an error, status E, and pgring answers alone."""

import struct
import time

import pytest
from harness.raw import (Closed, bind, cancel_request, close, describe, errors, execute, flush, kinds,
                         message, parse, query, sync, terminate, unnamed)
from harness.wait import until

ABORTED = ("ERROR", "25P02",
           "current transaction is aborted, commands ignored until end of transaction block")


def waiting(pooler):
    return sum(int(row["cl_waiting"]) for row in pooler.show("POOLS"))


class Busy:
    """A pool of one server connection, which is another client's for as long as it likes."""

    def __init__(self, pgring, raw, **timeouts):
        self.pooler = pgring(database={"pool_size": 1}, lazy_begin=True,
                             changes={"timeouts": {"query_wait": "200ms", **timeouts}})
        self.raw = raw
        self.client = raw(self.pooler).login()
        self.holder = raw(self.pooler).login()
        self.holder.run("begin")
        self.holder.run("select 1")

    def fail(self, first=query("select 1"), begin="begin"):
        """The client's transaction, failed."""
        assert kinds(self.client.run(begin)) == "CZ"
        self.client.send(first)
        answer = self.client.ready()
        ((severity, code, text),) = errors(answer)
        assert (severity, code) == ("ERROR", "53300") and "query_wait" in text
        assert answer[-1].status == "E"
        return self.client

    def release(self):
        """Also when it is already."""
        self.holder.run("commit")


@pytest.fixture
def busy(pgring, raw):
    return Busy(pgring, raw)


def plain(messages):
    """What is to be the same: of errors all that does not depend on PostgreSQL's source lines."""
    return [(got.kind, {letter: got.fields.get(letter) for letter in "SVCMDHR"})
            if got.kind in "EN" else got for got in messages if got.kind != "S"]


OVER = b""  # from here on a server connection is needed, and there is one

SCENARIOS = {
    "statement": [query("select 2"), query("insert into nothing values (1)"), query("rollback")],
    "commit": [query("commit")],
    "end": [query("END work ;")],
    "abort": [query("/* c */ abort -- d")],
    "empty": [query(""), query(" ; -- nothing"), query("commit")],
    "begin again": [query("begin"), query("start transaction"), query("rollback")],
    "several": [query("select 1; rollback"), query("rollback to a; rollback"), query("rollback")],
    "savepoint": [query("savepoint a"), query("release a"), query("rollback to a"),
                  query("rollback to savepoint \"A b\""), query("rollback work to SaVe"),
                  query("rollback")],
    "prepared": [query("commit prepared 'x'"), query("rollback prepared 'x'"),
                 query("prepare transaction 'x'")],
    "after": [query("rollback"), OVER, query("rollback"), query("commit")],
    "groups": [unnamed("select 1") + sync(), parse("select 1") + sync(), sync(),
               flush() + sync(), unnamed("rollback") + sync()],
    "group of commit": [parse("commit", "c") + describe("S", "c") + sync(),
                        bind(statement="c", portal="p") + describe("P", "p") + sync(),
                        bind(statement="c", portal="p") + sync(),
                        execute("p") + sync(), OVER, execute("p") + sync(),
                        close("S", "c") + sync()],
    "group of end and more": [OVER, parse("rollback") + bind() + execute() + describe("S") +
                              sync()],
    "unknown": [bind(statement="nothing") + sync(), describe("S", "nothing") + sync(),
                describe("P", "nothing") + sync(), execute("nothing") + sync(),
                close("S", "nothing") + close("P", "nothing") + sync(), bind() + sync(),
                describe("S") + sync(), describe() + sync(), execute() + sync(),
                query("rollback")],
    "group to a savepoint": [unnamed("rollback to x") + sync(), query("rollback")],
    "group of nothing": [parse("") + sync(), parse("") + bind() + sync(),
                         parse(" -- x", "e") + describe("S", "e") + sync(),
                         unnamed("commit") + sync()],
    "two in one": [parse("commit; select 1") + sync(), parse("select 1; commit") + sync(),
                   query("commit")],
    "twice the name": [parse("commit", "c") + sync(), parse("commit", "c") + sync(),
                       parse("select 1", "c") + sync(), query("commit"), OVER,
                       close("S", "c") + sync()],
    "values": [parse("rollback") + bind(["1"]) + sync(), parse("rollback", types=[23]) + sync(),
               bind() + sync(), bind(["1"]) + sync(), describe("S") + sync(), query("rollback")],
    "closed portal": [parse("commit") + bind(portal="p") + close("P", "p") + execute("p") + sync(),
                      query("commit")],
    "a query takes the unnamed statement": [parse("commit") + sync(), query("select 1"),
                                            bind() + sync(), query("commit")],
    "function": [message("F", struct.pack("!IHHHiH", 177, 0, 0, 0, 0, 0)), query("commit")],
    "copy": [message("d", b"x"), message("c"), message("f", b"no\0"), query("commit")],
    "chain": [query("commit and chain"), query("commit"), OVER, query("rollback")],
    "group of a chain": [unnamed("rollback and chain") + sync(), query("rollback")],
}


def expected_ready(messages):
    """How many ReadyForQuery a piece of a scenario is answered by."""
    return 0 if messages[:1] in (b"", b"d", b"c", b"f") else 1


def run(client, steps, over):
    seen = []
    for step in steps:
        if step == OVER:
            over()
        client.send(step)
        for _ in range(expected_ready(step)):
            seen += client.ready()
    return seen


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_those_of_a_direct_connection(busy, postgres, raw, name, at_once):
    direct = raw(postgres).login()
    direct.run("begin")
    direct.run("select 1/0")
    client = busy.fail()
    steps = SCENARIOS[name]
    if at_once:
        answers = []
        for each in (direct, client):
            each.send(*steps)
            if each is client and OVER in steps:
                busy.release()
            answers.append([got for _ in range(sum(map(expected_ready, steps)))
                            for got in each.ready()])
        assert plain(answers[1]) == plain(answers[0])
    else:
        assert plain(run(client, steps, busy.release)) == plain(run(direct, steps, lambda: None))
    assert waiting(busy.pooler) == 0
    busy.release()
    assert client.value("select 7") == direct.value("select 7")


@pytest.mark.parametrize("begin", ["begin", "START TRANSACTION"])
def test_the_transaction_after_the_failed_one_is_a_new_one(busy, begin):
    client = busy.fail(begin=begin)
    assert errors(client.run("select 1")) == [ABORTED]
    client.run("rollback")
    client.run(begin)
    busy.release()
    assert kinds(client.run("create temporary table t (a int) on commit drop")) == "CZ"
    assert client.run("select 1/0")[-1].status == "E"
    assert errors(client.run("select 1")) == [ABORTED]
    assert client.run("commit")[-2].tag == "ROLLBACK"


def test_what_is_pipelined_behind_the_failing_statement_fails_too(busy):
    client = busy.client
    client.send(query("begin"), unnamed("select 1"), sync(), query("select 2"),
                unnamed("select 3"), sync(), query("commit"), query("select 4"))
    assert kinds(client.ready()) == "CZ"
    answers = [client.ready() for _ in range(4)]
    assert [kinds(one) for one in answers] == ["EZ", "EZ", "EZ", "CZ"]
    assert [one[-1].status for one in answers] == list("EEEI")
    assert [errors(one) for one in answers[1:3]] == [[ABORTED], [ABORTED]]
    assert errors(answers[0])[0][1] == "53300"
    assert answers[3][0].tag == "ROLLBACK"
    # It is in no transaction, so that its wait ends as any other's.
    assert errors(client.rest())[-1][:2] == ("FATAL", "53300")


def test_a_waiter_in_no_transaction_is_told_goodbye_as_before(busy):
    busy.client.send(query("select 1"))
    assert errors(busy.client.rest())[0][:2] == ("FATAL", "53300")


def test_a_group_goes_on_behind_the_end_of_the_transaction(busy):
    client = busy.fail()
    client.send(unnamed("rollback") + parse("select 5") + bind() + execute() + sync())
    until(lambda: waiting(busy.pooler) == 1, "what is behind the ROLLBACK waits")
    busy.release()
    answer = client.ready()
    assert kinds(answer) == "12nC" + "12DCZ"
    assert answer[3].tag == "ROLLBACK"
    assert [got.columns for got in answer if got.kind == "D"] == [["5"]]


def test_several_statements_behind_a_rollback_run(busy):
    client = busy.fail()
    client.send(query("rollback; select 6"))
    until(lambda: waiting(busy.pooler) == 1, "it waits")
    busy.release()
    answer = client.ready()
    assert kinds(answer) == "CTDCZ" and not client.notices
    assert answer[-1].status == "I"


def test_a_statement_prepared_in_the_failed_transaction_can_be_used_after_it(busy):
    client = busy.fail()
    client.send(parse("rollback", "r") + bind(statement="r") + execute() + sync())
    assert kinds(client.ready()) == "12CZ"
    busy.release()
    client.run("begin")
    client.run("select 1")
    client.send(bind(statement="r") + execute() + sync())
    answer = client.ready()
    assert kinds(answer) == "2CZ" and answer[-1].status == "I"


@pytest.mark.parametrize("size", [70_000, 200_000])
def test_a_long_query_in_it_is_dropped_whole(busy, size):
    client = busy.fail()
    text = query(f"select length('{'x' * size}')")
    client.send(text[:66_000])
    client.send(text[66_000:], query("rollback"))
    answer = client.ready()
    assert errors(answer) == [ABORTED] and kinds(answer) == "EZ" and answer[-1].status == "E"
    assert client.ready()[0].tag == "ROLLBACK"


def test_cut_at_any_byte_it_is_answered_the_same(busy):
    whole = (unnamed("select 1") + sync() + query("select 2") + parse("commit", "c") + sync() +
             bind(statement="c") + execute() + sync())
    for cut in range(1, len(whole), 5):
        client = busy.fail()
        client.send(whole[:cut])
        time.sleep(0.002)
        client.send(whole[cut:], query("begin"))
        answers = [client.ready() for _ in range(5)]
        assert [kinds(one) for one in answers] == ["EZ", "EZ", "1Z", "2CZ", "CZ"], cut
        assert [one[-1].status for one in answers] == list("EEEIT")
        client.close()
        busy.client = busy.raw(busy.pooler).login()


def test_a_cancelled_waiter_needs_no_server_connection_to_roll_back(pgring, raw):
    busy = Busy(pgring, raw, query_wait="60s")
    client = busy.client
    client.run("begin")
    client.send(query("select 1"))
    until(lambda: waiting(busy.pooler) == 1, "it waits")
    canceller = raw(busy.pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    canceller.rest()
    answer = client.ready()
    assert errors(answer)[0][1] == "57014" and answer[-1].status == "E"
    assert errors(client.run("select 1")) == [ABORTED]
    assert client.run("rollback to a")[0].sqlstate == "3B001"
    assert kinds(client.run("commit")) == "CZ"


@pytest.mark.parametrize("end,tag", [("commit", "COMMIT"), ("rollback", "ROLLBACK"),
                                     ("commit and chain", "COMMIT"), ("abort", "ROLLBACK")])
def test_a_transaction_in_which_nothing_was_done_ends_without_a_server_connection(busy, end, tag):
    busy.client.run("begin")
    answer = busy.client.run(end)
    assert kinds(answer) == "CZ" and answer[0].tag == tag
    assert answer[-1].status == ("T" if "chain" in end else "I")


def test_a_server_that_refuses_the_login_fails_the_transaction_only(pgring, own_postgres, raw):
    pooler = pgring(own_postgres, lazy_begin=True, database={"pool_size": 1},
                    changes={"timeouts": {"server_login_retry": "300ms", "query_wait": "20s"}})
    client = raw(pooler).login()
    assert client.value("select 1") == "1"
    own_postgres.admin.execute("alter role app_scram nologin")
    own_postgres.admin.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                               " where usename = 'app_scram'")
    until(lambda: not own_postgres.backends("usename = 'app_scram'"), "they are gone")
    client.run("begin")
    answer = client.run("select 1")
    assert errors(answer)[0][:2] == ("ERROR", "28000") and answer[-1].status == "E"
    # Told at once, before the next attempt.
    client.send(query("commit"), query("begin"), query("select 1"))
    assert kinds(client.ready()) == "CZ" and kinds(client.ready()) == "CZ"
    answer = client.ready()
    assert errors(answer)[0][:2] == ("ERROR", "28000") and answer[-1].status == "E"
    own_postgres.admin.execute("alter role app_scram login")
    client.run("rollback")

    def serves():
        client.run("begin")
        answer = client.run("select 1")
        client.run("rollback")
        return kinds(answer) == "TDCZ"

    until(serves, "it gets a server connection again")


def test_a_pause_fails_the_transaction_only(pgring, raw):
    pooler = pgring(lazy_begin=True, changes={"timeouts": {"query_wait": "300ms"}})
    client = raw(pooler).login()
    console = raw(pooler).login("console_admin", "pgring")
    console.run("PAUSE bench")
    client.run("begin")
    answer = client.run("select 1")
    assert errors(answer)[0][0] == "ERROR" and answer[-1].status == "E"
    console.run("RESUME bench")
    client.run("rollback")
    assert client.value("select 1") == "1"


def test_the_transaction_timeout_begins_at_the_begin(pgring, raw):
    pooler = pgring(lazy_begin=True, changes={"timeouts": {"transaction": "900ms"}})
    client = raw(pooler).login()
    client.run("begin")
    time.sleep(0.6)
    assert client.value("select 1") == "1"
    began = time.monotonic()
    assert errors(client.rest())[0][:2] == ("FATAL", "25P04")
    assert time.monotonic() - began < 0.6


def test_the_transaction_timeout_applies_to_one_that_waits(pgring, raw):
    pooler = pgring(lazy_begin=True, changes={"timeouts": {"transaction": "700ms"}})
    client = raw(pooler).login()
    console = raw(pooler).login("console_admin", "pgring")
    console.run("PAUSE bench")
    client.run("begin")
    began = time.monotonic()
    client.send(query("select 1"))
    assert errors(client.rest())[0][:2] == ("FATAL", "25P04")
    assert 0.5 < time.monotonic() - began < 5
    assert waiting(pooler) == 0
    console.run("RESUME bench")


@pytest.mark.parametrize("fails", [False, True], ids=["begun", "failed"])
def test_the_idle_transaction_timeout_begins_at_the_begin(pgring, raw, fails):
    limited = pgring(lazy_begin=True, database={"pool_size": 1},
                     changes={"timeouts": {"idle_transaction": "600ms", "query_wait": "200ms"}})
    client = raw(limited).login()
    if fails:
        console = raw(limited).login("console_admin", "pgring")
        console.run("PAUSE bench")
    client.run("begin")
    if fails:
        assert client.run("select 1")[-1].status == "E"
    began = time.monotonic()
    assert errors(client.rest())[0][:2] == ("FATAL", "25P03")
    assert 0.4 < time.monotonic() - began < 5
    if fails:
        console.run("RESUME bench")


def test_goodbye_in_a_failed_transaction(busy):
    client = busy.fail()
    client.send(terminate())
    assert client.rest() == []
    with pytest.raises((Closed, OSError)):
        client.run("select 1")
