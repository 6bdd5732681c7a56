"""Hundreds of clients do everything at once on a few server connections; each gets its own answers only.

PGRING_ISOLATION_SEED repeats what the clients of a failed run did, PGRING_ISOLATION_SECONDS says how long each
long run (--long) takes.
"""

import asyncio
import os
import random
import re

import pytest
from harness import abrupt, behaviours, reads
from harness.differential import Shuffler
from harness.isolation import FEATURES, TABLES, World
from harness.postgres import DATABASE
from harness.raw import RawClient
from harness.wait import until

POOLS = {f"iso{size}": size for size in range(1, 6)}
SHORT_S = 8
LONG_S = float(os.environ.get("PGRING_ISOLATION_SECONDS", "600"))
ALL = behaviours.BEHAVIOURS + abrupt.BEHAVIOURS + reads.BEHAVIOURS


def seed():
    given = os.environ.get("PGRING_ISOLATION_SEED")
    return int(given) if given else random.SystemRandom().randrange(1 << 32)


def defaults(postgres):
    names = [*behaviours.REPORTED, *behaviours.UNREPORTED]
    return {name: postgres.value(f"select coalesce(current_setting('{name}', true), '')") for name in names}


def config(shards, share):
    sharing = {"share": "reads", "share_depth": 64, "share_stall": "80ms"} if share else {}
    databases = {name: {"server": "main", "dbname": DATABASE, "pool_size": size, "max_pinned": size, **sharing}
                 for name, size in POOLS.items()}
    return {"auth": {"method": "trust"}, "shards": {"count": shards}, "database": databases,
            "log": {"connections": False, "disconnections": False},
            "timeouts": {"query_wait_notify": "off"}}  # clients count their notices


def leftovers(pooler):
    """What is found on each server connection of each pool, where that is anything."""
    found = []
    for name, size in POOLS.items():
        clients = [RawClient(pooler).login("app_trust", name) for _ in range(size)]
        for client in clients:
            client.run("begin")
        found += [f"{name}: {text}" for text in (client.value(Shuffler.LEFTOVERS) for client in clients) if text]
        for client in clients:
            client.run("commit")
            client.close()
    return found


@pytest.mark.parametrize("shards, clients, seconds, share", [
    pytest.param(2, 120, SHORT_S, False, id="two shards"), pytest.param(5, 120, SHORT_S, False, id="five shards"),
    pytest.param(1, 120, SHORT_S, True, id="sharing, one shard"), pytest.param(2, 120, SHORT_S, True, id="sharing, two shards"),
    pytest.param(2, 400, LONG_S, False, id="two shards, long", marks=pytest.mark.long),
    pytest.param(4, 400, LONG_S, False, id="four shards, long", marks=pytest.mark.long),
    pytest.param(2, 400, LONG_S, True, id="sharing, long", marks=pytest.mark.long)])
def test_no_client_gets_what_is_anothers(pgring, postgres, many_files, shards, clients, seconds, share):
    postgres.admin.execute(TABLES + ";" + reads.TABLES)
    pooler = pgring(changes=config(shards, share), lazy_begin=True)
    features = FEATURES | ({"reads"} if share else set())
    world = World(pooler, list(POOLS), ALL, seed(), defaults(postgres), features)
    print(f"\nseed {world.seed}, features {sorted(features)}")
    asyncio.run(world.run(clients, seconds))
    print(f"{world.answers} answers, {dict(world.counts)}")
    shared = {row["name"]: int(row["value"]) for row in pooler.show("TOTALS") if "share" in row["name"]}
    print(shared)
    assert (shared["total_shared_count"] > 0) == share
    assert not world.faults, "\n\n".join(world.faults[:3])
    assert not re.findall("isolation fault.*", pooler.log())
    until(lambda: not postgres.backends("state <> 'idle'"), "no server connection is in a transaction")
    until(lambda: not pooler.show("CLIENTS")[1:], "no client is left but the one that looks")
    assert len(postgres.backends()) <= sum(POOLS.values())
    assert leftovers(pooler) == []
    assert world.answers > 10 * clients
    if world.answers > 20000:  # under a sanitizer there may be few
        assert {one.name for one in world.behaviours} <= set(world.counts)
        assert "cancel" not in FEATURES or world.counts["queries that were cancelled"]


def test_postgresql_itself_gives_no_fault(postgres):
    """What the clients expect is what PostgreSQL does, where each has a connection of its own."""
    postgres.admin.execute(TABLES)
    world = World(postgres, [DATABASE], ALL, seed(), defaults(postgres), FEATURES)
    asyncio.run(world.run(40, 3))
    assert not world.faults, world.faults[0]
    assert world.answers > 400


class Crossing:
    """A pooler that mixes two clients up: after `size` bytes each gets what is the other's."""

    def __init__(self, postgres, size):
        self.host, self.port = "127.0.0.1", None
        self._postgres, self._size, self._passed, self._clients = postgres, size, 0, []

    async def serve(self, reader, writer):
        from_server, to_server = await asyncio.open_connection(self._postgres.host, self._postgres.port)
        self._clients.append(writer)
        number = len(self._clients) - 1
        try:
            await asyncio.gather(self._up(reader, to_server), self._down(from_server, number))
        except OSError:
            pass  # one side has gone
        finally:
            to_server.transport.abort()
            writer.transport.abort()

    async def _up(self, reader, to_server):
        while data := await reader.read(65536):
            to_server.write(data)
        to_server.close()

    async def _down(self, from_server, number):
        while data := await from_server.read(65536):
            self._passed += len(data)
            is_crossed = self._passed > self._size and len(self._clients) > 1
            self._clients[number ^ 1 if is_crossed and number < 2 else number].write(data)
        self._clients[number].close()


def test_mixed_up_answers_are_seen(postgres):
    """The test above can fail."""
    postgres.admin.execute(TABLES)

    async def run():
        crossing = Crossing(postgres, 20000)
        server = await asyncio.start_server(crossing.serve, crossing.host, 0)
        crossing.port = server.sockets[0].getsockname()[1]
        world = World(crossing, [DATABASE], behaviours.BEHAVIOURS, 1, defaults(postgres))
        world.patience_s = 2  # half a message of another's is waited on
        await world.run(4, 10)
        server.close()
        return world

    world = asyncio.run(run())
    assert world.faults and "seed 1" in world.faults[0] and "FAULT" in world.faults[0]
