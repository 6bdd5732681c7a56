"""TLS between clients and pgring: every mode, what passes through, and certificates that change."""

import concurrent.futures
import itertools
import os
import signal
import ssl
import subprocess

import psycopg
import pytest
from harness.pooler import binary
from harness.postgres import password
from harness.raw import SSL_REQUEST, Closed, cancel_request, errors, query, special_request
from harness.tls import client_context, encrypt, tcp
from harness.wait import DEADLINE_S, stays, until

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
MUST = ("require", "verify-ca", "verify-full")


@pytest.mark.parametrize("mode", MODES)
def test_sslmode_of_libpq_meets_mode_of_pgring(pgring, authority, certificate, mode):
    """psycopg's libpq with each sslmode: who gets in, and encrypted or not."""
    tls = {"mode": mode}
    if mode != "disable":
        tls.update(cert_file=certificate[0], key_file=certificate[1])
    own = {}
    if mode.startswith("verify"):
        tls["ca_file"] = authority.certificate
        paths = authority.issue(f"client-{mode}", "app_scram", ())
        own = {"sslcert": paths[0], "sslkey": paths[1]}
    pooler = pgring(changes={"tls": tls})
    for sslmode in MODES:
        wanted = sslmode in ("prefer", *MUST) or mode in MUST and sslmode == "allow"
        encrypted = mode != "disable" and wanted
        works = not (sslmode in MUST and not encrypted) and not (mode in MUST and not encrypted)
        options = {"sslmode": sslmode, "sslrootcert": authority.certificate, **own,
                   "host": "localhost", "hostaddr": "127.0.0.1"}
        if not works:
            with pytest.raises(psycopg.OperationalError) as refused:
                pooler.connect(**options)
            expected = "SSL connection is required" if mode in MUST else "does not support SSL"
            assert expected in str(refused.value), (mode, sslmode)
            continue
        with pooler.connect(**options) as connection:
            assert connection.execute("select 6 * 7").fetchone() == (42,), (mode, sslmode)
            assert connection.pgconn.ssl_in_use == encrypted, (mode, sslmode)


def test_a_client_is_shown_with_what_protects_it(tls_pgring, raw):
    pooler = tls_pgring()
    encrypt(raw(pooler)).login()
    raw(pooler).login()
    shown = [row["tls"] for row in pooler.show("CLIENTS") if row["user"] == "app_scram"]
    assert sorted(shown) == ["", "TLSv1.3/TLS_AES_256_GCM_SHA384"]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("direct", [False, True])
def test_large_and_small_messages_pass_whole_both_ways(tls_pgring, raw, version, direct):
    pooler = tls_pgring()
    context = client_context(direct=direct)
    number = getattr(ssl.TLSVersion, version.replace(".", "_"))
    context.minimum_version = context.maximum_version = number
    client = encrypt(raw(pooler), context, direct).login()
    assert client.socket.version() == version
    for size in (0, 1, 4_000, 16_384, 16_385, 70_000, 3_000_000):
        text = "x" * size
        assert client.value(f"select '{text}' || 'y'") == text + "y"
    rows = [got.columns for got in client.run("select n, repeat('z', n % 50) from"
                                              " generate_series(1, 50000) n") if got.kind == "D"]
    assert rows == [[str(n), "z" * (n % 50)] for n in range(1, 50001)]


def test_copy_through_tls_both_ways(tls_pgring, postgres):
    pooler = tls_pgring("require")
    lines = [f"{n}\t{'v' * (n % 90)}\n" for n in range(60_000)]
    with pooler.connect(sslmode="require", autocommit=False) as connection:
        connection.execute("create table tls_copy (n int, v text)")
        with connection.cursor().copy("copy tls_copy from stdin") as copy:
            for line in lines:
                copy.write(line)
        with connection.cursor().copy("copy tls_copy to stdout") as copy:
            got = b"".join(bytes(piece) for piece in copy).decode()
        connection.rollback()
    assert got == "".join(lines)


def test_a_slow_reader_stops_its_server_and_gets_everything(tls_pgring, raw):
    pooler = tls_pgring()
    client = encrypt(raw(pooler, receive_buffer=4096)).login()
    client.send(query("select repeat('s', 1000) from generate_series(1, 30000)"))
    before = pooler.status("VmRSS")
    other = encrypt(raw(pooler)).login()
    assert other.value("select 1") == "1"
    assert pooler.status("VmRSS") - before < 8 << 20
    rows = [got for got in client.ready() if got.kind == "D"]
    assert len(rows) == 30000 and all(row.columns == ["s" * 1000] for row in rows)


