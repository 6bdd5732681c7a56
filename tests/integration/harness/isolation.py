"""Hundreds of clients of mixed behaviour, each of which knows what its own answers must be.

Every value a client asks for is made of its number and a counter, its settings and statements too: an answer
that is another's is seen at once. What a client does is drawn from the seed, its number and its incarnation; when
which client runs is up to the machine. The behaviours are in harness/behaviours.py and harness/abrupt.py.
"""

import asyncio
import collections
import random
import struct
import time
from typing import Callable, NamedTuple

from harness.raw import Message, cancel_request, query, startup_packet, terminate
from harness.wait import DEADLINE_S

PLAIN_USER = "app_trust"
HISTORY = 25  # steps of a client that are shown when it has met a fault
# What the clients may ask of pgring; to look for a fault, take some out.
FEATURES = {"settings", "copy", "cancel", "abort", "reset", "named", "unnamed kept", "sql prepare",
            "unreported settings", "pins"}

TABLES = """drop table if exists iso_rows, iso_copy;
create table iso_rows (id serial primary key, owner text not null, mark text not null);
create index on iso_rows (owner);
create table iso_copy (owner text not null, mark text not null);
create index on iso_copy (owner);
grant all on iso_rows, iso_copy, iso_rows_id_seq to public"""


class Wrong(Exception):
    """A client has got what it must not get."""


class Lost(Exception):
    """The connection is gone."""


class Piece(NamedTuple):
    """Bytes that are answered by one ReadyForQuery, and the judge of that answer."""

    what: str
    data: bytes
    check: Callable  # of the messages; raises Wrong


def shape(messages):
    return "".join(got.kind for got in messages if got.kind not in "SN")


def rows(messages):
    return [got.columns for got in messages if got.kind == "D"]


class Wire(asyncio.Protocol):
    """A connection's messages, as they come."""

    def __init__(self):
        self.transport = None
        self._buffer = bytearray()
        self._messages = collections.deque()
        self._closed = False
        self._news = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        buffer, at = self._buffer, 0
        buffer += data
        while len(buffer) - at >= 5:
            end = at + 1 + int.from_bytes(buffer[at + 1:at + 5], "big")
            if len(buffer) < end:
                break
            self._messages.append(Message(chr(buffer[at]), bytes(buffer[at + 5:end])))
            at = end
        del buffer[:at]
        self._tell()

    def connection_lost(self, _failure):
        self._closed = True
        self._tell()

    def _tell(self):
        if self._news and not self._news.done():
            self._news.set_result(None)

    async def until(self, kinds):
        """The messages up to and with one of `kinds`."""
        seen = []
        while True:
            while self._messages:
                seen.append(self._messages.popleft())
                if seen[-1].kind in kinds:
                    return seen
            if self._closed:
                raise Lost(f"the connection was closed after {seen[-3:]}")
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    async def ended(self):
        """Waits for the peer's end."""
        try:
            await self.until("")
        except Lost:
            pass


async def connect(target):
    _, wire = await asyncio.get_running_loop().create_connection(Wire, target.host, target.port)
    return wire


class Client:
    """One client at a time of a slot; when it aborts, the next incarnation takes its place."""

    def __init__(self, world, slot, incarnation):
        self.world, self.slot = world, slot
        self.name = f"c{slot}.{incarnation}"
        self.random = random.Random(f"{world.seed}/{slot}/{incarnation}")
        self.dbname = world.pools[slot % len(world.pools)]
        self.history = collections.deque(maxlen=HISTORY)
        # Clients of different settings do not share server connections.
        start = "reader" if "reads" in world.features and slot % 4 else self.name
        self.settings = {"application_name": f"{start}-start"}
        self.statements = {}  # name -> the column's name that its text gives, or None after a close
        self.prepared = {}  # the same of SQL PREPARE
        self.own_rows = []  # marks in iso_rows
        self.waits_since = None
        self._count = 0
        self.wire = self.key = None

    def mark(self):
        """A value that nobody else has and this client never had."""
        self._count += 1
        return f"{self.name}-n{self._count}"

    def note(self, what):
        self.history.append(f"{time.monotonic() - self.world.began:8.3f} {what}")

    def fault(self, what):
        self.note(f"FAULT: {what}")
        return "\n".join([f"client {self.name} of {self.dbname}, seed {self.world.seed}: {what}",
                          *(f"    {line}" for line in self.history)])

    async def login(self):
        self.note("login")
        self.wire = await connect(self.world.target)
        self.wire.transport.write(startup_packet({
            "user": PLAIN_USER, "database": self.dbname,
            "application_name": self.settings["application_name"]}))
        messages = await self.wait("ZE")
        if messages[-1].kind == "E":
            raise Wrong(f"the login was refused: {messages[-1].fields}")
        (data,) = [got.body for got in messages if got.kind == "K"]
        self.key = struct.unpack_from("!i", data)[0], data[4:]

    async def wait(self, kinds="Z"):
        """Messages up to one of `kinds`; the world sees to it that this is not for ever."""
        self.waits_since = time.monotonic()
        messages = await self.wire.until(kinds)
        self.waits_since = None
        return messages

    async def play(self, pieces, together=None):
        """Sends pieces in one write or one by one, and judges each answer."""
        if together is None:
            together = self.random.random() < 0.5
        for at in [0] if together else range(len(pieces)):
            some = pieces if together else pieces[at:at + 1]
            self.note(" | ".join(piece.what for piece in some))
            self.wire.transport.write(b"".join(piece.data for piece in some))
            for piece in some:
                self.judge(piece, await self.wait())

    def judge(self, piece, messages):
        self.world.answers += 1
        try:
            piece.check(messages)
        except Wrong as fault:
            raise Wrong(f"{piece.what}: {fault}") from None

    async def cancel(self, key=None):
        """Sends a CancelRequest on a connection of its own and waits for its end."""
        pid, secret = key or self.key
        wire = await connect(self.world.target)
        wire.transport.write(cancel_request(pid, secret))
        await wire.ended()

    async def leave(self):
        self.wire.transport.write(terminate())
        await self.wire.ended()


