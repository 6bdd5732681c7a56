"""What the console and an error say of the budget: why a client waits, and who holds the connections."""

import time

import psycopg
import pytest
from harness.pooler import CONSOLE_ADMIN, CONSOLE_VIEWER
from harness.postgres import OWNER, Postgres
from harness.raw import errors, kinds, query, sync, unnamed
from harness.wait import stays, until

COLUMNS = {
    "BUDGET": "server scope name limit used open opening closing lost others headroom waiting source",
    "WAITS": "shard id user database application_name since wait wait_us reason detail",
}
STATES = ("open", "opening", "closing", "lost")
LEARNED_S = 10  # a poll takes place within a second; the rest is for a busy machine


@pytest.fixture(scope="module")
def few():
    """A PostgreSQL with twenty connections, three of them reserved."""
    server = Postgres(settings={"max_connections": "20", "superuser_reserved_connections": "3"})
    yield server
    server.stop()


def lines(pooler):
    return {(row["scope"], row["name"]): row for row in pooler.show("BUDGET")}


def waits(pooler):
    return pooler.show("WAITS")


def hold(raw, pooler, count, user="app_scram", dbname="bench"):
    """Clients that keep a server connection each."""
    clients = [raw(pooler).login(user, dbname) for _ in range(count)]
    for client in clients:
        assert kinds(client.run("begin")) == "CZ"
    return clients


def wait(pooler, client):
    """The client asks for something, and has to wait for it."""
    before = len(waits(pooler))
    client.send(query("select 1"))
    until(lambda: len(waits(pooler)) == before + 1, "it waits")
    return client


def hold_and_wait(raw, pooler, count):
    """As many clients keep a connection, one more waits. It logs in first: that may need a connection."""
    waiter = raw(pooler).login()
    return hold(raw, pooler, count), wait(pooler, waiter)


def refused(client):
    """The fields of the error that ends a wait."""
    (error,) = [got.fields for got in client.rest() if got.kind == "E"]
    assert error["C"] == "53300" and "query_wait" in error["M"]
    return error


def limit_is(pooler, scope, name, limit):
    until(lambda: lines(pooler)[scope, name]["limit"] == limit, f"{scope} {name} is {limit}",
          LEARNED_S)


# The tables.


@pytest.mark.parametrize("what", COLUMNS)
def test_show_has_its_columns_in_both_protocols(pgring, raw, what):
    pooler = pgring(database={"pool_size": 1})
    hold_and_wait(raw, pooler, 1)
    console = raw(pooler).login(CONSOLE_VIEWER, "pgring")
    answer = console.run(f"show {what};")
    assert answer[0].kind == "T" and answer[0].names == COLUMNS[what].split()
    assert [got.columns for got in answer if got.kind == "D"]
    assert answer[-2].tag == "SHOW"
    console.send(unnamed(f"SHOW {what}"), sync())
    extended = console.ready()
    assert kinds(extended)[:4] == "12TD" and kinds(extended)[-2:] == "CZ"
    assert extended[2].names == COLUMNS[what].split()
    with pooler.console() as driver:
        names = [column.name for column in driver.execute(f"SHOW {what}").description]
        assert names == COLUMNS[what].split()


def test_help_names_what_only_pgring_shows(pgring, raw):
    console = raw(pgring()).login(CONSOLE_ADMIN, "pgring")
    console.run("SHOW HELP")
    assert "BUDGET|WAITS" in console.notices[-1]["D"]


def test_nobody_waits_and_nothing_is_known_before_the_first_client(pgring):
    pooler = pgring()
    assert waits(pooler) == []
    (row,) = pooler.show("BUDGET")
    assert (row["scope"], row["name"], row["limit"], row["used"]) == ("ceiling", "main", None, "0")
    assert "not known before the first login" in row["source"]


# The ceiling and what counts.


