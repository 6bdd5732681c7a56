"""Protocol 3.2: what clients get who ask for it, and what pgring asks of servers and takes from them."""

import struct

import pytest
from harness.proxy import Proxy, negotiation
from harness.raw import (PROTOCOL_3_0, PROTOCOL_3_2, Closed, cancel_request, cstring, errors, kinds,
                         message, query)
from harness.wait import until


def version(minor):
    return PROTOCOL_3_0 | minor


@pytest.fixture
def proxy(postgres):
    made = Proxy(postgres)
    yield made
    made.stop()


@pytest.fixture
def behind(pgring, proxy):
    """Makes a pgring whose PostgreSQL is behind the proxy."""

    def make(**timeouts):
        return pgring(database={"pool_size": 1}, changes={
            "server": {"main": {"host": proxy.host, "port": proxy.port}},
            "timeouts": {"server_login_retry": "100ms", **timeouts}})

    return make


# What PostgreSQL 18.6 answered: the version in NegotiateProtocolVersion, or none of it; the secret's length.
@pytest.mark.parametrize("minor, options, answer, secret_size", [
    (0, False, None, 4), (1, False, None, 4), (2, False, None, 32),
    (3, False, 2, 32), (9999, False, 2, 32),
    (0, True, 0, 4), (1, True, 1, 4), (2, True, 2, 32), (9999, True, 2, 32)])
@pytest.mark.parametrize("console", [False, True])
def test_a_client_is_answered_as_postgresql_18_answers(pgring, raw, minor, options, answer,
                                                       secret_size, console):
    pooler = pgring(changes={"shards": {"count": 2}})
    names = {"_pq_.fancy": "on", "_pq_.plain": ""} if options else {}
    user, dbname = ("console_admin", "pgring") if console else ("app_scram", "bench")
    client = raw(pooler).login(user, dbname, protocol=version(minor), **names)
    said = [got.body for got in client.login_messages if got.kind == "v"]
    expected = b"" if answer is None else struct.pack("!II", version(answer), len(names))
    assert said == ([] if answer is None else [expected + b"".join(map(cstring, names))])
    assert len(client.secret) == secret_size
    assert client.value("show version" if console else "select 1")


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("unix", [False, True])
def test_long_keys_cancel_and_only_whole_and_right(pgring, postgres, raw, shards, unix):
    pooler = pgring(changes={"shards": {"count": shards}})
    clients = [raw(pooler, unix=unix).login(protocol=PROTOCOL_3_2) for _ in range(4)]
    assert len({client.secret for client in clients}) == 4
    for number, client in enumerate(clients):
        client.send(query(f"select pg_sleep(60), 'marklong{number}'"))
    until(lambda: len(postgres.backends("state = 'active' and query like '%''marklong%'")) == 4,
          "the queries run")
    right = clients[0].secret
    wrong = [right[:4], right[:31], right + b"\0", right * 8, right[:-1] + bytes([right[-1] ^ 1]),
             bytes([right[0] ^ 128]) + right[1:], clients[1].secret, b"\0" * 4, b"\0" * 256]
    for secret in wrong:
        canceller = raw(pooler, unix=unix)
        canceller.send(cancel_request(clients[0].pid, secret))
        assert canceller.rest() == []
    assert len(postgres.backends("state = 'active' and query like '%''marklong%'")) == 4
    for client in clients:
        canceller = raw(pooler, unix=unix)
        canceller.send(cancel_request(client.pid, client.secret))
        assert canceller.rest() == []
        assert errors(client.ready())[0][1] == "57014"


def test_a_key_is_of_no_use_for_the_next_client_in_its_place(pgring, postgres, raw):
    pooler = pgring(changes={"shards": {"count": 1}})
    for protocol in (PROTOCOL_3_0, PROTOCOL_3_2):
        gone = raw(pooler).login(protocol=protocol)
        gone.close()

        def heir():
            client = raw(pooler).login(protocol=protocol)
            if client.pid == gone.pid:
                return client
            client.close()
            return None

        client = until(heir, "the place is free for the next client")
        assert client.secret != gone.secret
        client.send(query("select pg_sleep(0.3), 'markheir'"))
        until(lambda: postgres.backends("state = 'active' and query like '%''markheir%'"),
              "the query runs")
        canceller = raw(pooler)
        canceller.send(cancel_request(gone.pid, gone.secret))
        assert canceller.rest() == []
        assert kinds(client.ready()) == "TDCZ"


