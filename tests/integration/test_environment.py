"""What the machine allows or forbids: io_uring, limits, addresses, a full log pipe."""

import errno
import json
import os
import pwd
import resource
import subprocess
import sys
import threading

import pytest
from harness import confine, pgbench
from harness.raw import RawClient
from harness.wait import free_port, until

EX_UNAVAILABLE = 69
EX_CONFIG = 78


def ends_with(pooler, *codes):
    """Starts pgring, which must end by itself with one of `codes`; returns what it said."""
    pooler.spawn()
    assert pooler.wait_exit() in codes, pooler.log()
    pooler.expected_exit = pooler.process.returncode
    return pooler.log()


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOSYS])
def test_without_io_uring_pgring_ends_and_names_the_cause_and_the_fix(pgring_idle, refusal):
    # Container runtimes answer with either; pgring can see in /proc that a filter is on.
    pooler = pgring_idle(wrapper=[sys.executable, confine.__file__, str(refusal)])
    said = ends_with(pooler, EX_UNAVAILABLE)
    assert "io_uring" in said and "seccomp" in said.lower()


def nobody():
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


RING_PROBE = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
params = ctypes.create_string_buffer(120)
sys.exit(0 if libc.syscall(425, 256, params) >= 0 else ctypes.get_errno())
"""


def test_a_tiny_memlock_limit_is_named_where_the_kernel_charges_rings_to_it(pgring_idle):
    # Since Linux 6.14 rings count against RLIMIT_MEMLOCK for users without CAP_IPC_LOCK; ask this
    # kernel first. Where it does not charge, the limit must not matter.
    limits = {resource.RLIMIT_MEMLOCK: (4096, 4096)}
    run_as = nobody() if os.geteuid() == 0 else None
    probe = subprocess.run(
        [sys.executable, "-c", RING_PROBE], cwd="/", **(run_as or {}),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096)))
    assert probe.returncode in (0, errno.ENOMEM), os.strerror(probe.returncode)
    pooler = pgring_idle(limits=limits, run_as=run_as)
    if probe.returncode == errno.ENOMEM:
        # A config the limit cannot carry, or a ring that could not be made: both are true.
        said = ends_with(pooler, EX_CONFIG, EX_UNAVAILABLE)
        assert "memlock" in said.lower()
    else:
        pooler.start()
        assert RawClient(pooler).login().value("select 1") == "1"


def test_a_config_the_fd_limit_cannot_carry_is_refused_with_the_numbers(pgring_idle):
    pooler = pgring_idle(limits={resource.RLIMIT_NOFILE: (256, 512)},
                         changes={"listen": {"max_clients": 5000}})
    said = ends_with(pooler, EX_CONFIG)
    assert "512" in said and any(word in said for word in ("NOFILE", "nofile", "descriptors"))
    needed = [int(word) for word in "".join(
        letter if letter.isdigit() else " " for letter in said).split()]
    assert any(5000 <= number < 20000 for number in needed), said


def test_the_soft_fd_limit_is_raised_to_what_is_needed(pgring):
    pooler = pgring(limits={resource.RLIMIT_NOFILE: (256, 4096)},
                    changes={"listen": {"max_clients": 1000}})
    with open(f"/proc/{pooler.process.pid}/limits") as file:
        (line,) = [line for line in file if line.startswith("Max open files")]
    assert int(line.split()[3]) > 1000
    clients = [RawClient(pooler) for _ in range(400)]
    assert RawClient(pooler).login().value("select 1") == "1"
    for client in clients:
        client.close()


@pytest.mark.parametrize("server_host", ["::1", "127.0.0.1", "localhost"])
def test_clients_and_servers_speak_ipv6(pgring, postgres, server_host):
    pooler = pgring(changes={"listen": {"address": ["::1", "127.0.0.1"]},
                             "server": {"main": {"host": server_host}}})
    for host in ("::1", "127.0.0.1"):
        pgbench.run(pooler, *pgbench.SELECT, host=host, clients=4, transactions=10)
    assert postgres.backends("client_addr is not null")


def test_an_address_that_is_not_ours_is_an_error_that_names_it(pgring_idle):
    pooler = pgring_idle(changes={"listen": {"address": ["192.0.2.1"]}})
    assert "192.0.2.1" in ends_with(pooler, 1, EX_CONFIG)


def test_a_server_that_does_not_answer_does_not_stop_the_start(pgring):
    pooler = pgring(changes={
        "server": {"dead": {"host": "127.0.0.1", "port": free_port()}},
        "database": {"lost": {"server": "dead", "dbname": "bench"}}})
    with pooler.connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_unix_sockets_alone_are_enough_and_have_the_mode_asked_for(pgring):
    pooler = pgring(changes={"listen": {"address": [], "unix_socket_mode": "0700"}})
    path = f"{pooler.socket_dir}/.s.PGSQL.{pooler.port}"
    assert os.stat(path).st_mode & 0o777 == 0o700
    assert RawClient(pooler, unix=True).login().value("select 1") == "1"
    with pytest.raises(ConnectionRefusedError):
        RawClient(pooler)


def test_the_log_is_json_where_asked_and_names_clients_and_servers(pgring):
    pooler = pgring(changes={"log": {"format": "json"}})
    with pooler.connect() as connection:
        connection.execute("select 1")
    until(lambda: "client" in pooler.log(), "the connection is logged")
    lines = [json.loads(line) for line in pooler.log().splitlines() if line.strip()]
    assert len(lines) >= 2
    assert any("app_scram" in json.dumps(line) for line in lines)


def test_a_blocked_log_does_not_block_the_clients(pgring_idle):
    # stderr is a pipe that nobody reads while 1,500 logins are logged.
    pooler = pgring_idle(changes={"log": {"level": "debug"}, "auth": {"method": "trust"}})
    reader, writer = os.pipe()
    pooler.start(stderr=writer)
    os.close(writer)
    for _ in range(1500):
        client = RawClient(pooler, unix=True)
        client.login("app_trust")
        client.close()
    assert RawClient(pooler).login("app_trust").value("select 1") == "1"
    os.close(reader)  # a blocked writer goes on, with EPIPE: that must not end pgring
    assert RawClient(pooler).login("app_trust").value("select 2") == "2"


@pytest.mark.parametrize("client_size, server_size", [("512B", "1KiB"), ("6KiB", "6KiB")])
def test_buffers_of_any_size_keep_every_reply_with_its_client(pgring, client_size, server_size):
    # Sizes that are no multiple of a page: memory given back must not be a neighbour's.
    pooler = pgring(database={"pool_size": 4}, changes={
        "ring": {"client_buffer_size": client_size, "server_buffer_size": server_size}})
    failures = []

    def work(number):
        with pooler.connect() as connection:
            for step in range(150):
                size = (number * 37 + step * 911) % 20000
                text = f"{number}-{step}-" + "x" * size
                if connection.execute("select %s::text", [text]).fetchone()[0] != text:
                    failures.append((number, step))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