def test_the_ceiling_is_what_the_server_leaves_us_term_by_term(pgring, few, raw, opened):
    pooler = pgring(few, changes={"server": {"main": {"keep_free": 4}}})
    raw(pooler).login().run("select 1")  # its connection is idle, and asks the server
    direct = [opened(psycopg.connect(few.dsn())) for _ in range(3)]
    few.admin.execute("select 1")  # one more of ours
    # Whoever is superuser counts like everybody: a slot is a slot.
    limit_is(pooler, "ceiling", "main", str(20 - 3 - 4 - 4))
    row = lines(pooler)["ceiling", "main"]
    assert (row["server"], row["used"], row["open"]) == ("main", "1", "1")
    assert (row["others"], row["headroom"], row["waiting"]) == ("4", "8", "0")
    assert row["source"].startswith(
        "max_connections 20 - superuser_reserved_connections 3 - keep_free 4 - others 4")
    for connection in direct:
        connection.close()
    limit_is(pooler, "ceiling", "main", str(20 - 3 - 4 - 1))


def test_every_state_is_counted_where_it_belongs(pgring, few, raw):
    pooler = pgring(few, changes={"database": {"bench": {"server": "main", "max_connections": 9}}})
    hold(raw, pooler, 3)
    hold(raw, pooler, 2, "app_md5")
    until(lambda: lines(pooler)["ceiling", "main"]["limit"], "limits are known", LEARNED_S)
    shown = lines(pooler)
    assert {key: row["used"] for key, row in shown.items()} == {
        ("ceiling", "main"): "5", ("entry", "bench"): "5", ("database", "bench"): "5",
        ("role", "app_scram"): "3", ("role", "app_md5"): "2",
        ("pool", "bench/app_scram"): "3", ("pool", "bench/app_md5"): "2"}
    for row in shown.values():
        assert int(row["used"]) == sum(int(row[state]) for state in STATES)
        if row["limit"] is not None:
            assert int(row["headroom"]) == int(row["limit"]) - int(row["used"])
    entry, pool = shown["entry", "bench"], shown["pool", "bench/app_scram"]
    assert (entry["limit"], entry["source"]) == ("9", "database.bench.max_connections 9")
    assert (pool["limit"], pool["source"]) == ("20", "pool_size 20")
    assert len(few.backends()) == 5
    (row,) = [row for row in pooler.show("DATABASES") if row["name"] == "bench"]
    assert (row["max_connections"], row["current_connections"]) == ("9", "5")


def test_the_limit_of_a_role_is_shown_as_it_is_altered(pgring, few, raw):
    pooler = pgring(few)
    raw(pooler).login().run("select 1")
    try:
        few.admin.execute("alter role app_scram connection limit 6")
        limit_is(pooler, "role", "app_scram", "6")
        assert lines(pooler)["role", "app_scram"]["source"] == "CONNECTION LIMIT 6 - others 0"
    finally:
        few.admin.execute("alter role app_scram connection limit -1")
    limit_is(pooler, "role", "app_scram", None)


def test_applications_that_log_in_as_superuser_are_named_once(pgring, few, raw):
    pooler = pgring(few)

    def told():
        return [line for line in pooler.log().splitlines()
                if "applications log in as a superuser" in line]

    hold(raw, pooler, 1, OWNER)
    hold(raw, pooler, 1)
    until(told, "the log says so", LEARNED_S)
    (line,) = told()
    assert "WARNING" in line and f"role={OWNER}" in line and "database=bench" in line
    shown = lines(pooler)
    assert "superuser" in shown["role", OWNER]["source"]
    assert "superuser" in shown["pool", f"bench/{OWNER}"]["source"]
    assert "superuser" not in shown["pool", "bench/app_scram"]["source"]
    hold(raw, pooler, 1, OWNER, "postgres")
    stays(lambda: len(told()) == 1, "once is enough", 2.5)


def test_server_connections_that_move_between_shards_are_counted(pgring, few, raw):
    # Room for two parts, and one connection: it goes where the client is that asks.
    pooler = pgring(few, database={"pool_size": 8}, changes={
        "shards": {"count": 2}, "server": {"main": {"max_connections": 1}}})
    clients = [raw(pooler).login() for _ in range(2)]
    for _ in range(5):
        for client in clients:
            assert client.value("select 1") == "1"
    shards = pooler.show("SHARDS")
    moves_in, moves_out = ([int(row[name]) for row in shards] for name in ("moves_in", "moves_out"))
    assert all(moves_in) and all(moves_out), shards
    assert sum(moves_in) == sum(moves_out)
    assert sum(int(row["server_connections"]) for row in shards) == 1
    assert len(few.backends()) == 1