def test_postgresql_is_asked_for_3_2_and_its_key_comes_back_whole(behind, postgres, proxy, raw):
    given = []
    proxy.change_key = lambda body: given.append(body) or body
    pooler = behind()
    client = raw(pooler).login()
    client.send(query("select pg_sleep(60), 'markserver'"))
    until(lambda: postgres.backends("state = 'active' and query like '%''markserver%'"), "it runs")
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    assert canceller.rest() == []
    assert errors(client.ready())[0][1] == "57014"
    assert proxy.versions == [PROTOCOL_3_2]
    assert proxy.cancels == given
    newer = int(postgres.admin.execute("show server_version_num").fetchone()[0]) >= 180000
    assert len(given[0]) == 4 + (32 if newer else 4)


@pytest.mark.parametrize("size", [4, 5, 32, 255, 256])
def test_a_servers_key_of_any_legal_length_is_kept(behind, postgres, proxy, raw, size):
    real = []
    proxy.change_key = lambda body: real.append(body) or body[:4] + bytes(range(256))[-size:]
    proxy.change_cancel = lambda _: real[0]
    pooler = behind()
    client = raw(pooler).login()
    client.send(query("select pg_sleep(60), 'markkey'"))
    until(lambda: postgres.backends("state = 'active' and query like '%''markkey%'"), "it runs")
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    assert canceller.rest() == []
    assert errors(client.ready())[0][1] == "57014"
    assert proxy.cancels == [real[0][:4] + bytes(range(256))[-size:]]


@pytest.mark.parametrize("size", [0, 3, 257])
def test_a_servers_key_of_no_legal_length_ends_the_login(behind, proxy, raw, size):
    proxy.change_key = lambda body: body[:4] + b"k" * size
    with pytest.raises(Closed) as refused:
        raw(behind()).login()
    assert errors(refused.value.seen)[0][1] == "08P01"


@pytest.mark.parametrize("answer", [negotiation(version(0)), negotiation(version(1))])
def test_an_older_version_is_agreed_to(behind, proxy, raw, answer):
    proxy.protocol = PROTOCOL_3_0
    proxy.before_login = lambda _: (answer, True)
    assert raw(behind()).login().value("select 1") == "1"


@pytest.mark.parametrize("answer", [
    negotiation(version(2)), negotiation(version(3)), negotiation(2 << 16), negotiation(4 << 16),
    negotiation(0), negotiation(version(0), [b"_pq_.x"]), negotiation(version(0), count=1),
    negotiation(version(0), count=0xFFFFFFFF), negotiation(version(0)) * 2,
    message("v"), message("v", b"\0\3\0\0"), message("v", b"\0\3\0\0\0\0\0\0x"),
    # After the login: out of order.
    message("R", b"\0\0\0\0") + negotiation(version(0))])
def test_a_negotiation_that_answers_nothing_ends_the_login(behind, proxy, raw, answer):
    proxy.protocol = PROTOCOL_3_0
    proxy.before_login = lambda _: (answer, True)
    with pytest.raises(Closed) as refused:
        raw(behind()).login()
    assert errors(refused.value.seen)[0][1] == "08P01"


def refusal(code):
    return message("E", b"SFATAL\0VFATAL\0C" + code + b"\0Munsupported frontend protocol\0\0")


def test_a_server_that_refuses_3_2_is_asked_for_3_0_until_a_reload(behind, proxy, raw):
    proxy.before_login = lambda asked: (
        (refusal(b"0A000"), False) if asked != PROTOCOL_3_0 else (b"", True))
    pooler = behind()
    client = raw(pooler).login()
    assert client.value("select 1") == "1"
    assert proxy.versions == [PROTOCOL_3_2, PROTOCOL_3_0]
    console = raw(pooler).login("console_admin", "pgring")
    console.run("RECONNECT bench")
    assert client.value("select 2") == "2"
    assert proxy.versions == [PROTOCOL_3_2, PROTOCOL_3_0, PROTOCOL_3_0]
    proxy.before_login = None  # it was replaced by a newer one
    console.run("RELOAD")
    console.run("RECONNECT bench")
    assert client.value("select 3") == "3"
    assert proxy.versions[3:] == [PROTOCOL_3_2]


def test_a_server_that_refuses_3_0_too_is_an_error_for_the_client(behind, proxy, raw):
    proxy.before_login = lambda _: (refusal(b"0A000"), False)
    with pytest.raises(Closed) as refused:
        raw(behind()).login()
    assert errors(refused.value.seen)[0][1:] == ("0A000", "unsupported frontend protocol")
    assert proxy.versions[:2] == [PROTOCOL_3_2, PROTOCOL_3_0]


def test_another_refusal_is_not_taken_for_one_of_the_version(behind, proxy, raw):
    proxy.before_login = lambda _: (refusal(b"28000"), False)
    with pytest.raises(Closed) as refused:
        raw(behind(server_login_retry="10s")).login()
    assert errors(refused.value.seen)[0][1] == "28000"
    assert set(proxy.versions) == {PROTOCOL_3_2}
