"""Transaction, session and statement pooling, and how long server connections live."""

import time

import psycopg
import pytest
from harness.postgres import password
from harness.raw import Closed, errors, kinds, query, sync, unnamed
from harness.wait import stays, until

PID = "select pg_backend_pid()"


def test_a_transaction_keeps_its_server_connection_and_then_gives_it_back(pgring, raw):
    pooler = pgring(database={"pool_size": 2})
    one, other = raw(pooler).login(), raw(pooler).login()
    one.run("begin")
    pid = one.value(PID)
    for _ in range(5):
        assert other.value(PID) != pid
        assert one.value(PID) == pid
    one.run("commit")
    other.run("begin")
    third = raw(pooler).login()
    third.run("begin")
    assert pid in (other.value(PID), third.value(PID))


def test_a_failed_transaction_is_held_until_it_is_rolled_back(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    one, other = raw(pooler).login(), raw(pooler).login()
    one.run("begin")
    assert one.run("select 1/0")[-1].status == "E"
    other.send(query("select 1"))
    assert errors(one.run("select 1"))[0][1] == "25P02"
    assert one.run("rollback")[-1].status == "I"
    assert kinds(other.ready()) == "TDCZ"


def test_a_session_keeps_its_server_connection_and_its_state(pgring, raw):
    pooler = pgring(database={"pool_size": 2, "pool_mode": "session"})
    one, other = raw(pooler).login(), raw(pooler).login()
    pids = one.value(PID), other.value(PID)
    assert pids[0] != pids[1]
    one.run("create temporary table scratch (n int); insert into scratch values (7);"
            "set my.mark = 'one'; prepare mine as select 9")
    for _ in range(3):
        assert (one.value(PID), other.value(PID)) == pids
        assert one.value("select n from scratch") == "7"
        assert one.value("execute mine") == "9"
        assert one.value("show my.mark") == "one"


def test_the_next_session_finds_nothing_of_the_last(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "pool_mode": "session"})
    one = raw(pooler).login()
    pid = one.value(PID)
    one.run("create temporary table scratch (n int); set my.mark = 'one'; set work_mem = '1MB';"
            "prepare mine as select 9; select pg_advisory_lock(42); listen news;"
            "set DateStyle = 'German'")
    one.close()
    other = raw(pooler).login()
    assert other.value(PID) == pid
    assert other.value("select count(*) from pg_class where relname = 'scratch'") == "0"
    assert other.value("select count(*) from pg_prepared_statements") == "0"
    assert other.value("select count(*) from pg_locks where locktype = 'advisory'") == "0"
    assert other.value("select count(*) from pg_listening_channels()") == "0"
    assert other.value("select coalesce(current_setting('my.mark', true), '')") == ""
    assert other.value("show work_mem") == "4MB"
    assert other.value("show DateStyle") == "ISO, MDY"


def test_a_session_left_inside_a_transaction_is_rolled_back(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists abandoned; create table abandoned (n int);"
                           " grant all on abandoned to public")
    for mode in ("session", "transaction"):
        pooler = pgring(database={"pool_size": 1, "pool_mode": mode})
        one = raw(pooler).login()
        one.run("begin")
        one.run("insert into abandoned values (1)")
        one.close()
        assert raw(pooler).login().value("select count(*) from abandoned") == "0"


def test_a_reset_query_of_ones_own_runs_between_sessions(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "pool_mode": "session",
                              "reset_query": "select set_config('my.mark', 'was reset', false)"})
    one = raw(pooler).login()
    one.run("set my.mark = 'one'; set work_mem = '1MB'")
    one.close()
    other = raw(pooler).login()
    assert other.value("show my.mark") == "was reset"
    assert other.value("show work_mem") == "1MB"


def test_statement_mode_refuses_transactions(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1, "pool_mode": "statement"})
    neighbour = raw(pooler).login()
    for begin in ([query("begin")], [unnamed("begin"), sync()]):
        client = raw(pooler).login()
        assert client.value("select 1") == "1"
        client.send(*begin)
        seen = client.until("E")
        assert "statement" in errors(seen)[0][2].lower()
        assert neighbour.value("select 2") == "2"
        until(lambda: not postgres.backends("state like 'idle in transaction%%'"),
              "no transaction is left open")