# Why does this client wait?


def test_every_waiter_of_every_shard_is_shown_the_longest_wait_first(pgring, raw):
    pooler = pgring(database={"pool_size": 1}, changes={"shards": {"count": 3}})
    databases = ["bench", "postgres", "template1"]  # a pool, and with it a shard, each
    clients = {name: raw(pooler).login(dbname=name, application_name=f"app of {name}")
               for name in databases}
    holders = [hold(raw, pooler, 1, dbname=name)[0] for name in databases]
    began = time.time()
    for client in clients.values():
        wait(pooler, client)
        time.sleep(0.05)
    shown = waits(pooler)
    assert [row["database"] for row in shown] == databases
    assert {row["shard"] for row in shown} == {"0", "1", "2"}
    named = {row["application_name"]: row["id"] for row in pooler.show("CLIENTS")}
    for row in shown:
        assert row["user"] == "app_scram"
        assert row["id"] == named[f"app of {row['database']}"]
        at = time.strptime(row["since"], "%Y-%m-%d %H:%M:%S UTC")
        assert began - 2 < time.mktime(at) - time.timezone < time.time() + 1
        waited = int(row["wait"]) + int(row["wait_us"]) / 1e6
        assert 0 < waited < time.time() - began
        assert 0 <= int(row["wait_us"]) < 1_000_000
    for holder, name in zip(holders, databases):
        holder.run("commit")
        assert kinds(clients[name].ready()) == "TDCZ"
    assert waits(pooler) == []


def test_a_full_pool_is_the_reason_and_says_how_long_it_has_been_held(pgring, raw):
    pooler = pgring(database={"pool_size": 2})
    hold_and_wait(raw, pooler, 2)
    (row,) = waits(pooler)
    assert row["reason"] == "pool" and row["detail"].startswith("pool_size: 2 of 2, longest for ")
    until(lambda: waits(pooler)[0]["detail"].endswith("longest for 2s"), "it counts on")


def test_the_limit_of_a_role_is_the_reason(pgring, few, raw):
    few.admin.execute("alter role app_scram connection limit 2")
    try:
        pooler = pgring(few)
        hold_and_wait(raw, pooler, 2)
        until(lambda: waits(pooler)[0]["reason"] == "role", "its role stops it")
        detail = waits(pooler)[0]["detail"]
        assert detail.startswith("CONNECTION LIMIT of role app_scram: 2 of 2; bench/app_scram has 2")
        assert lines(pooler)["role", "app_scram"]["waiting"] == "1"
    finally:
        few.admin.execute("alter role app_scram connection limit -1")


def test_at_the_ceiling_the_pool_that_holds_most_is_named(pgring, few, raw):
    pooler = pgring(few, changes={"server": {"main": {"max_connections": 3}}})
    waiter = raw(pooler).login("app_scram", "postgres")
    hold(raw, pooler, 1, "app_scram", "postgres")
    hold(raw, pooler, 2, "app_md5")
    wait(pooler, waiter)
    until(lambda: waits(pooler)[0]["reason"] == "ceiling", "the ceiling stops it")
    assert waits(pooler)[0]["detail"].startswith(
        "server.main.max_connections: 3 of 3; bench/app_md5 has 2, longest for ")
    row = lines(pooler)["ceiling", "main"]
    assert (row["used"], row["limit"], row["headroom"], row["waiting"]) == ("3", "3", "0", "1")
    assert "at most server.main.max_connections 3" in row["source"]


def test_a_wait_for_a_connection_that_is_being_opened_says_so(pgring, raw):
    pooler = pgring(database={"connect_query": "select pg_sleep(2)"})
    first, second = raw(pooler).login(), raw(pooler).login()  # the first waits for one itself
    first.run("begin")
    waiter = wait(pooler, second)
    (row,) = waits(pooler)
    assert (row["reason"], row["detail"]) == ("opening", "1 being opened")
    assert kinds(waiter.ready()) == "TDCZ"