def test_tls_is_neither_offered_nor_demanded_on_the_unix_socket(tls_pgring, raw):
    pooler = tls_pgring("require")
    client = raw(pooler, unix=True)
    client.send(special_request(SSL_REQUEST))
    assert client.exactly(1) == b"N"
    assert client.login().value("select 1") == "1"


def test_a_client_that_asks_and_then_logs_in_unencrypted_is_refused_where_tls_is_a_must(
        tls_pgring, raw):
    with pytest.raises(Closed) as refused:
        raw(tls_pgring("require")).login()
    assert errors(refused.value.seen) == [("FATAL", "28000", "SSL connection is required")]


@pytest.mark.parametrize("encrypted", [False, True])
def test_cancel_requests_come_with_and_without_tls(tls_pgring, raw, encrypted):
    pooler = tls_pgring("require")
    client = encrypt(raw(pooler)).login()
    client.send(query("select pg_sleep(60)"))
    until(lambda: pooler.postgres.backends("query like '%%pg_sleep%%'"), "the query runs")
    canceller = raw(pooler)
    if encrypted:
        encrypt(canceller)
    canceller.send(cancel_request(client.pid, client.secret))
    assert canceller.rest() == []
    assert errors(client.ready())[0][1] == "57014"


def subject_of(pooler):
    """The common name of the certificate pgring shows."""
    with tcp(pooler) as connection:
        connection.sendall(special_request(SSL_REQUEST))
        assert connection.recv(1) == b"S"
        with client_context().wrap_socket(connection, server_hostname="localhost") as tls:
            der = tls.getpeercert(True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der,
                          capture_output=True).stdout.decode()
    return text.strip().rsplit("=", 1)[-1].strip()


@pytest.mark.parametrize("how", ["HUP", "RELOAD"])
def test_a_new_certificate_is_for_new_connections(tls_pgring, raw, authority, tmp_path, how):
    old = authority.issue(f"old-{how}", "old.example")
    paths = [str(tmp_path / "own.crt"), str(tmp_path / "own.key")]

    def install(pair):
        for source, target in zip(pair, paths):
            with open(source) as file, open(target + ".new", "w") as new:
                new.write(file.read())
            os.chmod(target + ".new", 0o600)
            os.rename(target + ".new", target)

    install(old)
    pooler = tls_pgring(cert_file=paths[0], key_file=paths[1])
    before = encrypt(raw(pooler)).login()
    assert subject_of(pooler) == "old.example"
    install(authority.issue(f"new-{how}", "new.example"))
    if how == "HUP":
        pooler.signal(signal.SIGHUP)
    else:
        raw(pooler).login("console_admin", "pgring").run("RELOAD")
    until(lambda: subject_of(pooler) == "new.example", "the new certificate is shown")
    assert before.value("select 1") == "1"


def test_a_reload_with_a_broken_certificate_changes_nothing(tls_pgring, raw, tmp_path):
    pooler = tls_pgring()
    broken = tmp_path / "broken.crt"
    broken.write_text("no certificate")
    pooler.write_config({"tls": {"cert_file": str(broken)}})
    console = raw(pooler).login("console_admin", "pgring")
    (refused,) = [got for got in console.run("RELOAD") if got.kind == "E"]
    assert "broken.crt" in str(refused.fields)
    assert encrypt(raw(pooler)).login().value("select 1") == "1"


def test_certificates_are_swapped_under_load_without_a_failed_login(tls_pgring, authority,
                                                                    tmp_path):
    pairs = [authority.issue(f"load-{n}", f"load-{n}.example") for n in range(2)]
    paths = [str(tmp_path / "own.crt"), str(tmp_path / "own.key")]

    def install(pair):
        for source, target in zip(pair, paths):
            with open(source) as file, open(target, "w") as new:
                new.write(file.read())
            os.chmod(target, 0o600)

    install(pairs[0])
    pooler = tls_pgring("require", cert_file=paths[0], key_file=paths[1])
    done = []

    def log_in(_):
        with pooler.connect(sslmode="require") as connection:
            connection.execute("select 1")
        done.append(1)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(log_in, range(80))
        for turn in itertools.islice(itertools.cycle(pairs), 1, 7):
            reached = len(done)
            install(turn)
            pooler.signal(signal.SIGHUP)
            until(lambda: len(done) >= min(reached + 8, 80), "logins go on")
        list(results)
    assert len(done) == 80


