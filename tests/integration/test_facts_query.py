"""What pgring asks PostgreSQL for its limits: when, where, and that nothing fools or fails it."""

import time

import psycopg
import pytest
from harness.budget import ceiling
from harness.facts import DEBUG, QUESTION, Load, Statements, latest, learned, others, soon
from harness.postgres import Postgres
from harness.raw import kinds, startup_packet
from harness.wait import until


@pytest.fixture(scope="module")
def wordy():
    """A PostgreSQL that logs every statement."""
    server = Postgres({"log_statement": "all"})
    yield server
    server.stop()


def test_under_load_the_question_is_asked_once_a_second_and_never_in_a_transaction(
        pgring, wordy, raw):
    pooler = pgring(wordy, changes={"shards": {"count": 3}}, database={"pool_size": 4})
    statements = Statements(wordy)
    with Load(raw, pooler, ["begin", "select pg_sleep(0.004)", "commit"]), \
            Load(raw, pooler, ["begin", "select 1", "commit"], user="app_md5"):
        time.sleep(6)
    asked = statements.questions()
    # Beside that of each second: one for each role that was new.
    assert 4 <= len(asked) <= 6 + 3, asked
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in zip(asked, asked[1:])]
    # The server logs when it gets to it: a second between two questions can look shorter.
    assert sum(gap < 0.6 for gap in gaps) <= 3, gaps
    inside, met = {}, 0
    for _, pid, text in statements():
        if text == "begin":
            inside[pid] = True
        elif text == "commit":
            inside[pid] = False
        elif QUESTION in text:
            assert not inside.get(pid), "asked inside a client's transaction"
            met += pid in inside
    assert met > 0, "never asked on a connection that had transactions"


def test_while_idle_the_question_is_asked_no_more_often(pgring, wordy, raw):
    pooler = pgring(wordy, changes={"shards": {"count": 3}}, database={"pool_size": 12})
    for user in ("app_scram", "app_md5", "app_trust"):
        clients = [raw(pooler).login(user) for _ in range(4)]
        for client in clients:
            client.run("begin")
        for client in clients:
            client.run("commit")
    statements = Statements(wordy)
    time.sleep(4)
    assert 3 <= len(statements.questions()) <= 6


def test_a_session_is_not_disturbed(pgring, wordy, raw):
    pooler = pgring(wordy, changes=DEBUG, database={"pool_size": 1, "pool_mode": "session"})
    client = raw(pooler).login()
    pid = int(client.value("select pg_backend_pid()"))
    client.run("create temporary table scratch (n int); prepare mine as select 9")
    statements = Statements(wordy)
    for _ in range(30):
        assert client.value("execute mine") == "9"
        time.sleep(0.1)
    assert not statements.questions()
    client.close()
    until(statements.questions, "asked when the session has ended")
    texts = [text for _, where, text in statements() if where == pid]
    assert texts.index("DISCARD ALL") < next(
        at for at, text in enumerate(texts) if QUESTION in text)
    other = raw(pooler).login()
    assert other.value("select pg_backend_pid()") == str(pid)


EVIL = """
create schema evil;
grant usage on schema evil to public;
create domain evil.text as pg_catalog.int4;
create domain evil.int8 as pg_catalog.text;
create table evil.pg_stat_activity (pid int, datid oid, datname name, usesysid oid, usename name,
                                    backend_type pg_catalog.text);
create table evil.pg_roles (oid oid, rolname name, rolconnlimit int, rolsuper bool);
create table evil.pg_database (oid oid, datname name, datconnlimit int);
insert into evil.pg_roles values (1, 'app_scram', 1, true);
grant select on all tables in schema evil to public;
create function evil.wrong(pg_catalog.text, pg_catalog.text) returns bool language sql
    as 'select false';
create function evil.wrong(name, name) returns bool language sql as 'select false';
create function evil.wrong(name, pg_catalog.text) returns bool language sql as 'select false';
create function evil.million(numeric, int) returns numeric language sql as 'select 1.0';
create operator evil.= (function = evil.wrong, leftarg = pg_catalog.text,
                        rightarg = pg_catalog.text);
create operator evil.= (function = evil.wrong, leftarg = name, rightarg = name);
create operator evil.= (function = evil.wrong, leftarg = name, rightarg = pg_catalog.text);
create operator evil.~ (function = evil.wrong, leftarg = pg_catalog.text,
                        rightarg = pg_catalog.text);
create operator evil.* (function = evil.million, leftarg = numeric, rightarg = int);
create function evil.current_setting(pg_catalog.text) returns pg_catalog.text language sql
    as 'select pg_catalog.text ''9''';
create function evil.current_setting(pg_catalog.text, bool) returns pg_catalog.text language sql
    as 'select pg_catalog.text ''9''';
create function evil.pg_backend_pid() returns int language sql as 'select 1';
create function evil.pg_postmaster_start_time() returns timestamptz language sql
    as 'select timestamptz ''2000-01-01''';
"""


