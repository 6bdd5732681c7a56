"""Many clients in one thread: each runs transactions again and again and notes how long they took.

For pgring with auth.method "trust". pgbench is cheaper where what a client runs need not be decided here.
"""

import asyncio
import random
import threading
import time
from typing import Callable, NamedTuple

from harness.postgres import DATABASE
from harness.raw import Message, query, startup_packet, terminate
from harness.wait import DEADLINE_S


class Group(NamedTuple):
    """Clients that are alike. `transaction` makes the texts of one, each a simple query."""

    name: str
    user: str
    clients: int
    transaction: Callable[[], list]
    dbname: str = DATABASE
    think_s: tuple = (0.0, 0.0)
    reconnect: bool = False  # after the connection was lost; else the client ends


class Done(NamedTuple):
    group: str
    began: float  # time.monotonic()
    took_s: float


class _Connection(asyncio.Protocol):
    """One connection; `answer` is the future that the next ReadyForQuery or the end resolves."""

    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._errors = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 5:
            size = int.from_bytes(buffer[1:5], "big") + 1
            if len(buffer) < size:
                return
            if buffer[0] == ord("E"):
                self._errors.append(Message("E", bytes(buffer[5:size])).fields)
            elif buffer[0] == ord("Z"):
                self._resolve()
            del buffer[:size]

    def connection_lost(self, _failure):
        self._errors.append({"M": "the connection was closed"})
        self._resolve()

    def _resolve(self):
        if not self.answer.done():
            self.answer.set_result(self._errors)

    async def run(self, data):
        """Sends, waits for ReadyForQuery or the end, returns the errors that came."""
        if self.transport.is_closing():
            return [{"M": "the connection was closed"}]
        self._errors = []
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return await self.answer


class Traffic:
    """Runs while the body of `with` does; entered when every client has logged in."""

    def __init__(self, target, *groups, seed=1):
        self.done = []
        self.errors = []  # (group, fields)
        self._target, self._groups, self._random = target, groups, random.Random(seed)
        self._stopping = False
        self._waited_for = sum(group.clients for group in groups)
        self._ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._main)

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(2 * DEADLINE_S):
            self._stop()
            raise AssertionError(f"{self._waited_for} clients still log in; {self.errors[:3]}")
        return self

    def __exit__(self, *_):
        self._stop()

    def took(self, group, since=0.0):
        """How long each transaction of a group took, sorted, of those begun after `since`."""
        return sorted(one.took_s for one in self.done if one.group == group and one.began >= since)

    def _stop(self):
        self._stopping = True
        self._thread.join()
        if self._failure:
            raise self._failure

    def _main(self):
        try:
            asyncio.run(self._run())
        except BaseException as failure:  # shown by the test, in its thread
            self._failure = failure

    async def _run(self):
        tasks = [asyncio.create_task(self._client(group)) for group in self._groups
                 for _ in range(group.clients)]
        while not self._stopping and not all(task.done() for task in tasks):
            await asyncio.sleep(0.02)
        _, late = await asyncio.wait(tasks, timeout=DEADLINE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and task.exception():
                raise task.exception()
        assert not late, f"{len(late)} clients had no answer after {DEADLINE_S} s"

    async def _client(self, group):
        connection = await self._login(group)
        self._waited_for -= 1
        if self._waited_for == 0:
            self._ready.set()
        while not self._stopping and connection:
            failed = await self._transact(group, connection)
            if failed and connection.transport.is_closing():
                connection = await self._login(group) if group.reconnect else None
            if group.think_s[1]:
                await asyncio.sleep(self._random.uniform(*group.think_s))
        if connection:
            connection.transport.write(terminate())
            connection.transport.close()

    async def _transact(self, group, connection):
        began = time.monotonic()
        for text in group.transaction():
            errors = await connection.run(query(text))
            if errors:
                self.errors += [(group.name, fields) for fields in errors]
                return True
        self.done.append(Done(group.name, began, time.monotonic() - began))
        return False

    async def _login(self, group):
        """A connection, or None when the end came first."""
        target = self._target
        while True:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, target.host, target.port)
            connection.transport.write(
                startup_packet({"user": group.user, "database": group.dbname}))
            errors = await connection.answer
            if not errors:
                return connection
            self.errors += [(group.name, fields) for fields in errors]
            connection.transport.close()
            if self._stopping or not group.reconnect:
                return None
            await asyncio.sleep(0.02)


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
