"""TLS between pgring and PostgreSQL: libpq's modes, certificates, cancels, replication, SCRAM-PLUS."""

import signal
import socket
import struct
import subprocess
import threading

import psycopg
import pytest
from harness import toml
from harness.postgres import Postgres, password
from harness.raw import (CANCEL_REQUEST, SSL_REQUEST, cancel_request, errors, query,
                         special_request)
from harness.tls import Authority, Between, give_certificates
from harness.wait import until

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
MUST = ("require", "verify-ca", "verify-full")


@pytest.fixture(scope="module")
def tls_postgres(authority):
    """A PostgreSQL with ssl = on, whose clients may bring certificates."""
    server = Postgres()
    give_certificates(server, authority,
                      authority.issue("postgres", "db.example", ("DNS:localhost", "IP:127.0.0.1")))
    server.admin.execute("create role only_tls login replication password 'only_tls-secret'")
    server.admin.execute("create role only_plain login replication password 'only_plain-secret'")
    server.admin.execute("create role by_cert login")
    with open(f"{server.data}/pg_hba.conf") as file:
        rest = file.read()
    with open(f"{server.data}/pg_hba.conf", "w") as file:
        file.write("hostssl all only_tls all scram-sha-256\nhost all only_tls all reject\n"
                   "hostssl replication only_tls all scram-sha-256\n"
                   "hostnossl all only_plain all scram-sha-256\nhost all only_plain all reject\n"
                   "hostssl all by_cert all cert\n" + rest)
    server.halt()
    server.start()
    yield server
    server.stop()


USERLIST = "".join(f'"{role}" "{password(role)}"\n' for role in (
    "app_scram", "app_md5", "app_trust", "only_tls", "only_plain", "by_cert", "console_admin"))


@pytest.fixture
def before(pgring, tls_postgres):
    """Makes pgring processes before it, over TCP."""

    def make(mode=None, changes=None, postgres=None, host="127.0.0.1", port=None, database=None,
             **tls):
        settings = {"mode": mode, **tls}  # None: not written, the default
        server = {"host": host, "tls": settings, **({"port": port} if port else {})}
        return pgring(postgres or tls_postgres, userlist=USERLIST, database=database,
                      changes=toml.merge({"server": {"main": server}, "timeouts": {
                          "query_wait": "3s", "server_login_retry": "1s"}}, changes or {}))

    return make


ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


def encrypted(pooler, user="app_scram"):
    """Whether PostgreSQL says the connection is; None: there is none to be had."""
    try:
        with pooler.connect(user) as connection:
            return connection.execute(ENCRYPTED).fetchone()[0]
    except psycopg.OperationalError:
        return None


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_before_a_server_with_tls(before, authority, mode):
    """What libpq gets with the same sslmode: `allow` begins without, `prefer` with TLS."""
    tls = {"ca_file": authority.certificate} if mode.startswith("verify") else {}
    pooler = before(mode, **tls)
    assert encrypted(pooler) is (mode not in ("disable", "allow"))
    assert encrypted(pooler, "only_tls") is (None if mode == "disable" else True)
    assert encrypted(pooler, "only_plain") is (None if mode in MUST else False)


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_before_a_server_without_tls(before, postgres, authority, mode):
    tls = {"ca_file": authority.certificate} if mode.startswith("verify") else {}
    pooler = before(mode, postgres=postgres, **tls)
    assert encrypted(pooler) is (None if mode in MUST else False)
    if mode in MUST:
        until(lambda: "server does not support SSL, but SSL was required" in pooler.log(),
              "the log says why")


def test_the_default_is_prefer_and_unix_sockets_are_never_encrypted(before, tls_postgres):
    assert encrypted(before()) is True
    assert encrypted(before("require", host=tls_postgres.socket_dir)) is False


def test_the_certificate_is_that_of_the_configured_host(before, authority, tmp_path):
    assert encrypted(before("verify-full", host="localhost", ca_file=authority.certificate)) is True
    stranger = Authority(tmp_path, "stranger").certificate
    for mode in ("verify-ca", "verify-full", "require"):  # as libpq: a CA that is there counts
        pooler = before(mode, ca_file=stranger)
        assert encrypted(pooler) is None, mode
        until(lambda: "certificate verify failed" in pooler.log(), "the log says why")
    assert encrypted(before("prefer", ca_file=stranger)) is False


