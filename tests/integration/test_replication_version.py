"""Protocol 3.2 on replication connections: the client's key, and what is asked of the server for it."""

import struct

import pytest
from harness.proxy import Proxy, negotiation
from harness.raw import (PROTOCOL_3_0, PROTOCOL_3_2, cancel_request, cstring, errors, kinds, message,
                         query)
from harness.replication import begin, refusal
from harness.wait import until


@pytest.fixture
def proxy(publisher):
    made = Proxy(publisher)
    yield made
    made.stop()


@pytest.fixture
def behind(front, proxy):
    """A pgring whose PostgreSQL is behind the proxy."""
    return front(changes={"server": {"main": {"host": proxy.host, "port": proxy.port}}})


def cancel(raw, target, pid, secret):
    canceller = raw(target)
    canceller.send(cancel_request(pid, secret))
    assert canceller.rest() == []


def begin_sleep(publisher, client):
    client.send(query("select pg_sleep(60)"))
    until(lambda: publisher.walsenders("state = 'active' and query like '%%pg_sleep%%'"), "it runs")


@pytest.mark.parametrize("minor, answer, secret_size", [
    (0, None, 4), (1, None, 4), (2, None, 32), (3, 2, 32)])
@pytest.mark.parametrize("options", [False, True])
def test_a_client_that_replicates_is_answered_as_any_other(publisher, front, raw, minor, answer,
                                                           secret_size, options):
    names = {"_pq_.fancy": "on"} if options else {}
    if options and answer is None:
        answer = minor
    instance = front(changes={"shards": {"count": 2}})
    client = begin(raw, instance, "database", protocol=PROTOCOL_3_0 | minor, **names)
    said = [got.body for got in client.login_messages if got.kind == "v"]
    expected = [] if answer is None else [
        struct.pack("!II", PROTOCOL_3_0 | answer, len(names)) + b"".join(map(cstring, names))]
    assert said == expected
    assert len(client.secret) == secret_size
    begin_sleep(publisher, client)
    wrong = client.secret[:-1] + bytes([client.secret[-1] ^ 1])
    for secret in (wrong, client.secret[:4] if secret_size > 4 else client.secret * 8):
        cancel(raw, instance, client.pid, secret)
    assert publisher.walsenders("state = 'active' and query like '%%pg_sleep%%'")
    cancel(raw, instance, client.pid, client.secret)
    assert errors(client.ready())[0][1] == "57014"
    assert client.value("select 1") == "1"


@pytest.mark.parametrize("protocol", [PROTOCOL_3_0, PROTOCOL_3_2])
def test_the_server_is_asked_for_3_2_whatever_the_client_speaks(publisher, behind, proxy, raw,
                                                                protocol):
    given = []
    proxy.change_key = lambda body: given.append(body) or body
    client = begin(raw, behind, "database", protocol=protocol)
    begin_sleep(publisher, client)
    cancel(raw, behind, client.pid, client.secret)
    assert errors(client.ready())[0][1] == "57014"
    assert proxy.versions == [PROTOCOL_3_2]
    assert proxy.cancels == given  # the server's own key, not the client's
    newer = int(publisher.value("show server_version_num")) >= 180000
    assert len(given[0]) == 4 + (32 if newer else 4)


@pytest.mark.parametrize("size", [5, 256])
def test_a_servers_key_of_any_length_cancels(publisher, behind, proxy, raw, size):
    real, shown = [], bytes(range(256))[-size:]
    proxy.change_key = lambda body: real.append(body) or body[:4] + shown
    proxy.change_cancel = lambda _: real[0]
    client = begin(raw, behind, "database")
    begin_sleep(publisher, client)
    cancel(raw, behind, client.pid, client.secret)
    assert errors(client.ready())[0][1] == "57014"
    assert proxy.cancels == [real[0][:4] + shown]


def test_a_server_that_has_3_0_only_is_agreed_with(behind, proxy, raw):
    proxy.protocol = PROTOCOL_3_0
    proxy.before_login = lambda _: (negotiation(), True)
    client = begin(raw, behind, protocol=PROTOCOL_3_2)
    assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"
    assert "v" not in kinds(client.login_messages)  # that is between pgring and the server
    assert len(client.secret) == 32


@pytest.mark.parametrize("answer", [negotiation(PROTOCOL_3_2), negotiation() * 2])
def test_a_negotiation_that_answers_nothing_ends_the_login(behind, proxy, raw, answer):
    proxy.protocol = PROTOCOL_3_0
    proxy.before_login = lambda _: (answer, True)
    assert refusal(raw, behind)["C"] == "08P01"


def test_a_server_that_refuses_3_2_is_asked_for_3_0_by_all_until_a_reload(behind, proxy, raw):
    said = message("E", b"SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol\0\0")
    proxy.before_login = lambda asked: (said, False) if asked != PROTOCOL_3_0 else (b"", True)
    fields = refusal(raw, behind)
    assert fields["C"] == "57P03" and "3.0 from now on" in fields["D"]
    assert kinds(begin(raw, behind).run("IDENTIFY_SYSTEM")) == "TDCZ"
    # It is the server's: other connections to it know too.
    ordinary = raw(behind).login()
    assert ordinary.value("select 1") == "1"
    assert proxy.versions == [PROTOCOL_3_2, PROTOCOL_3_0, PROTOCOL_3_0]
    proxy.before_login = None  # it was replaced by a newer one
    raw(behind).login("console_admin", "pgring").run("RELOAD")
    assert kinds(begin(raw, behind).run("IDENTIFY_SYSTEM")) == "TDCZ"
    assert proxy.versions[3:] == [PROTOCOL_3_2]
