"""Certificates of throw-away authorities, and clients that speak TLS by hand."""

import os
import socket
import ssl
import subprocess

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
