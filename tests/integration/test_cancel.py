"""Cancel requests reach the query they mean and no other, and tell nobody anything."""

import concurrent.futures
import itertools
import threading
import time

import psycopg
import psycopg2
import pytest
from harness.raw import cancel_request, errors, flush, kinds, query, sync, unnamed
from harness.wait import stays, until


def is_running(postgres, text):
    return lambda: postgres.backends(f"state = 'active' and query like '%{text}%'"
                                     " and query not like '%pg_stat_activity%'")


def send_cancel(raw, pooler, pid, secret, unix=False):
    """Sends a CancelRequest and returns what is said before the connection is closed."""
    client = raw(pooler, unix=unix)
    client.send(cancel_request(pid, secret))
    said = client.rest()
    client.close()
    return said


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
def test_psycopg_cancels_its_running_query(pgring, postgres, opened, transport, shards, pool_mode):
    pooler = pgring(database={"pool_mode": pool_mode}, changes={"shards": {"count": shards}})
    host = pooler.socket_dir if transport == "unix" else None
    connection = opened(pooler.connect(host=host))
    for number in range(3):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = pool.submit(connection.execute, f"select pg_sleep(60), 'mark{number}'")
            until(is_running(postgres, f"mark{number}"), "the query runs")
            connection.cancel()
            with pytest.raises(psycopg.errors.QueryCanceled):
                running.result(timeout=20)
        assert connection.execute("select 1").fetchone() == (1,)


def test_libpq_cancels_inside_a_transaction_and_the_transaction_fails(pgring, postgres):
    connection = psycopg2.connect(pgring(database={"pool_size": 1}).dsn())
    try:
        cursor = connection.cursor()
        cursor.execute("select 1")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = pool.submit(cursor.execute, "select pg_sleep(60), 'marktx'")
            until(is_running(postgres, "marktx"), "the query runs")
            connection.cancel()
            with pytest.raises(psycopg2.errors.QueryCanceled):
                running.result(timeout=20)
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 2")
        connection.rollback()
        cursor.execute("select 3")
        assert cursor.fetchone() == (3,)
    finally:
        connection.close()


@pytest.mark.parametrize("unix", [False, True])
def test_cancels_are_answered_with_silence_whether_right_or_wrong(pgring, postgres, raw, unix):
    pooler = pgring(database={"pool_size": 1}, changes={"shards": {"count": 4}})
    client = raw(pooler, unix=unix).login()
    client.send(query("select pg_sleep(60), 'marksilent'"))
    until(is_running(postgres, "marksilent"), "the query runs")
    wrong = bytes(byte ^ 0xFF for byte in client.secret)
    assert send_cancel(raw, pooler, client.pid, wrong, unix) == []
    assert send_cancel(raw, pooler, client.pid ^ 1, client.secret, unix) == []
    assert send_cancel(raw, pooler, 0, b"\0" * 4, unix) == []
    assert send_cancel(raw, pooler, -1, b"\xff" * 4, unix) == []
    stays(is_running(postgres, "marksilent"), "the query runs on after wrong cancels", 0.5)
    assert send_cancel(raw, pooler, client.pid, client.secret, unix) == []
    assert errors(client.ready())[0][1] == "57014"


def test_clients_cannot_guess_each_others_keys(pgring, raw):
    pooler = pgring()
    clients = [raw(pooler).login() for _ in range(50)]
    assert len({(client.pid, client.secret) for client in clients}) == 50
    assert len({client.secret for client in clients}) == 50
    steps = {int.from_bytes(right.secret, "big") - int.from_bytes(left.secret, "big")
             for left, right in zip(clients, clients[1:])}
    assert len(steps) > 40, "the secrets are a series"


