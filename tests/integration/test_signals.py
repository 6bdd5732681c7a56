"""TERM drains, INT waits for transactions, QUIT ends at once, HUP reloads; systemd hears of it."""

import os
import signal
import socket

import pytest
from harness.pooler import CONSOLE_ADMIN
from harness.raw import Closed, errors, kinds, query
from harness.wait import stays, until


def refuses_new_clients(pooler, raw):
    def refused():
        try:
            raw(pooler, timeout_s=5).login().close()
        except (OSError, Closed):
            return True
        return False

    return refused


def test_term_lets_connected_clients_finish_and_takes_no_new_ones(pgring, raw):
    pooler = pgring()
    idle, busy = raw(pooler).login(), raw(pooler).login()
    busy.run("begin")
    pooler.signal(signal.SIGTERM)
    until(refuses_new_clients(pooler, raw), "new clients are refused")
    for _ in range(5):
        assert idle.value("select 1") == "1"
        assert busy.value("select 2") == "2"
    assert kinds(busy.run("commit")) == "CZ"
    busy.close()
    stays(lambda: pooler.process.poll() is None, "pgring waits for the last client", 0.3)
    assert idle.value("select 3") == "3"
    idle.close()
    assert pooler.wait_exit() == 0


def test_term_without_clients_ends_at_once(pgring):
    pooler = pgring()
    pooler.signal(signal.SIGTERM)
    assert pooler.wait_exit() == 0


def test_a_second_term_does_not_wait(pgring, raw):
    pooler = pgring()
    client = raw(pooler).login()
    client.run("begin")
    pooler.signal(signal.SIGTERM)
    until(refuses_new_clients(pooler, raw), "new clients are refused")
    pooler.signal(signal.SIGTERM)
    assert pooler.wait_exit() == 0
    client.rest()


@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
def test_int_waits_for_transactions_only(pgring, raw, pool_mode):
    pooler = pgring(database={"pool_mode": pool_mode})
    idle, busy = raw(pooler).login(), raw(pooler).login()
    idle.run("select 1")
    busy.run("begin")
    pooler.signal(signal.SIGINT)
    until(refuses_new_clients(pooler, raw), "new clients are refused")
    stays(lambda: pooler.process.poll() is None, "pgring waits for the transaction", 0.3)
    assert busy.value("select 2") == "2"
    busy.send(query("commit"))
    assert pooler.wait_exit() == 0
    assert kinds(busy.rest()).startswith("CZ")
    assert all(error[:2] == ("FATAL", "57P01") for error in errors(idle.rest()))


def test_quit_ends_at_once_and_leaves_nothing_running(pgring, postgres, raw):
    pooler = pgring()
    client = raw(pooler).login()
    client.send(query("select pg_sleep(60), 'markquit'"))
    until(lambda: postgres.backends("state = 'active' and query like '%%markquit%%'"), "it runs")
    pooler.signal(signal.SIGQUIT)
    assert pooler.wait_exit() == 0
    assert all(error[0] == "FATAL" for error in errors(client.rest()))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_the_unix_socket_file_is_gone_afterwards_and_a_stale_one_is_replaced(pgring, postgres, raw,
                                                                             signum):
    pooler = pgring()
    path = f"{pooler.socket_dir}/.s.PGSQL.{pooler.port}"
    assert os.path.exists(path)
    pooler.signal(signum)
    assert pooler.wait_exit() == 0
    assert not os.path.exists(path)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    pooler.start()
    assert raw(pooler, unix=True).login().value("select 1") == "1"


def test_hup_reloads_and_running_transactions_do_not_notice(pgring, raw):
    pooler = pgring(changes={"database": {"bench": {"server": "main", "pool_size": 1}}})
    client, waiter = raw(pooler).login(), raw(pooler).login()
    client.run("begin")
    waiter.send(query("select 1"))
    pooler.write_config({"database": {"bench": {"pool_size": 2}}})
    pooler.signal(signal.SIGHUP)
    assert kinds(waiter.ready()) == "TDCZ"  # the second server connection is allowed now
    assert kinds(client.run("commit")) == "CZ"


def test_hup_with_a_broken_file_keeps_the_old_settings_and_says_where_it_is_broken(pgring, raw):
    pooler = pgring()
    client = raw(pooler).login()
    with open(pooler.config_path, "a") as config:
        config.write("\n[nonsense]\nkey = 1\n")
    with open(pooler.config_path) as config:
        lines = len(config.readlines())
    pooler.signal(signal.SIGHUP)
    until(lambda: f"{pooler.config_path}:{lines - 1}:" in pooler.log(), "the log names the place")
    assert client.value("select 1") == "1"
    assert raw(pooler).login().value("select 2") == "2"


def test_hup_says_what_cannot_be_changed_while_running(pgring, raw):
    pooler = pgring()
    pooler.write_config({"listen": {"port": pooler.port + 1}, "shards": {"count": 2}})
    pooler.signal(signal.SIGHUP)
    for key, value in (("listen.port", pooler.port + 1), ("shards.count", 2)):
        until(lambda: any(key in line and str(value) in line and "start" in line
                          for line in pooler.log().splitlines()),
              f"the log says that {key} changes at the next start only")
    assert raw(pooler).login().value("select 1") == "1"


def test_hup_during_traffic_disturbs_nobody(pgring, raw):
    pooler = pgring(changes={"shards": {"count": 4}}, database={"pool_size": 2})
    clients = [raw(pooler).login() for _ in range(10)]
    for number in range(30):
        if number % 3 == 0:
            pooler.write_config({"database": {"*": {"pool_size": 2 + number % 4}}})
            pooler.signal(signal.SIGHUP)
        for client in clients:
            client.send(query(f"select {number}"))
        for client in clients:
            (row,) = [got for got in client.ready() if got.kind == "D"]
            assert row.columns == [str(number)]


def test_systemd_hears_ready_and_stopping(pgring_idle):
    pooler = pgring_idle()
    path = f"{pooler.root}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        pooler.spawn(path)
        heard = b""
        while b"READY=1" not in heard:
            heard = notify.recv(4096)
        pooler.signal(signal.SIGTERM)
        while b"STOPPING=1" not in heard:
            heard = notify.recv(4096)
    assert pooler.wait_exit() == 0


def test_a_second_pgring_on_the_same_port_is_refused_and_the_first_works_on(pgring, pgring_idle,
                                                                            raw):
    first = pgring()
    second = pgring_idle(changes={"listen": {"port": first.port}})
    second.spawn()
    assert second.wait_exit() in (1, 78)
    second.expected_exit = second.process.returncode
    assert str(first.port) in second.log()
    for _ in range(20):
        assert raw(first).login().value("select 1") == "1"


def test_a_connected_console_works_while_pgring_drains(pgring, raw):
    pooler = pgring()
    client = raw(pooler).login()
    client.run("begin")
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    pooler.signal(signal.SIGTERM)
    until(refuses_new_clients(pooler, raw), "new clients are refused")
    assert kinds(console.run("SHOW POOLS"))[-2:] == "CZ"
    console.close()
    client.close()
    assert pooler.wait_exit() == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_connections_that_are_always_kept_do_not_keep_pgring_running(pgring, postgres, raw, signum):
    pooler = pgring(database={"min_pool_size": 2, "pool_size": 4})
    client = raw(pooler).login()
    client.run("select 1")
    until(lambda: len(postgres.backends()) >= 2, "min_pool_size is reached")
    client.close()
    pooler.signal(signum)
    assert pooler.wait_exit() == 0
