"""SQLAlchemy: its pool over psycopg2 and over asyncpg, and Alembic's migrations.

Known failures: `prepared statement "__asyncpg_stmt_1__" already exists`, also with both caches off
(sqlalchemy#10226, asyncpg#1058); idle-in-transaction backends by pre_ping.
"""

import asyncio
import io

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from harness.wait import until
from sqlalchemy.ext.asyncio import create_async_engine
from target import FOLDER

TURNS = 6


def engine_of(target, **options):
    engine = sa.create_engine(target.url(scheme="postgresql+psycopg2"), future=True,
                              connect_args={"sslmode": "disable", "gssencmode": "disable"},
                              **options)
    target.at_end(engine.dispose)
    return engine


def table(name):
    return sa.Table(name, sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("word", sa.Text))


def test_the_queue_pool_with_pre_ping_and_settings_on_connect(target, tables):
    engine = engine_of(target, pool_pre_ping=True, pool_size=3)

    @sa.event.listens_for(engine, "connect")
    def settings(connection, _record):
        with connection.cursor() as cursor:
            cursor.execute("set time zone 'Asia/Tokyo'")
            cursor.execute("set work_mem = '5MB'")
        connection.commit()

    words, pids = table("words_of_sa"), []
    words.metadata.create_all(engine)
    for number in range(TURNS):
        with engine.begin() as connection:
            connection.execute(words.insert(), [{"word": f"{number}"}, {"word": "more"}])
            pids.append(connection.scalar(sa.text("select pg_backend_pid()")))
        target.shuffle()
        with engine.connect() as connection:  # rolled back on its return
            assert connection.scalar(sa.select(sa.func.count()).select_from(words)) == (
                number + 1) * 2
            assert connection.scalar(sa.text("show timezone")) == "Asia/Tokyo"
            assert connection.scalar(sa.text("show work_mem")) == "5MB"
        target.shuffle()
    target.moved(pids)
    until(lambda: not target.postgres.backends("state like 'idle in transaction%%'"
                                               " and query not like '%%pg_backend_pid()'"),
          "no server connection is left in a transaction")


def test_isolation_levels_and_autocommit(target):
    engine = engine_of(target)
    with engine.connect() as one, engine.connect() as two:
        one = one.execution_options(isolation_level="SERIALIZABLE")
        two = two.execution_options(isolation_level="AUTOCOMMIT")
        for _ in range(TURNS):
            assert one.scalar(sa.text("show transaction_isolation")) == "serializable"
            one.commit()
            assert two.scalar(sa.text("show transaction_isolation")) == "read committed"
            target.shuffle()


def test_rows_are_streamed(target):
    engine = engine_of(target)
    with engine.connect() as connection:
        for _ in range(2):
            rows = connection.execution_options(stream_results=True).execute(
                sa.text("select generate_series(1, 3000)"))
            assert sum(row[0] for row in rows) == 3000 * 3001 // 2
            connection.commit()
            target.shuffle()


@pytest.mark.parametrize("caches", ["defaults", "off"])
def test_asyncpg_beneath(target, tables, caches):
    arguments = {"ssl": False}
    if caches == "off":
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}

    async def run():
        engine = create_async_engine(target.url(scheme="postgresql+asyncpg"), pool_size=4,
                                     pool_pre_ping=True, connect_args=arguments)
        words = table("words_of_asyncpg")
        async with engine.begin() as connection:
            await connection.run_sync(words.metadata.create_all)

        async def work(number):
            async with engine.begin() as connection:
                await connection.execute(words.insert().values(word=f"w{number}"))
                rows = await connection.execute(
                    sa.text(f"select {number % 5} + :n, pg_backend_pid()").bindparams(
                        sa.bindparam("n", number, type_=sa.Integer)))
                total, pid = rows.one()
                assert total == number + number % 5
                return pid

        pids = []
        for turn in range(TURNS):
            pids += await asyncio.gather(*[work(turn * 10 + number) for number in range(10)])
            target.shuffle()
        target.moved(pids)
        async with engine.connect() as connection:
            count = await connection.scalar(sa.select(sa.func.count()).select_from(words))
            assert count == TURNS * 10
        await engine.dispose()

    asyncio.run(run())


def test_alembic_migrates_up_and_down(target, tables):
    config = alembic.config.Config(stdout=io.StringIO())
    config.set_main_option("script_location", f"{FOLDER}/alembic_scripts")
    config.set_main_option("sqlalchemy.url", target.url(scheme="postgresql+psycopg2"))

    def columns():
        return [row[0] for row in target.postgres.admin.execute(
            "select column_name from information_schema.columns where table_name = 'ship'"
            " order by 1").fetchall()]

    with target.shuffling():
        alembic.command.upgrade(config, "0001")
        assert columns() == ["id", "name"]
        alembic.command.upgrade(config, "head")
        assert columns() == ["id", "name", "tons"]
        alembic.command.downgrade(config, "0001")
        assert columns() == ["id", "name"]
        alembic.command.upgrade(config, "head")
    assert target.postgres.value("select version_num from alembic_version") == "0002"
