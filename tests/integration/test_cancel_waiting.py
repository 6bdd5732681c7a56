"""A cancel for a client that waits for a server connection, or for a replay: 57014, and nothing is sent."""

import struct

import pytest
from harness.proxy import Proxy
from harness.raw import (bind, cancel_request, describe, errors, execute, flush, kinds, message,
                         parse, query, sync, unnamed)
from harness.wait import stays, until

CANCELED = ("ERROR", "57014", "canceling statement due to user request")


def cancel(raw, pooler, client):
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    assert canceller.rest() == []
    canceller.close()


def waiting(pooler):
    return sum(int(row["cl_waiting"]) for row in pooler.show("POOLS"))


def check_canceled(answer):
    assert kinds(answer) == "EZ" and answer[-1].status == "I", answer
    assert errors(answer) == [CANCELED]


class Held:
    """A pool of one server connection, in a transaction of another client."""

    def __init__(self, pgring, raw, **database):
        self.pooler = pgring(database={"pool_size": 1, **database})
        self.raw = raw
        self.holder = raw(self.pooler).login()
        self.holder.run("begin")

    def waiter(self, *messages):
        client = self.raw(self.pooler).login()
        client.send(*messages)
        until(lambda: waiting(self.pooler) == 1, "the client waits")
        return client

    def cancel(self, client):
        cancel(self.raw, self.pooler, client)

    def release(self):
        assert kinds(self.holder.run("commit")) == "CZ"


@pytest.fixture
def held(pgring, raw):
    return Held(pgring, raw)


@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
@pytest.mark.parametrize("request_", [
    query("select 1"), query(""), unnamed("select 1") + sync(), parse("select 1") + sync(),
    # FunctionCall of int4pl; a Sync and a Flush that are malformed need a server connection, too
    message("F", struct.pack("!IHHHiH", 177, 0, 0, 0, 0, 0)), message("S", b"x"),
    message("H", b"x") + sync()],
    ids=["query", "empty", "group", "parse", "function", "sync", "flush"])
def test_a_waiting_request_ends_at_once_and_its_client_goes_on(pgring, raw, pool_mode, request_):
    held = Held(pgring, raw, pool_mode=pool_mode)
    client = held.waiter(request_)
    held.cancel(client)
    check_canceled(client.ready())  # while the holder has the only connection
    assert waiting(held.pooler) == 0
    held.cancel(client)  # idle now
    held.release()
    if pool_mode == "session":
        held.holder.close()
    assert client.value("select 7") == "7"


@pytest.mark.parametrize("first", [query("select 1"), unnamed("select 1") + sync()],
                         ids=["query", "group"])
@pytest.mark.parametrize("second", [query("select 2"), unnamed("select 2") + sync()],
                         ids=["query", "group"])
def test_requests_behind_the_cancelled_one_go_on(held, first, second):
    client = held.waiter(first, second, query("select 3"))
    held.cancel(client)
    check_canceled(client.ready())
    assert waiting(held.pooler) == 1  # for the second
    held.cancel(client)
    check_canceled(client.ready())
    held.release()
    answer = client.ready()
    assert [got.columns for got in answer if got.kind == "D"] == [["3"]]
    assert client.value("select 4") == "4"


def test_a_sync_behind_a_cancelled_query_is_answered_by_itself(held):
    client = held.waiter(query("select 1"), sync(), sync(), query("select 2"))
    held.cancel(client)
    check_canceled(client.ready())
    assert [kinds(client.ready()), kinds(client.ready())] == ["Z", "Z"]
    held.release()
    assert kinds(client.ready()) == "TDCZ"


def test_of_a_group_without_sync_what_comes_later_is_dropped_too(held):
    client = held.waiter(parse("select 1"), bind(), flush())
    held.cancel(client)
    assert errors(client.until("E")) == [CANCELED]
    assert waiting(held.pooler) == 0
    # As PostgreSQL after an error: a Query before the Sync is dropped as well, a CopyData likewise.
    client.send(describe(), execute(), query("select 8"), message("d", b"x"), parse("select 9"))
    held.cancel(client)  # nothing of it runs
    client.send(sync(), query("select 2"))
    assert kinds(client.ready()) == "Z"
    held.release()
    answer = client.ready()
    assert [got.columns for got in answer if got.kind == "D"] == [["2"]]


