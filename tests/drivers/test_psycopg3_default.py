"""psycopg 3 with its defaults: statements prepared after five uses, DEALLOCATE, pipelines, cursors.

Known failures: `prepared statement "_pg3_0" does not exist` and `... already exists`
(psycopg#935, #589, #773).
"""

import asyncio
import select

import psycopg
import pytest
from harness.wait import DEADLINE_S
from psycopg import pq

USES = 8  # beyond the default prepare_threshold of 5


@pytest.fixture
def connect(target):
    def make(**options):
        extra = options.pop("extra", {})
        return target.keep(psycopg.connect(target.dsn(**extra), **options))

    return make


def value(connection, query, parameters=None, **options):
    return connection.execute(query, parameters, **options).fetchone()[0]


def test_two_clients_prepare_different_texts_under_one_name(target, connect):
    one, two = connect(), connect()
    pids = []
    for number in range(USES):
        for connection, text, expected in (
                (one, "select 'one' || %s::text, pg_backend_pid()", f"one{number}"),
                (two, "select 2000 + %s::int, pg_backend_pid()", 2000 + number)):
            with connection.transaction():
                row = connection.execute(text, [number]).fetchone()
            assert row[0] == expected
            pids.append(row[1])
            target.shuffle()
    target.moved(pids)


def test_a_full_cache_deallocates_by_name(target, connect):
    connection = connect(autocommit=True)
    connection.prepared_max = 2
    for number in range(12):
        text = f"select {number} + %s::int"
        for _ in range(2):
            assert value(connection, text, [1], prepare=True) == number + 1
            target.shuffle()


def test_a_rollback_deallocates_everything(target, connect):
    connection, other = connect(), connect(autocommit=True)
    for turn in range(3):
        for number in range(2):
            assert value(connection, "select %s::int + 1", [number], prepare=True) == number + 1
            assert value(other, "select %s::int - 1", [number], prepare=True) == number - 1
        connection.rollback()  # and DEALLOCATE ALL, which must not touch the other's statements
        target.shuffle()
        assert value(other, "select %s::int - 1", [turn], prepare=True) == turn - 1


def test_a_failed_statement_stays_prepared(target, connect):
    connection = connect(autocommit=True)
    for divisor in (1, 0, 2, 0, 4):
        if divisor:
            assert value(connection, "select 8 / %s::int", [divisor], prepare=True) == 8 // divisor
        else:
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("select 8 / %s::int", [divisor], prepare=True)
        target.shuffle()


def test_a_changed_table_is_refused_and_a_rollback_mends_it(
        target, connect, postgres, tables):
    postgres.admin.execute("create table shape (a int); insert into shape values (1);"
                           " grant all on shape to public")
    connection = connect()
    for _ in range(2):
        assert connection.execute("select * from shape", prepare=True).fetchall() == [(1,)]
        connection.commit()
        target.shuffle()
    postgres.admin.execute("alter table shape add b text default 'new'")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change"):
        connection.execute("select * from shape", prepare=True)
    connection.rollback()
    for _ in range(3):
        assert connection.execute("select * from shape", prepare=True).fetchall() == [(1, "new")]
        connection.commit()
        target.shuffle()


def test_sql_prepare_execute_and_deallocate(target, connect):
    one, two = connect(autocommit=True), connect(autocommit=True)
    one.execute("prepare doubled(int) as select $1 * 2")
    two.execute("prepare doubled(text) as select $1 || $1")
    for number in range(3):
        target.shuffle()
        assert value(one, f"execute doubled({number})") == number * 2
        assert value(two, f"execute doubled('{number}')") == f"{number}{number}"
    with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
        one.execute("prepare doubled as select 1")
    one.execute("deallocate doubled")
    target.shuffle()
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        one.execute("execute doubled(1)")
    assert value(two, "execute doubled('b')") == "bb"


