"""What the clients of the isolation test do that does not end well: cancels and aborts."""

import asyncio
import socket
import struct

from harness.behaviours import draw
from harness.isolation import Behaviour, Piece, Wrong, connect, expect, expect_error, shape
from harness.raw import message, parse, query, startup_packet, sync, unnamed

SLEEP_S = 0.02


def may_be_cancelled(check, seen):
    """A judge: as `check`, or cancelled, which is noted in `seen`."""

    def judge(messages):
        errors = [got.fields["C"] for got in messages if got.kind == "E"]
        if errors == ["57014"]:
            seen.append("57014")
        else:
            check(messages)

    return judge


async def cancel_own_query(client):
    """At a random moment of its life or of its waiting; sometimes in a transaction, sometimes many queries."""
    seen, marks = [], [client.mark() for _ in range(client.random.randrange(1, 4))]
    in_transaction = client.random.random() < 0.3
    if in_transaction:
        await client.play([Piece("begin", query("begin"), expect("CZ"))])
        marks = marks[:1]
    client.note(f"to be cancelled: {marks}")
    for mark in marks:
        client.wire.transport.write(query(f"select '{mark}' from pg_sleep({SLEEP_S})"))
    await asyncio.sleep(client.random.uniform(0, 1.5 * SLEEP_S * len(marks)))
    cancels = [asyncio.create_task(client.cancel()) for _ in range(client.random.choice([1, 1, 3]))]
    for mark in marks:
        piece = Piece(mark, b"", may_be_cancelled(expect("TDCZ", [[mark]]), seen))
        client.judge(piece, await client.wait())
    await asyncio.gather(*cancels)
    client.world.counts["queries that were cancelled"] += len(seen)
    if len(seen) > 2 * len(cancels):  # PostgreSQL signals the backend and then its process group
        raise Wrong(f"{len(cancels)} cancels have ended {len(seen)} queries")
    if in_transaction:
        await client.play([Piece("end", query("rollback"), expect("CZ", tag="ROLLBACK"))])


async def cancel_without_the_key(client):
    """A wrong secret, or another's pid: nobody is disturbed, which their own checks tell."""
    pid, secret = client.key
    if client.random.random() < 0.5:
        other = client.random.choice(list(client.world.clients.values()))
        if other is not client and other.key:
            pid = other.key[0]
    wrong = bytes(byte ^ 0x5A for byte in secret)
    client.note(f"cancel of {pid} with a wrong secret")
    await client.cancel((pid, wrong))
    await client.play(draw(client, 1))


def unfinished(client):
    """Bytes after which something is open."""
    mark = client.mark()
    choices = [
        query("begin") + query(f"insert into iso_rows (owner, mark) values ('{client.name}', '{mark}')"),
        query("begin") + query(f"select '{mark}'::int"),
        query(f"select '{mark}' from pg_sleep({SLEEP_S})"),
        query(f"begin; select '{mark}' from pg_sleep({SLEEP_S})"),
        query(f"select '{mark}/' || n from generate_series(1, 100000) n"),
        query("copy iso_copy from stdin") + message("d", f"{client.name}\t{mark}\n".encode()) * 50,
        query(f"copy (select '{mark}/' || n from generate_series(1, 100000) n) to stdout"),
        unnamed("select $1::text", [mark]), parse(f"select '{mark}'") + message("H"),
        unnamed("select 1/0") + unnamed("select 'never'"),
        query("begin") + query(f"set local application_name = '{mark}'"),
        query(f"set application_name = '{mark}'"),
    ]
    features = client.world.features
    if "named" in features:
        choices += [parse(f"select '{mark}'", "s1"), parse(f"select '{mark}'", "s1") + sync()]
    if "unreported settings" in features:
        choices += [query(f"set pgring.x = '{mark}'"), query(f"begin; set pgring.x = '{mark}'"),
                    query(f"set pgring.x = '{mark}'; select pg_sleep({SLEEP_S})")]
    if "sql prepare" in features:
        choices.append(query(f"prepare p1 as select '{mark}'"))
    if "pins" in features:
        choices += [query(f"select pg_advisory_lock({client.slot << 20})"), query(f"listen channel{client.slot}"),
                    query(f"create temp table iso_temp as select '{mark}' as mark")]
    return client.random.choice(choices)


async def abort(client):
    """Some plans, something unfinished, cut at a random byte; then the socket is closed or reset."""
    data = b"".join(piece.data for piece in draw(client, client.random.randrange(0, 3))) + unfinished(client)
    if client.random.random() < 0.6:
        data = data[:client.random.randrange(len(data) + 1)]
    client.note(f"abort after {len(data)} bytes")
    client.wire.transport.write(data)
    kind = client.random.random()
    if kind < 0.3:
        await asyncio.sleep(client.random.uniform(0, 2 * SLEEP_S))
    if client.random.random() < 0.5:
        end = client.wire.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.wire.transport.abort()
    else:
        client.wire.transport.close()  # what is written is sent before
    return True


async def abort_of_a_login(client):
    """Somebody else: a part of a startup packet, or a login and no word more."""
    wire = await connect(client.world.target)
    packet = startup_packet({"user": "app_trust", "database": client.dbname})
    wire.transport.write(packet[:client.random.randrange(len(packet) + 1)])
    wire.transport.close()


async def cancel_of_one_that_leaves(client):
    """The query is cancelled while its client goes: the cancel must not hit who comes next."""
    mark = client.mark()
    client.note(f"left and cancelled {mark}")
    client.wire.transport.write(query(f"select '{mark}' from pg_sleep({SLEEP_S})"))
    await asyncio.sleep(client.random.uniform(0, SLEEP_S))
    cancelled = asyncio.create_task(client.cancel())
    client.wire.transport.close()
    await cancelled
    return True


async def timeout_in_the_server(client):
    """PostgreSQL itself ends the query; the setting is the transaction's. A cancel of somebody else would say so.

    Not a shorter time: if it is over before the query is executed PostgreSQL forgets why, and blames a user.
    """
    mark = client.mark()

    def check(messages):
        kinds = "TEZ" if shape(messages) == "TEZ" else "EZ"  # on a slow machine before anything was said
        expect_error("57014", "statement timeout", kinds)(messages)

    await client.play([
        Piece("begin", query("begin"), expect("CZ")),
        Piece("set local", query("set local statement_timeout = '80ms'"), expect("CZ")),
        Piece(f"times out {mark}", query(f"select '{mark}' from pg_sleep(10)"), check),
        Piece("rollback", query("rollback"), expect("CZ", tag="ROLLBACK"))])


BEHAVIOURS = [
    Behaviour("cancel", cancel_own_query, 1, "cancel"),
    Behaviour("cancel without the key", cancel_without_the_key, 0.5, "cancel"),
    Behaviour("cancel and leave", cancel_of_one_that_leaves, 0.3, "cancel"),
    Behaviour("abort", abort, 1.2, "abort"),
    Behaviour("abort of a login", abort_of_a_login, 0.3, "abort"),
    Behaviour("timeout", timeout_in_the_server, 0.3, None)]