class World:
    """What the clients have in common. `run` returns when `seconds` are over or a client met a fault."""

    def __init__(self, target, pools, behaviours, seed, defaults, features=None):
        self.target, self.pools, self.seed = target, pools, seed
        self.defaults = defaults  # what a setting is where its client has not set it
        self.features = FEATURES if features is None else features
        self.behaviours = [one for one in behaviours if one.feature is None or one.feature in self.features]
        self.began = time.monotonic()
        self.answers = 0
        self.counts = collections.Counter()  # of behaviours begun
        self.faults = []
        self.clients = {}  # slot -> the client it has now
        self.patience_s = 2 * DEADLINE_S  # for one answer
        self._stopping = False

    async def run(self, clients, seconds):
        self.began = time.monotonic()
        tasks = [asyncio.create_task(self._slot(number)) for number in range(clients)]
        pending = set(tasks)
        end = self.began + seconds
        while pending:
            _, pending = await asyncio.wait(pending, timeout=0.2)
            self._look_for_hangs()
            if self.faults or time.monotonic() > end:
                self._stopping = True
            if self.faults:
                break
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look_for_hangs(self):
        limit = time.monotonic() - self.patience_s
        for client in self.clients.values():
            if client.waits_since is not None and client.waits_since < limit:
                self.faults.append(client.fault(f"no answer for {self.patience_s:g} s"))

    async def _slot(self, slot):
        incarnation = 0
        while not self._stopping:
            client = self.clients[slot] = Client(self, slot, incarnation)
            incarnation += 1
            try:
                await self._live(client)
            except (Wrong, Lost) as fault:
                self.faults.append(client.fault(str(fault)))
            except OSError as failure:
                self.faults.append(client.fault(f"{type(failure).__name__}: {failure}"))
            finally:
                client.waits_since = None
                if client.wire:
                    client.wire.transport.abort()
            if self.faults:
                return

    async def _live(self, client):
        """Until the client aborts, which a behaviour tells by returning True, or the end."""
        await client.login()
        weights = [one.weight for one in self.behaviours]
        while not self._stopping:
            (chosen,) = client.random.choices(self.behaviours, weights)
            self.counts[chosen.name] += 1
            if await chosen.act(client):
                return
        mark = client.mark()
        await client.play([Piece("last select", query(f"select '{mark}'"), expect("TDCZ", [[mark]]))])
        await client.leave()


class Behaviour(NamedTuple):
    name: str
    act: Callable  # of the client; True: it is gone
    weight: float
    feature: str | None  # what pgring must be able to do


def expect(kinds, values=None, tag=None):
    """A judge: this shape, these rows, this command tag of the last statement."""

    def check(messages):
        if shape(messages) != kinds:
            told = [got for got in messages if got.kind in "END"][:3]
            raise Wrong(f"got {shape(messages)}, not {kinds}: {told}")
        if values is not None and rows(messages) != values:
            raise Wrong(f"got {str(rows(messages))[:400]}, not {str(values)[:400]}")
        if tag is not None and [got.tag for got in messages if got.kind == "C"][-1] != tag:
            raise Wrong(f"got the tag of {messages}, not {tag}")

    return check


def expect_error(sqlstate, text="", kinds="EZ", values=None):
    """A judge: an error of this SQLSTATE whose message holds `text`."""
    checked = expect(kinds, values)

    def check(messages):
        checked(messages)
        (error,) = [got.fields for got in messages if got.kind == "E"]
        if error["C"] != sqlstate or text not in error["M"]:
            raise Wrong(f"got {error}, not {sqlstate} with {text!r}")

    return check
