"""asyncpg with its defaults: named statements, introspection of types, its pool's reset.

Known failures: DuplicatePreparedStatementError, InvalidSQLStatementNameError
`prepared statement "__asyncpg_stmt_1__" does not exist` (asyncpg#57, #121, #198, #239),
`unsupported startup parameter: jit`.
"""

import asyncio

import asyncpg
import pytest
from harness.postgres import DATABASE, password
from target import ROLE

TURNS = 6


def words(target, **extra):
    return {"host": target.host, "port": target.port, "user": ROLE, "database": DATABASE,
            "password": password(ROLE), "ssl": False, "timeout": 30, **extra}


def run(target, work, clients=1, **extra):
    """Runs work(*connections) with that many clients."""

    async def all_of_it():
        connections = []
        try:
            for _ in range(clients):
                connections.append(await asyncpg.connect(**words(target, **extra)))
            await work(*connections)
        finally:
            for connection in connections:
                connection.terminate()

    asyncio.run(all_of_it())


def test_two_clients_prepare_different_texts_under_one_name(target):
    async def work(one, two):
        pids = []
        for number in range(TURNS):
            for connection, text, expected in (
                    (one, "select $1::int + 1 as got, pg_backend_pid() as pid", number + 1),
                    (two, "select $1::text || '!' as got, pg_backend_pid() as pid", f"{number}!")):
                row = await connection.fetchrow(
                    text, number if connection is one else str(number))
                assert row["got"] == expected
                pids.append(row["pid"])
                target.shuffle()
        target.moved(pids)

    run(target, work, clients=2)


def test_explicitly_prepared_statements_live_across_transactions(target, ledger):
    async def work(connection):
        insert = await connection.prepare("insert into ledger values ($1)")
        select = await connection.prepare("select count(*) from ledger")
        for number in range(TURNS):
            target.shuffle()
            async with connection.transaction():
                await insert.fetch(f"w{number}")
                assert await select.fetchval() == number + 1
        target.shuffle()
        await connection.executemany("insert into ledger values ($1)",
                                     [(f"more {number}",) for number in range(50)])
        assert await select.fetchval() == TURNS + 50

    run(target, work)


def test_a_small_cache_closes_statements(target):
    async def work(connection):
        for number in range(20):
            assert await connection.fetchval(f"select {number} + $1::int", 1) == number + 1
            target.shuffle()

    run(target, work, statement_cache_size=3)


def test_types_are_looked_up(target, postgres, tables):
    postgres.admin.execute("create type mood as enum ('sad', 'glad');"
                           "create table felt (moods mood[], at tstzrange);"
                           "grant all on felt to public")

    async def work(one, two):
        for connection in (one, two):  # asks for the types, with jit off for that (set_config)
            target.shuffle()
            await connection.execute("insert into felt values ($1, $2)", ["glad", "sad"], None)
            await connection.execute("insert into felt values ($1, null)", ["sad"])
        rows = await one.fetch("select moods from felt where $1 = any(moods)", "glad")
        assert [row["moods"] for row in rows] == [["glad", "sad"]] * 2
        assert await two.fetchval("show jit") == "on"

    run(target, work, clients=2)


def test_startup_settings(target, postgres, tables):
    postgres.admin.execute("create schema app_here; grant all on schema app_here to public;"
                           "create table app_here.place as select 'here'::text as name;"
                           "grant all on app_here.place to public")

    async def work(one, two):
        for connection in (one, two) * TURNS:
            assert await connection.fetchval("select name from place") == "here"
            assert await connection.fetchval("show jit") == "off"
            target.shuffle()

    run(target, work, clients=2,
        server_settings={"jit": "off", "search_path": "app_here", "application_name": "asyncpg's"})


def test_the_reset_of_its_pool_clears_the_own_state_only(target):
    async def with_pools():
        async with asyncpg.create_pool(min_size=1, max_size=1, **words(target)) as first, \
                asyncpg.create_pool(min_size=1, max_size=1, **words(target)) as second:
            async with second.acquire() as kept:
                await kept.execute("set work_mem = '9MB'")
                await kept.execute("select pg_advisory_lock(4100)")
                for _ in range(TURNS):
                    async with first.acquire() as connection:
                        assert await connection.fetchval("show work_mem") != "9MB"
                        await connection.execute("set work_mem = '8MB'")
                        await connection.execute("listen nothing_comes")
                        await connection.execute("select pg_advisory_lock(4101)")
                        assert await connection.fetchval("select $1::int", 5) == 5
                    target.shuffle()  # `first` has sent its reset
                    assert await kept.fetchval("select pg_try_advisory_lock(4101)") is True
                    await kept.execute("select pg_advisory_unlock(4101)")
                assert await kept.fetchval("show work_mem") == "9MB"
                async with first.acquire() as connection:
                    assert await connection.fetchval(
                        "select pg_try_advisory_lock(4100)") is False
                    assert await connection.fetchval("show work_mem") not in ("8MB", "9MB")

    asyncio.run(with_pools())


def test_its_pool_with_many_workers(target):
    async def with_pool():
        async with asyncpg.create_pool(min_size=8, max_size=8, **words(target)) as pool:
            async def work(number):
                async with pool.acquire() as connection, connection.transaction():
                    text = f"select $1::int * {number % 7}, pg_backend_pid()"
                    row = await connection.fetchrow(text, number)
                    assert row[0] == number * (number % 7)
                    return row[1]

            try:
                target.moved(await asyncio.gather(*[work(number) for number in range(200)]))
            except BaseException:
                pool.terminate()  # else its end waits for those that still work
                raise

    asyncio.run(with_pool())


def test_cursors_and_a_statement_of_many_rows(target):
    async def work(connection):
        for _ in range(2):
            async with connection.transaction():
                seen = [row[0] async for row in
                        connection.cursor("select generate_series(1, $1::int)", 500, prefetch=40)]
                assert seen == list(range(1, 501))
            target.shuffle()

    run(target, work)


def test_copies(target, ledger):
    async def work(connection):
        for turn in range(2):
            await connection.copy_records_to_table(
                "ledger", records=[(f"{turn}-{number}",) for number in range(1000)])
            target.shuffle()
        assert await connection.fetchval("select count(*) from ledger") == 2000

    run(target, work)


def test_a_changed_table_is_prepared_again_by_itself(target, postgres, tables):
    postgres.admin.execute("create table shape (a int); insert into shape values (1);"
                           " grant all on shape to public")

    async def work(connection):
        for _ in range(3):
            assert [tuple(row) for row in await connection.fetch("select * from shape")] == [(1,)]
            target.shuffle()
        postgres.admin.execute("alter table shape add b text default 'new'")
        async with connection.transaction():
            with pytest.raises(asyncpg.InvalidCachedStatementError):
                async with connection.transaction():
                    await connection.fetch("select * from shape")
        for _ in range(3):
            target.shuffle()
            assert [tuple(row) for row in
                    await connection.fetch("select * from shape")] == [(1, "new")]

    run(target, work)


def test_a_listener_hears_while_it_is_idle(target):
    async def work(listener, sender):
        heard = asyncio.Queue()
        await listener.add_listener("news", lambda *got: heard.put_nowait(got[3]))
        for number in range(3):
            target.shuffle()
            await sender.execute("select pg_notify('news', $1)", str(number))
            assert await asyncio.wait_for(heard.get(), 20) == str(number)
        await listener.reset()

    run(target, work, clients=2)
