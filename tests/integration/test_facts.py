"""pgring learns what PostgreSQL's limits are and who else is connected, and disturbs nobody with it."""

import contextlib
import os
import re
import signal
import threading
import time
from datetime import datetime

import psycopg
import pytest
from harness.postgres import DATABASE, Postgres, password
from harness.raw import kinds, startup_packet
from harness.wait import until

DEBUG = {"log": {"level": "debug"}}
QUESTION = "/* pgring: the limits and connections of this server */"
# What PostgreSQL says of a text, by its log_line_prefix "%m [%p] %u@%d ".
STATEMENT = re.compile(r"^(\S+ \S+) \S+ \[(\d+)\] (\S+)@(\S+) LOG:  statement: (.*)$", re.M)


def learned(pooler):
    """The fields of each debug line about learned limits, oldest first."""
    return [dict(re.findall(r'(\w+)="?([^" ]*)"?', line)) for line in pooler.log().splitlines()
            if "server limits learned" in line]


def latest(pooler):
    lines = learned(pooler)
    return lines[-1] if lines else {}


def others(pooler):
    return int(latest(pooler).get("others", -1))


def soon(condition, what, limit_s=2.0):
    """As until(), but within what is promised (and a little, for the test's own polling)."""
    began = time.monotonic()
    until(condition, what)
    assert time.monotonic() - began < limit_s + 0.3, what


@pytest.fixture(scope="module")
def wordy():
    """A PostgreSQL that logs every statement."""
    server = Postgres({"log_statement": "all"})
    yield server
    server.stop()


class Statements:
    """What a PostgreSQL's log says from now on."""

    def __init__(self, server):
        self._server = server
        self._from = len(server.log())

    def __call__(self):
        """(time, backend pid, text) of each."""
        found = STATEMENT.findall(self._server.log()[self._from:])
        return [(datetime.strptime(when, "%Y-%m-%d %H:%M:%S.%f"), int(pid), text)
                for when, pid, _, _, text in found]

    def questions(self):
        return [entry for entry in self() if QUESTION in entry[2]]


class Load:
    """Threads that run `texts` over and over, each on a client of its own, while in `with`."""

    def __init__(self, raw, pooler, texts, threads=4, **login):
        self._clients = [raw(pooler).login(**login) for _ in range(threads)]
        self._stop = threading.Event()
        self._texts = texts
        self._threads = [threading.Thread(target=self._run, args=(client,))
                         for client in self._clients]
        self.rounds = 0
        self.wrong = []

    def _run(self, client):
        while not self._stop.is_set() and not self.wrong:
            for text in self._texts:
                answer = client.run(text)
                if any(got.kind == "E" for got in answer):
                    self.wrong.append(answer)
            self.rounds += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.rounds > 0 and not self.wrong, self.wrong


def test_the_limits_are_known_from_the_first_login_on(pgring, postgres, raw):
    pooler = pgring(changes=DEBUG)
    assert not learned(pooler)
    assert raw(pooler).login().value("select 1") == "1"
    until(lambda: learned(pooler), "a debug line about the limits")
    first = learned(pooler)[0]
    direct = postgres.value("select count(*) from pg_stat_activity where application_name like"
                            " 'itest-direct%' and backend_type = 'client backend'")
    assert first["server"] == "main"
    assert (first["max_connections"], first["superuser_reserved"], first["reserved"]) == (
        "100", "3", "0")
    assert first["others"] == str(direct)
    assert (first["role_limit"], first["database_limit"]) == ("none", "none")
    assert first["backend_pid"] in map(str, postgres.backends())


@pytest.mark.parametrize("busy", [False, True])
def test_direct_connections_are_seen_coming_and_going(pgring, postgres, raw, opened, busy):
    pooler = pgring(changes=DEBUG, database={"pool_size": 2})
    assert raw(pooler).login().value("select 1") == "1"
    until(lambda: others(pooler) >= 0, "the limits are known")
    before = others(pooler)
    with Load(raw, pooler, ["select 1"]) if busy else contextlib.nullcontext():
        came = [opened(psycopg.connect(postgres.dsn("app_scram", password=password("app_scram"))))
                for _ in range(5)]
        soon(lambda: others(pooler) == before + 5, "five more are seen")
        for connection in came:
            connection.close()
        soon(lambda: others(pooler) == before, "they are gone")
    assert "could not be learned" not in pooler.log()


