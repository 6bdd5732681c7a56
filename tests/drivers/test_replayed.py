"""Programs by the messages they send: those that cannot be had here, and exact bytes of those that can.

pgx 5, Prisma, Npgsql, Grafana, n8n, pgAdmin, PDO and GORM; of node-postgres, postgres.js (test_node.py) and
pgx 4 (test_pgx.py) what each sent when it failed. What they met behind other poolers is quoted at each test.
"""

import pytest
from harness.raw import (
    RawClient, bind, close, describe, errors, execute, flush, kinds, parse, query, sync)

TURNS = 4


@pytest.fixture
def login(target):
    """Makes logged-in clients of bytes."""

    def make(**parameters):
        return target.keep(RawClient(target)).login(**parameters)

    return make


def ask(client, *messages):
    """Sends a group with its Sync; the answer."""
    client.send(*messages, sync())
    return client.ready()


def first(answer):
    rows = [got for got in answer if got.kind == "D"]
    assert rows, errors(answer)
    return rows[0].columns[0]


def states(answer):
    return [state for _severity, state, _text in errors(answer)]


def test_pgx_keeps_statements_by_the_hash_of_their_text(target, login):
    """`prepared statement "stmtcache_..." does not exist (SQLSTATE 26000)`, `"lrupsc_1_6" already
    exists (42P05)` (pgx#1590, #602), `name is already in use (08P01)` and the connection closed
    (pgbouncer#1118)."""
    one, two = login(), login()
    texts = {one: "select 'one' || $1::text", two: "select 'two' || $1::text || ''"}
    for client, text in texts.items():
        answer = ask(client, parse(text, "lrupsc_1_0"), describe("S", "lrupsc_1_0"))
        assert kinds(answer) == "1tTZ", errors(answer)
    for number in range(TURNS):
        for client, mark in ((one, "one"), (two, "two")):
            target.shuffle()
            answer = ask(client, bind([number], statement="lrupsc_1_0"), describe(), execute())
            assert first(answer) == f"{mark}{number}"
    assert states(ask(one, parse("select 1", "lrupsc_1_0"))) == ["42P05"]
    assert first(ask(one, bind([7], statement="lrupsc_1_0"), execute())) == "one7"
    assert states(ask(one, bind(statement="stmtcache_unknown"), execute())) == ["26000"]
    assert kinds(ask(one, close("S", "lrupsc_1_0"))) == "3Z"
    target.shuffle()
    assert states(ask(one, bind([7], statement="lrupsc_1_0"), execute())) == ["26000"]
    assert first(ask(two, bind([8], statement="lrupsc_1_0"), execute())) == "two8"


def test_describe_exec_uses_the_unnamed_statement_in_two_trips(target, login):
    """`unnamed prepared statement does not exist`, `bind message supplies 3 parameters, but
    prepared statement "" requires 2` (lib/pq#889, pgdog#574)."""
    one, two = login(), login()
    for number in range(TURNS):
        assert kinds(ask(one, parse("select $1::int + $2::int"), describe("S"))) == "1tTZ"
        target.shuffle()
        assert kinds(ask(two, parse("select $1::text"), describe("S"))) == "1tTZ"
        target.shuffle()
        assert first(ask(one, bind([number, 1]), execute())) == str(number + 1)
        assert first(ask(two, bind(["two's"]), execute())) == "two's"
        target.shuffle()
        assert first(ask(one, bind([number, 2]), execute())) == str(number + 2)
    one.run("select 1")  # a simple query ends the unnamed statement
    target.shuffle()
    assert states(ask(one, bind([1, 2]), execute())) == ["26000"]


def test_prisma_counts_its_statements_from_s0(target, login):
    """`prepared statement "s0" already exists` (prisma-client-js#651), `"PGBOUNCER_3" does not
    exist` (prisma#21635); with pgbouncer=true DEALLOCATE ALL at each transaction."""
    one, two = login(), login()
    for number in range(TURNS):
        for client, mark in ((one, "one"), (two, "two")):
            target.shuffle()
            client.run("BEGIN")
            client.run("DEALLOCATE ALL")
            text = f"select '{mark}{number}'::text || $1::text"
            assert kinds(ask(client, parse(text, "s0"), describe("S", "s0"))) == "1tTZ"
            assert first(ask(client, bind(["!"], statement="s0"), execute())) == f"{mark}{number}!"
            client.run("COMMIT")
    assert first(ask(one, bind(["?"], statement="s0"), execute())) == f"one{TURNS - 1}?"


