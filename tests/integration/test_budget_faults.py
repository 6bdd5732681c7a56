"""Whatever becomes of PostgreSQL or its backends: the count of connections comes back to the true one."""

import contextlib
import os
import signal
import time

import psycopg
import pytest
from harness.budget import ceiling, settled, waits
from harness.cutter import Cutter
from harness.load import Group, Traffic
from harness.raw import Closed, kinds, query
from harness.wait import stays, until

QUICK = {"timeouts": {"server_login_retry": "50ms"}}


def busy(user="app_scram", clients=12):
    return Group(user, user, clients, lambda: ["begin", "select pg_sleep(0.003)", "commit"],
                 think_s=(0, 0.01), reconnect=True)


def served(traffic, since):
    until(lambda: len(traffic.took("app_scram", since)) >= 20, "clients are served again")


@contextlib.contextmanager
def stopped(pid):
    """SIGSTOP while the body of `with` runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def loaded(small_pgring):
    """A pgring under load, with the load."""
    pooler = small_pgring(QUICK, pool_size=10)
    with Traffic(pooler, busy()) as traffic:
        yield pooler, traffic


def test_after_backends_were_terminated_the_count_is_true(small_postgres, loaded):
    pooler, traffic = loaded
    for _ in range(5):
        until(lambda: small_postgres.own() >= 5, "there are backends")
        gone = small_postgres.backends()
        for pid in gone:
            small_postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
        until(lambda: not set(gone) & set(small_postgres.backends()), "they are gone")
        assert small_postgres.own() <= 10
    served(traffic, time.monotonic())
    settled(pooler, small_postgres)


def test_after_a_backend_was_killed_and_all_went_with_it_the_count_is_true(small_postgres, loaded):
    pooler, traffic = loaded
    until(lambda: small_postgres.own() >= 5, "there are backends")
    os.kill(small_postgres.backends()[0], signal.SIGKILL)
    small_postgres.await_crash()
    served(traffic, time.monotonic())
    settled(pooler, small_postgres)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_after_a_restart_of_postgresql_the_count_is_true(small_postgres, loaded, signum):
    pooler, traffic = loaded
    until(lambda: small_postgres.own() >= 5, "there are backends")
    small_postgres.halt(signum)
    small_postgres.start()
    served(traffic, time.monotonic())
    settled(pooler, small_postgres)


@pytest.mark.parametrize("for_s", [1.0, pytest.param(5.0, marks=pytest.mark.long)])
def test_after_the_postmaster_was_stopped_the_count_is_true(small_postgres, small_pgring, raw,
                                                            for_s):
    # Whoever comes now is not answered: connections are opened, given up and opened again.
    pooler = small_pgring({"timeouts": {"server_connect": "200ms", "server_login_retry": "50ms"}},
                          pool_size=10)
    first = raw(pooler).login()
    first.run("begin")
    until(lambda: small_postgres.own() == 1, "one is open")
    clients = [raw(pooler).login() for _ in range(5)]
    with stopped(small_postgres.process.pid):
        for client in clients:
            client.send(query("begin"))
        stays(lambda: ceiling(pooler).used <= 10, "the budget is kept", for_s)
        assert first.value("select 1") == "1"
    for client in clients:
        assert kinds(client.ready()) == "CZ"
    assert 6 <= small_postgres.own() <= 10
    for client in (first, *clients):
        client.run("commit")
    settled(pooler, small_postgres)


@pytest.mark.parametrize("for_s", [0.5, pytest.param(5.0, marks=pytest.mark.long)])
def test_a_stopped_backend_counts_until_it_is_gone(small_postgres, small_pgring, raw, for_s):
    pooler = small_pgring({"server": {"main": {"max_connections": 1}}})
    client = raw(pooler).login()
    client.run("begin")
    (pid,) = small_postgres.backends()
    with stopped(pid):
        client.abort()  # pgring gives the connection up; PostgreSQL has it still
        waiter = raw(pooler).login()
        waiter.send(query("select 1"))
        until(lambda: waits(pooler) == ["ceiling"], "the next client waits for its slot")
        stays(lambda: small_postgres.own() == 1 and ceiling(pooler).used == 1,
              "no second is opened", for_s)
    assert kinds(waiter.ready()) == "TDCZ"
    settled(pooler, small_postgres)


@pytest.mark.long  # pgring gives up on a close after ten seconds
def test_a_stopped_backend_counts_even_when_its_close_was_given_up(small_postgres, small_pgring,
                                                                   raw):
    pooler = small_pgring({"server": {"main": {"max_connections": 2}}})
    client, other = raw(pooler).login(), raw(pooler).login()
    client.run("begin")
    (pid,) = small_postgres.backends()
    other.run("begin")
    with stopped(pid):
        client.abort()
        waiter = raw(pooler).login()
        waiter.send(query("select 1"))
        until(lambda: ceiling(pooler).lost == 1, "the connection is lost", 30)
        stays(lambda: small_postgres.own() == 2 and ceiling(pooler).used == 2, "it counts", 1)
        other.run("commit")
        assert kinds(waiter.ready()) == "TDCZ"  # on the other's
    settled(pooler, small_postgres)


def test_connections_cut_on_the_way_count_until_postgresql_has_ended_them(small_postgres,
                                                                          small_pgring, raw):
    cutter = Cutter(small_postgres)
    try:
        pooler = small_pgring({"server": {"main": {"host": cutter.host, "port": cutter.port}},
                               **QUICK}, pool_size=5)
        for reset in (False, True):
            cutter.reset = reset
            for limit in (0, 1, 50, 300, 400, 500):
                cutter.limit = limit
                client = raw(pooler)
                with contextlib.suppress(Closed):  # its connection may be the one that was cut
                    client.timeout_s = 1
                    client.socket.settimeout(1)
                    with contextlib.suppress(TimeoutError):
                        client.login().run("select 1")
                client.close()
                cutter.limit = None

        def served():
            try:
                return raw(pooler).login().value("select 1") == "1"
            except Closed:  # one that waits is told of the last failure
                return False

        until(served, "clients are served again")
        assert small_postgres.own() <= 5
        settled(pooler, small_postgres)
    finally:
        cutter.stop()


def test_a_full_server_that_restarts_is_used_again(small_postgres, small_pgring, raw):
    pooler = small_pgring(QUICK, pool_size=4)
    with Traffic(pooler, busy(clients=8)) as traffic:
        until(lambda: small_postgres.own() == 4, "the pool is open")
        held = []
        with contextlib.suppress(psycopg.OperationalError):
            while True:  # a superuser takes every slot there is
                held.append(psycopg.connect(small_postgres.dsn()))
        for pid in small_postgres.backends():
            small_postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
        small_postgres.halt()
        small_postgres.start()
        for connection in held:
            connection.close()
        served(traffic, time.monotonic())
        until(lambda: small_postgres.own() == 4, "the pool is open again")
    settled(pooler, small_postgres)
