"""auth.query while things change and fail: new passwords, reloads, many logins at once, a server that is not there."""

import os
import pwd
import subprocess
import threading
import time

import psycopg
import pytest
from harness.auth_query import ASKER, USERLIST, fields, logs_in, refusal, reload, run_setup, says, session_user, totals
from harness.pooler import binary
from harness.postgres import DATABASE, password
from harness.raw import startup_packet
from harness.wait import stays, until

FUNCTION = "SELECT role_name, secret FROM pgring.secret_of($1)"


# What changes while pgring runs.


def test_a_new_password_is_seen_at_the_next_failed_login_and_links_go_on(asked, asking, new_role, opened):
    name = new_role("rotated")
    pooler = asking(query_cache="1h")
    link = opened(pooler.connect(name, autocommit=False))
    pid = link.execute("select pg_backend_pid()").fetchone()[0]
    asked.admin.execute(f"alter role {name} password 'another'")
    time.sleep(1.1)  # an answer of this very moment is not doubted
    assert "password authentication failed" in refusal(pooler, name, password="another")
    # The link keeps its connection, so that this one takes a new one, by the new password.
    assert session_user(pooler, name, password="another") == name
    assert "password authentication failed" in refusal(pooler, name)
    assert link.execute("select pg_backend_pid()").fetchone()[0] == pid


def test_a_server_login_that_failed_by_the_old_password_does_not_hold_up_the_new_one(asked, asking, new_role, opened):
    name = new_role("rotated_too")
    pooler = asking(query_cache="1h", changes={"timeouts": {"server_login_retry": "1h"}})
    held = opened(pooler.connect(name))
    held.execute("select 1")
    asked.admin.execute(f"alter role {name} password 'another'")
    with pooler.console() as console:
        console.execute("RECONNECT bench")
    with pytest.raises(psycopg.Error):
        held.execute("select 1")  # the only way in that is known is the old one
    time.sleep(1.1)
    until(lambda: logs_in(pooler, name, "another"), "the new password is good")


def test_a_role_that_was_dropped_is_let_in_no_longer_than_the_cache_says(asked, asking, new_role):
    name = new_role("dropped")
    pooler = asking(query_cache="1s")
    assert session_user(pooler, name) == name
    with pooler.console() as console:
        console.execute("RECONNECT")
    asked.admin.execute(f"drop role {name}")
    until(lambda: "password authentication failed" in refusal(pooler, name), "it is forgotten")


def test_a_role_that_was_just_made_is_known_after_the_next_failure(asking, new_role, raw):
    pooler = asking(query_cache="1h")
    assert "password authentication failed" in refusal(pooler, "newcomer")
    name = new_role("newcomer")
    time.sleep(1.1)
    assert "password authentication failed" in refusal(pooler, name)
    assert session_user(pooler, name) == name


def test_a_reload_forgets_what_is_known_and_asks_by_the_new_query(asked, asking):
    pooler = asking(query_cache="1h")
    assert session_user(pooler) == "app_scram"
    assert pooler.show("LISTS")
    reload(pooler, auth={"query": "SELECT $1::text, 'by another query'::text"})
    assert session_user(pooler, "app_trust", password="by another query") == "app_trust"
    assert "password authentication failed" in refusal(pooler)
    reload(pooler, auth={"query": FUNCTION})
    assert session_user(pooler) == "app_scram"


def test_a_reload_changes_the_role_that_asks(asked, asking):
    pooler = asking()
    assert session_user(pooler) == "app_scram"
    asked.admin.execute("alter role app_md5 superuser")
    try:
        reload(pooler, auth={"role": "app_md5", "password": password("app_md5"), "query":
                             "SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1"})
        assert session_user(pooler) == "app_scram"
        until(lambda: not asked.backends(f"usename = '{ASKER}'"), "the first one's connections are closed")
    finally:
        asked.admin.execute("alter role app_md5 nosuperuser")


def test_a_connection_that_asks_and_is_ended_is_replaced_unnoticed(asked, asking):
    pooler = asking(query_cache="off")
    for _ in range(3):
        assert session_user(pooler) == "app_scram"
        for pid in asked.backends(f"usename = '{ASKER}'"):
            asked.admin.execute("select pg_terminate_backend(%s)", [pid])


# How often it is asked.