def test_pdo_and_rails_deallocate_by_name(target, login):
    """`prepared statement "pdo_stmt_00000001" does not exist` at DEALLOCATE (php-src#12940,
    rails#55683)."""
    one, two = login(), login()
    for client in (one, two):
        ask(client, parse(f"select '{'one' if client is one else 'two'}'", "pdo_stmt_00000001"))
    target.shuffle()
    assert not errors(one.run("DEALLOCATE pdo_stmt_00000001"))
    target.shuffle()
    assert states(one.run("DEALLOCATE pdo_stmt_00000001")) == ["26000"]
    assert first(ask(two, bind(statement="pdo_stmt_00000001"), execute())) == "two"
    assert not errors(two.run('DEALLOCATE PREPARE "pdo_stmt_00000001"'))
    assert kinds(ask(two, parse("select 3", "pdo_stmt_00000001"))) == "1Z"


def test_npgsql_sends_discard_all_before_the_first_query(target, login):
    """`Received backend message ReadyForQuery while expecting ParseCompleteMessage`
    (npgsql#1636, #2221)."""
    one, two = login(), login()
    two.run("set work_mem = '2MB'")
    ask(two, parse("select 'kept'", "_p1"))
    for number in range(TURNS):
        target.shuffle()
        one.send(query("DISCARD ALL"), parse("select $1::int"), bind([number]), describe(),
                 execute(), sync())  # in one packet
        assert kinds(one.ready()) == "CZ"
        answer = one.ready()
        assert kinds(answer) == "12TDCZ" and first(answer) == str(number)
        one.run("set work_mem = '1MB'")
        ask(one, parse("select 1", "_p1"))
    target.shuffle()
    assert two.value("show work_mem") == "2MB"
    assert first(ask(two, bind(statement="_p1"), execute())) == "kept"


def test_node_pg_names_statements_and_describes_portals(target, login):
    """`unsupported startup parameter: search_path` (postgres.js#423); node's pg parses a name
    once in a connection's life, postgres.js pipelines everything behind Flush-less groups."""
    one, two = (login(search_path="pg_catalog", client_encoding="UTF8",
                      statement_timeout="77000"), login(search_path="public"))
    for number in range(TURNS):
        for client, mark in ((one, "one"), (two, "two")):
            target.shuffle()
            named = [] if number else [parse(f"select '{mark}' || $1::text", "fetch-user")]
            answer = ask(client, *named, bind([number], statement="fetch-user"), describe(),
                         execute())
            assert first(answer) == f"{mark}{number}"
            assert kinds(answer) == ("12TDCZ" if named else "2TDCZ")
    assert one.value("show search_path") == "pg_catalog"
    assert one.value("show statement_timeout") == "77s"
    assert two.value("show search_path") == "public"
    one.send(*[message for number in range(5) for message in (
        parse(f"select {number} + $1::int", f"rnd{number}"), describe("S", f"rnd{number}"),
        bind([1], statement=f"rnd{number}"), execute(), sync())])
    for number in range(5):
        answer = one.ready()
        assert kinds(answer) == "1tT2DCZ" and first(answer) == str(number + 1)


def test_a_flush_after_parse_is_answered_before_the_sync(target, login):
    """postgres.js and Rust's drivers read the description before they bind."""
    client = login()
    for number in range(TURNS):
        target.shuffle()
        name = f"flushed_{number % 2}"
        if number < 2:
            client.send(parse(f"select {number} + $1::int", name), describe("S", name), flush())
            assert kinds(client.until("T", "E")) == "1tT"
        client.send(bind([10], statement=name), execute(), sync())
        assert first(client.ready()) == str(number % 2 + 10)


