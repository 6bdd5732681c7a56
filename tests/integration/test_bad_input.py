"""Bytes that make no sense: a clear error to whoever sent them, and nobody else notices."""

import random
import socket
import struct
import threading

import pytest
from harness.raw import (Closed, bind, close, cstring, describe, errors, execute, kinds, message,
                         parse, query, startup_packet, sync, unnamed)
from harness.wait import until

TRUST = {"auth": {"method": "trust"}}
FRONTEND_TYPES = "BCDEFHPQSXcdfp"


@pytest.fixture
def pooler(pgring):
    return pgring(database={"pool_size": 2}, changes={**TRUST, "shards": {"count": 2}})


class Neighbour:
    """A well-behaved client that works all the time; `check()` fails if anything disturbed it."""

    def __init__(self, client):
        self._client = client
        self._stop = threading.Event()
        self._failure = None
        self.queries = 0
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        self._thread.join(30)
        if kind is None:
            assert self._failure is None, f"the neighbour was disturbed: {self._failure!r}"
            assert self.queries > 0, "the neighbour never got an answer"

    def _work(self):
        try:
            while not self._stop.is_set():
                assert self._client.value(f"select {self.queries}") == str(self.queries)
                self.queries += 1
                self._stop.wait(0.002)
        except BaseException as failure:  # reported by __exit__ on the test's own thread
            self._failure = failure


@pytest.fixture
def neighbour(pooler, raw):
    with Neighbour(raw(pooler).login("app_md5")) as working:
        yield working


def say(raw, target, data, login=None, until_ready=None):
    """Sends `data` and nothing more; returns all answers up to the end of the connection.

    The sending side is closed first, except with `until_ready`: then the answers end with so many
    ReadyForQuery, or the peer ends the connection of its own accord (0: it must).
    """
    client = raw(target)
    if login:
        client.login(login)
    try:
        client.send(data)
        if until_ready is None:
            client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the peer may have closed before the last byte was written
    seen = []
    try:
        for _ in range(until_ready or 0):
            seen += client.ready()
        if not until_ready:
            client.until()
    except Closed as end:
        seen += end.seen
    client.close()
    return seen


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_before_a_login(pooler, neighbour, raw, seed):
    chance = random.Random(seed)
    for _ in range(60):
        seen = say(raw, pooler, chance.randbytes(chance.choice((1, 4, 8, 9, 100, 5000, 100000))))
        assert not [got for got in seen if got.kind in "KZ"]
        assert all(severity == "FATAL" and code for severity, code, _ in errors(seen))


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_that_begin_like_a_startup_packet(pooler, neighbour, raw, seed):
    chance = random.Random(seed)
    for _ in range(60):
        body = chance.randbytes(chance.randrange(0, 3000))
        protocol = chance.choice((196608, 196610, 80877102, 80877103, 80877104))
        seen = say(raw, pooler, struct.pack("!II", len(body) + 8, protocol) + body)
        assert not [got for got in seen if got.kind in "KZ"]


@pytest.mark.parametrize("kind", "HS")
def test_a_bad_end_behind_a_flush_or_sync_with_a_body_is_reached(pooler, neighbour, raw, kind):
    # Behind such a Flush PostgreSQL drops the query: there is no answer to wait for.
    data = message(kind, b"xx") + query("select 1") + message("p", b"x")
    for _ in range(5):
        seen = errors(say(raw, pooler, data, "app_trust", until_ready=0))
        assert [error[:2] for error in seen] == [("ERROR", "08P01"), ("FATAL", "08P01")]


@pytest.mark.parametrize("seed", range(6))
def test_random_messages_after_a_login(pooler, neighbour, raw, seed):
    chance = random.Random(seed)
    for _ in range(40):
        data = b"".join(
            message(chance.choice(FRONTEND_TYPES), chance.randbytes(chance.randrange(0, 200)))
            for _ in range(chance.randrange(1, 6)))
        for severity, code, _ in errors(say(raw, pooler, data, "app_trust")):
            assert severity in ("ERROR", "FATAL") and code


@pytest.mark.parametrize("seed", range(6))
def test_random_bytes_after_a_login(pooler, neighbour, raw, seed):
    chance = random.Random(seed)
    for _ in range(40):
        data = chance.randbytes(chance.choice((1, 4, 5, 6, 50, 3000, 50000)))
        for severity, code, _ in errors(say(raw, pooler, data, "app_trust")):
            assert severity in ("ERROR", "FATAL") and code


