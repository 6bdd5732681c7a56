"""Clients and servers that die at any byte harm nobody else."""

import os
import signal
import socket
import threading

import psycopg
import pytest
from harness.cutter import Cutter
from harness.postgres import Postgres
from harness.raw import (Closed, errors, kinds, message, query, startup_packet, sync, terminate,
                         unnamed)
from harness.wait import until

TRUST = {"auth": {"method": "trust"}}
QUICK_RETRY = {"timeouts": {"server_login_retry": "20ms"}}


def dialogue():
    """Everything a client may say, in one stream: a login, both protocols, COPY, a transaction."""
    return b"".join([
        startup_packet({"user": "app_trust", "database": "bench", "application_name": "dying"}),
        query("select 1"), unnamed("select $1::text", ["abc"]), sync(), query("begin"),
        query("insert into dying values (1)"), unnamed("insert into dying values (2)"), sync(),
        query("copy dying from stdin"), message("d", b"3\n4\n"), message("c"),
        query("set TimeZone = 'Asia/Tokyo'"), query("rollback"), terminate()])


@pytest.fixture
def dying(postgres):
    postgres.admin.execute("drop table if exists dying; create table dying (n int);"
                           " grant all on dying to public")
    yield "dying"
    postgres.admin.execute("drop table dying")


@pytest.mark.parametrize("ending", ["close", "reset", "half-close"])
@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
def test_a_client_dying_at_any_byte_leaves_the_pool_whole(pgring, postgres, raw, dying, ending,
                                                          pool_mode):
    pooler = pgring(database={"pool_size": 3, "pool_mode": pool_mode}, changes=TRUST)
    neighbour = raw(pooler).login("app_trust")
    stream = dialogue()
    for cut in range(0, len(stream) + 1):
        client = raw(pooler)
        client.send(stream[:cut])
        if ending == "reset":
            client.abort()
        elif ending == "half-close":
            client.socket.shutdown(1)
            client.rest()
            client.close()
        else:
            client.close()
        if cut % 25 == 0:
            assert neighbour.value(f"select {cut}") == str(cut)
    assert neighbour.value("select count(*) from dying") == "0"
    neighbour.close()
    until(lambda: not postgres.backends("state <> 'idle'"), "every server connection is idle")
    for _ in range(5):
        fresh = raw(pooler).login("app_trust")
        assert fresh.value("select 1") == "1"
        assert fresh.value("show TimeZone") != "Asia/Tokyo"
        fresh.close()
    assert len(postgres.backends()) <= 3
    until(lambda: not [row for row in pooler.show("CLIENTS") if row["database"] == "bench"],
          "no client is left")


def test_a_query_whose_backend_is_terminated_fails_for_its_client_only(pgring, postgres, opened):
    pooler = pgring(database={"pool_size": 2})
    one, other = opened(pooler.connect(autocommit=False)), opened(pooler.connect(autocommit=False))
    (pid,) = one.execute("select pg_backend_pid()").fetchone()
    (other_pid,) = other.execute("select pg_backend_pid()").fetchone()
    postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
    with pytest.raises(psycopg.OperationalError) as lost:
        one.execute("select 1")
    assert lost.value.sqlstate in ("57P01", None) and "terminat" in str(lost.value)
    assert other.execute("select pg_backend_pid()").fetchone() == (other_pid,)
    with pooler.connect() as fresh:
        assert fresh.execute("select 1").fetchone() == (1,)


def test_a_backend_terminated_in_the_middle_of_a_query_is_reported_by_its_own_words(
        pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    pid = int(client.value("select pg_backend_pid()"))
    client.send(query("select pg_sleep(60), 'markterm'"))
    until(lambda: postgres.backends("state = 'active' and query like '%%markterm%%'"), "it runs")
    postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
    try:
        seen = client.ready()
    except Closed as end:
        seen = end.seen
    assert errors(seen)[0][:2] == ("FATAL", "57P01")
    assert raw(pooler).login().value("select 1") == "1"


def test_an_idle_server_connection_that_dies_is_replaced_unseen(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 3})
    clients = [raw(pooler).login() for _ in range(3)]
    for client in clients:
        client.run("begin")
    for client in clients:
        client.run("commit")
    pids = postgres.backends()
    assert len(pids) == 3
    for pid in pids:
        postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
    until(lambda: not set(pids) & set(postgres.backends()), "the old backends are gone")
    for client in clients:
        assert client.value("select 1") == "1"


def test_a_restarted_postgresql_is_found_again_by_connected_clients(pgring, own_postgres, raw):
    pooler = pgring(own_postgres, database={"pool_size": 2}, changes=QUICK_RETRY)
    idle, busy = raw(pooler).login(), raw(pooler).login()
    assert idle.value("select 1") == "1"
    busy.run("begin")
    own_postgres.halt(signal.SIGINT)
    seen = busy.rest()
    assert errors(seen)[0][:2] == ("FATAL", "57P01")
    own_postgres.start()
    assert idle.value("select 2") == "2"
    assert raw(pooler).login().value("select 3") == "3"


