"""Memory: what passes through stays out, and an idle client costs little. Release builds only."""

import os
import time

import pytest
from harness.raw import RawClient, kinds, message, query
from harness.wait import until

MIB = 1 << 20
GROWTH_LIMIT = 8 * MIB
IDLE_CLIENT_LIMIT = 2048  # bytes of user memory

TRUST = {"auth": {"method": "trust"}}

pytestmark = pytest.mark.release


class Watch:
    """The most resident memory of a pgring since the start of the watch."""

    def __init__(self, pooler):
        self._pooler = pooler
        self.start = self.most = pooler.status("VmRSS")

    def look(self):
        self.most = max(self.most, self._pooler.status("VmRSS"))

    @property
    def growth(self):
        return self.most - self.start


@pytest.mark.parametrize("size", [256 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.long)])
@pytest.mark.parametrize("shape", ["rows", "one value"])
def test_a_huge_result_for_a_slow_reader_does_not_grow_memory(pgring, raw, size, shape):
    pooler = pgring(changes=TRUST)
    raw(pooler).login("app_trust").run("select repeat('x', 100000)")
    client = raw(pooler, receive_buffer=16384, timeout_s=60).login("app_trust")
    watch = Watch(pooler)
    text = (f"select repeat('x', 1000) from generate_series(1, {size // 1000})" if shape == "rows"
            else f"select repeat('x', 1000000) from generate_series(1, {size // 1000000})")
    client.send(query(text))
    end = time.monotonic() + 1
    while time.monotonic() < end:  # the reader does not read at all at first
        watch.look()
        time.sleep(0.01)
    received, next_look, tail = 0, 0, b""
    while not tail.endswith(b"Z\0\0\0\5I"):
        piece = client.socket.recv(1 << 16)
        assert piece, "closed before the end"
        received += len(piece)
        tail = (tail + piece)[-6:]
        if received >= next_look:
            watch.look()
            next_look += 8 * MIB
    assert received > size * 0.99
    assert watch.growth < GROWTH_LIMIT


@pytest.mark.parametrize("size", [256 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.long)])
def test_a_huge_copy_into_a_slow_server_does_not_grow_memory(pgring, postgres, raw, size):
    # A trigger makes the server slower than the client.
    postgres.admin.execute("""
        drop table if exists swallow; create unlogged table swallow (payload text);
        grant all on swallow to public;
        create or replace function forget() returns trigger language plpgsql as
        $$ begin return null; end $$;
        create trigger forget before insert on swallow for each row execute function forget()""")
    pooler = pgring(changes=TRUST)
    client = raw(pooler, timeout_s=60).login("app_trust")
    client.run("select repeat('x', 100000)")
    watch = Watch(pooler)
    client.send(query("copy swallow from stdin"))
    client.until("G")
    block = message("d", (b"x" * 99 + b"\n") * 10485)
    for _ in range(size // MIB):
        client.send(block)
        watch.look()
    client.send(message("c"))
    assert kinds(client.ready()) == "CZ"
    assert watch.growth < GROWTH_LIMIT


def test_a_client_that_never_reads_does_not_hold_up_or_bloat_anything(pgring, raw):
    pooler = pgring(database={"pool_size": 4}, changes=TRUST)
    neighbour = raw(pooler).login("app_trust")
    watch = Watch(pooler)
    stuck = [raw(pooler, receive_buffer=16384).login("app_trust") for _ in range(3)]
    for client in stuck:
        client.send(query("select repeat('x', 1000) from generate_series(1, 200000)"))
    for number in range(300):
        assert neighbour.value(f"select {number}") == str(number)
        watch.look()
    assert watch.growth < GROWTH_LIMIT


@pytest.mark.parametrize("count", [2000, pytest.param(10000, marks=pytest.mark.long)])
def test_idle_clients_cost_under_2_kib_each(pgring, many_files, count):
    room = many_files - 1000
    if count > room:
        count = min(8000, room)
    clients = []
    try:
        pooler = pgring(database={"pool_size": 2}, changes={
            **TRUST, "listen": {"max_clients": count + 1000}, "shards": {"count": 2}})
        # The first clients pay for what exists once: buffers, a pool, code pages.
        for _ in range(300):
            clients.append(RawClient(pooler, unix=True).login("app_trust"))
            clients[-1].run("select 1")
        before = pooler.private_memory()
        for _ in range(count):
            clients.append(RawClient(pooler, unix=len(clients) % 2 == 0).login("app_trust"))
            clients[-1].run("select 1")
        each = (pooler.private_memory() - before) / count
        assert each < IDLE_CLIENT_LIMIT, f"{each:.0f} bytes per idle client"
        assert clients[0].value("select 1") == clients[-1].value("select 1") == "1"
    finally:
        for client in clients:
            client.close()


def test_memory_is_given_back_or_reused_when_clients_come_and_go(pgring):
    pooler = pgring(changes=TRUST)

    def wave():
        clients = [RawClient(pooler, unix=True).login("app_trust") for _ in range(300)]
        for client in clients:
            client.run("select repeat('x', 20000)")
            client.close()
        until(lambda: open_files(pooler) < 150, "the clients' sockets are closed")
        return pooler.private_memory()

    wave()
    first = wave()
    for _ in range(5):
        last = wave()
    assert last - first < MIB


def open_files(pooler):
    return len(os.listdir(f"/proc/{pooler.process.pid}/fd"))
