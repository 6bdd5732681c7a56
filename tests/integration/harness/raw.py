"""A client that is only bytes: builds and parses protocol messages, keeps no state of its own.

For what drivers hide or refuse to do. docs: protocol-flow, protocol-message-formats.
"""

import socket
import struct
from typing import NamedTuple

from harness.postgres import DATABASE, password
from harness.scram import ScramClient, md5_response
from harness.wait import DEADLINE_S

PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class Message(NamedTuple):
    kind: str
    body: bytes

    @property
    def fields(self):
        """The fields of an ErrorResponse or NoticeResponse by their letter."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode("latin-1"): part[1:].decode(errors="replace") for part in parts
                if part}

    @property
    def sqlstate(self):
        return self.fields["C"]

    @property
    def status(self):
        """The transaction status of a ReadyForQuery."""
        assert self.kind == "Z", self
        return self.body.decode()

    @property
    def tag(self):
        """The command tag of a CommandComplete."""
        assert self.kind == "C", self
        return self.body.rstrip(b"\0").decode()

    @property
    def names(self):
        """The column names of a RowDescription."""
        assert self.kind == "T", self
        (count,), at, names = struct.unpack_from("!H", self.body), 2, []
        for _ in range(count):
            end = self.body.index(b"\0", at)
            names.append(self.body[at:end].decode())
            at = end + 1 + 18  # table, attribute, type, size, modifier, format
        return names

    @property
    def columns(self):
        """The values of a DataRow as text; None is NULL."""
        assert self.kind == "D", self
        (count,), at, values = struct.unpack_from("!H", self.body), 2, []
        for _ in range(count):
            (size,) = struct.unpack_from("!i", self.body, at)
            at += 4
            values.append(None if size < 0 else self.body[at:at + size].decode())
            at += max(size, 0)
        return values


class Closed(Exception):
    """The peer closed the connection; `seen` holds the messages that came before."""

    def __init__(self, seen=()):
        super().__init__(f"connection closed after {list(seen)}")
        self.seen = list(seen)


def cstring(text):
    return text.encode() + b"\0" if isinstance(text, str) else text + b"\0"


def message(kind, body=b"", length=None):
    """One message; `length` lies about its size where a test wants that."""
    size = len(body) + 4 if length is None else length
    return kind.encode("latin-1") + struct.pack("!I", size & 0xFFFFFFFF) + body


def startup_packet(parameters, protocol=PROTOCOL_3_0):
    body = struct.pack("!I", protocol)
    for name, value in parameters.items():
        body += cstring(name) + cstring(value)
    return framed(body + b"\0")


def framed(body):
    """A packet without a type byte: startup, SSLRequest, CancelRequest."""
    return struct.pack("!I", len(body) + 4) + body


def special_request(code):
    return framed(struct.pack("!I", code))


def cancel_request(pid, secret):
    return framed(struct.pack("!Ii", CANCEL_REQUEST, pid) + secret)


def query(text):
    return message("Q", cstring(text))


def parse(text, name="", types=()):
    return message("P", cstring(name) + cstring(text) + struct.pack("!H", len(types)) +
                   b"".join(struct.pack("!I", oid) for oid in types))


def bind(values=(), portal="", statement=""):
    body = cstring(portal) + cstring(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        data = None if value is None else str(value).encode()
        body += struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data
    return message("B", body + struct.pack("!H", 0))


def describe(kind="P", name=""):
    return message("D", kind.encode() + cstring(name))


def execute(portal="", limit=0):
    return message("E", cstring(portal) + struct.pack("!I", limit))


def close(kind="S", name=""):
    return message("C", kind.encode() + cstring(name))


def sync():
    return message("S")


def flush():
    return message("H")


def terminate():
    return message("X")


def unnamed(text, values=()):
    """Parse, Bind, Describe and Execute of an unnamed statement, without Sync."""
    return parse(text) + bind(values) + describe() + execute()


class RawClient:
    """`target` is anything with host, port and socket_dir: a Pgring or a Postgres."""

    def __init__(self, target, unix=False, timeout_s=DEADLINE_S, receive_buffer=None):
        self.timeout_s = timeout_s
        self.parameters = {}
        self.notices = []
        self.pid = None
        self.secret = None
        self.buffered = bytearray()
        self._read = 0  # how much of `buffered` was given out
        if unix:
            self.socket = socket.socket(socket.AF_UNIX)
            address = f"{target.socket_dir}/.s.PGSQL.{target.port}"
        else:
            family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
            self.socket = socket.socket(family)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            address = (target.host, target.port)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect(address)

    def close(self):
        self.socket.close()

    def abort(self):
        """Closes with a reset, as a crashed host does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def exactly(self, size):
        """`size` bytes; raises Closed at the end of the stream."""
        while len(self.buffered) - self._read < size:
            if self._read:
                del self.buffered[:self._read]
                self._read = 0
            try:
                piece = self.socket.recv(1 << 18)
            except ConnectionError:
                piece = b""
            if not piece:
                raise Closed()
            self.buffered += piece
        self._read += size
        return bytes(self.buffered[self._read - size:self._read])

    def receive(self):
        """The next message of any kind."""
        kind, size = struct.unpack("!cI", self.exactly(5))
        return Message(kind.decode("latin-1"), self.exactly(size - 4))

    def until(self, *kinds):
        """All messages up to and with one of `kinds`; ParameterStatus is noted as it passes."""
        seen = []
        while True:
            try:
                got = self.receive()
            except Closed:
                raise Closed(seen) from None
            seen.append(got)
            if got.kind == "S":
                name, value, _ = got.body.split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif got.kind == "N":
                self.notices.append(got.fields)
            if got.kind in kinds:
                return seen

    def ready(self):
        """All messages up to and with ReadyForQuery."""
        return self.until("Z")

    def rest(self):
        """All messages until the peer closes."""
        try:
            self.until()
        except Closed as end:
            return end.seen
        raise AssertionError("unreachable")

    def login(self, user="app_scram", dbname=DATABASE, secret=None, protocol=PROTOCOL_3_0,
              **parameters):
        """Starts up and authenticates; returns self when ReadyForQuery has come.

        Raises Closed with the messages seen when the login is refused.
        """
        self.send(startup_packet({"user": user, "database": dbname, **parameters}, protocol))
        return self.authenticate(user, password(user) if secret is None else secret)

    def authenticate(self, user, secret):
        self.login_messages, scram = [], None
        while True:
            try:
                got = self.until("R", "E", "K", "Z", "v")
            except Closed as end:
                raise Closed(self.login_messages + end.seen) from None
            self.login_messages += got
            last = got[-1]
            if last.kind == "E":
                raise Closed(self.login_messages + self.rest())
            if last.kind == "Z":
                return self
            if last.kind == "K":
                (self.pid,), self.secret = struct.unpack_from("!i", last.body), last.body[4:]
            elif last.kind == "R":
                scram = self._answer(last.body, user, secret, scram)

    def _answer(self, body, user, secret, scram):
        (code,) = struct.unpack_from("!I", body)
        if code == 5:  # MD5Password
            self.send(message("p", cstring(md5_response(user, secret, body[4:8]))))
        elif code == 3:  # CleartextPassword
            self.send(message("p", cstring(secret)))
        elif code == 10:  # SASL
            assert b"SCRAM-SHA-256" in body[4:].split(b"\0"), body
            scram = ScramClient(secret)
            first = scram.first()
            body = cstring("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first
            self.send(message("p", body))
        elif code == 11:  # SASLContinue
            self.send(message("p", scram.final(body[4:])))
        elif code == 12:  # SASLFinal
            scram.verify(body[4:])
        else:
            assert code == 0, f"authentication request {code}"
        return scram

    def run(self, text):
        """A simple query: all messages up to ReadyForQuery."""
        self.send(query(text))
        return self.ready()

    def value(self, text):
        """The first column of the first row of a simple query."""
        rows = [got for got in self.run(text) if got.kind == "D"]
        return rows[0].columns[0]


def errors(messages):
    """The ErrorResponses among `messages`, as (severity, SQLSTATE, text)."""
    return [tuple(got.fields.get(letter) for letter in "VCM") for got in messages
            if got.kind == "E"]


def kinds(messages):
    """The shape of an answer, "12TDCZ"; ParameterStatus and notices are left out."""
    return "".join(got.kind for got in messages if got.kind not in "SN")