def test_the_reserve_is_named_until_its_time_has_come(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "reserve_pool_size": 1, "reserve_pool_timeout": "2s"})
    _, waiter = hold_and_wait(raw, pooler, 1)
    until(lambda: waits(pooler)[0]["reason"] == "reserve timer", "the timer is what it waits for")
    assert "1 more after 2s" in waits(pooler)[0]["detail"]
    assert lines(pooler)["pool", "bench/app_scram"]["source"] == "pool_size 1 + reserve_pool_size 1"
    assert kinds(waiter.ready()) == "TDCZ"


def test_a_paused_database_is_the_reason(pgring, raw):
    pooler = pgring()
    client, console = raw(pooler).login(), raw(pooler).login(CONSOLE_ADMIN, "pgring")
    assert console.run("PAUSE bench")[0].tag == "PAUSE"
    client.send(query("select 1"))
    until(lambda: waits(pooler), "it waits")
    (row,) = waits(pooler)
    assert row["reason"] == "paused" and "RESUME" in row["detail"]
    assert console.run("RESUME bench")[0].tag == "RESUME"
    assert kinds(client.ready()) == "TDCZ"


# What a client is told that has waited too long.


def test_who_waited_for_its_own_pool_is_told_for_how_long_it_was_held(pgring, raw):
    pooler = pgring(database={"pool_size": 1}, changes={"timeouts": {"query_wait": "2s"}})
    hold(raw, pooler, 1)
    waiter = raw(pooler).login()
    waiter.send(query("select 1"))
    error = refused(waiter)
    assert "pool_size 1: 1 of 1, longest for 2s" in error["D"]
    assert "raise pool_size" in error["H"]


def test_who_waited_at_the_ceiling_is_told_all_who_hold_it(pgring, few, raw):
    pooler = pgring(few, changes={"timeouts": {"query_wait": "2s"}, "shards": {"count": 2},
                                  "server": {"main": {"max_connections": 3}}})
    clients = [raw(pooler).login("app_scram") for _ in range(2)]
    hold(raw, pooler, 2, "app_md5")
    clients[0].run("begin")
    waiter = clients[1]
    waiter.send(query("select 1"))
    error = refused(waiter)
    assert "Pool bench/app_scram has 1 server connection." in error["D"]
    assert "server.main.max_connections: 3 of 3 (max_connections 20 - " in error["D"]
    assert "held by bench/app_md5 2, longest for " in error["D"]
    assert "; bench/app_scram 1, longest for " in error["D"]
    assert "raise server.main.max_connections" in error["H"] and "pool_size" not in error["H"]


def test_who_waited_for_a_limit_of_its_role_is_told_how_to_raise_that(pgring, few, raw):
    few.admin.execute("alter role app_scram connection limit 1")
    try:
        pooler = pgring(few, changes={"timeouts": {"query_wait": "2s"}})
        waiter = raw(pooler).login("app_scram")
        limit_is(pooler, "role", "app_scram", "1")
        hold(raw, pooler, 1)
        waiter.send(query("select 1"))
        error = refused(waiter)
        assert "CONNECTION LIMIT of role app_scram: 1 of 1 (CONNECTION LIMIT 1" in error["D"]
        assert 'ALTER ROLE "app_scram" CONNECTION LIMIT' in error["H"]
    finally:
        few.admin.execute("alter role app_scram connection limit -1")


def test_who_waited_for_a_resume_is_told_of_the_pause(pgring, raw):
    pooler = pgring(changes={"timeouts": {"query_wait": "500ms"}})
    client = raw(pooler).login()
    raw(pooler).login(CONSOLE_ADMIN, "pgring").run("PAUSE bench")
    client.send(query("select 1"))
    error = refused(client)
    assert "bench is paused" in error["D"] and "RESUME" in error["H"]
    raw(pooler).login(CONSOLE_ADMIN, "pgring").run("RESUME bench")
    assert not errors(raw(pooler).login().run("select 1"))