def test_what_a_plain_role_cannot_see_is_estimated_and_said_once(pgring, postgres, raw, opened):
    postgres.admin.execute("revoke pg_read_all_stats from app_scram")
    pooler = pgring(changes=DEBUG)
    raw(pooler).login()
    until(lambda: others(pooler) >= 0, "the limits are known")
    before = others(pooler)
    for _ in range(3):
        opened(psycopg.connect(postgres.dsn("app_md5", password=password("app_md5"))))
    # Hidden rows count when they were there the time before, too.
    soon(lambda: others(pooler) == before + 3, "three of another role are seen", limit_s=3)
    assert latest(pooler)["estimated"] == "true"
    hints = [line for line in pooler.log().splitlines() if "GRANT pg_read_all_stats TO" in line]
    assert len(hints) == 1 and "app_scram" in hints[0]


def test_with_the_grant_nothing_is_estimated(pgring, postgres, raw, opened):
    postgres.admin.execute("grant pg_read_all_stats to app_scram")
    try:
        pooler = pgring(changes=DEBUG)
        raw(pooler).login()
        until(lambda: others(pooler) >= 0, "the limits are known")
        before = others(pooler)
        opened(psycopg.connect(postgres.dsn("app_md5", password=password("app_md5"))))
        soon(lambda: others(pooler) == before + 1, "one of another role is seen")
        assert {line["estimated"] for line in learned(pooler)} == {"false"}
        assert "GRANT" not in pooler.log()
    finally:
        postgres.admin.execute("revoke pg_read_all_stats from app_scram")


def test_connections_of_our_own_are_not_others(pgring, postgres, raw):
    pooler = pgring(changes={**DEBUG, "shards": {"count": 3}}, database={"pool_size": 6})
    direct = int(postgres.value("select count(*) from pg_stat_activity where application_name like"
                                " 'itest-direct%' and backend_type = 'client backend'"))
    for user in ("app_scram", "app_md5", "app_trust"):
        with Load(raw, pooler, ["select pg_sleep(0.01)"], user=user):
            time.sleep(1.5)
    with Load(raw, pooler, ["select pg_sleep(0.01)"], user="app_md5", dbname="postgres"):
        time.sleep(1.5)
    assert len(postgres.backends()) >= 8
    seen = [int(line["others"]) for line in learned(pooler)]
    assert len(seen) >= 4 and set(seen) == {direct}, seen


def test_two_names_of_one_instance_know_of_each_other(pgring, postgres, raw):
    server = {"host": postgres.socket_dir, "port": postgres.port}
    pooler = pgring(changes={**DEBUG, "server": {"main": server, "again": server},
                             "database": {"same": {"server": "again", "dbname": DATABASE}}})
    clients = [raw(pooler).login(dbname=name) for name in (DATABASE, "same")]
    for client in clients:
        client.run("select 1")
    number = len(learned(pooler))
    until(lambda: {line["server"] for line in learned(pooler)[number:]} == {"main", "again"},
          "both are learned again")
    assert {line["others"] for line in learned(pooler)[number:]} == {"1"}  # the admin's


def test_a_changed_limit_of_a_role_and_a_database_is_seen(pgring, postgres, raw):
    pooler = pgring(changes=DEBUG)
    raw(pooler).login("app_md5", "postgres")
    until(lambda: latest(pooler).get("role_limit") == "none", "no limit")
    try:
        postgres.admin.execute("alter role app_md5 connection limit 7")
        postgres.admin.execute("alter database postgres connection limit 40")
        soon(lambda: latest(pooler)["role_limit"] == "7", "the role's limit")
        soon(lambda: latest(pooler)["database_limit"] == "40", "the database's limit")
    finally:
        postgres.admin.execute("alter role app_md5 connection limit -1")
        postgres.admin.execute("alter database postgres connection limit -1")
    soon(lambda: latest(pooler)["role_limit"] == "none", "it is gone")