@pytest.mark.parametrize("size", [60_000, 100_000, 3_000_000])
def test_a_long_request_is_dropped_whole(held, size):
    text = query(f"select length('{'x' * size}')")
    client = held.waiter(text[:70_000])
    # Shorter ones are gathered first and wait only when they are whole.
    held.cancel(client)
    assert errors(client.until("E")) == [CANCELED]
    client.send(text[70_000:], query("select 2"))
    assert kinds(client.ready()) == "Z"
    held.release()
    answer = client.ready()
    assert [got.columns for got in answer if got.kind == "D"] == [["2"]]


def test_a_request_that_is_not_wholly_there_is_not_cancelled(held):
    # PostgreSQL does not know of it either before its last byte is there.
    client = held.raw(held.pooler).login()
    text = query("select 1, 'half'")
    client.send(text[:10])
    held.cancel(client)
    client.send(text[10:])
    until(lambda: waiting(held.pooler) == 1, "the client waits")
    held.release()
    assert kinds(client.ready()) == "TDCZ"


def test_cut_at_any_byte_the_cancelled_request_ends_where_it_ends(held):
    first = parse("select 1") + bind() + execute() + sync()
    behind = query("select 2")
    whole = first + behind
    client = held.raw(held.pooler).login()
    for cut in range(len(parse("select 1")), len(whole) + 1):
        client.send(whole[:cut])
        until(lambda: waiting(held.pooler) == 1, "the client waits")
        held.cancel(client)
        client.send(whole[cut:])
        check_canceled(client.ready())
        until(lambda: waiting(held.pooler) == 1, "the query behind it waits")
        held.cancel(client)
        check_canceled(client.ready())


def test_a_client_that_was_not_read_from_is_again(held):
    # More than is held or in flight, twice 64 KiB and a buffer: it is not read from. What is left is less.
    client = held.waiter(*[query(f"select '{'x' * size}'") for size in (100_000, 20_000, 30_000)])
    held.cancel(client)
    check_canceled(client.ready())
    assert waiting(held.pooler) == 1
    client.close()
    until(lambda: waiting(held.pooler) == 0, "the client's end is noticed while it waits")


def test_other_waiters_keep_their_turn(held):
    before, canceled = held.waiter(query("select 'before'")), held.raw(held.pooler).login()
    behind = held.raw(held.pooler).login()
    for number, client in enumerate((canceled, behind), 2):
        client.send(query(f"select {number}"))
        until(lambda: waiting(held.pooler) == number, "it waits")
    held.cancel(canceled)
    check_canceled(canceled.ready())
    assert waiting(held.pooler) == 2
    held.release()
    assert [kinds(before.ready()), kinds(behind.ready())] == ["TDCZ", "TDCZ"]


def test_a_client_of_a_paused_database_can_be_cancelled(pgring, raw):
    pooler = pgring()
    client = raw(pooler).login()
    console = raw(pooler).login("console_admin", "pgring")
    console.run("PAUSE bench")
    client.send(query("select 1"))
    until(lambda: waiting(pooler) == 1, "the client waits")
    cancel(raw, pooler, client)
    check_canceled(client.ready())
    console.run("RESUME bench")
    assert client.value("select 1") == "1"


def test_a_cancelled_waiter_that_said_goodbye_is_gone(held):
    client = held.waiter(query("select 1"), message("X"))
    held.cancel(client)
    client.rest()
    assert waiting(held.pooler) == 0
    held.release()
    assert held.holder.value("select 1") == "1"


@pytest.mark.parametrize("rounds", [40])
def test_cancels_of_a_waiter_racing_with_its_turn(held, rounds):
    # The holder releases while the cancel is on its way: one answer, of one kind or the other, and the next fits.
    client = held.raw(held.pooler).login()
    for number in range(rounds):
        client.send(query(f"select 'first{number}'"), query(f"select 'second{number}'"))
        until(lambda: waiting(held.pooler) == 1, "the client waits")
        canceller = held.raw(held.pooler)
        if number % 2:
            canceller.send(cancel_request(client.pid, client.secret))
            held.release()
        else:
            held.holder.send(query("commit"))
            canceller.send(cancel_request(client.pid, client.secret))
            assert kinds(held.holder.ready()) == "CZ"
        assert canceller.rest() == []
        answers = [client.ready(), client.ready()]
        said = [[got.columns[0] for got in answer if got.kind == "D"] for answer in answers]
        canceled = [bool(errors(answer)) for answer in answers]
        assert sum(canceled) <= 1, "one cancel, one error"
        for place, name in enumerate(("first", "second")):
            assert canceled[place] or said[place] == [f"{name}{number}"]
        held.holder.run("begin")


# With a proxy in between, which can hold back what PostgreSQL says.

@pytest.fixture
def proxy(postgres):
    made = Proxy(postgres)
    yield made
    made.stop()


