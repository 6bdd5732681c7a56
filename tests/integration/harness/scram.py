"""The client's half of SCRAM-SHA-256 and md5: RFC 5802, PostgreSQL docs sasl-authentication."""

import base64
import hashlib
import hmac
import os


def md5_response(user, secret, salt):
    """The answer to AuthenticationMD5Password."""
    if not secret.startswith("md5") or len(secret) != 35:
        secret = "md5" + hashlib.md5((secret + user).encode()).hexdigest()
    return "md5" + hashlib.md5(secret[3:].encode() + salt).hexdigest()


def _digest(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class ScramClient:
    def __init__(self, secret):
        self._secret = secret.encode()
        self._nonce = base64.b64encode(os.urandom(18)).decode()
        self._bare = f"n=,r={self._nonce}"
        self._server_signature = b""
        self.server_first = ""

    def first(self):
        return f"n,,{self._bare}".encode()

    def final(self, server_first):
        self.server_first = server_first.decode()
        fields = dict(part.split("=", 1) for part in self.server_first.split(","))
        assert fields["r"].startswith(self._nonce), "the server changed our nonce"
        salted = hashlib.pbkdf2_hmac("sha256", self._secret, base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        client_key = _digest(salted, b"Client Key")
        without_proof = f"c=biws,r={fields['r']}"
        signed = f"{self._bare},{self.server_first},{without_proof}".encode()
        signature = _digest(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(client_key, signature))
        self._server_signature = _digest(_digest(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final):
        fields = dict(part.split("=", 1) for part in server_final.decode().split(","))
        assert base64.b64decode(fields["v"]) == self._server_signature, "wrong server signature"
