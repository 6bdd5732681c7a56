"""A client keeps its session parameters on every server connection; nobody else gets them."""

import itertools

import psycopg
import psycopg.sql
import pytest
from harness.raw import Closed, errors

# name, two values that differ from the default and from each other
TRACKED = [
    ("TimeZone", "Asia/Tokyo", "America/Lima"),
    ("DateStyle", "German, DMY", "SQL, MDY"),
    ("client_encoding", "LATIN1", "WIN1252"),
    ("application_name", "it's \"one\"", "other \\ $ ;"),
    ("IntervalStyle", "iso_8601", "sql_standard"),
    ("standard_conforming_strings", "off", "on"),
    ("default_transaction_read_only", "on", "off"),
]


def show(connection, name):
    return connection.execute(f"show {name}").fetchone()[0]


def literal(value):
    return "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize("name, one, other", TRACKED)
@pytest.mark.parametrize("how", ["set", "startup"])
def test_a_parameter_follows_its_client_and_never_leaks(pgring, opened, name, one, other, how):
    # One server connection, used in turn by a client that set the parameter and two that did not.
    pooler = pgring(database={"pool_size": 1})
    plain = opened(pooler.connect())
    default = show(plain, name)
    if how == "set":
        first, second = opened(pooler.connect()), opened(pooler.connect())
        first.execute(f"set {name} = {literal(one)}")
        second.execute(f"set {name} = {literal(other)}")
    else:
        # As a startup parameter of its own, not by options.
        first = opened(pooler.connect(**in_startup(name, one)))
        second = opened(pooler.connect(**in_startup(name, other)))
    wanted = {first: one, second: other, plain: default}
    for connection in itertools.chain(*itertools.permutations(wanted)):
        assert show(connection, name) == wanted[connection]


def in_startup(name, value):
    if name in ("application_name", "client_encoding"):
        return {name: value}
    escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
    return {"options": f"-c {name}={escaped}"}


def test_startup_parameters_outside_options_are_kept(pgring, raw):
    # Drivers such as pgjdbc and asyncpg send these in the startup packet itself.
    pooler = pgring(database={"pool_size": 1})
    plain = raw(pooler).login()
    client = raw(pooler).login(TimeZone="Asia/Tokyo", DateStyle="German", extra_float_digits="0",
                               search_path="pg_catalog", statement_timeout="61s")
    for _ in range(3):
        assert client.value("show TimeZone") == "Asia/Tokyo"
        assert client.value("show DateStyle").startswith("German")
        assert client.value("show extra_float_digits") == "0"
        assert client.value("show search_path") == "pg_catalog"
        assert client.value("show statement_timeout") == "61s"
        assert plain.value("show TimeZone") != "Asia/Tokyo"
        assert plain.value("show extra_float_digits") == "1"
        assert plain.value("show search_path") != "pg_catalog"
        assert plain.value("show statement_timeout") == "0"


def test_options_with_a_statement_timeout_hold_for_that_client_only(pgring, opened):
    pooler = pgring(database={"pool_size": 1})
    timed = opened(pooler.connect(options="-c statement_timeout=77ms --work_mem=3MB"))
    plain = opened(pooler.connect())
    for _ in range(3):
        assert show(timed, "statement_timeout") == "77ms"
        assert show(timed, "work_mem") == "3MB"
        assert show(plain, "statement_timeout") == "0"
        assert show(plain, "work_mem") == "4MB"
    with pytest.raises(psycopg.errors.QueryCanceled):
        timed.execute("select pg_sleep(20)")
    assert plain.execute("select pg_sleep(0.2), 1").fetchone()[1] == 1


@pytest.mark.parametrize("parameters", [
    {"options": "-c no_such_parameter=1"}, {"options": "-c statement_timeout=nonsense"},
    {"options": "-c"}, {"no_such_parameter": "1"}, {"TimeZone": "No/Where"},
    {"client_encoding": "NOPE"}, {"options": "-c =1"},
])
def test_a_startup_parameter_postgresql_refuses_is_refused(pgring, postgres, raw, parameters):
    with pytest.raises(Closed) as direct:
        raw(postgres).login(**parameters)
    pooler = pgring(changes={"timeouts": {"query_wait": "5s"}})
    client = raw(pooler)
    with pytest.raises(Closed) as pooled:
        client.login(**parameters)
        client.run("select 1")
        client.run("select 1")
    seen = errors(pooled.value.seen)
    assert seen and seen[-1][0] == "FATAL"
    assert seen[-1][1] == errors(direct.value.seen)[-1][1]
    # The bad client must not have spoilt anything.
    assert raw(pooler).login().value("select 1") == "1"


