"""How TLS to clients begins: what must not pass, who is refused, and many at once."""

import socket
import ssl
import struct
import subprocess

import pytest
from harness.raw import SSL_REQUEST, Closed, errors, query, special_request, startup_packet
from harness.tls import Authority, client_context, encrypt, read_all, tcp
from harness.wait import DEADLINE_S, until


@pytest.mark.parametrize("behind", [startup_packet({"user": "app_trust", "database": "bench"}),
                                    query("select 1"), b"\x16\x03\x01", b"X"])
def test_bytes_behind_an_ssl_request_end_the_connection(tls_pgring, raw, behind):
    """CVE-2021-3935: they came in plaintext and must never count as the client's inside TLS."""
    pooler = tls_pgring()
    client = raw(pooler)
    client.send(special_request(SSL_REQUEST) + behind)
    seen = client.rest()
    assert [(severity, state) for severity, state, _ in errors(seen)] == [("FATAL", "08P01")]


@pytest.mark.parametrize("behind", [startup_packet({"user": "app_trust", "database": "bench"}),
                                    query("select 1")])
def test_plaintext_after_the_server_said_yes_ends_the_connection(tls_pgring, raw, behind):
    pooler = tls_pgring()
    client = raw(pooler)
    client.send(special_request(SSL_REQUEST))
    assert client.exactly(1) == b"S"
    client.send(behind)
    answer = read_all(client.socket)
    assert answer[:1] in (b"", b"\x15"), "nothing but a TLS alert"
    until(lambda: "TLS connection failed" in pooler.log(), "the log says why")


def test_plaintext_in_the_middle_of_a_handshake_is_not_kept(tls_pgring):
    """The first half of a ClientHello, then a startup packet, then nothing gets in."""
    pooler = tls_pgring()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    with tcp(pooler) as connection:
        connection.sendall(special_request(SSL_REQUEST))
        assert connection.recv(1) == b"S"
        connection.sendall(hello[:50])
        connection.sendall(startup_packet({"user": "app_trust", "database": "bench"}))
        connection.sendall(hello[50:])
        answer = read_all(connection)
    assert answer[:1] in (b"", b"\x15")


def test_an_ssl_request_inside_tls_is_refused(tls_pgring, raw):
    client = encrypt(raw(tls_pgring()))
    client.send(special_request(SSL_REQUEST))
    assert errors(client.rest())[0][:2] == ("FATAL", "08P01")


def test_direct_tls_needs_the_alpn_of_postgresql(tls_pgring, raw):
    """Otherwise a browser could be made to speak to pgring as to a web server (ALPACA)."""
    pooler = tls_pgring()
    assert encrypt(raw(pooler), direct=True).login().value("select 1") == "1"
    for protocols in ([], ["http/1.1"]):
        context = client_context()
        if protocols:
            context.set_alpn_protocols(protocols)
        with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
            encrypt(raw(pooler), context, direct=True).login()


def test_direct_tls_without_tls_configured_is_no_login(pgring, raw):
    client = raw(pgring())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        encrypt(client, direct=True)


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_clients_must_have_a_certificate_of_ours(tls_pgring, raw, authority, tmp_path, mode):
    pooler = tls_pgring(mode, ca_file=authority.certificate)

    def attempt(paths):
        context = client_context()
        if paths:
            context.load_cert_chain(*paths)
        return encrypt(raw(pooler), context).login().value("select 1")

    assert attempt(authority.issue(f"good-{mode}", "app_scram", ())) == "1"
    stranger = Authority(tmp_path, "stranger").issue("bad", "app_scram", ())
    for paths in (None, stranger):
        with pytest.raises((ssl.SSLError, ConnectionError, Closed)):
            attempt(paths)
    until(lambda: pooler.log().count("TLS connection failed") == 2, "the log says why")


def test_only_the_configured_versions_and_ciphers(tls_pgring, tmp_path):
    pooler = tls_pgring(min_version="TLSv1.2", ciphers="ECDHE+AESGCM+AES256")

    def s_client(*options):
        done = subprocess.run(
            ["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{pooler.port}",
             "-brief", *options], input="", capture_output=True, text=True, timeout=DEADLINE_S)
        return done.returncode == 0 and "CONNECTION ESTABLISHED" in done.stderr, done.stderr

    assert s_client("-tls1_3")[0] and s_client("-tls1_2")[0]
    assert s_client("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")[0]
    for refused in (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                    ("-tls1_2", "-cipher", "AES256-GCM-SHA384:@SECLEVEL=0"),
                    ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                    ("-tls1", "-cipher", "ALL:@SECLEVEL=0")):
        assert not s_client(*refused)[0], refused


def test_no_session_ticket_is_given(tls_pgring, raw):
    client = encrypt(raw(tls_pgring()))
    client.login()
    assert client.socket.session is None or not client.socket.session.has_ticket
    assert not client.socket.session_reused


def test_a_handshake_that_stops_is_ended_by_the_login_time_limit(tls_pgring):
    pooler = tls_pgring(changes={"timeouts": {"client_login": "1s"}})
    with tcp(pooler) as connection:
        connection.sendall(special_request(SSL_REQUEST))
        assert connection.recv(1) == b"S"
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")  # a record that does not go on
        assert read_all(connection)[:1] in (b"", b"\x15")
    assert pooler.connect().execute("select 1").fetchone() == (1,)


def test_many_handshakes_at_once_are_all_served(tls_pgring, raw):
    """More than one turn has time for, some of which say nothing more and some of which leave."""
    pooler = tls_pgring()
    connections = [tcp(pooler) for _ in range(60)]
    for connection in connections:
        connection.sendall(special_request(SSL_REQUEST))
    for connection in connections:
        assert connection.recv(1) == b"S"
    hellos = []
    for _ in connections:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hellos.append(outgoing.read())
    for connection, hello in zip(connections, hellos):
        connection.sendall(hello)
    for connection in connections[:20]:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert encrypt(raw(pooler)).login().value("select 1") == "1"
    for connection in connections[20:]:
        assert connection.recv(5)[:1] == b"\x16"
        connection.close()


def test_what_a_client_says_with_its_last_handshake_message_is_kept(tls_pgring):
    """TLS 1.3: Finished, the startup packet and more in one write, at two shards."""
    pooler = tls_pgring(changes={"shards": {"count": 2}, "auth": {"method": "trust"}})
    for _ in range(8):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with tcp(pooler) as connection:
            connection.sendall(special_request(SSL_REQUEST))
            assert connection.recv(1) == b"S"
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))
            tls.write(startup_packet({"user": "app_trust", "database": "bench"}))
            tls.write(query("select 'both'"))
            connection.sendall(outgoing.read())  # Finished is in here
            got = b""
            while b"both" not in got:
                try:
                    got += tls.read(65536)
                except ssl.SSLWantReadError:
                    piece = connection.recv(65536)
                    assert piece, got
                    incoming.write(piece)
