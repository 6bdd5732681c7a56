"""asyncpg logs in, runs transactions, streams with cursors and COPY, and uses its own pool."""

import asyncio
import io

import asyncpg
import pytest
from harness.postgres import DATABASE, password


def options(pooler):
    words = {"host": pooler.host, "port": pooler.port, "user": "app_scram", "database": DATABASE,
             "password": password("app_scram"), "ssl": False, "timeout": 30}
    if not pooler.named_statements:
        words["statement_cache_size"] = 0
    return words


def test_asyncpg_runs_a_transaction(pooler, ledger):
    async def run():
        connection = await asyncpg.connect(**options(pooler))
        try:
            async with connection.transaction():
                for number in range(5):
                    await connection.execute("insert into ledger values ($1)", f"w{number}")
            assert await connection.fetchval("select count(*) from ledger") == 5
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    await connection.execute("insert into ledger values ('never')")
                    await connection.fetch("select 1/0")
            if pooler.named_statements:  # asyncpg names the statement of every cursor
                rows = [record["n"] async for record in cursor_rows(connection)]
                assert rows == list(range(1, 1001))
        finally:
            await connection.close()

    asyncio.run(run())
    assert ledger() == [f"w{number}" for number in range(5)]


async def cursor_rows(connection):
    async with connection.transaction():
        async for record in connection.cursor("select generate_series(1, 1000) as n", prefetch=50):
            yield record


def test_asyncpg_copies_in_and_out(pooler, ledger):
    async def run():
        connection = await asyncpg.connect(**options(pooler))
        try:
            words = [f"word {number}" for number in range(3000)]
            source = io.BytesIO("".join(f"{word}\n" for word in words).encode())
            await connection.copy_to_table("ledger", source=source)
            if pooler.named_statements:  # asyncpg prepares a look at the table's types
                await connection.execute("truncate ledger")
                await connection.copy_records_to_table("ledger",
                                                       records=[(word,) for word in words])
            out = io.BytesIO()
            await connection.copy_from_query("select word from ledger", output=out)
            assert sorted(out.getvalue().decode().split("\n")[:-1]) == sorted(words)
        finally:
            await connection.close()

    asyncio.run(run())


def test_asyncpgs_own_pool_shares_fewer_server_connections(pooler):
    async def run():
        async with asyncpg.create_pool(min_size=4, max_size=4, **options(pooler)) as pool:
            async def work(number):
                async with pool.acquire() as connection, connection.transaction():
                    return await connection.fetchval("select $1::int * 2", number)

            assert await asyncio.gather(*[work(number) for number in range(60)]) == [
                number * 2 for number in range(60)]

    asyncio.run(run())


def test_asyncpg_gives_up_a_query_by_timeout_and_goes_on(pooler):
    async def run():
        connection = await asyncpg.connect(**options(pooler))
        try:
            with pytest.raises(asyncio.TimeoutError):
                await connection.fetchval("select pg_sleep(30)", timeout=0.5)
            assert await connection.fetchval("select 1") == 1
        finally:
            await connection.close()

    asyncio.run(run())
