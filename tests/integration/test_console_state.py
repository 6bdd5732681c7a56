"""What the console says of the state sessions hold: pins and their reasons, prepared statements."""

import psycopg
import pytest
from harness.pooler import CONSOLE_ADMIN, CONSOLE_VIEWER
from harness.raw import bind, execute, kinds, parse, sync, unnamed
from harness.wait import until

COLUMNS = {
    "PINS": "database user id shard remote_pid since seconds reasons addr port application_name",
    "PINS_TOTALS": "database user reason current total",
    "STATEMENTS": "database user name users servers parses_spared size query",
}
LOCK, UNLOCK = "select pg_advisory_lock(4)", "select pg_advisory_unlock(4)"
# How a session comes to hold it, and how it gives it up; nothing: it cannot.
STATES = {
    "advisory lock": (LOCK, UNLOCK),
    "temporary object": ("create temp table console_temp (n int)", "drop table console_temp"),
    "cursor WITH HOLD": ("declare c cursor with hold for select 1", "close c"),
    "LISTEN": ("listen console_news", "unlisten console_news"),
    "PREPARE": ("prepare console_p as select 1", "deallocate console_p"),
    "state until the session ends": ("select setseed(0.5)", None),
}


@pytest.fixture
def pooler(pgring):
    return pgring(changes={"database": {"bench": {"server": "main", "pool_size": 3}}})


def totals(pooler):
    """{(database, user, reason): (current, total)}"""
    return {(row["database"], row["user"], row["reason"]): (int(row["current"]), int(row["total"]))
            for row in pooler.show("PINS_TOTALS")}


def bench(pooler):
    """The same of the one pool that the tests use, when no audit is under way."""
    pooler.settle()
    return {reason: counts for (database, user, reason), counts in totals(pooler).items()
            if (database, user) == ("bench", "app_scram")}


def pins(pooler):
    """SHOW PINS, when the audit that decides is over: it begins when the client gets its answer."""
    pooler.settle()
    return pooler.show("PINS")


def sums(pooler):
    pooler.settle()
    return {row["name"]: int(row["value"]) for row in pooler.show("TOTALS")}


def statements(pooler):
    return {row["query"]: row for row in pooler.show("STATEMENTS")}


def prepared(pooler, what):
    """The column prepared_statements of the only client or server connection there is."""
    (row,) = [row for row in pooler.show(what) if row["database"] == "bench"]
    return int(row["prepared_statements"])


def prepare(client, text, name):
    client.send(parse(text, name), bind(statement=name), execute(), sync())
    assert kinds(client.ready())[:2] == "12"


@pytest.mark.parametrize("what", COLUMNS)
def test_show_has_its_columns_in_both_protocols(pooler, raw, what):
    client = raw(pooler).login()
    client.run(LOCK)
    prepare(client, "select 1", "one")
    console = raw(pooler).login(CONSOLE_VIEWER, "pgring")
    answer = console.run(f"show {what};")
    assert answer[0].kind == "T" and answer[0].names == COLUMNS[what].split()
    assert [got.columns for got in answer if got.kind == "D"]
    assert answer[-2].tag == "SHOW"
    console.send(unnamed(f"SHOW {what}"), sync())
    extended = console.ready()
    assert kinds(extended)[:4] == "12TD" and kinds(extended)[-2:] == "CZ"
    assert extended[2].names == COLUMNS[what].split()


def test_help_names_them(pooler, raw):
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    console.run("SHOW HELP")
    assert "PINS|PINS_TOTALS|STATEMENTS" in console.notices[-1]["D"]


# Pins.


def test_nothing_is_shown_of_sessions_that_hold_nothing(pooler, raw):
    client = raw(pooler).login()
    client.run("select 1")
    client.run("begin")  # a link, not a pin
    assert pins(pooler) == [] and pooler.show("PINS_TOTALS") == []
    assert pooler.show("STATEMENTS") == []
    # Nor of one that left before its lock was found.
    client.run("rollback")
    client.run("begin")
    client.run(LOCK)
    client.close()
    until(lambda: not [row for row in pooler.show("CLIENTS") if row["database"] == "bench"], "it left")
    pooler.settle()
    assert pooler.show("PINS_TOTALS") == []


@pytest.mark.parametrize("reason", STATES)
def test_a_pin_is_shown_with_its_reason_until_that_is_gone(pooler, raw, reason):
    client = raw(pooler).login(application_name="importer")
    take, give_up = STATES[reason]
    client.run(take)
    (row,) = pins(pooler)
    (shown,) = [row for row in pooler.show("CLIENTS") if row["database"] == "bench"]
    assert (row["database"], row["user"], row["reasons"]) == ("bench", "app_scram", reason)
    assert (row["id"], row["addr"], row["port"]) == (shown["id"], shown["addr"], shown["port"])
    assert row["application_name"] == "importer" and row["shard"] == "0"
    assert row["remote_pid"] == client.value("select pg_backend_pid()")
    assert row["since"].endswith(" UTC") and 0 <= int(row["seconds"]) < 60
    assert bench(pooler) == {"any": (1, 1), reason: (1, 1)}
    if give_up is None:
        client.run("select 1")
        assert len(pins(pooler)) == 1
        client.close()
        until(lambda: pooler.show("PINS") == [], "the pin ends with its client")
    else:
        client.run(give_up)
        assert pins(pooler) == []
    assert bench(pooler) == {"any": (0, 1), reason: (0, 1)}


