"""psycopg 3 and psycopg2 log in, run transactions, roll back, and stay usable after errors."""

import asyncio

import psycopg
import psycopg2
import psycopg2.errors
import pytest


def test_psycopg_runs_a_transaction(pooler, ledger):
    threshold = 5 if pooler.named_statements else None
    with psycopg.connect(pooler.dsn(), prepare_threshold=threshold) as connection:
        with connection.transaction():
            for number in range(10):  # beyond the threshold
                connection.execute("insert into ledger values (%s)", [f"w{number}"])
        assert ledger() == [f"w{number}" for number in range(10)]
        with pytest.raises(psycopg.errors.DivisionByZero):
            with connection.transaction():
                connection.execute("insert into ledger values ('never')")
                connection.execute("select 1/0")
        with connection.transaction():
            with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
                connection.execute("select 1/0")  # rolls back to a savepoint
            assert connection.execute("select count(*) from ledger").fetchone() == (10,)


def test_psycopg_works_asynchronously(pooler):
    async def run():
        threshold = 5 if pooler.named_statements else None
        connections = [await psycopg.AsyncConnection.connect(
            pooler.dsn(), autocommit=True, prepare_threshold=threshold) for _ in range(4)]
        for _ in range(10):
            cursors = await asyncio.gather(*[connection.execute("select %s::int", [number])
                                             for number, connection in enumerate(connections)])
            assert [await cursor.fetchone() for cursor in cursors] == [(n,) for n in range(4)]
        for connection in connections:
            await connection.close()

    asyncio.run(run())


def test_psycopg2_runs_a_transaction(pooler, ledger):
    connection = psycopg2.connect(pooler.dsn())
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("insert into ledger values (%s), (%s)", ("one", "two"))
        assert ledger() == ["one", "two"]
        with pytest.raises(psycopg2.errors.DivisionByZero):
            with connection, connection.cursor() as cursor:
                cursor.execute("insert into ledger values ('never')")
                cursor.execute("select 1/0")
        with connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from ledger")
            assert cursor.fetchone() == (2,)
    finally:
        connection.close()