def test_clients_change_shards_with_their_encryption(pgring, certificate, raw):
    pooler = pgring(changes={"shards": {"count": 4}, "tls": {
        "mode": "require", "cert_file": certificate[0], "key_file": certificate[1]}},
        database={"pool_size": 2})
    clients = [encrypt(raw(pooler), direct=n % 2 == 1).login() for n in range(24)]
    for n, client in enumerate(clients):
        assert client.value(f"select '{'q' * 40000}' || {n}") == "q" * 40000 + str(n)


def test_certificates_and_their_end_are_shown(tls_pgring, authority):
    """SHOW TLS; what ends within 30 days is warned of at start and at a reload."""
    short = authority.issue("short", "short.example", days=10)
    pooler = tls_pgring(cert_file=short[0], key_file=short[1], ca_file=authority.certificate)
    own, trusted = pooler.show("TLS")
    assert (own["side"], own["mode"], own["use"], own["subject"], own["state"], own["file"]) == (
        "clients", "prefer", "own", "CN=short.example", "expires soon", short[0])
    assert own["issuer"] == trusted["subject"] == "CN=pgring test ca"
    assert (trusted["use"], trusted["state"]) == ("trusted", "valid")
    assert own["not_after"].endswith(" UTC") and own["not_before"] < own["not_after"]
    warning = "CN=short.example"
    assert pooler.log().count(warning) == 1
    pooler.signal(signal.SIGHUP)
    until(lambda: pooler.log().count(warning) == 2, "the reload warns too")


def test_the_console_speaks_tls(tls_pgring):
    pooler = tls_pgring("require")
    with pooler.connect("console_admin", "pgring", sslmode="require") as console:
        assert console.execute("show version").fetchone()[0].startswith("pgring ")


def test_psql_says_what_protects_it(tls_pgring):
    pooler = tls_pgring()
    env = {**pooler.libpq_env("app_scram"), "PGSSLMODE": "require",
           "PGPASSWORD": password("app_scram")}
    done = subprocess.run(["psql", "-X", "-c", "\\conninfo"], env=env, capture_output=True,
                          text=True, timeout=DEADLINE_S)
    assert "TLSv1.3" in done.stdout, done


def test_a_client_that_has_rested_goes_on(tls_pgring, raw):
    """OpenSSL's buffers are given back meanwhile."""
    pooler = tls_pgring()
    clients = [encrypt(raw(pooler)).login() for _ in range(5)]
    for _ in range(2):
        stays(lambda: pooler.process.poll() is None, "pgring runs", 2.5)
        for client in clients:
            assert client.value(f"select '{'r' * 50000}'") == "r" * 50000


def test_what_is_wrong_with_the_files_is_an_error_with_its_place(pgring_idle, authority,
                                                                 certificate, tmp_path):
    """`pgring check`, and a start, which ends with 78."""
    other = authority.issue("other")
    readable = str(tmp_path / "readable.key")
    with open(certificate[1]) as key, open(readable, "w") as copy:
        copy.write(key.read())
    os.chmod(readable, 0o644)
    cases = [({"cert_file": None}, "tls.cert_file", "TLS towards clients needs a certificate"),
             ({"cert_file": "/nowhere/x.crt"}, "tls.cert_file", "/nowhere/x.crt"),
             ({"key_file": other[1]}, "tls.key_file", "does not match private key file"),
             ({"key_file": readable}, "tls.key_file", "readable.key"),
             ({"mode": "verify-ca"}, "tls.ca_file", "no root certificate to verify with"),
             ({"ciphers": "NONE-SUCH"}, "tls.ciphers", "no valid cipher"),
             ({"mode": "sometimes"}, "tls.mode", "sometimes"),
             ({"cert": "x"}, "tls.cert", "cert_file")]
    for changes, key, words in cases:
        pooler = pgring_idle(changes={"tls": {"mode": "require", "cert_file": certificate[0],
                                              "key_file": certificate[1], **changes}})
        done = subprocess.run([binary(), "check", pooler.config_path], capture_output=True,
                              text=True, timeout=DEADLINE_S)
        assert done.returncode == 78, done
        assert key in done.stderr and words in done.stderr, done.stderr
        pooler.expected_exit = 78
        pooler.spawn()
        assert pooler.wait_exit() == 78


def test_relative_names_start_at_the_configuration(pgring_idle, certificate, raw):
    pooler = pgring_idle(changes={"tls": {"mode": "require", "cert_file": "own.crt",
                                          "key_file": "own.key"}})
    for source, name in zip(certificate, ("own.crt", "own.key")):
        with open(source) as file, open(f"{pooler.root}/{name}", "w") as copy:
            copy.write(file.read())
        os.chmod(f"{pooler.root}/{name}", 0o600)
    pooler.start()
    assert encrypt(raw(pooler)).login().value("select 1") == "1"
