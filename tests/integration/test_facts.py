"""pgring learns what PostgreSQL's limits are and who else is connected."""

import contextlib
import os
import signal
import time

import psycopg
import pytest
from harness.facts import DEBUG, Load, latest, learned, others, soon
from harness.postgres import DATABASE, password
from harness.raw import kinds
from harness.wait import until


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
