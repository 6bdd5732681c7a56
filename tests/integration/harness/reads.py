"""What the clients of the isolation test do where reads of several of them are in flight on one server connection.

Short queries of tables and views, of a few texts, one after the other; some are cancelled, some fail, some are never read.
"""

import asyncio

from harness.behaviours import draw
from harness.isolation import Behaviour, Piece, expect, expect_error
from harness.raw import bind, close, describe, execute, parse, query, sync, unnamed

TABLES = """drop view if exists iso_nap;
drop table if exists iso_numbers;
create table iso_numbers (n int primary key, value text not null);
insert into iso_numbers select n, 'number ' || n from generate_series(0, 999) n;
create view iso_nap as select 'nap' as nap from pg_sleep(0.004);
grant select on iso_numbers, iso_nap to public"""


def number(client):
    return client.random.randrange(1000)


def simple(client):
    mark, n = client.mark(), number(client)
    return Piece(f"read {mark}", query(f"select value, '{mark}' from iso_numbers where n = {n}"),
                 expect("TDCZ", [[f"number {n}", mark]]))


def several_rows(client):
    mark, n = client.mark(), client.random.randrange(960)
    wanted = [[f"number {k}", mark] for k in range(n, n + 40)]
    return Piece(f"rows {mark}", query(f"select value, '{mark}' from iso_numbers where n >= {n} and n < {n + 40} order by n"),
                 expect("T" + "D" * 40 + "CZ", wanted))


def extended(client):
    mark, n = client.mark(), number(client)
    return Piece(f"extended read {mark}",
                 unnamed("select value, $1::text from iso_numbers where n = $2::int", [mark, n]) + sync(),
                 expect("12TDCZ", [[f"number {n}", mark]]))


def failing(client):
    mark, n = client.mark(), number(client)
    return Piece(f"read that fails {mark}", query(f"select 1 / (n - {n}), '{mark}' from iso_numbers where n = {n}"),
                 expect_error("22012", kinds="TEZ"))


def failing_extended(client):
    n = number(client)
    return Piece(f"extended read that fails {n}",
                 parse("select 1 / (n - $1::int) from iso_numbers where n = $1::int") + bind([n]) + execute() + sync(),
                 expect_error("22012", kinds="12EZ"))


def nap(client):
    mark = client.mark()
    return Piece(f"nap {mark}", query(f"select nap, '{mark}' from iso_nap"), expect("TDCZ", [["nap", mark]]))


def declared(client):
    """A statement for all clients, and its uses."""
    name, text = "reads", "select value, $1::text as mark from iso_numbers where n = $2::int"
    declare = parse(text, name)
    wanted = "1Z"
    if client.statements.get(name) is not None:
        declare, wanted = close("S", name) + declare, "31Z"
    client.statements[name] = "mark"
    pieces = [Piece("declare reads", declare + sync(), expect(wanted))]
    for _ in range(client.random.randrange(2, 12)):
        mark, n = client.mark(), number(client)
        pieces.append(Piece(f"use reads {mark}", bind([mark, n], statement=name) + describe() + execute() + sync(),
                            expect("2TDCZ", [[f"number {n}", mark]])))
    pieces.append(Piece("close reads", close("S", name) + sync(), expect("3Z")))
    client.statements[name] = None
    return pieces


ONES = [simple, simple, simple, several_rows, extended, extended, failing, failing_extended, nap]


def some(client, most=12):
    return [client.random.choice(ONES)(client) for _ in range(client.random.randrange(1, most))]


async def reads(client):
    await client.play(some(client), together=False)


async def reads_in_one_write(client):
    await client.play(some(client, 4), together=True)


async def reads_of_a_statement(client):
    await client.play(declared(client), together=False)


async def reads_among_others(client):
    await client.play(some(client, 4) + draw(client, 1) + some(client, 4), together=False)


async def cancelled_reads(client):
    """Each is answered or cancelled; those of others are not, which their own checks tell."""
    for _ in range(client.random.randrange(1, 4)):
        piece = client.random.choice([nap, simple, several_rows])(client)
        client.note(f"to be cancelled: {piece.what}")
        client.wire.transport.write(piece.data)
        await asyncio.sleep(client.random.uniform(0, 0.01))
        cancel = asyncio.create_task(client.cancel())
        messages = await client.wait()
        errors = [got.fields["C"] for got in messages if got.kind == "E"]
        if errors == ["57014"]:
            client.world.counts["queries that were cancelled"] += 1
        else:
            client.judge(piece, messages)
        await cancel


async def leave_during_a_read(client):
    client.wire.transport.write(client.random.choice([nap, simple, several_rows, extended])(client).data)
    if client.random.random() < 0.5:
        await asyncio.sleep(client.random.uniform(0, 0.01))
    client.wire.transport.abort()
    return True


BEHAVIOURS = [Behaviour("reads", reads, 40, "reads"), Behaviour("reads of a statement", reads_of_a_statement, 10, "reads"),
              Behaviour("reads in one write", reads_in_one_write, 5, "reads"),
              Behaviour("reads among others", reads_among_others, 10, "reads"),
              Behaviour("cancelled reads", cancelled_reads, 4, "reads"),
              Behaviour("leave during a read", leave_during_a_read, 2, "reads")]
