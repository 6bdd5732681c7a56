"""The pytest fixtures of tests/integration and tests/drivers."""

import resource

import pytest

from harness.budget import USERLIST, SmallPostgres, config
from harness.pooler import Pgring
from harness.postgres import Postgres
from harness.raw import RawClient
from harness.steer import Steer
from harness.wait import until


@pytest.fixture(scope="session")
def postgres():
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_small_postgres():
    server = SmallPostgres()
    yield server
    server.stop()


@pytest.fixture
def small_postgres(shared_small_postgres):
    """A PostgreSQL of 20 connections that a test may restart and whose limits it may alter."""
    yield shared_small_postgres
    shared_small_postgres.forget_limits()


@pytest.fixture
def own_postgres():
    """A PostgreSQL for one test that stops, restarts or reconfigures it."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def many_files():
    """Lets a test hold thousands of sockets, where the user's soft limit is 1024; the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Maker:
    """Makes pgring objects and remembers them."""

    def __init__(self, request):
        self.made = []
        self._request = request

    def __call__(self, server=None, **options):
        if server is None:
            server = self._request.getfixturevalue("postgres")
        self.made.append(Pgring(server, **options))
        return self.made[-1]


@pytest.fixture
def pgring_idle(request):
    """Makes pgring objects that are not started; stops and judges all at the end."""
    make = Maker(request)
    yield make
    complaints = []
    for process in reversed(make.made):
        try:
            process.stop()
        except AssertionError as failure:
            complaints.append(str(failure))
    for server in {process.postgres for process in make.made}:
        if server.process.poll() is None:
            try:
                until(lambda: not server.backends(), "no server connection is left")
            except AssertionError as failure:
                complaints.append(f"{failure}: {server.backends()}")
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def pgring(pgring_idle):
    """Makes started pgring processes: pgring(database={"pool_size": 1}) and the like."""

    def make(server=None, **options):
        return pgring_idle(server, **options).start()

    return make


@pytest.fixture
def small_pgring(small_postgres, pgring):
    """Makes started pgring processes on four shards before the small PostgreSQL."""

    def make(changes=None, **database):
        return pgring(small_postgres, changes=config(changes or {}), database=database,
                      userlist=USERLIST)

    return make


@pytest.fixture
def raw():
    """Makes raw protocol clients and closes them."""
    clients = []

    def make(target, **options):
        clients.append(RawClient(target, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def steer():
    """Makes Steers and lets go of what they hold."""
    made = []

    def make(pooler, size, **options):
        made.append(Steer(pooler, size, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def opened():
    """Keeps connections of a test and closes them before pgring is stopped."""
    connections = []

    def keep(connection):
        connections.append(connection)
        return connection

    yield keep
    for connection in connections:
        connection.close()
