"""Certificates of throw-away authorities, and clients that speak TLS by hand."""

import os
import pwd
import socket
import ssl
import subprocess
import threading

import pytest
from harness.raw import SSL_REQUEST, special_request
from harness.wait import DEADLINE_S


def _openssl(*arguments, text=""):
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


class Authority:
    """A CA and what it has signed, in a folder of the caller's."""

    def __init__(self, folder, name="ca"):
        self.folder = str(folder)
        self.certificate = f"{self.folder}/{name}.crt"
        self._key = f"{self.folder}/{name}.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", self._key, "-out", self.certificate, "-days", "400", "-subj",
                 f"/CN=pgring test {name}")

    def issue(self, name, subject="localhost", names=("DNS:localhost", "IP:127.0.0.1"), days=200,
              owner=None):
        """A certificate and its key: their paths. `owner`: (user, group) of the key."""
        paths = f"{self.folder}/{name}.crt", f"{self.folder}/{name}.key"
        request = f"{self.folder}/{name}.csr"
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", paths[1], "-out", request, "-subj", f"/CN={subject}")
        extensions = f"{self.folder}/{name}.ext"
        with open(extensions, "w") as file:
            file.write(f"subjectAltName = {','.join(names)}\n" if names else "")
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                 "-CAcreateserial", "-days", str(days), "-out", paths[0], "-extfile", extensions)
        os.chmod(paths[1], 0o600)
        if owner:
            os.chown(paths[1], *owner)
        return paths


def give_certificates(postgres, authority, pair):
    """ssl = on from the next start, with clients' certificates verified."""
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    for source, name in zip((*pair, authority.certificate), ("s.crt", "s.key", "ca.crt")):
        target = f"{postgres.data}/{name}"
        with open(source) as file, open(target, "w") as copy:
            copy.write(file.read())
        os.chmod(target, 0o600)
        if account:
            os.chown(target, account.pw_uid, account.pw_gid)
    for name, value in {"ssl": "on", "ssl_cert_file": "s.crt", "ssl_key_file": "s.key",
                        "ssl_ca_file": "ca.crt"}.items():
        postgres.admin.execute(f"alter system set {name} = '{value}'")


def client_context(authority=None, direct=False):
    """What a careless client has, or with an authority one that verifies."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if authority is not None:
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    if direct:
        context.set_alpn_protocols(["postgresql"])
    return context


def tcp(target):
    connection = socket.create_connection((target.host, target.port), DEADLINE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_all(connection):
    """All that comes until the peer closes; a reset counts as that."""
    got = b""
    while True:
        try:
            piece = connection.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            return got
        if not piece:
            return got
        got += piece


class Between:
    """Listens, opens a connection to `target` for each that comes, and passes on both ways.

    `firsts` has what each connection sent. With a certificate it speaks TLS to both sides, as somebody would who
    wants to listen in; `direct`: to the one that came only, and without an SSLRequest. `names`: what SNI asked for.
    """

    def __init__(self, target, certificate=None, direct=False):
        self._target, self._direct, self._context = target, direct, None
        self.firsts, self.names = [], []
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
            self._context.sni_callback = lambda _, name, __: self.names.append(name)
            if direct:
                self._context.set_alpn_protocols(["postgresql"])
        self._listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._bridge, args=(client,), daemon=True).start()

    def _bridge(self, client):
        server = tcp(self._target)
        request = special_request(SSL_REQUEST)
        try:
            if self._context and not self._direct:
                assert client.recv(len(request)) == request
                client.sendall(b"S")
                server.sendall(request)
                assert server.recv(1) == b"S"
                server = client_context().wrap_socket(server)
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            server.close()
            return
        self.firsts.append([])
        threading.Thread(target=self._pump, args=(server, client, []), daemon=True).start()
        self._pump(client, server, self.firsts[-1])

    @staticmethod
    def _pump(source, target, seen):
        while True:
            try:
                piece = source.recv(65536)
                seen.append(piece)
                if piece:
                    target.sendall(piece)
                    continue
            except OSError:
                seen.append(b"")
            try:
                target.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone already
            return


def encrypt(client, context=None, direct=False):
    """Makes a RawClient's connection an encrypted one."""
    if not direct:
        client.send(special_request(SSL_REQUEST))
        assert client.exactly(1) == b"S"
    context = context or client_context(direct=direct)
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    return client


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("pgring")


@pytest.fixture
def tls_pgring(pgring, certificate):
    """Makes pgring processes with TLS to clients."""

    def make(mode="prefer", changes=None, **tls):
        settings = {"mode": mode, "cert_file": certificate[0], "key_file": certificate[1], **tls}
        return pgring(changes={"tls": settings, **(changes or {})})

    return make