def behind(pgring, proxy, **timeouts):
    return pgring(database={"pool_size": 1}, changes={
        "server": {"main": {"host": proxy.host, "port": proxy.port}}, "timeouts": timeouts})


def hold_replay(pooler, proxy, client, other, pipelined):
    """The client's request waits for its replay, of which no answer comes. What pgring asks at times is not it."""
    for _ in range(20):
        pooler.settle()
        proxy.replies.clear()
        proxy.sent = b""
        client.send(query("select 'markreplay'"), *[query("select 2")] * pipelined)
        until(lambda: proxy.sent, "something is sent")
        if b"mine" in proxy.sent:
            return
        proxy.replies.set()
        for _ in range(1 + pipelined):
            client.ready()
        # Another's settings again, so that there is something to replay.
        other.run("select 1")
    pytest.fail("pgring asked something of its own each time")


@pytest.mark.parametrize("pipelined", [False, True])
def test_during_a_replay_no_cancel_is_sent_and_the_query_is_not_either(pgring, raw, proxy,
                                                                       pipelined):
    pooler = behind(pgring, proxy)
    client = raw(pooler).login(application_name="mine")
    other = raw(pooler).login(application_name="others")
    assert other.value("select 1") == "1"
    hold_replay(pooler, proxy, client, other, pipelined)
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    until(lambda: sum(int(row["cl_waiting_cancel_req"]) for row in pooler.show("POOLS")) == 1,
          "the cancel has arrived")
    assert proxy.cancels == []
    proxy.replies.set()
    check_canceled(client.ready())
    assert canceller.rest() == []
    assert proxy.cancels == [] and b"markreplay" not in proxy.sent
    if pipelined:
        assert kinds(client.ready()) == "TDCZ"
    assert client.value("show application_name") == "mine"
    assert other.value("show application_name") == "others"


def test_a_server_connection_is_nobodys_until_the_cancel_is_over(pgring, postgres, raw, proxy):
    pooler = behind(pgring, proxy)
    client, neighbour = raw(pooler).login(), raw(pooler).login()
    proxy.cancel.clear()
    client.send(query("select pg_sleep(0.5), 'markheld'"))
    until(lambda: b"markheld" in proxy.sent, "the query is sent")
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    until(lambda: len(proxy.cancels) == 1, "the cancel is on its way")
    neighbour.send(query("select pg_sleep(0.3), 'marknext'"))
    assert kinds(client.ready()) == "TDCZ"
    stays(lambda: b"marknext" not in proxy.sent, "the neighbour waits for the cancel's end", 0.3)
    (row,) = [row for row in pooler.show("POOLS") if row["database"] == "bench"]
    assert (row["sv_being_canceled"], row["cl_waiting"]) == ("1", "1")
    proxy.cancel.set()
    assert kinds(neighbour.ready()) == "TDCZ"
    assert canceller.rest() == []


def test_where_the_end_of_a_cancel_was_not_seen_it_cannot_hit_the_next_client(pgring, raw, proxy):
    pooler = behind(pgring, proxy, cancel_wait="200ms")
    client, neighbour = raw(pooler).login(), raw(pooler).login()
    pid = client.value("select pg_backend_pid()")
    proxy.cancel.clear()
    client.send(query("select pg_sleep(0.1), 'markheld'"))
    until(lambda: b"markheld" in proxy.sent, "the query is sent")
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    until(lambda: len(proxy.cancels) == 1, "the cancel is on its way")
    assert kinds(client.ready()) == "TDCZ"
    assert canceller.rest() == []  # given up
    assert neighbour.value("select pg_backend_pid()") != pid
    neighbour.send(query("select pg_sleep(0.3)"))
    proxy.cancel.set()
    assert kinds(neighbour.ready()) == "TDCZ"


def test_a_cancel_is_sent_to_postgresql_only_while_something_runs(pgring, raw, proxy):
    pooler = behind(pgring, proxy)
    client = raw(pooler).login()
    client.run("select 1")
    cancel(raw, pooler, client)  # answered, and the connection given back
    client.run("begin")
    client.run("select 1")
    cancel(raw, pooler, client)  # linked, and idle
    client.send(parse("select 1"), flush())
    assert kinds(client.until("1")) == "1"
    assert proxy.cancels == []
    cancel(raw, pooler, client)  # a group without its Sync runs, as PostgreSQL has it
    assert len(proxy.cancels) == 1
    client.send(sync())
    client.ready()
    client.run("rollback")
    cancel(raw, pooler, client)
    assert len(proxy.cancels) == 1