def test_a_pipeline_of_many_statements(target, connect, ledger):
    connection = connect(autocommit=True)
    for turn in range(3):
        with connection.pipeline():
            cursors = [connection.execute("select %s::int * 3", [number])
                       for number in range(20)]
            assert [cursor.fetchone()[0] for cursor in cursors] == [n * 3 for n in range(20)]
            connection.cursor().executemany("insert into ledger values (%s)",
                                            [(f"{turn}-{number}",) for number in range(20)])
        target.shuffle()
    assert len(ledger()) == 60


def test_an_error_in_a_pipeline_aborts_up_to_its_sync(target, connect, ledger):
    connection = connect(autocommit=True)
    for turn in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline() as pipeline:
            connection.execute("insert into ledger values (%s)", [f"kept {turn}"], prepare=True)
            pipeline.sync()
            connection.execute("insert into ledger values (%s)", ["lost"], prepare=True)
            connection.execute("select 1 / %s::int", [0], prepare=True)
            late = connection.execute("select %s::int", [turn])
            with pytest.raises(psycopg.errors.PipelineAborted):
                late.fetchone()
        target.shuffle()
        assert value(connection, "select %s::int * 1", [turn], prepare=True) == turn
    assert ledger() == [f"kept {turn}" for turn in range(3)]


def test_cursors_on_the_server(target, connect):
    connection = connect()
    for _ in range(2):
        with connection.transaction(), connection.cursor("plain") as cursor:
            cursor.itersize = 100
            cursor.execute("select generate_series(1, %s)", [1000])
            assert [row[0] for row in cursor] == list(range(1, 1001))
        target.shuffle()
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("fetch 1 from plain")
    connection.rollback()


def test_a_held_cursor_outlives_its_transaction(target, connect):
    one, two = connect(), connect()
    held = {}
    for connection, low in ((one, 1), (two, 1001)):
        held[connection] = connection.cursor("kept", withhold=True)
        held[connection].execute("select generate_series(%s::int, %s)", [low, low + 99])
        connection.commit()
    target.shuffle()
    for connection, low in ((one, 1), (two, 1001)):
        assert held[connection].fetchmany(50) == [(n,) for n in range(low, low + 50)]
        connection.commit()
        target.shuffle()
        assert held[connection].fetchall() == [(n,) for n in range(low + 50, low + 100)]
        held[connection].close()
        connection.commit()


def test_copy_in_and_out(target, connect, ledger):
    connection = connect()
    with connection.cursor().copy("copy ledger from stdin") as copy:
        for number in range(2000):
            copy.write_row([f"w{number}"])
    connection.commit()
    target.shuffle()
    with connection.cursor().copy("copy ledger to stdout") as copy:
        assert sorted(row[0] for row in copy.rows()) == ledger()
    connection.commit()
    with pytest.raises(psycopg.errors.UndefinedTable):
        with connection.cursor().copy("copy nothing from stdin") as copy:
            copy.write_row(["x"])
    connection.rollback()
    assert value(connection, "select count(*) from ledger") == 2000


def test_startup_options_follow_their_client(target, connect, postgres, tables):
    postgres.admin.execute("".join(
        f"create schema app_{name}; grant all on schema app_{name} to public;"
        f"create table app_{name}.here as select '{name}'::text as word;"
        f"grant all on app_{name}.here to public;" for name in ("one", "two")))
    one = connect(autocommit=True, extra={
        "options": "-c search_path=app_one,public -c statement_timeout=11111"})
    two = connect(autocommit=True, extra={
        "options": "-c search_path=app_two -c work_mem=7MB", "application_name": "two's own"})
    pids = []
    for _ in range(USES):  # prepared under one name and one text, with different meanings
        for connection, word in ((one, "one"), (two, "two")):
            assert value(connection, "select word from here") == word
            pids.append(value(connection, "select pg_backend_pid()"))
            target.shuffle()
    target.moved(pids)
    assert value(one, "show statement_timeout") == "11111ms"
    assert value(two, "show statement_timeout") == "0"
    assert value(two, "show work_mem") == "7MB"
    assert value(two, "show application_name") == "two's own"


