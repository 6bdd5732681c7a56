"""idle_session_timeout: of server connections it is off, clients are held to theirs; and what ends a connection that nobody
uses yet concerns nobody."""

import time

import pytest
from harness.audits import looked_into
from harness.proxy import Proxy
from harness.raw import bind, errors, execute, kinds, parse, query, sync
from harness.wait import until

LIMITS = b"pg_control_system"  # pgring asks for them about once a second
TIMED_OUT = ("FATAL", "57P05", "terminating connection due to idle-session timeout")


def ended(client, least_s, most_s=8):
    began = time.monotonic()
    assert errors(client.rest()) == [TIMED_OUT]
    assert least_s < time.monotonic() - began < most_s


@pytest.fixture
def limited(own_postgres):
    own_postgres.admin.execute("alter role app_scram set idle_session_timeout = '900ms'")
    return own_postgres


def test_a_default_holds_for_clients_and_not_for_server_connections(pgring, limited, raw):
    pooler = pgring(limited, database={"pool_size": 1})
    first = raw(pooler).login()
    pid = first.value("select pg_backend_pid()")
    ended(first, 0.7)
    time.sleep(1.2)
    assert raw(pooler).login().value("select pg_backend_pid()") == pid
    # What a direct connection is told is the same.
    direct = raw(limited).login()
    ended(direct, 0.7)


def test_one_that_is_busy_or_in_a_transaction_is_not_idle(pgring, limited, raw):
    pooler = pgring(limited, lazy_begin=True)
    client = raw(pooler).login()
    assert kinds(client.run("select pg_sleep(1.5)")) == "TDCZ"
    client.run("begin")
    time.sleep(1.3)
    assert client.value("select 1") == "1"
    time.sleep(1.3)
    client.run("commit")
    for _ in range(4):
        time.sleep(0.4)
        assert client.value("select 1") == "1"
    ended(client, 0.7)


@pytest.mark.parametrize("how", ["set", "startup", "options", "function"])
def test_a_clients_own_is_kept_by_pgring_and_ends_no_server_connection(pgring, raw, how):
    pooler = pgring(database={"pool_size": 1})
    startup = {"startup": {"idle_session_timeout": "800ms"},
               "options": {"options": "-c idle_session_timeout=800"}}.get(how, {})
    other = raw(pooler).login()
    pid = other.value("select pg_backend_pid()")
    client = raw(pooler).login(**startup)
    if how == "set":
        client.run("set idle_session_timeout = '800ms'")
    elif how == "function":
        client.run("select set_config('idle_session_timeout', '800ms', false)")
    assert client.value("show idle_session_timeout") == "800ms"
    assert other.value("show idle_session_timeout") == "0"
    assert client.value("select pg_backend_pid()") == pid
    assert client.value("show idle_session_timeout") == "800ms"
    ended(client, 0.6)
    time.sleep(1.2)
    assert other.value("select pg_backend_pid()") == pid


def test_a_client_may_switch_it_off(pgring, limited, raw):
    pooler = pgring(limited, database={"pool_size": 1})
    client = raw(pooler).login()
    client.run("set idle_session_timeout = 0")
    time.sleep(1.5)
    assert client.value("show idle_session_timeout") == "0"
    client.run("reset idle_session_timeout")
    ended(client, 0.7)


@pytest.mark.parametrize("text", ["discard all", "reset all"])
def test_what_a_client_resets_is_off_again_for_the_next(pgring, limited, raw, text):
    pooler = pgring(limited, database={"pool_size": 1})
    client = raw(pooler).login()
    client.run(text)
    other = raw(pooler).login()
    assert other.value("show idle_session_timeout") == "2147483647ms"  # off, as far as it goes
    pid = other.value("select pg_backend_pid()")
    time.sleep(1.5)
    assert raw(pooler).login().value("select pg_backend_pid()") == pid


def test_with_a_connect_query_too(pgring, limited, raw):
    pooler = pgring(limited, database={"pool_size": 1, "connect_query": "set work_mem = '5MB'"})
    client = raw(pooler).login()
    assert client.value("show work_mem") == "5MB"
    pid = client.value("select pg_backend_pid()")
    ended(client, 0.7)
    time.sleep(1)
    other = raw(pooler).login()
    assert other.value("select pg_backend_pid()") == pid
    assert other.value("show work_mem") == "5MB"


def test_a_pinned_client_is_held_to_it_too(pgring, limited, raw):
    pooler = pgring(limited, database={"pool_size": 1})
    client = raw(pooler).login()
    client.run("create temporary table t (a int)")
    ended(client, 0.7)
    assert raw(pooler).login().value("select count(*) from pg_class where relname = 't'") == "0"


def test_in_session_mode_it_is_postgresqls_own(pgring, limited, raw):
    pooler = pgring(limited, database={"pool_size": 1, "pool_mode": "session"})
    client = raw(pooler).login()
    assert client.value("show idle_session_timeout") == "900ms"
    ended(client, 0.7)


@pytest.mark.parametrize("request_", [
    [query("select 'b'")], [parse("select 'b'"), bind(), execute(), sync()],
    [query("begin"), query("select 'b'")]], ids=["query", "group", "begun"])
def test_a_connection_that_ends_before_anything_was_sent_concerns_nobody(pgring, postgres, raw,
                                                                         request_):
    proxy = Proxy(postgres)
    try:
        pooler = pgring(database={"pool_size": 1}, lazy_begin=True,
                        changes={"server": {"main": {"host": proxy.host, "port": proxy.port}}})
        first = raw(pooler).login(application_name="a")
        second = raw(pooler).login(application_name="b")
        assert second.value("select 1") == "1" and first.value("select 1") == "1"
        pid = first.value("select pg_backend_pid()")
        # What ran is known, and its limits have just been asked for: pgring asks nothing for a while.
        looked_into(pooler)
        before = proxy.sent.count(LIMITS)
        until(lambda: proxy.sent.count(LIMITS) > before, "it is asked for its limits")
        until(lambda: [row["state"] for row in pooler.show("SERVERS")] == ["idle"], "they are known")
        # Its goodbye has not come yet when the second client gets it, whose settings are others.
        proxy.replies.clear()
        postgres.admin.execute(f"select pg_terminate_backend({pid})")
        until(lambda: not postgres.backends(f"pid = {pid}"), "the backend is gone")
        second.send(*request_)
        until(lambda: b"application_name',E'b'" in proxy.sent.rsplit(b"'a'", 1)[-1],
              "its settings are sent")
        proxy.replies.set()
        if len(request_) == 2:
            assert kinds(second.ready()) == "CZ"
        (row,) = [got for got in second.ready() if got.kind == "D"]
        assert row.columns == ["b"]
        assert second.value("show application_name") == "b"
        assert second.value("select pg_backend_pid()") != pid
    finally:
        proxy.stop()