def test_a_certificate_for_another_host_is_refused_by_verify_full_only(before, authority):
    # The server's is for localhost and 127.0.0.1, and it listens on ::1 too.
    options = {"host": "::1", "ca_file": authority.certificate}
    pooler = before("verify-full", **options)
    assert encrypted(pooler) is None
    until(lambda: "does not match host name" in pooler.log(), "the log says why")
    assert encrypted(before("verify-ca", **options)) is True


def test_pgring_logs_in_with_its_certificate(before, authority):
    pair = authority.issue("by_cert", "by_cert", ())
    pooler = before("require", cert_file=pair[0], key_file=pair[1])
    with pooler.connect("by_cert") as connection:
        assert connection.execute("select session_user").fetchone() == ("by_cert",)
    assert encrypted(before("require"), "by_cert") is None


def test_large_results_and_copies_come_whole(before, raw):
    pooler = before("require")
    client = raw(pooler).login()
    for size in (0, 1, 16_384, 70_000, 3_000_000):
        assert client.value(f"select '{'x' * size}' || 'y'") == "x" * size + "y"
    rows = [got.columns for got in client.run("select n, repeat('z', n % 50) from"
                                              " generate_series(1, 50000) n") if got.kind == "D"]
    assert rows == [[str(n), "z" * (n % 50)] for n in range(1, 50001)]
    with pooler.connect(autocommit=False) as connection:
        connection.execute("create temp table c (v text) on commit drop")
        with connection.cursor().copy("copy c from stdin") as copy:
            for n in range(50_000):
                copy.write(f"{n} {'w' * 40}\n")
        assert connection.execute("select count(*), max(length(v)) from c").fetchone() == (
            50_000, 46)


def test_servers_are_shown_with_what_protects_them(before, raw):
    pooler = before("require")
    raw(pooler).login().value("select 1")
    assert {row["tls"] for row in pooler.show("SERVERS")} == {"TLSv1.3/TLS_AES_256_GCM_SHA384"}