def test_under_load_the_question_is_asked_once_a_second_and_never_in_a_transaction(
        pgring, wordy, raw):
    pooler = pgring(wordy, changes={"shards": {"count": 3}}, database={"pool_size": 4})
    statements = Statements(wordy)
    with Load(raw, pooler, ["begin", "select pg_sleep(0.004)", "commit"]), \
            Load(raw, pooler, ["select 1"], user="app_md5"):
        time.sleep(6)
    asked = statements.questions()
    # Beside that of each second: one for each role that was new.
    assert 4 <= len(asked) <= 6 + 3, asked
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in zip(asked, asked[1:])]
    assert sum(gap < 0.9 for gap in gaps) <= 2, gaps
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


def test_a_locked_catalog_holds_a_connection_for_a_bounded_time(pgring, own_postgres, raw):
    pooler = pgring(own_postgres, changes=DEBUG, database={"pool_size": 1})
    client = raw(pooler).login()
    until(lambda: learned(pooler), "the limits are known")
    with psycopg.connect(own_postgres.dsn()) as locker:
        locker.execute("lock table pg_catalog.pg_authid in access exclusive mode")
        known = len(learned(pooler))
        until(lambda: "57014" in pooler.log(), "the question has timed out")
        assert client.value("select 1") == "1"
        assert len(learned(pooler)) <= known + 1  # one may have been under way
    until(lambda: len(learned(pooler)) > known + 1, "learned again")


@pytest.mark.long
def test_a_backend_that_is_stopped_does_not_keep_its_connection(pgring, own_postgres, raw):
    pooler = pgring(own_postgres, changes=DEBUG, database={"pool_size": 2})
    client = raw(pooler).login()
    pid = int(client.value("select pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: "does not answer what its limits are" in pooler.log(), "given up", 30)
        assert client.value("select 1") == "1"
        until(lambda: latest(pooler)["backend_pid"] != str(pid), "another one is asked")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_an_asking_connection_is_waited_for_instead_of_opening_another(pgring, postgres, raw):
    pooler = pgring(changes=DEBUG, database={"pool_size": 5})
    client = raw(pooler).login()
    pids = set()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        pids.add(client.value("select pg_backend_pid()"))
    assert len(learned(pooler)) >= 3
    assert len(pids) == 1 and len(postgres.backends()) == 1


def test_questions_are_not_counted_as_traffic_nor_as_use(pgring, raw):
    pooler = pgring(changes={**DEBUG, "timeouts": {"server_idle": "4s"}})
    client = raw(pooler).login()
    client.value("select 1")

    def totals():
        (row,) = [row for row in pooler.show("STATS_TOTALS")
                  if row["database"] == DATABASE]
        return row

    before, number = totals(), len(learned(pooler))
    until(lambda: len(learned(pooler)) > number + 1, "asked twice")
    assert totals() == before
    until(lambda: "server_idle" in pooler.log(), "a connection that only asks is idle")
    assert kinds(client.run("select 1")) == "TDCZ"


def test_a_paused_pool_asks_nothing_and_a_restarted_server_is_learned_anew(
        pgring, own_postgres, raw):
    pooler = pgring(own_postgres, changes=DEBUG)
    client = raw(pooler).login()
    until(lambda: latest(pooler).get("max_connections") == "100", "the limits are known")
    own_postgres.halt()
    with open(f"{own_postgres.data}/postgresql.conf", "a") as conf:
        conf.write("max_connections = 50\nsuperuser_reserved_connections = 5\n")
    own_postgres.start()
    assert raw(pooler).login().value("select 1") == "1"
    until(lambda: latest(pooler)["max_connections"] == "50", "the new limits")
    assert latest(pooler)["superuser_reserved"] == "5"
    console = pooler.console()
    console.execute("PAUSE")
    number = len(learned(pooler))
    time.sleep(2)
    assert len(learned(pooler)) <= number + 1
    console.execute("RESUME")
    assert client.value("select 1") == "1"
    console.close()
