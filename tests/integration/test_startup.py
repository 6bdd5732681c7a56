"""The first packets: encryption requests, versions, malformed startups, as PostgreSQL answers."""

import socket
import struct

import pytest
from harness.raw import (GSSENC_REQUEST, PROTOCOL_3_0, SSL_REQUEST, Closed, cstring, errors,
                         framed, special_request, startup_packet)

USER = {"user": "app_trust", "database": "bench"}


@pytest.fixture
def pooler(pgring):
    return pgring(changes={"auth": {"method": "trust"}})


@pytest.mark.parametrize("unix", [False, True])
def test_encryption_is_declined_and_the_login_goes_on(pooler, raw, unix):
    client = raw(pooler, unix=unix)
    for request in (SSL_REQUEST, GSSENC_REQUEST):
        client.send(special_request(request))
        assert client.exactly(1) == b"N"
    assert client.login("app_trust").value("select 1") == "1"


@pytest.mark.parametrize("request_code", [SSL_REQUEST, GSSENC_REQUEST])
def test_bytes_sent_along_with_an_encryption_request_are_not_obeyed(pooler, raw, request_code):
    # Somebody in the middle could have put them there before the handshake (CVE-2021-3935).
    client = raw(pooler)
    client.send(special_request(request_code) + startup_packet(USER))
    first = client.socket.recv(1)
    assert first in (b"N", b"E", b"")
    if first == b"N":
        seen = client.rest()
    else:
        client.buffered += first
        seen = client.rest() if first else []
    assert not [got for got in seen if got.kind in "RKZ"], "the injected startup was answered"
    assert all(error[:2] == ("FATAL", "08P01") for error in errors(seen))


def test_encryption_requests_without_end_are_cut_off(pooler, raw):
    client = raw(pooler)
    first = b"N"
    try:
        for _ in range(1000):
            client.send(special_request(SSL_REQUEST))
            first = client.exactly(1)
            if first != b"N":
                break
    except (Closed, ConnectionError):
        first = b""
    assert first in (b"E", b""), "a thousand encryption requests were answered"
    assert raw(pooler).login("app_trust").value("select 1") == "1"


def answer_to(raw, target, data, half_close=False):
    """The errors and whether a login succeeded, when `data` is all a client ever says."""
    client = raw(target)
    client.send(data)
    if half_close:
        client.socket.shutdown(socket.SHUT_WR)
    seen = client.rest()
    return [error[:2] for error in errors(seen)], any(got.kind == "Z" for got in seen)


def startup_with(body, protocol=PROTOCOL_3_0):
    return framed(struct.pack("!I", protocol) + body)


NAMES = cstring("user") + cstring("app_trust") + cstring("database") + cstring("bench")
MALFORMED = {
    "no user": startup_with(cstring("database") + cstring("bench") + b"\0"),
    "no parameters": startup_with(b"\0"),
    "empty": startup_with(b""),
    "no terminator": startup_with(NAMES),
    "a name without value": startup_with(NAMES + cstring("application_name")),
    "bytes behind the terminator": startup_with(NAMES + b"\0\0garbage"),
    "empty user": startup_with(cstring("user") + b"\0" + b"\0"),
    "protocol 2.0": startup_with(b"\0" * 292, 2 << 16),
    "protocol 1.0": startup_with(NAMES + b"\0", 1 << 16),
    "protocol 4.0": startup_with(NAMES + b"\0", 4 << 16),
    "protocol 0.0": startup_with(NAMES + b"\0", 0),
    "an unknown special request": special_request(80877105),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_startup_packet_is_refused_as_postgresql_does(pooler, postgres, raw, name):
    direct, direct_in = answer_to(raw, postgres, MALFORMED[name])
    pooled, pooled_in = answer_to(raw, pooler, MALFORMED[name])
    assert not direct_in and not pooled_in
    # Where PostgreSQL says why, so must pgring; where it only closes, pgring may say more.
    if direct:
        assert pooled == direct
    assert all(severity == "FATAL" for severity, _ in pooled)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 8, 9, 10005, 65536, 0x7FFFFFFF, 0x80000000,
                                    0xFFFFFFFF])
def test_a_startup_length_that_cannot_be_is_refused(pooler, raw, length):
    packet = struct.pack("!II", length, PROTOCOL_3_0) + NAMES + b"\0"
    seen, logged_in = answer_to(raw, pooler, packet)
    assert not logged_in
    assert all(severity == "FATAL" and code in ("08P01", "28000") for severity, code in seen)
    assert raw(pooler).login("app_trust").value("select 1") == "1"


def test_a_startup_packet_cut_anywhere_disturbs_nobody(pooler, raw):
    neighbour = raw(pooler).login("app_trust")
    packet = startup_packet(USER)
    for cut in range(len(packet)):
        assert not answer_to(raw, pooler, packet[:cut], half_close=True)[1], cut
        if cut % 10 == 0:
            assert neighbour.value("select 1") == "1"
    assert answer_to(raw, pooler, packet, half_close=True)[0] == []


def test_the_largest_startup_packet_postgresql_takes_is_taken(pooler, postgres, raw):
    # PostgreSQL's limit is 10,000 bytes, the length itself included.
    padding = {f"my.setting_{number}": "x" * 90 for number in range(80)}
    assert 8000 < len(startup_packet({**USER, **padding})) < 10000
    assert raw(postgres).login("app_trust", **padding).value("select 1") == "1"
    client = raw(pooler).login("app_trust", **padding)
    assert client.value("select current_setting('my.setting_79')") == "x" * 90


def test_names_of_63_bytes_work_and_longer_ones_are_not_cut_into_others(pooler, postgres, raw):
    long_name = "d" * 63
    postgres.admin.execute(f"drop database if exists {long_name}")
    postgres.admin.execute(f"create database {long_name}")
    client = raw(pooler).login("app_trust", dbname=long_name)
    assert client.value("select current_database()") == long_name
    with pytest.raises(Closed):
        longer = raw(pooler).login("app_trust" + "x" * 5000, dbname="bench")
        longer.run("select 1")


def test_a_second_startup_packet_during_the_login_is_refused(pgring, raw):
    # CVE-2026-107350: another user's name in the middle of an authentication.
    pooler = pgring()
    client = raw(pooler)
    client.send(startup_packet({"user": "app_scram", "database": "bench"}))
    assert client.receive().kind == "R"
    client.send(startup_packet({"user": "app_trust", "database": "bench"}))
    seen = client.rest()
    assert not [got for got in seen if got.kind in "KZ"]
    assert errors(seen) and errors(seen)[0][0] == "FATAL"