@pytest.fixture
def between():
    """Makes Betweens and closes them."""
    made = []

    def make(*arguments, **options):
        made.append(Between(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_cancel_requests_are_encrypted_like_their_connection(before, tls_postgres, between, raw):
    tap = between(tls_postgres)
    pooler = before("require", port=tap.port)
    client = raw(pooler).login()
    client.send(query("select pg_sleep(60)"))
    until(lambda: tls_postgres.backends("query like '%%pg_sleep%%'"), "the query runs")
    count = len(tap.firsts)
    raw(pooler).send(cancel_request(client.pid, client.secret))
    assert errors(client.ready())[0][1] == "57014"
    until(lambda: len(tap.firsts) > count and b"" in tap.firsts[-1], "the cancel's connection ends")
    sent = b"".join(tap.firsts[-1])
    assert sent[:8] == special_request(SSL_REQUEST) and sent[8:9] == b"\x16"
    assert struct.pack("!I", CANCEL_REQUEST) not in sent


def test_replication_connections_are_encrypted(before, tls_postgres):
    pooler = before("require")
    with psycopg.connect(pooler.dsn("only_tls", replication="database"), autocommit=True) as client:
        assert client.execute("IDENTIFY_SYSTEM").fetchone()[3] == "bench"
        rows = tls_postgres.admin.execute(
            "select s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid)"
            " where a.backend_type = 'walsender'").fetchall()
        assert rows == [(True,)]


@pytest.mark.parametrize("user, mode", [("only_tls", "allow"), ("only_plain", "prefer")])
def test_replication_connections_try_the_other_way_too(before, tls_postgres, user, mode):
    pooler = before(mode)
    with psycopg.connect(pooler.dsn(user, replication="database"), autocommit=True) as client:
        assert client.execute("IDENTIFY_SYSTEM").fetchone()[3] == "bench"


def test_server_connections_change_shards_with_their_encryption(before, raw):
    # Room for two parts, and one connection: it goes where the client is that asks.
    pooler = before("require", database={"pool_size": 8}, changes={
        "shards": {"count": 2}, "server": {"main": {"max_connections": 1}}})
    clients = [raw(pooler).login() for _ in range(2)]
    for turn in range(10):
        for n, client in enumerate(clients):
            assert client.value(f"select '{'m' * 30000}' || {n} || ' ' || {turn}") == (
                "m" * 30000 + f"{n} {turn}")
            assert client.value(ENCRYPTED) == "t"
    assert all(int(row["moves_in"]) > 0 for row in pooler.show("SHARDS"))


def test_a_changed_mode_closes_the_connections_there_are(before, raw):
    pooler = before("require")
    client = raw(pooler).login()
    assert client.value(ENCRYPTED) == "t"
    pooler.write_config({"server": {"main": {"tls": {"mode": "disable"}}}})
    pooler.signal(signal.SIGHUP)
    until(lambda: client.value(ENCRYPTED) == "f", "the new mode holds")


@pytest.mark.parametrize("answer", [b"S" + b"\x15\x03\x01\x00\x02\x02\x28", b"SE", b"NE",
                                    b"NR\0\0\0\x08\0\0\0\0", b"E\0\0\0\x08oops", b"X"])
@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_bytes_behind_the_servers_answer_end_the_connection(before, answer, mode):
    """CVE-2021-23222's class: nothing that came in plaintext is the server's inside TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(100))
                connection.sendall(answer)
                while connection.recv(1000):
                    pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        pooler = before(mode, port=listener.getsockname()[1])
        assert encrypted(pooler) is None
        assert seen and seen[0] == b"\0\0\0\x08\x04\xd2\x16\x2f"
        until(lambda: "no TLS with the server" in pooler.log() or
              (mode == "prefer" and answer[:1] != b"N"), "the log says why")
    finally:
        listener.close()


def test_direct_negotiation_needs_a_mode_without_plaintext(pgring_idle, tls_postgres):
    pooler = pgring_idle(tls_postgres, changes={"server": {"main": {"tls": {
        "mode": "prefer", "negotiation": "direct"}}}})
    pooler.expected_exit = 78
    pooler.spawn()
    assert pooler.wait_exit() == 78
    assert "server.main.tls.negotiation" in pooler.log()


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
def test_clients_bind_their_login_to_the_channel(before, authority, tls_postgres, binding):
    """libpq's channel_binding=require: SCRAM-SHA-256-PLUS on the client's side."""
    pair = authority.issue("front")
    pooler = before("require", changes={"tls": {"mode": "prefer", "cert_file": pair[0],
                                               "key_file": pair[1]}})
    with pooler.connect(sslmode="require", channel_binding=binding) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    if binding == "require":
        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            pooler.connect(sslmode="disable", channel_binding="require")


def test_somebody_between_with_another_certificate_is_found_out(before, authority, tls_postgres,
                                                                between):
    """Without verification TLS alone does not notice; pgring's login by SCRAM-SHA-256-PLUS does."""
    spy = between(tls_postgres, authority.issue("between", "between.example"))
    assert encrypted(before("require", host="localhost", port=spy.port), "app_trust") is True
    assert set(spy.names) == {"localhost"}, "SNI"
    pooler = before("require", port=spy.port)
    assert encrypted(pooler, "only_tls") is None
    until(lambda: "channel binding check failed" in pooler.log(), "the log says why")
    assert set(spy.names) == {"localhost", None}, "no SNI for an address"


def test_direct_tls_to_a_server(before, authority, postgres, between):
    bridge = between(postgres, authority.issue("direct"), direct=True)
    pooler = before("verify-full", postgres=postgres, host="localhost", port=bridge.port,
                    negotiation="direct", ca_file=authority.certificate)
    with pooler.connect("app_trust") as connection:
        assert connection.execute("select 6 * 7").fetchone() == (42,)
    assert bridge.names == ["localhost"]
    assert pooler.show("SERVERS")[0]["tls"].startswith("TLSv1.3/")


@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_pgbench_with_tls_on_both_sides(before, tls_postgres, certificate, protocol):
    pooler = before("require", database={"pool_size": 4}, changes={
        "shards": {"count": 2}, "tls": {"mode": "require", "cert_file": certificate[0],
                                        "key_file": certificate[1]}})
    env = {**pooler.libpq_env("app_scram"), "PGSSLMODE": "require"}
    # No transactions of several statements: while pgbench prepares for one client it serves no other.
    done = subprocess.run([f"{tls_postgres.bin}/pgbench", "-n", "-S", "-c", "16", "-j", "2", "-t",
                           "150", "-M", protocol, "bench"], env=env, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "number of transactions actually processed: 2400/2400" in done.stdout, done.stdout
    assert "number of failed transactions: 0 " in done.stdout, done.stdout