def test_gorm_meets_a_changed_table(target, login, postgres, tables):
    """`cached plan must not change result type` (pgbouncer#1038): an error for the old statement
    as directly, and no trap for those that prepare after the change."""
    postgres.admin.execute("create table shape as select 1 as a; grant all on shape to public")
    one, two = login(), login()
    for client in (one, two):
        ask(client, parse("select * from shape", "stmt"))
        assert first(ask(client, bind(statement="stmt"), execute())) == "1"
        target.shuffle()
    postgres.admin.execute("alter table shape alter a type text using 'text'")
    answer = ask(one, bind(statement="stmt"), execute())
    assert states(answer) == ["0A000"], kinds(answer)
    assert kinds(ask(one, close("S", "stmt"), parse("select * from shape", "stmt"))) == "31Z"
    for _ in range(TURNS):
        target.shuffle()
        assert first(ask(one, bind(statement="stmt"), execute())) == "text"
    assert states(ask(two, bind(statement="stmt"), execute())) == ["0A000"]
    fresh = login()
    for number in range(TURNS):
        target.shuffle()
        ask(fresh, parse("select * from shape", f"stmt{number}"))
        assert first(ask(fresh, bind(statement=f"stmt{number}"), execute())) == "text"


def test_grafana_and_pgadmin_set_several_things_in_one_query(target, login):
    """`set search_path=...; select ...` of Grafana's data source; pgAdmin's first query."""
    grafana, pgadmin = login(), login()
    pgadmin.run("SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config("
                "'bytea_output','escape',false) FROM pg_show_all_settings() WHERE name ="
                " 'bytea_output'; SET client_encoding='LATIN1'; SET ROLE app_scram;")
    for _ in range(TURNS):
        target.shuffle()
        assert first(grafana.run("set search_path=pg_catalog; select current_schema()")) == (
            "pg_catalog")
        assert grafana.value("show client_min_messages") == "notice"
        target.shuffle()
        assert pgadmin.value("show bytea_output") == "escape"
        assert pgadmin.value("show client_encoding") == "LATIN1"
        assert pgadmin.value("show role") == "app_scram"
        assert pgadmin.value("show search_path") == '"$user", public'
        assert grafana.value("show bytea_output") == "hex"
        assert grafana.value("show search_path") == "pg_catalog"


def test_n8n_starts_with_options(target, login):
    """`unsupported startup parameter in options: statement_timeout` (pgbouncer#907,
    neon#6291)."""
    one, two = (login(options="-c statement_timeout=300"),
                login(options="-c geqo=off --work_mem=3MB -cmy.own=a\\ b"))
    for _ in range(TURNS):
        target.shuffle()
        assert two.value("show statement_timeout") == "0"
        assert two.value("show work_mem") == "3MB"
        assert two.value("select current_setting('my.own') || current_setting('geqo')") == (
            "a boff")
        assert one.value("show statement_timeout") == "300ms"
    target.shuffle()
    assert states(one.run("select pg_sleep(20)")) == ["57014"]
    assert two.value("select 'well' from pg_sleep(0.4)") == "well"


def test_queues_listen_on_many_clients(target, login):
    """Silence instead of notifications (pgbouncer#655): Oban, GoodJob, graphile-worker."""
    first_worker, sender = login(), login()
    first_worker.run("LISTEN jobs")
    sender.run("LISTEN others")
    for number in range(TURNS):
        target.shuffle()
        sender.run(f"BEGIN; SELECT 1; NOTIFY jobs, '{number}'; NOTIFY jobs, 'again'; COMMIT")
        for expected in (str(number), "again"):
            (heard,) = [got for got in first_worker.until("A") if got.kind == "A"]
            assert heard.body[4:] == b"jobs\0" + expected.encode() + b"\0"
    sender.run("UNLISTEN *")
    first_worker.run("UNLISTEN *")


def test_go_and_hibernate_roll_back_where_nothing_is_open(target, login):
    """ROLLBACK and COMMIT outside of a transaction: a warning, as directly."""
    client = login()
    for text in ("ROLLBACK", "COMMIT", "BEGIN; ROLLBACK; ROLLBACK"):
        target.shuffle()
        client.notices.clear()
        answer = client.run(text)
        assert not errors(answer) and answer[-1].status == "I"
        assert [notice["C"] for notice in client.notices] == ["25P01"]
    client.run("BEGIN")
    assert client.run("BEGIN")[-1].status == "T"
    assert client.run("select 1/0")[-1].status == "E"
    assert states(client.run("select 1")) == ["25P02"]
    assert client.run("COMMIT")[0].tag == "ROLLBACK"
    target.shuffle()
    assert client.value("select 1") == "1"
