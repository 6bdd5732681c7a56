"""Which server connection of a pool serves next is the test's choice: clients of its own hold all others."""

import contextlib

from harness.postgres import DATABASE
from harness.raw import RawClient, bind, close, errors, execute, parse, sync

PID = "select pg_backend_pid()"


class Steer:
    """Holds each of a pool's `size` server connections in a transaction; `pids` are their backends."""

    def __init__(self, pooler, size, user="app_scram", dbname=DATABASE):
        self._keepers = {}
        for _ in range(size):
            keeper = RawClient(pooler).login(user, dbname)
            keeper.run("begin")
            self._keepers[int(keeper.value(PID))] = keeper
        assert len(self._keepers) == size
        self.pids = list(self._keepers)

    @contextlib.contextmanager
    def only(self, pid):
        """Who asks within is served by this backend, which is held again afterwards."""
        keeper = self._keepers[pid]
        keeper.run("commit")
        yield
        keeper.run("begin")
        assert int(keeper.value(PID)) == pid

    def everywhere(self, ask):
        """What `ask()` gives on each server connection of the pool."""
        answers = []
        for pid in self.pids:
            with self.only(pid):
                answers.append(ask())
        return answers

    def value(self, pid, text):
        """What the backend itself says, in the transaction that holds it."""
        return self._keepers[pid].value(text)

    def close(self):
        for keeper in self._keepers.values():
            keeper.close()


def prepared(client, name, text, types=()):
    """A named Parse and Sync; all messages."""
    client.send(parse(text, name, types), sync())
    return client.ready()


def used(client, name, *values):
    """Bind, Execute and Sync of a named statement; all messages."""
    client.send(bind(values, statement=name), execute(), sync())
    return client.ready()


def closed(client, name):
    client.send(close(name=name), sync())
    return client.ready()


def rows(messages):
    """The rows of an answer without an error."""
    assert not errors(messages), errors(messages)
    return [got.columns for got in messages if got.kind == "D"]