def test_settings_follow_their_client_and_are_rolled_back(target, connect):
    one, two = connect(), connect()
    one.execute("set time zone 'Asia/Tokyo'")
    one.execute("select set_config('work_mem', '5MB', false)")
    one.execute("set session characteristics as transaction isolation level serializable")
    one.commit()
    one.execute("set time zone 'Europe/Rome'")
    one.execute("set local work_mem = '6MB'")
    one.rollback()
    two.execute("set my.tenant = 'two'")
    two.commit()
    for _ in range(USES):
        target.shuffle()
        assert value(one, "show time zone") == "Asia/Tokyo"
        assert value(one, "show work_mem") == "5MB"
        assert value(one, "show transaction isolation level") == "serializable"
        assert value(one, "select current_setting('my.tenant', true)") in (None, "")
        one.commit()
        assert value(two, "select current_setting('my.tenant', true)") == "two"
        assert value(two, "show transaction isolation level") == "read committed"
        assert value(two, "show work_mem") != "5MB"
        two.commit()


def test_temporary_tables_and_advisory_locks(target, connect):
    one, two = connect(autocommit=True), connect(autocommit=True)
    for connection, word in ((one, "one"), (two, "two")):
        connection.execute(f"create temporary table mine as select '{word}'::text as word")
        target.shuffle()
    for _ in range(2):
        for connection, word in ((one, "one"), (two, "two")):
            assert value(connection, "select word from mine") == word
            target.shuffle()
    one.execute("drop table mine")
    two.execute("discard temp")
    one.execute("select pg_advisory_lock(4001)")
    target.shuffle()
    assert value(two, "select pg_try_advisory_lock(4001)") is False
    assert value(one, "select pg_advisory_unlock(4001)") is True
    assert value(two, "select pg_try_advisory_lock(4001)") is True
    assert value(two, "select pg_advisory_unlock(4001)") is True


def test_notifications_arrive(target, connect):
    listener, sender = connect(autocommit=True), connect(autocommit=True)
    heard = []
    listener.add_notify_handler(lambda notify: heard.append(notify.payload))
    listener.execute("listen news")
    target.shuffle()
    for number in range(3):
        sender.execute("select pg_notify('news', %s)", [str(number)])
        ready, _, _ = select.select([listener], [], [], DEADLINE_S)
        assert ready, "a notification comes without being asked for"
        listener.execute("select 1")
    assert heard == ["0", "1", "2"]
    listener.execute("unlisten *")


def test_cancel_ends_the_own_query_only(target, connect):
    one, two = connect(autocommit=True), connect(autocommit=True)

    async def run():
        loop = asyncio.get_running_loop()
        sleeping = loop.run_in_executor(
            None, lambda: one.execute("select pg_sleep(60)"))
        other = loop.run_in_executor(
            None, lambda: value(two, "select 'done' from pg_sleep(0.3)"))
        while one.pgconn.transaction_status != pq.TransactionStatus.ACTIVE:
            await asyncio.sleep(0.005)
        while not target.postgres.value("select count(*) from pg_stat_activity"
                                        " where state = 'active' and query like '%%sleep(60)%%'"
                                        " and pid <> pg_backend_pid()"):
            await asyncio.sleep(0.005)
        one.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
        assert await other == "done"

    asyncio.run(run())
    assert value(one, "select 1") == 1


def test_psycopgs_own_pool(target):
    from psycopg_pool import ConnectionPool

    with ConnectionPool(target.dsn(), min_size=3, max_size=3) as pool:
        pids = []
        for number in range(USES * 6):
            with pool.connection() as connection:
                row = connection.execute("select %s::int + 5, pg_backend_pid()",
                                         [number]).fetchone()
                assert row[0] == number + 5
                pids.append(row[1])
            if number % 12 == 11:
                with pytest.raises(psycopg.errors.UndefinedColumn):
                    with pool.connection() as connection:
                        connection.execute("select nothing")
            target.shuffle()
    target.moved(pids)