def test_a_postgresql_that_crashes_and_recovers_is_found_again(pgring, own_postgres, raw):
    pooler = pgring(own_postgres, database={"pool_size": 2}, changes=QUICK_RETRY)
    idle, victim = raw(pooler).login(), raw(pooler).login()
    assert idle.value("select 1") == "1"
    victim.run("begin")
    pid = int(victim.value("select pg_backend_pid()"))
    own_postgres.admin.execute("select 1")
    os.kill(pid, signal.SIGKILL)  # PostgreSQL ends all backends and recovers
    victim.rest()
    own_postgres.admin.close()
    until(own_postgres.is_ready, "PostgreSQL has recovered")
    assert raw(pooler).login().value("select 3") == "3"
    assert idle.value("select 2") == "2"


def test_while_postgresql_is_down_a_client_gets_a_clear_error_in_time(pgring, own_postgres, raw):
    pooler = pgring(own_postgres, changes={"timeouts": {"query_wait": "1s",
                                                       "server_login_retry": "100ms"}})
    client = raw(pooler).login()
    assert client.value("select 1") == "1"
    own_postgres.halt()
    try:
        client.send(query("select 2"))
        seen = client.ready()
    except Closed as end:
        seen = end.seen
    severity, code, text = errors(seen)[0]
    assert severity in ("FATAL", "ERROR") and code and text
    own_postgres.start()

    def works():
        try:
            return raw(pooler).login().value("select 3") == "3"
        except Closed:
            return False

    until(works, "clients are served again")


def test_a_client_may_log_in_while_postgresql_is_not_there_yet(pgring, own_postgres, raw):
    own_postgres.halt()
    pooler = pgring(own_postgres, changes={"timeouts": {"query_wait": "30s",
                                                       "server_login_retry": "100ms"}})
    with pytest.raises(Closed) as refused:
        impatient = raw(pgring(own_postgres, changes={"timeouts": {
            "query_wait": "500ms", "server_login_retry": "100ms"}}))
        impatient.login()
        impatient.run("select 1")
    assert errors(refused.value.seen)[0][0] == "FATAL"
    own_postgres.start()

    def works():
        try:
            return raw(pooler).login().value("select 1") == "1"
        except Closed:
            return False

    until(works, "clients are served")


@pytest.fixture
def roomy_postgres():
    server = Postgres(settings={"max_connections": "400"})
    yield server
    server.stop()


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_dying_at_any_byte_is_an_error_for_its_client_only(pgring, roomy_postgres, raw,
                                                                    reset):
    # A connection that was reset before it told its pid counts as lost for a minute.
    postgres = roomy_postgres
    cutter = Cutter(postgres)
    try:
        pooler = pgring(postgres, database={"pool_size": 1}, changes={
            **TRUST, "timeouts": {"server_login_retry": "1ms", "query_wait": "20s"},
            "server": {"main": {"host": cutter.host, "port": cutter.port}}})
        whole = raw(pooler).login("app_trust")
        texts = ("select 'first'", "select repeat('x', 30)", "select 1/0")
        for text in texts:
            whole.run(text)
        size = cutter.passed
        assert size > 300
        cutter.reset = reset
        for limit in range(1, size, 3):
            postgres.admin.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                                   " where usename = 'app_trust'")
            until(lambda: not postgres.backends(), "the last server connection is gone")
            cutter.limit = limit
            client = raw(pooler)
            try:
                client.login("app_trust")
                for text in texts:
                    answer = client.run(text)
                    assert kinds(answer) in ("TDCZ", "EZ"), (limit, answer)
            except Closed as end:
                assert not end.seen or end.seen[-1].kind != "Z"
            cutter.limit = None
            client.close()
        cutter.limit = None

        def works():
            try:
                return raw(pooler).login("app_trust").value("select 1") == "1"
            except Closed:
                return False

        until(works, "the pool works again")
    finally:
        cutter.stop()


def test_a_server_that_says_nonsense_at_login_is_an_error_not_a_crash(pgring, raw):
    answers = [b"", b"E", b"H", b"R\0\0\0\4", b"R\0\0\0\3", b"R\xff\xff\xff\xff", b"\0" * 100,
               b"R\0\0\0\x08\0\0\0\x63", b"R\0\0\0\x0c\0\0\0\x05", b"Z\0\0\0\5I",
               b"E\0\0\0\5\0", b"E\0\0\0\4", b"R\0\0\0\x08\0\0\0\0K\0\0\0\4",
               b"HTTP/1.1 400\r\n\r\n",
               b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256", b"R\0\0\0\x08\0\0\0\x0b",
               b"R\0\0\0\x08\0\0\0\x0c", b"v\0\0\0\x0c\0\3\0\0\xff\xff\xff\xff"]
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    stop = threading.Event()

    def talk():
        number = 0
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(4096)
                    connection.sendall(answers[number % len(answers)])
                except OSError:
                    pass
            number += 1

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        pooler = pgring(changes={
            "server": {"main": {"host": "127.0.0.1", "port": listener.getsockname()[1]}},
            "timeouts": {"server_login_retry": "1ms", "query_wait": "500ms",
                         "server_connect": "300ms"}})
        for _ in range(len(answers)):
            with pytest.raises(Closed) as refused:
                client = raw(pooler)
                client.login()
                client.run("select 1")
            severity, code, text = errors(refused.value.seen)[0]
            assert severity == "FATAL" and len(code or "") == 5 and text
        assert pooler.show("VERSION")
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
