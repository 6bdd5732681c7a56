"""Clients wait in the order they asked, as long as query_wait, up to max_clients."""

import time

import pytest
from harness.raw import Closed, errors, kinds, query, startup_packet
from harness.wait import until


def waiting(pooler):
    return sum(int(row["cl_waiting"]) for row in pooler.show("POOLS"))


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
def test_waiters_are_served_in_the_order_they_came(pgring, postgres, raw, shards, pool_mode):
    pooler = pgring(database={"pool_size": 1, "pool_mode": pool_mode},
                    changes={"shards": {"count": shards}})
    postgres.admin.execute("drop sequence if exists service_order; create sequence service_order;"
                           " grant all on service_order to public")
    holder = raw(pooler).login()
    holder.run("begin")
    clients = [raw(pooler).login() for _ in range(15)]
    for number, client in enumerate(clients, start=1):
        client.send(query("select nextval('service_order')"))
        until(lambda: waiting(pooler) == number, f"client {number} waits")
    holder.run("commit")
    holder.close()
    for number, client in enumerate(clients, start=1):
        (row,) = [got for got in client.ready() if got.kind == "D"]
        assert row.columns == [str(number)]
        client.close()  # a session ends here


def test_a_client_that_waited_too_long_gets_an_error_and_others_go_on(pgring, raw):
    pooler = pgring(database={"pool_size": 1}, changes={"timeouts": {"query_wait": "700ms"}})
    holder, waiter = raw(pooler).login(), raw(pooler).login()
    holder.run("begin")
    began = time.monotonic()
    waiter.send(query("select 1"))
    seen = waiter.rest()
    assert 0.6 < time.monotonic() - began < 10
    ((severity, code, text),) = errors(seen)
    assert severity == "FATAL" and "query_wait" in text
    assert len(code) == 5 and code != "00000"
    assert kinds(holder.run("commit")) == "CZ"
    assert raw(pooler).login().value("select 1") == "1"


def test_a_waiting_client_is_told_so_and_then_served(pgring, raw):
    pooler = pgring(database={"pool_size": 1},
                    changes={"timeouts": {"query_wait_notify": "200ms"}})
    holder, waiter = raw(pooler).login(), raw(pooler).login()
    holder.run("begin")
    waiter.send(query("select 1"))
    notice = waiter.receive()
    assert notice.kind == "N" and notice.fields["S"] == "NOTICE"
    holder.run("commit")
    assert kinds(waiter.ready()) == "TDCZ"


def test_a_waiter_that_leaves_is_forgotten(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    holder = raw(pooler).login()
    holder.run("begin")
    leaving, staying = raw(pooler).login(), raw(pooler).login()
    leaving.send(query("select 1"))
    until(lambda: waiting(pooler) == 1, "the first waits")
    staying.send(query("select 2"))
    until(lambda: waiting(pooler) == 2, "both wait")
    leaving.abort()
    until(lambda: waiting(pooler) == 1, "the one that left no longer counts")
    holder.run("commit")
    assert kinds(staying.ready()) == "TDCZ"


def test_one_client_too_many_is_refused_until_another_leaves(pgring, raw):
    pooler = pgring(changes={"listen": {"max_clients": 5}})
    clients = [raw(pooler).login() for _ in range(5)]
    with pytest.raises(Closed) as refused:
        raw(pooler).login()
    assert errors(refused.value.seen)[0][:2] == ("FATAL", "53300")
    assert clients[0].value("select 1") == "1"
    clients.pop().close()

    def can_login():
        try:
            return raw(pooler).login().value("select 1") == "1"
        except Closed:
            return False

    until(can_login, "the freed place is taken")


@pytest.mark.parametrize("where", ["database", "role"])
def test_a_limit_of_one_database_or_role_leaves_the_others_alone(pgring, raw, where):
    changes = ({"database": {"bench": {"server": "main", "max_clients": 2}}} if where == "database"
               else {"role": {"app_scram": {"max_clients": 2}}})
    pooler = pgring(changes=changes)
    kept = [raw(pooler).login("app_scram", "bench") for _ in range(2)]
    with pytest.raises(Closed) as refused:
        raw(pooler).login("app_scram", "bench")
    assert errors(refused.value.seen)[0][:2] == ("FATAL", "53300")
    assert raw(pooler).login("app_md5", "postgres").value("select 1") == "1"
    assert kept[0].value("select 1") == "1"


def test_the_console_can_be_entered_when_all_places_are_taken(pgring, raw):
    pooler = pgring(changes={"listen": {"max_clients": 2}})
    kept = [raw(pooler).login() for _ in range(2)]
    assert pooler.show("VERSION")
    assert kept[0].value("select 1") == "1"


def test_pools_wait_on_their_own_and_not_for_each_other(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    holder = raw(pooler).login("app_scram")
    holder.run("begin")
    other = raw(pooler).login("app_md5")
    assert other.value("select session_user") == "app_md5"
    assert raw(pooler).login("app_scram", "postgres").value("select 1") == "1"


def test_a_role_may_have_its_own_pool_size_and_mode(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1},
                    changes={"role": {"app_md5": {"pool_size": 3, "pool_mode": "session"}}})
    clients = [raw(pooler).login("app_md5") for _ in range(3)]
    pids = {client.value("select pg_backend_pid()") for client in clients}
    assert len(pids) == 3
    assert {client.value("select pg_backend_pid()") for client in clients} == pids
    assert len(postgres.backends("usename = 'app_md5'")) == 3


def test_thousands_that_wait_for_their_login_at_once_are_served(pgring, raw, many_files):
    # One server connection goes from hand to hand: nothing may be deeper for the last than for the first.
    pooler = pgring(changes={"auth": {"method": "trust"}},
                    database={"pool_size": 1, "connect_query": "select pg_sleep(3)"})
    clients = [raw(pooler, unix=True, timeout_s=60) for _ in range(2500)]
    for client in clients:
        client.send(startup_packet({"user": "app_scram", "database": "bench"}))
    for client in clients:
        client.authenticate("app_scram", "")
    assert clients[-1].value("select 1") == "1"


def test_a_pool_opens_all_the_connections_its_waiters_need_without_a_pause(pgring, raw):
    pooler = pgring(database={"pool_size": 20})
    clients = [raw(pooler).login() for _ in range(20)]
    for client in clients:
        client.send(query("begin; select pg_backend_pid()"))
    began = time.monotonic()
    pids = {[got for got in client.ready() if got.kind == "D"][0].columns[0] for client in clients}
    assert len(pids) == 20
    # Twenty logins take some 100 ms; a second is the interval of maintenance.
    assert time.monotonic() - began < 0.8