def test_postgresqls_own_keys_do_not_work_at_pgring(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    (pid,) = [int(client.value("select pg_backend_pid()"))]
    client.send(query("select pg_sleep(1), 'markpid'"))
    until(is_running(postgres, "markpid"), "the query runs")
    assert send_cancel(raw, pooler, pid, client.secret) == []
    assert kinds(client.ready()) == "TDCZ"


def test_a_cancel_for_an_idle_client_is_dropped(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    idle, busy = raw(pooler).login(), raw(pooler).login()
    assert idle.value("select 1") == "1"
    busy.send(query("select pg_sleep(1), 'markbusy'"))
    until(is_running(postgres, "markbusy"), "the neighbour's query runs")
    for _ in range(5):
        assert send_cancel(raw, pooler, idle.pid, idle.secret) == []
    assert kinds(busy.ready()) == "TDCZ"
    assert kinds(idle.run("select pg_sleep(0.3)")) == "TDCZ"


def test_a_cancel_for_a_waiting_client_does_not_hit_the_one_it_waits_for(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    holder, waiter = raw(pooler).login(), raw(pooler).login()
    holder.send(query("select pg_sleep(1), 'markholder'"))
    until(is_running(postgres, "markholder"), "the holder's query runs")
    waiter.send(query("select 5"))
    until(lambda: sum(int(row["cl_waiting"]) for row in pooler.show("POOLS")) == 1,
          "the other client waits")
    assert send_cancel(raw, pooler, waiter.pid, waiter.secret) == []
    assert kinds(holder.ready()) == "TDCZ"
    assert errors(waiter.ready())[0][1] == "57014"
    assert waiter.value("select 6") == "6"


def test_a_cancel_between_two_statements_of_a_transaction_is_harmless(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    client.run("begin")
    client.run("select 1")
    assert send_cancel(raw, pooler, client.pid, client.secret) == []
    assert kinds(client.run("select pg_sleep(0.3)")) == "TDCZ"
    assert kinds(client.run("commit")) == "CZ"


@pytest.mark.parametrize("shards", [1, 4])
def test_a_cancel_racing_with_the_end_of_its_query_never_hits_another_client(pgring, raw, shards):
    # One server connection: the canceller's query ends and the neighbour's begins on it at once.
    pooler = pgring(database={"pool_size": 1}, changes={"shards": {"count": shards}})
    client, neighbour = raw(pooler).login(), raw(pooler).login()
    stop, counts = threading.Event(), {"cancels": 0, "hits": 0, "own": 0, "neighbour": 0}
    wanted = {"own": 1, "neighbour": 51, "cancels": 51}

    def cancel_all_the_time():
        while not stop.is_set():
            send_cancel(raw, pooler, client.pid, client.secret)
            counts["cancels"] += 1

    def neighbour_works():
        while not stop.is_set():
            answer = neighbour.run("select pg_sleep(0.0005)")
            counts["neighbour"] += 1
            if errors(answer):
                counts["hits"] += 1

    def client_works():
        for pause_s in itertools.cycle((0.002, 0.002, 0.002, 0.1)):  # some cancels must hit
            if stop.is_set():
                return
            if errors(client.run(f"select pg_sleep({pause_s})")):
                counts["own"] += 1

    def has_raced_enough():
        return time.monotonic() > end and all(counts[name] >= wanted[name] for name in wanted)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work)
                   for work in (cancel_all_the_time, neighbour_works, client_works)]
        end = time.monotonic() + 3
        try:
            until(lambda: has_raced_enough() or any(worker.done() for worker in workers),
                  f"three seconds pass and there are {wanted}")
        finally:
            stop.set()
        for worker in workers:
            worker.result(timeout=20)
    assert counts["hits"] == 0 and has_raced_enough(), counts


def test_a_hundred_cancels_at_once_cancel_once(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    pid = client.value("select pg_backend_pid()")
    client.send(query("select pg_sleep(60), 'markmany'"))
    until(is_running(postgres, "markmany"), "the query runs")
    cancels = [raw(pooler) for _ in range(100)]
    for cancel in cancels:
        cancel.send(cancel_request(client.pid, client.secret))
    assert errors(client.ready())[0][1] == "57014"
    assert [cancel.rest() for cancel in cancels] == [[]] * 100
    for number in range(50):
        assert client.value(f"select {number}") == str(number)
    until(lambda: len(postgres.backends()) == 1, "no connection of the cancels is left")
    assert client.value("select pg_backend_pid()") == pid, "a cancel costs a server connection"


def test_a_cancel_reaches_a_group_that_is_flushed_and_not_ended(pgring, postgres, raw):
    pooler = pgring()
    client = raw(pooler).login()
    client.send(unnamed("select pg_sleep(60), 'markflush'"), flush())
    until(lambda: postgres.backends("state = 'active' and query like '%%markflush%%'"), "it runs")
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    assert canceller.rest() == []
    assert errors(client.until("E"))[0][1] == "57014"
    client.send(sync())
    assert kinds(client.ready()) == "Z"


@pytest.mark.parametrize("shards", [1, 4])
def test_a_neighbour_that_begins_as_the_cancelled_query_ends_never_sees_the_cancel(pgring, raw,
                                                                                   shards):
    # The neighbour waits for the only server connection, which is free the moment the query ends; the cancel
    # is sent at another moment of its 2 ms each time. Some hit, some come too late, all are harmless to it.
    rounds, length_s = 300, 0.002
    pooler = pgring(database={"pool_size": 1}, changes={"shards": {"count": shards}})
    client, neighbour = raw(pooler).login(), raw(pooler).login()
    hits = 0
    for number in range(rounds):
        canceller = raw(pooler)
        client.send(query(f"select pg_sleep({length_s})"))
        neighbour.send(query(f"select pg_sleep({length_s}), {number}"))
        moment = time.perf_counter() + 2 * length_s * (number % 30) / 30
        while time.perf_counter() < moment:
            pass
        canceller.send(cancel_request(client.pid, client.secret))
        answer, others = client.ready(), neighbour.ready()
        assert canceller.rest() == []
        canceller.close()
        assert errors(others) == [] and kinds(others) == "TDCZ", (number, others)
        assert [got.columns[1] for got in others if got.kind == "D"] == [str(number)]
        assert [error[1] for error in errors(answer)] in ([], ["57014"])
        hits += bool(errors(answer))
    assert 0 < hits < rounds, hits