def test_a_connect_query_runs_before_the_first_client(pgring, raw):
    pooler = pgring(database={"pool_size": 2, "connect_query": "set my.mark = 'connected'"})
    one, other = raw(pooler).login(), raw(pooler).login()
    one.run("begin")
    assert other.value("show my.mark") == "connected"
    assert one.value("show my.mark") == "connected"


@pytest.mark.parametrize("reset_query", ["DISCARD ALL", "reset all", ""])
def test_what_a_connect_query_sets_is_there_for_every_session(pgring, raw, reset_query):
    """PostgreSQL's defaults are not what sessions begin with: a reset takes away what it has set."""
    pooler = pgring(database={
        "pool_size": 1, "pool_mode": "session", "reset_query": reset_query,
        "connect_query": "set work_mem = '7MB'; set timezone = 'Asia/Tokyo'; set my.mark = 'connected'"})
    pids = set()
    for _ in range(3):
        client = raw(pooler).login()
        pids.add(client.value(PID))
        assert client.value("show work_mem") == "7MB"
        assert client.value("show timezone") == "Asia/Tokyo"
        assert client.value("show my.mark") == "connected"
        if reset_query:
            client.run("set work_mem = '1MB'; set timezone = 'Europe/Rome'; set my.mark = 'mine'")
        client.run("reset all")
        client.close()
    assert len(pids) == 1, "all of them had one server connection"


def test_a_connect_query_that_fails_the_second_time_costs_the_connection(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "pool_mode": "session",
                              "connect_query": "create table pg_temp.once (n int); set work_mem = '7MB'",
                              "reset_query": "reset all"})
    pids = []
    for _ in range(2):
        client = raw(pooler).login()
        pids.append(client.value(PID))
        assert client.value("show work_mem") == "7MB"
        client.close()
    assert pids[0] != pids[1]
    assert "reset query failed" in pooler.log()


def test_a_database_may_have_another_name_here(pgring, raw):
    pooler = pgring(changes={"database": {"nickname": {"server": "main", "dbname": "bench"}}})
    assert raw(pooler).login(dbname="nickname").value("select current_database()") == "bench"


def test_two_names_of_one_database_are_two_pools(pgring, postgres, raw):
    entry = {"server": "main", "dbname": "bench", "pool_size": 1}
    pooler = pgring(changes={"database": {"first": entry, "second": entry}})
    one, other = raw(pooler).login(dbname="first"), raw(pooler).login(dbname="second")
    one.run("begin")
    assert other.value("select 1") == "1"
    assert len(postgres.backends()) == 2


def test_a_server_connection_past_its_lifetime_is_replaced(pgring, raw):
    pooler = pgring(database={"pool_size": 1}, changes={"timeouts": {"server_lifetime": "500ms"}})
    client = raw(pooler).login()
    pid = client.value(PID)
    until(lambda: client.value(PID) != pid, "another backend serves the client")


def test_a_transaction_outlives_the_lifetime_of_its_server_connection(pgring, raw):
    pooler = pgring(database={"pool_size": 1}, changes={"timeouts": {"server_lifetime": "200ms"}})
    client = raw(pooler).login()
    client.run("begin")
    pid, end = client.value(PID), time.monotonic() + 1
    while time.monotonic() < end:
        assert client.value(PID) == pid
    client.run("commit")
    until(lambda: client.value(PID) != pid, "another backend serves the client")


def test_idle_server_connections_are_closed(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 3}, changes={"timeouts": {"server_idle": "400ms"}})
    clients = [raw(pooler).login() for _ in range(3)]
    for client in clients:
        client.run("begin")
    assert len(postgres.backends()) == 3
    for client in clients:
        client.run("commit")
    until(lambda: not postgres.backends(), "the idle server connections are closed")
    assert clients[0].value("select 1") == "1"


def test_min_pool_size_is_opened_without_clients_and_kept(pgring, postgres):
    pooler = pgring(changes={
        "database": {"warm": {"server": "main", "dbname": "bench", "user": "app_scram",
                              "password": password("app_scram"), "min_pool_size": 3}},
        "timeouts": {"server_idle": "300ms", "server_login_retry": "100ms"}})
    until(lambda: len(postgres.backends()) == 3, "three server connections are open")
    stays(lambda: len(postgres.backends()) == 3, "three server connections stay", 1)
    postgres.admin.execute("select pg_terminate_backend(%s)", [postgres.backends()[0]])
    until(lambda: len(postgres.backends()) == 3, "the lost one is replaced")
    with pooler.connect("app_md5", "warm") as connection:
        assert connection.execute("select session_user").fetchone() == ("app_scram",)