def test_a_pin_counts_each_of_its_reasons_once(pooler, raw):
    client = raw(pooler).login()
    client.run(LOCK)
    since = pins(pooler)[0]["since"]
    for _ in range(2):
        client.run("listen console_news")
        client.run("unlisten console_other")  # may end the pin: PostgreSQL is asked, and tells of both
        assert pins(pooler)[0]["reasons"] == "advisory lock, LISTEN"
        client.run("unlisten *")
    assert pins(pooler)[0]["reasons"] == "advisory lock"
    assert pins(pooler)[0]["since"] == since
    assert bench(pooler) == {"any": (1, 1), "advisory lock": (1, 1), "LISTEN": (0, 1)}
    client.run(UNLOCK)
    assert pins(pooler) == []
    client.run(LOCK)
    assert bench(pooler) == {"any": (1, 2), "advisory lock": (1, 2), "LISTEN": (0, 1)}
    before = sums(pooler)
    assert before["total_pin_count"] == 2 and before["total_isolation_fault_count"] == 0
    client.run(UNLOCK)
    assert sums(pooler)["total_audit_count"] == before["total_audit_count"] + 1


def test_pins_of_all_shards_are_shown_the_longest_first(pgring, raw):
    pooler = pgring(changes={"shards": {"count": 3}}, database={"pool_size": 12})
    clients = [raw(pooler).login() for _ in range(6)]
    for client in clients:
        client.run("listen console_news")
        pooler.settle()
    rows = pins(pooler)
    assert [row["remote_pid"] for row in rows] == [
        client.value("select pg_backend_pid()") for client in clients]
    assert {row["shard"] for row in rows} == {"0", "1", "2"}
    assert bench(pooler) == {"any": (6, 6), "LISTEN": (6, 6)}


def test_where_state_is_ignored_nothing_pins(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "on_session_state": "ignore"})
    client, other = raw(pooler).login(), raw(pooler).login()
    for take, _ in STATES.values():
        client.run(take)
        assert other.value("select 'not kept'") == "not kept"
    assert pins(pooler) == [] and pooler.show("PINS_TOTALS") == []


# Prepared statements.


def test_a_statement_is_shown_with_its_users_and_its_copies(pooler, raw):
    clients = [raw(pooler).login(application_name=f"c{i}") for i in range(2)]
    text = "select 'né', $1::text"
    clients[0].send(parse(text, "mine"), sync())
    clients[0].ready()
    clients[1].send(parse(text, "yours"), sync())
    clients[1].ready()
    (row,) = pooler.show("STATEMENTS")
    assert (row["database"], row["user"], row["query"]) == ("bench", "app_scram", text)
    assert row["size"] == str(len(text.encode())) and row["name"].startswith("pgring_")
    assert (row["users"], row["servers"]) == ("3", "1")  # two names and the only connection's copy
    # Both at once: the second connection gets a copy.
    for client in clients:
        client.run("begin")
        client.send(bind(["x"], statement="mine" if client is clients[0] else "yours"), execute(),
                    sync())
        assert kinds(client.ready()) == "2DCZ"
    (row,) = pooler.show("STATEMENTS")
    assert (row["users"], row["servers"]) == ("4", "2")
    for client in clients:
        client.run("commit")
        client.close()
    until(lambda: pooler.show("STATEMENTS")[0]["users"] == "2", "only the copies are left")


def test_a_long_text_is_shortened_between_two_characters(pooler, raw):
    client = raw(pooler).login()
    text = "select '" + "€" * 500 + "'"
    prepare(client, text, "long")
    (row,) = pooler.show("STATEMENTS")
    assert row["query"] == text[:8 + (1000 - 8) // 3] and row["size"] == str(len(text.encode()))


def test_statements_of_a_pool_are_shown_once_however_many_parts_it_has(pgring, raw):
    pooler = pgring(changes={"shards": {"count": 3}}, database={"pool_size": 12})
    clients = [raw(pooler).login() for _ in range(6)]
    for client in clients:
        client.run("begin")
        prepare(client, "select 1", "one")
    other = raw(pooler).login(dbname="postgres")
    prepare(other, "select 1", "one")
    rows = {row["database"]: row for row in pooler.show("STATEMENTS")}
    assert len(pooler.show("STATEMENTS")) == 2
    assert (rows["bench"]["users"], rows["bench"]["servers"]) == ("12", "6")
    assert (rows["postgres"]["users"], rows["postgres"]["servers"]) == ("2", "1")
    assert rows["bench"]["name"] != rows["postgres"]["name"]


def test_clients_and_servers_show_how_many_statements_they_have(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "max_prepared_statements": 2})
    client = raw(pooler).login()
    for i in range(3):
        prepare(client, f"select {i}", f"s{i}")
    assert prepared(pooler, "CLIENTS") == 3
    assert prepared(pooler, "SERVERS") == 2  # the oldest has made room
    assert sorted(row["servers"] for row in pooler.show("STATEMENTS")) == ["0", "1", "1"]
    client.run("deallocate s0")
    assert prepared(pooler, "CLIENTS") == 2
    assert "select 0" not in statements(pooler)
    client.run("discard all")
    assert prepared(pooler, "CLIENTS") == 0
    assert prepared(pooler, "SERVERS") == 0
    assert pooler.show("STATEMENTS") == []


def test_drivers_read_them(pooler):
    with pooler.console() as console:
        for what, columns in COLUMNS.items():
            names = [column.name for column in console.execute(f"SHOW {what}").description]
            assert names == columns.split()
    with psycopg.connect(pooler.dsn(), autocommit=True, prepare_threshold=0) as connection:
        connection.execute("select %s::int", [1])
        (row,) = pooler.show("STATEMENTS")
        assert row["query"] == "select $1::int"