@pytest.mark.parametrize("seed", range(4))
def test_a_valid_stream_with_one_changed_byte(pooler, neighbour, raw, seed):
    chance = random.Random(seed)
    valid = (startup_packet({"user": "app_trust", "database": "bench"}) + query("select 1") +
             unnamed("select $1::int", [5]) + sync() + query("select 2"))
    for _ in range(80):
        changed = bytearray(valid)
        changed[chance.randrange(len(changed))] = chance.randrange(256)
        for severity, code, _ in errors(say(raw, pooler, bytes(changed))):
            assert severity in ("ERROR", "FATAL") and code


@pytest.mark.parametrize("kind", FRONTEND_TYPES)
def test_a_wrong_length_in_any_message_is_answered_as_postgresql_does(pooler, postgres, neighbour,
                                                                      raw, kind):
    for length in (0, 1, 3, 4, 5, 20000, 0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        data = message(kind, b"select 1\0", length=length)
        direct = errors(say(raw, postgres, data, "app_trust"))
        fatal = bool(direct) and direct[-1][0] == "FATAL"
        pooled = errors(say(raw, pooler, data, "app_trust", until_ready=0 if fatal else None))
        if fatal:
            assert pooled and pooled[-1][:2] == direct[-1][:2], length
        assert all(severity in ("ERROR", "FATAL") and code for severity, code, _ in pooled), length


def test_error_texts_are_utf8_whatever_the_client_sent(pgring, raw):
    # Drivers decode them: an echoed byte that is not text would be an error in the driver.
    pooler = pgring(changes=TRUST)
    for login, data in (("app_trust", parse("select 1", name=b"\x88\xff") + sync()),
                        ("app_trust", message("\x88", b"") + sync()),
                        (None, startup_packet({"user": b"app_tru\x80t", "database": "bench"})),
                        (None, startup_packet({"user": "app_trust", "database": b"ben\xffch"})),
                        (None, startup_packet({"user": "app_trust", "database": "bench",
                                               b"no_such\xff": b"\xfe"}))):
        for got in say(raw, pooler, data, login):
            if got.kind == "E":
                got.body.decode()  # strict


@pytest.mark.parametrize("length", [5, 20000, 0x3FFFFFFF])
def test_messages_that_never_become_complete_give_their_server_connections_back(
        pooler, postgres, raw, length):
    clients = [raw(pooler).login("app_trust") for _ in range(5)]
    for client in clients:
        client.send(message("Q", b"", length=length)[:5])  # the header, then nothing
    for client in clients:
        client.close()
    for _ in range(5):
        assert raw(pooler).login("app_trust").value("select 1") == "1"


OUT_OF_ORDER = {
    "CopyData without COPY": message("d", b"1\n") + query("select 1"),
    "CopyDone without COPY": message("c") + query("select 1"),
    "CopyFail without COPY": message("f", b"no\0") + query("select 1"),
    "CopyData among a group": (parse("select 1") + message("d", b"1\n") + bind() + execute() +
                               sync()),
    "Execute without Bind": execute() + sync() + query("select 1"),
    "Bind of an unknown statement": bind(statement="nope") + sync() + query("select 1"),
    "Describe of nothing": describe("S", "nope") + sync() + query("select 1"),
    "Describe of a wrong kind": describe("X") + sync() + query("select 1"),
    "Close of a wrong kind": close("X") + sync() + query("select 1"),
    "Bind with too few values": parse("select $1::int") + bind() + sync() + query("select 1"),
    "Bind with a huge value": parse("select $1::int") + message(
        "B", b"\0\0\0\0\0\1\x7f\xff\xff\xff") + sync() + query("select 1"),
    "Bind with a negative value": parse("select $1::int") + message(
        "B", b"\0\0\0\0\0\1\x80\0\0\0") + sync() + query("select 1"),
    "Parse without end of text": message("P", b"\0select 1") + sync() + query("select 1"),
    "Query without end of text": message("Q", b"select 1") + query("select 1"),
    "Query with a second string": message("Q", b"select 1\0x\0") + query("select 1"),
    "Sync with a body": message("S", b"x") + query("select 1"),
    "Flush with a body": message("H", b"x") + query("select 1") + sync(),
    "a password now": message("p", cstring("secret")) + query("select 1"),
    "an unknown type": message("y", b"") + query("select 1"),
    "a backend's message": message("Z", b"I") + query("select 1"),
    "a query inside a group": parse("select 1") + query("select 2") + sync(),
    "a function call inside a group": parse("select 1") + message("F", b"") + sync(),
    "a startup packet": startup_packet({"user": "app_trust"}) + query("select 1"),
    "type zero": b"\0" + struct.pack("!I", 4) + query("select 1"),
}


def shape(seen):
    """The answers' kinds and error codes, after the login."""
    return kinds(seen), [error[:2] for error in errors(seen)]


@pytest.mark.parametrize("name", OUT_OF_ORDER)
def test_messages_out_of_order_are_answered_as_postgresql_does(pooler, postgres, neighbour, raw,
                                                               name):
    direct = shape(say(raw, postgres, OUT_OF_ORDER[name], "app_trust"))
    ready = 0 if "FATAL" in dict(direct[1]) else direct[0].count("Z")
    assert shape(say(raw, pooler, OUT_OF_ORDER[name], "app_trust", ready)) == direct


SCRAM_FIRST = message("p", b"SCRAM-SHA-256\0\0\0\0\x0dn,,n=,r=abcde")
BROKEN_LOGINS = {
    "a query": query("select 1"),
    "empty": message("p", b""),
    "70,000 zero bytes": message("p", b"\0" * 70000),
    "no end of string": message("p", b"x" * 100),
    "SCRAM with a short body": message("p", b"SCRAM-SHA-256\0\0\0\0\1"),
    "SCRAM with a huge length": message("p", b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,"),
    "SCRAM without a body": message("p", b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
    "another mechanism": message("p", b"SCRAM-SHA-1\0\0\0\0\x09n,,n=,r=a"),
    "a final message without nonce": SCRAM_FIRST + message("p", b"c=biws,p=AAAA"),
    "an empty final message": SCRAM_FIRST + message("p", b""),
    "channel binding": message("p", b"SCRAM-SHA-256\0\0\0\0\x0dp=x,,n=,r=abc"),
    "length 0": message("p", length=0),
    "length 2^32 - 1": message("p", length=0xFFFFFFFF),
    "zero bytes": b"\0" * 50,
}


@pytest.mark.parametrize("method", ["trust", "md5", "scram-sha-256"])
@pytest.mark.parametrize("name", BROKEN_LOGINS)
def test_a_broken_authentication_is_refused(pgring, raw, method, name):
    pooler = pgring(changes={"auth": {"method": method}})
    start = startup_packet({"user": "app_scram", "database": "bench"})
    seen = say(raw, pooler, start + BROKEN_LOGINS[name])
    if method != "trust":
        assert not [got for got in seen if got.kind in "KZ"]
    assert all(severity in ("ERROR", "FATAL") and code for severity, code, _ in errors(seen))
    assert raw(pooler).login().value("select 1") == "1"


def test_a_thousand_silent_connections_disturb_nobody(pooler, neighbour, raw, many_files):
    silent = [raw(pooler) for _ in range(1000)]
    before = neighbour.queries
    until(lambda: neighbour.queries > before + 50, "the neighbour works on")
    assert raw(pooler).login("app_trust").value("select 1") == "1"
    for client in silent:
        client.close()


def test_client_login_timeout_frees_the_places_of_the_silent(pgring, raw):
    pooler = pgring(changes={**TRUST, "listen": {"max_clients": 20},
                             "timeouts": {"client_login": "1s"}})
    half_said = startup_packet({"user": "app_trust", "database": "bench"})[:20]
    silent = [raw(pooler) for _ in range(20)]
    for client in silent[10:]:
        client.send(half_said)
    for client in silent:
        seen = client.rest()
        assert all(severity == "FATAL" for severity, _, _ in errors(seen))

    def can_login():
        try:
            return raw(pooler).login("app_trust").value("select 1") == "1"
        except (Closed, ConnectionError):
            return False

    until(can_login, "the places are free again")


def test_a_client_stuck_in_its_password_is_closed_too(pgring, raw):
    pooler = pgring(changes={"timeouts": {"client_login": "500ms"}})
    client = raw(pooler)
    client.send(startup_packet({"user": "app_scram", "database": "bench"}))
    assert client.receive().kind == "R"
    client.rest()
    assert raw(pooler).login().value("select 1") == "1"


def test_a_slow_login_that_is_not_finished_in_time_is_closed_although_it_sends(pgring, raw):
    pooler = pgring(changes={**TRUST, "timeouts": {"client_login": "700ms"}})
    client = raw(pooler)
    packet = startup_packet({"user": "app_trust", "database": "bench", "options": "x" * 9000})
    with pytest.raises(OSError):
        for byte in packet:
            client.send(bytes([byte]))
            threading.Event().wait(0.01)  # the pace of the slow sender itself