@pytest.mark.parametrize("key, state, statements", [
    ("idle_transaction", "idle in transaction", ["begin"]),
    ("transaction", "active", ["begin", "select pg_sleep(30)"]),
    ("query", "active", ["select pg_sleep(30)"]),
])
def test_what_takes_too_long_is_ended_and_its_server_connection_is_free(pgring, postgres, raw, key,
                                                                        state, statements):
    pooler = pgring(database={"pool_size": 1}, changes={"timeouts": {key: "600ms"}})
    client, began = raw(pooler).login(), time.monotonic()
    client.send(*[query(statement) for statement in statements])
    until(lambda: postgres.backends(f"state = '{state}'"), f"the client is {state}")
    seen = client.rest()
    assert 0.5 < time.monotonic() - began < 15
    assert errors(seen)[-1][0] == "FATAL"
    assert raw(pooler).login().value("select 1") == "1"
    assert not postgres.backends("state like 'idle in transaction%%'")


def test_an_idle_client_is_closed_after_client_idle(pgring, raw):
    pooler = pgring(changes={"timeouts": {"client_idle": "500ms"}})
    client = raw(pooler).login()
    client.run("select 1")
    assert errors(client.rest())[0][0] == "FATAL"


def test_psycopg_sees_named_statements_of_a_session(pgring):
    with psycopg.connect(pgring(database={"pool_mode": "session"}).dsn(), autocommit=True,
                         prepare_threshold=0) as connection:
        for number in range(10):
            assert connection.execute("select %s::int", [number]).fetchone() == (number,)


def test_a_connect_query_that_ends_its_connection_is_a_failed_login_each_time(pgring, raw):
    # Attempts that failed so must not count as under way: eight of them stop a pool.
    pooler = pgring(changes={"timeouts": {"server_login_retry": "1ms", "query_wait": "3s"}},
                    database={"pool_size": 20,
                              "connect_query": "select pg_terminate_backend(pg_backend_pid())"})
    for _ in range(12):
        with pytest.raises(Closed) as refused:
            raw(pooler).login().run("select 1")
        assert errors(refused.value.seen)[0][1] == "57P01"
        time.sleep(0.01)


def test_a_connect_query_that_hangs_is_a_failed_login_after_server_connect(pgring, raw):
    pooler = pgring(changes={"timeouts": {"server_connect": "1s", "query_wait": "10s"}},
                    database={"pool_size": 2, "connect_query": "select pg_sleep(100)"})
    with pytest.raises(Closed) as refused:
        raw(pooler).login()
    assert "server_connect" in errors(refused.value.seen)[0][2]


def test_a_connect_query_may_not_leave_a_transaction_open(pgring, raw):
    with pytest.raises(Closed) as refused:
        raw(pgring(database={"connect_query": "begin"})).login()
    assert "connect_query" in errors(refused.value.seen)[0][2]


def test_an_idle_transaction_is_idle_from_the_end_of_its_last_query(pgring, raw):
    pooler = pgring(changes={"timeouts": {"idle_transaction": "1500ms"}})
    client = raw(pooler).login()
    client.run("begin")
    client.run("select pg_sleep(2.7)")
    time.sleep(0.7)  # well within the limit, and past a look at the clock
    assert client.value("select 1") == "1"


@pytest.mark.parametrize("limits, wait_s, texts, sqlstate", [
    ({"query": "1s", "client_idle": "1h"}, 1.3, ["select pg_sleep(60)"], "57014"),
    ({"idle_transaction": "1s", "transaction": "1h"}, 0, ["begin", "select pg_sleep(1.2)"],
     "25P03"),
])
def test_a_long_limit_does_not_put_off_a_short_one(pgring, raw, limits, wait_s, texts, sqlstate):
    client = raw(pgring(changes={"timeouts": limits})).login()
    time.sleep(wait_s)  # until the long limit is the only one that may apply
    client.send(*map(query, texts))
    assert errors(client.rest())[0][1] == sqlstate


def test_a_transaction_is_timed_from_its_own_begin_in_a_session_too(pgring, raw):
    client = raw(pgring(changes={"timeouts": {"transaction": "2s"}},
                        database={"pool_mode": "session"})).login()
    for _ in range(8):  # together longer than the limit, each far from it
        client.run("begin")
        time.sleep(0.3)
        client.run("commit")
    client.run("begin")
    assert errors(client.rest())[0][1] == "25P04"