def test_many_logins_of_a_role_at_once_are_one_question(asking):
    pooler = asking(query="SELECT s.role_name, s.secret FROM pgring.secret_of($1) AS s, pg_catalog.pg_sleep(1)")
    users = []
    threads = [threading.Thread(target=lambda: users.append(session_user(pooler))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert users == ["app_scram"] * 20
    assert totals(pooler, "lookup") == 1
    assert totals(pooler, "lookup_shared") + totals(pooler, "cache_hit") >= 19


@pytest.mark.parametrize("name", ["app_scram", "nobody_at_all"])
def test_an_answer_serves_for_a_while_whatever_it_says(asking, name):
    pooler = asking(query_cache="1h")
    for _ in range(5):
        logs_in(pooler, name, password("app_scram"))
    assert totals(pooler, "lookup") == 1
    (cached,) = [int(row["items"]) for row in pooler.show("LISTS") if row["list"] == "cached_secrets"]
    assert cached == 1


def test_several_shards_ask_by_the_same_few_connections(asked, asking, new_role):
    names = [new_role(f"shard_role_{number}") for number in range(12)]
    pooler = asking(changes={"shards": {"count": 4}}, query_cache="1h")
    failed = []

    def log_in(name):
        try:
            assert session_user(pooler, name) == name
        except Exception as failure:
            failed.append(failure)

    threads = [threading.Thread(target=log_in, args=[name]) for name in names for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert totals(pooler, "lookup") == 12
    assert 1 <= len(asked.backends(f"usename = '{ASKER}'")) <= 2


# What goes wrong is told, and concerns nobody else.


def test_wrong_sql_is_told_in_postgresqls_words(asking, raw):
    pooler = asking(query="SELECT role_name FORM pgring.secret_of($1)")
    told = fields(raw, pooler)
    assert told["C"] == "58000" and "could not look up the secret of role \"app_scram\"" in told["M"]
    assert "syntax error" in told["M"]
    says(pooler, "syntax error")


@pytest.mark.parametrize("query, told", [
    ("SELECT role_name, secret FROM nowhere.secret_of($1)", "does not exist"),
    ("SELECT $1::text", "returns 1 column, and has to return two"),
    ("SELECT role_name, secret, 1 FROM pgring.secret_of($1)", "returns 3 columns"),
    ("SELECT role_name, secret FROM secret_of($1)", "does not exist"),
    ("SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1", "permission denied"),
])
def test_a_query_that_cannot_answer_says_why(asking, query, told):
    pooler = asking(query=query)
    for name in ("app_scram", "nobody_at_all"):
        assert told in refusal(pooler, name)


def test_the_asking_roles_own_login_may_be_wrong(asking, raw):
    pooler = asking(password="wrong")
    told = fields(raw, pooler)
    assert told["C"] == "58000"
    assert f'password authentication failed for user "{ASKER}"' in told["M"]
    with pooler.console() as console:  # those of the userlist are not concerned
        assert console.execute("SHOW VERSION").fetchone()


def test_without_a_password_it_is_said_where_one_belongs(asking, raw):
    told = fields(raw, asking(password=None))
    assert f'no secret is stored with which role "{ASKER}" could log in' in told["M"]
    assert "auth.password" in told["H"]


def test_by_peer_no_password_is_stored_at_all(own_postgres, pgring):
    run_setup(own_postgres)
    name = pwd.getpwuid(os.geteuid()).pw_name
    with open(f"{own_postgres.data}/pg_hba.conf", "r+") as hba, open(f"{own_postgres.data}/pg_ident.conf", "a") as ident:
        lines = hba.read()
        hba.seek(0)
        hba.write(f"local postgres {ASKER} peer map=pgring\n" + lines)
        ident.write(f"pgring {name} {ASKER}\n")
    own_postgres.admin.execute("select pg_reload_conf()")
    pooler = pgring(own_postgres, changes={"auth": {"role": ASKER, "file": ""}})
    until(lambda: logs_in(pooler, "app_scram", password("app_scram")), "PostgreSQL has read its files")


def test_postgresql_is_down_and_comes_back(own_postgres, pgring, raw):
    run_setup(own_postgres)
    own_postgres.admin.execute(f"alter role {ASKER} password '{password(ASKER)}'")
    pooler = pgring(own_postgres, userlist=USERLIST, changes={
        "auth": {"role": ASKER, "password": password(ASKER), "query_cache": "off"},
        "timeouts": {"server_login_retry": "200ms"}})
    assert session_user(pooler) == "app_scram"
    own_postgres.halt()
    told = fields(raw, pooler)
    assert told["C"].startswith("08") or told["C"].startswith("57"), told
    assert "could not look up the secret" in told["M"]
    own_postgres.start()
    until(lambda: logs_in(pooler, "app_scram", password("app_scram")), "logins are made again")


def test_where_no_connection_can_be_had_the_login_ends_in_time_and_says_so(asked, asking, raw, opened):
    pooler = asking(changes={"timeouts": {"client_login": "2s", "server_login_retry": "200ms"},
                            "server": {"main": {"max_connections": 1}}}, query_cache="off")
    held = opened(pooler.connect("app_scram", autocommit=False))
    held.execute("select 1")
    begun = time.monotonic()
    told = fields(raw, pooler, "app_trust")
    assert 1.5 < time.monotonic() - begun < 15
    assert told["C"] == "57014" and "auth.query" in told["D"] and "client_login" in told["M"]
    assert held.execute("select 2").fetchone() == (2,)
    held.rollback()
    assert session_user(pooler, "app_trust") == "app_trust"


def test_a_login_that_waits_for_anothers_question_has_its_own_time(asked, asking, raw, opened):
    """The one that asked is refused; the one that came later and waited for the same is not yet."""
    pooler = asking(changes={"timeouts": {"client_login": "4s", "server_login_retry": "200ms"},
                            "server": {"main": {"max_connections": 1}}}, query_cache="off")
    held = opened(pooler.connect("app_scram", autocommit=False))
    held.execute("select 1")
    begun = time.monotonic()
    first = raw(pooler)
    first.send(startup_packet({"user": "app_trust", "database": DATABASE}))
    until(lambda: totals(pooler, "lookup") == 2, "the first asks")
    until(lambda: time.monotonic() - begun > 2, "half of its time is over")
    names = []
    second = threading.Thread(target=lambda: names.append(session_user(pooler, "app_trust")))
    second.start()
    until(lambda: totals(pooler, "lookup_shared") == 1, "the second waits for that")
    assert [got.fields["C"] for got in first.rest() if got.kind == "E"] == ["57014"]
    held.rollback()
    second.join()
    assert names == ["app_trust"]


def test_a_question_that_is_not_answered_is_cancelled(asked, asking, raw):
    pooler = asking(changes={"timeouts": {"client_login": "2s"}},
                   query="SELECT s.role_name, s.secret FROM pgring.secret_of($1) AS s, pg_catalog.pg_sleep(300)")
    told = fields(raw, pooler)
    assert told["C"] == "57014"
    assert "PostgreSQL has not answered auth.query" in told["D"] or "did not answer auth.query" in told["M"]
    until(lambda: not asked.backends("query like '%pg_sleep(300)%' and state = 'active'"), "it does not run any more")


def test_a_lookup_held_up_by_a_lock_holds_up_nobody_else(asked, asking, opened):
    pooler = asking(query="SELECT s.role_name, s.secret FROM pg_catalog.pg_sleep(CASE WHEN $1::name = 'slow_role'"
                          " THEN 5 ELSE 0 END) LEFT JOIN pgring.secret_of($1) AS s ON true")
    slow = threading.Thread(target=lambda: logs_in(pooler, "slow_role", "x"))
    slow.start()
    until(lambda: asked.backends(f"usename = '{ASKER}' and wait_event = 'PgSleep'"), "it is held up")
    begun = time.monotonic()
    assert session_user(pooler) == "app_scram"
    assert time.monotonic() - begun < 4
    slow.join()


def test_the_connections_that_ask_are_seen_and_counted(asked, asking):
    pooler = asking()
    session_user(pooler)
    (pool,) = [row for row in pooler.show("POOLS") if row["database"] == "auth.query"]
    assert pool["user"] == ASKER
    assert "auth.query" not in [row["name"] for row in pooler.show("DATABASES")]
    used = [row for row in pooler.show("SERVERS") if row["user"] == ASKER]
    assert len(used) == 1
    assert asked.value("select application_name from pg_stat_activity where usename = %s", ASKER) == "pgring auth.query"


def test_a_pause_of_all_closes_them_and_logins_wait(asked, asking):
    pooler = asking(query_cache="off")
    assert session_user(pooler) == "app_scram"
    with pooler.console() as console:
        console.execute("PAUSE")
        until(lambda: not asked.backends(f"usename = '{ASKER}'"), "they are closed")
        users = []
        waiting = threading.Thread(target=lambda: users.append(session_user(pooler)))
        waiting.start()
        stays(lambda: not users, "it waits", 0.5)
        console.execute("RESUME")
        waiting.join()
    assert users == ["app_scram"]


def test_a_mistake_is_found_at_check(pgring_idle, asked):
    pooler = pgring_idle(asked, userlist=USERLIST, changes={"auth": {"role": ASKER, "query": "SELECT 1, 2"}})
    done = subprocess.run([binary(), "check", pooler.config_path], capture_output=True, text=True)
    assert done.returncode == 78
    assert "auth.query: the query does not say where the role's name stands: $1 is missing" in done.stderr


def test_without_a_userlist_there_is_none_to_be_missed(pgring_idle, asked):
    pooler = pgring_idle(asked, changes={"auth": {"role": ASKER, "password": password(ASKER), "file": ""}})
    pooler.start()
    assert session_user(pooler) == "app_scram"