def test_parameters_reported_at_login_are_those_of_a_direct_connection(pgring, postgres, raw):
    pooler = pgring()
    for parameters in ({}, {"application_name": "x", "client_encoding": "LATIN1"},
                       {"TimeZone": "Asia/Tokyo", "DateStyle": "German"},
                       {"options": "-c IntervalStyle=iso_8601"}):
        direct = raw(postgres).login(**parameters).parameters
        first, second = (raw(pooler).login(**parameters).parameters for _ in range(2))
        assert first == direct
        assert second == direct


def test_a_client_learns_of_its_own_set_by_parameter_status(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    client.run("set TimeZone = 'Asia/Tokyo'")
    assert client.parameters["TimeZone"] == "Asia/Tokyo"
    before = dict(other.parameters)
    other.run("select 1")
    client.run("select 1")
    other.run("select 1")
    assert other.parameters == before
    assert client.parameters["TimeZone"] == "Asia/Tokyo"


def test_a_set_that_is_rolled_back_is_forgotten(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    default = client.value("show DateStyle")
    client.run("begin")
    client.run("set DateStyle = 'German'")
    assert client.value("show DateStyle").startswith("German")
    client.run("rollback")
    other.run("select 1")
    assert client.value("show DateStyle") == default
    client.run("begin; set local DateStyle = 'German'; commit")
    other.run("select 1")
    assert client.value("show DateStyle") == default


@pytest.mark.parametrize("reset", ["reset TimeZone", "reset all", "discard all"])
def test_after_a_reset_what_the_client_was_told_is_what_holds(pgring, raw, reset):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    default = client.value("show TimeZone")
    client.run("set TimeZone = 'America/Lima'")
    other.run("set TimeZone = 'Asia/Tokyo'")
    client.run(reset)
    for _ in range(2):
        assert other.value("show TimeZone") == "Asia/Tokyo"
        assert client.value("show TimeZone") == default == client.parameters["TimeZone"]


def test_text_is_converted_by_each_clients_own_encoding(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    latin, unicode = raw(pooler).login(client_encoding="LATIN1"), raw(pooler).login()
    for _ in range(3):
        (row,) = [got for got in latin.run("select chr(233)") if got.kind == "D"]
        assert row.body.endswith(b"\xe9")
        (row,) = [got for got in unicode.run("select chr(233)") if got.kind == "D"]
        assert row.body.endswith("é".encode())


def test_a_value_of_63_bytes_with_every_odd_character_survives(pgring, opened):
    pooler = pgring(database={"pool_size": 1})
    client, other = opened(pooler.connect()), opened(pooler.connect())
    value = "'\"\\$;--/*%_ " * 4
    client.execute(psycopg.sql.SQL("set application_name = {}").format(value))
    other.execute("select 1")
    assert show(client, "application_name") == value
    assert show(other, "application_name") != value


def test_application_name_is_seen_in_pg_stat_activity(pgring, postgres, opened):
    pooler = pgring(database={"pool_size": 1})
    one = opened(pooler.connect(application_name="first app"))
    two = opened(pooler.connect(application_name="second app"))
    for connection, name in ((one, "first app"), (two, "second app"), (one, "first app")):
        connection.execute("select 1")
        assert postgres.backends(f"application_name = '{name}'")


def test_reset_of_one_parameter_does_not_hand_the_others_to_the_next_client(pgring, opened):
    # RESET x and RESET ALL end in the same command tag.
    pooler = pgring(database={"pool_size": 1})
    first, second = opened(pooler.connect()), opened(pooler.connect())
    default = show(second, "TimeZone")
    first.execute("set TimeZone = 'Asia/Tokyo'")
    first.execute("reset DateStyle")
    assert show(second, "TimeZone") == default
    assert show(first, "TimeZone") == "Asia/Tokyo"
    first.execute("reset all")
    assert show(first, "TimeZone") == default
    assert show(second, "TimeZone") == default


def test_reset_all_takes_startup_parameters_that_are_not_reported_back_for_everybody(pgring, opened):
    pooler = pgring(database={"pool_size": 1})
    tuned = opened(pooler.connect(options="-c work_mem=8MB"))
    plain = opened(pooler.connect())
    default = show(plain, "work_mem")
    assert show(tuned, "work_mem") == "8MB"
    plain.execute("reset all")
    assert show(plain, "work_mem") == default
    assert show(tuned, "work_mem") == "8MB"
    tuned.execute("reset all")
    assert show(tuned, "work_mem") == "8MB"  # a startup parameter is what RESET goes back to
    assert show(plain, "work_mem") == default


def test_a_reset_query_that_leaves_settings_alone_leaks_none(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "pool_mode": "session",
                              "reset_query": "select 1"})
    for _ in range(2):
        client = raw(pooler).login()
        assert client.value("show client_encoding") == "UTF8"
        client.run("set client_encoding = 'LATIN1'")
        client.close()
