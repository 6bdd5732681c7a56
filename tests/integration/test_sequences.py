"""currval() and lastval(): what nextval() left in a session is its client's, and nobody else learns it."""

import pytest
from harness.raw import bind, errors, execute, parse, sync

REFUSED = ("ERROR", "0A000", "currval() and lastval() would be another client's")


@pytest.fixture
def pair(pgring, postgres, raw):
    """Two clients of one server connection; the first has just taken a number from a sequence there."""
    postgres.admin.execute("drop sequence if exists numbers; create sequence numbers; grant all on sequence numbers to public")
    pooler = pgring(database={"pool_size": 1}, lazy_begin=True)
    first, second = raw(pooler).login(), raw(pooler).login()
    second.run("select 'known', 4711")
    first.run("select nextval('numbers')")
    return first, second


def by_query(client, text):
    return client.run(text)


def by_extended(client, text):
    client.send(parse(text), bind(), execute(), sync())
    return client.ready()


ASK = pytest.mark.parametrize("ask", [by_query, by_extended])
TEXT = pytest.mark.parametrize("text", ["select lastval()", "select currval('numbers')"])


@ASK
@TEXT
@pytest.mark.parametrize("begin", ["", "begin"])
def test_what_another_client_has_taken_is_not_told(pair, ask, text, begin):
    _, other = pair
    if begin:
        assert not errors(other.run(begin))
    assert errors(ask(other, text)) == [REFUSED]


@ASK
@TEXT
@pytest.mark.parametrize("begin", ["", "begin"])
def test_a_client_is_told_its_own(pair, ask, text, begin):
    first, other = pair
    if begin:
        other.run(begin)
        ask(other, "select nextval('numbers')")
        assert [got.columns for got in ask(other, text) if got.kind == "D"] == [["2"]]
        other.run("commit")
    else:
        assert [got.columns for got in ask(first, text) if got.kind == "D"] == [["1"]]
