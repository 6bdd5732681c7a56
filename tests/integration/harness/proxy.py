"""A proxy between pgring and PostgreSQL that looks at the login and can hold things back.

One thread per connection and direction. What a test may set or read stands at the top of the class.
"""

import socket
import struct
import threading

from harness.raw import CANCEL_REQUEST, PROTOCOL_3_0, framed

_DEADLINE_S = 60  # for what a test holds back and forgets


def packet_of(connection):
    """One packet without a type byte: its code or version, and what follows."""
    (size,) = struct.unpack("!I", exactly(connection, 4))
    body = exactly(connection, size - 4)
    return struct.unpack_from("!I", body)[0], body[4:]


def exactly(connection, size):
    got = b""
    while len(got) < size:
        piece = connection.recv(size - len(got))
        if not piece:
            raise ConnectionError("closed early")
        got += piece
    return got


class Proxy:
    def __init__(self, postgres):
        self.host = "127.0.0.1"
        self.versions = []  # what pgring asked for, by connection
        self.cancels = []  # CancelRequests: pid and secret in one
        self.sent = b""  # by pgring after its startup packets, of all connections
        self.protocol = None  # asked of PostgreSQL in place of what pgring asks; None: the same
        self.before_login = None  # called with the version: bytes to say first, and whether to go on
        self.change_key = None  # called with the body of BackendKeyData: another one
        self.change_cancel = None  # called with the body of a CancelRequest: another one
        self.replies = threading.Event()  # cleared: replies of PostgreSQL are held back
        self.cancel = threading.Event()  # cleared: CancelRequests are
        self.replies.set()
        self.cancel.set()
        self._target = (postgres.host, postgres.port)
        self._listener = socket.create_server((self.host, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._open = []  # those that a thread may be reading from
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self):
        self.replies.set()
        self.cancel.set()
        for end in (self._listener, *self._open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was closed before
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self._run(self._serve, client)

    def _run(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except OSError:
                pass  # one side has closed: so does the other
            finally:
                for end in arguments:
                    if isinstance(end, socket.socket):
                        end.close()

        self._threads.append(threading.Thread(target=guarded, daemon=True))
        self._threads[-1].start()

    def _serve(self, client):
        version, rest = packet_of(client)
        if version == CANCEL_REQUEST:
            return self._pass_cancel(client, rest)
        self.versions.append(version)
        if self.before_login is not None:
            said, goes_on = self.before_login(version)
            client.sendall(said)
            if not goes_on:
                return None
        server = socket.create_connection(self._target)
        self._open.append(server)
        server.sendall(framed(struct.pack("!I", self.protocol or version) + rest))
        self._run(self._pass_replies, server.dup(), client.dup())
        try:
            while data := client.recv(65536):
                self.sent += data
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        finally:
            server.close()
        return None

    def _pass_replies(self, server, client):
        while True:  # the login, by message
            header = exactly(server, 5)
            kind, size = struct.unpack("!cI", header)
            body = exactly(server, size - 4)
            if kind == b"K" and self.change_key is not None:
                body = self.change_key(body)
            client.sendall(kind + struct.pack("!I", len(body) + 4) + body)
            if kind == b"Z":
                break
        while data := server.recv(65536):
            self.replies.wait(_DEADLINE_S)
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    def _pass_cancel(self, client, body):
        self.cancels.append(body)
        self.cancel.wait(_DEADLINE_S)
        if self.change_cancel is not None:
            body = self.change_cancel(body)
        with socket.create_connection(self._target) as server:
            server.sendall(framed(struct.pack("!I", CANCEL_REQUEST) + body))
            assert server.recv(1) == b""


def negotiation(version=PROTOCOL_3_0, options=(), count=None):
    """A NegotiateProtocolVersion."""
    body = struct.pack("!II", version, len(options) if count is None else count)
    body += b"".join(option + b"\0" for option in options)
    return b"v" + struct.pack("!I", len(body) + 4) + body