def test_a_hostile_search_path_and_odd_settings_fool_nobody(pgring, wordy, raw, opened):
    with psycopg.connect(wordy.dsn(), autocommit=True) as admin:
        admin.execute(EVIL)
        admin.execute("alter role app_scram connection limit 50")
        for setting in ("search_path = evil, pg_catalog", "standard_conforming_strings = off",
                        "DateStyle = 'German'", "bytea_output = 'escape'", "xmloption = document",
                        "default_transaction_isolation = serializable",
                        "default_transaction_read_only = on",
                        "default_transaction_deferrable = on", "client_encoding = 'SJIS'",
                        "array_nulls = off", "quote_all_identifiers = on"):
            admin.execute(f"alter role app_scram set {setting}")
        # Names that cannot be converted to the client's encoding.
        admin.execute('create role "Łódź" login superuser password \'x\'')
        admin.execute('create database "Łódź"')
    try:
        pooler = pgring(wordy, changes=DEBUG)
        client = raw(pooler).login()
        assert client.value("select pg_backend_pid()") == "1"  # it does fool a client
        until(lambda: others(pooler) >= 0, "the limits are known")
        before = others(pooler)
        direct = [opened(psycopg.connect(wordy.dsn("Łódź", "Łódź", password="x"))) for _ in range(2)]
        soon(lambda: others(pooler) == before + 2, "both are seen", limit_s=3)
        (first, *_, last) = learned(pooler)
        for line in (first, last):
            assert (line["max_connections"], line["reserved"]) == ("100", "0")
            assert line["role_limit"] == "50"
            assert line["backend_pid"] != "1"
        assert before == 1  # the admin's
        for connection in direct:
            connection.close()
    finally:
        with psycopg.connect(wordy.dsn(), autocommit=True) as admin:
            admin.execute("alter role app_scram reset all; alter role app_scram connection limit -1;"
                          ' drop schema evil cascade; drop role "Łódź"')
            admin.execute('drop database "Łódź"')


def test_names_beyond_ascii_have_limits_too(pgring_idle, wordy, raw):
    with psycopg.connect(wordy.dsn(), autocommit=True) as admin:
        admin.execute("""create role "rôle'" login superuser connection limit 9""")
        admin.execute('create database "données" connection limit 8')
        # One that no UTF8 database can read: it was made in another encoding.
        admin.execute("create database unread template template0 encoding 'SQL_ASCII' locale 'C'")
    with psycopg.connect(wordy.dsn(dbname="unread"), autocommit=True) as admin:
        admin.execute(b'create role "caf\xe9" login superuser')
    pooler = pgring_idle(wordy, changes={**DEBUG, "auth": {"method": "trust"}})
    pooler.write_userlist('"rôle\'" "x"\n')
    with open(f"{wordy.data}/pg_hba.conf") as hba:
        rules = hba.read()
    with open(f"{wordy.data}/pg_hba.conf", "w") as hba:
        hba.write("local all all trust\nhost all all all trust\n" + rules)
    wordy.admin.execute("select pg_reload_conf()")
    try:
        pooler.start()
        client = raw(pooler).login("rôle'", "données")
        assert client.value("select 1") == "1"
        until(lambda: latest(pooler).get("role_limit") == "9", "the role's limit")
        assert latest(pooler)["database_limit"] == "8"
        odd = raw(wordy)
        odd.send(startup_packet({"user": b"caf\xe9", "database": "unread",
                                 "application_name": "itest-direct"}))
        while odd.receive().kind != "Z":
            pass
        number = len(learned(pooler))
        until(lambda: len(learned(pooler)) > number + 1, "an unreadable name stops nothing")
        odd.close()
        client.close()
        assert "could not be learned" not in pooler.log()
    finally:
        pooler.stop()
        with open(f"{wordy.data}/pg_hba.conf", "w") as hba:
            hba.write(rules)
        wordy.admin.execute("select pg_reload_conf()")


def test_a_role_that_may_not_read_the_identifier_learns_the_rest(pgring, wordy, raw):
    with psycopg.connect(wordy.dsn(), autocommit=True) as admin:
        admin.execute("revoke execute on function pg_control_system() from public")
        try:
            pooler = pgring(wordy, changes=DEBUG)
            raw(pooler).login()
            until(lambda: latest(pooler).get("max_connections") == "100", "the limits are known")
            assert "could not be learned" not in pooler.log()
        finally:
            admin.execute("grant execute on function pg_control_system() to public")


@pytest.fixture
def silent(wordy):
    """Roles may not call one of the functions that the question needs."""
    with psycopg.connect(wordy.dsn(), autocommit=True) as admin:
        admin.execute("revoke execute on function pg_postmaster_start_time() from public")
        yield wordy
        admin.execute("grant execute on function pg_postmaster_start_time() to public")


def test_a_server_that_does_not_tell_is_taken_for_one_with_the_defaults(pgring, silent, raw):
    pooler = pgring(silent)
    clients = [raw(pooler).login() for _ in range(5)]
    for client in clients:
        assert kinds(client.run("begin")) == "CZ"
    assert "not told by the server" in ceiling(pooler).source
    assert ceiling(pooler).limit == 100 - 3 - 3


def test_a_server_that_does_not_tell_is_warned_of_once_and_serves(pgring, wordy, raw):
    with psycopg.connect(wordy.dsn(), autocommit=True) as admin:
        admin.execute("revoke execute on function pg_postmaster_start_time() from public")
        try:
            pooler = pgring(wordy, changes=DEBUG)
            statements = Statements(wordy)
            client = raw(pooler).login()
            until(lambda: len(statements.questions()) >= 3, "asked again")
            assert client.value("select 1") == "1"
            assert pooler.log().count("could not be learned") == 1
            assert "42501" in pooler.log()
            # Later and later: after 1, 2, 4 … seconds.
            when = [moment for moment, _, _ in statements.questions()]
            assert (when[2] - when[1]).total_seconds() > 1.5
        finally:
            admin.execute("grant execute on function pg_postmaster_start_time() to public")
    until(lambda: learned(pooler), "learned when it may be")
