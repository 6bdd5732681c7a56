"""Named statements of a table that changes: what is told is what a direct connection tells, wherever it runs."""

import struct

import pytest
from harness.raw import bind, cstring, describe, errors, execute, kinds, message, parse, sync
from harness.steer import closed, prepared, rows, used

SIZE = 4
CHANGED = ("ERROR", "0A000", "cached plan must not change result type")
TEXT = "select * from changing"
RETURNING = "insert into changing (v) values ($1) returning 'inserted'"


@pytest.fixture
def table(postgres):
    postgres.admin.execute("drop table if exists changing; create table changing (a int);"
                           " insert into changing values (1); grant all on changing to public")
    return lambda ddl: postgres.admin.execute(ddl)


def changed(messages):
    """PostgreSQL's own words and routine: drivers go by them."""
    assert errors(messages) == [CHANGED], messages
    (refusal,) = [got for got in messages if got.kind == "E"]
    assert refusal.fields["R"] == "RevalidateCachedQuery"
    return True


@pytest.mark.parametrize("order", ["the newer client first", "the older client first"])
@pytest.mark.parametrize("warm", [True, False], ids=["copies everywhere", "one copy"])
def test_after_ddl_who_prepared_before_is_told_and_who_prepares_afterwards_is_served(
        pgring, raw, steer, table, order, warm):
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    older, newer = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        assert kinds(prepared(older, "mine", TEXT)) == "1Z"
    if warm:
        assert held.everywhere(lambda: rows(used(older, "mine"))) == [[["1"]]] * SIZE
    table("alter table changing add column b text default 'new'")
    with held.only(held.pids[1]):
        assert kinds(prepared(newer, "hers", TEXT)) == "1Z"

    def ask_newer():
        newer.send(bind(statement="hers"), describe(), execute(), sync())
        seen = newer.ready()
        assert rows(seen) == [["1", "new"]]
        return [got.names for got in seen if got.kind == "T"] == [["a", "b"]]

    asks = [ask_newer, lambda: changed(used(older, "mine"))]
    if order == "the older client first":
        asks.reverse()
    for _ in range(2):
        for ask in asks:
            assert all(held.everywhere(ask))
    # By its own doing: closed and prepared again.
    with held.only(held.pids[2]):
        closed(older, "mine")
        assert kinds(prepared(older, "mine", TEXT)) == "1Z"
    assert held.everywhere(lambda: rows(used(older, "mine"))) == [[["1", "new"]]] * SIZE
    assert all(held.everywhere(ask_newer))


def test_a_client_that_prepares_after_ddl_under_another_name_is_served_everywhere(pgring, raw, steer, table):
    """As drivers do that are told so: another name, the same text, without a Close."""
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    client = raw(pooler).login()
    with held.only(held.pids[0]):
        prepared(client, "s1", TEXT)
    held.everywhere(lambda: rows(used(client, "s1")))
    table("alter table changing drop column a; alter table changing add column c int default 3")
    with held.only(held.pids[3]):
        assert changed(used(client, "s1"))
        prepared(client, "s2", TEXT)
    assert held.everywhere(lambda: rows(used(client, "s2"))) == [[["3"]]] * SIZE
    assert all(held.everywhere(lambda: changed(used(client, "s1"))))


def test_ddl_within_a_group_is_as_on_a_direct_connection(pgring, postgres, raw, table):
    pooler = pgring(database={"pool_size": 1})
    answers = []
    for target in (postgres, pooler):
        table("drop table changing; create table changing (a int); insert into changing values (1)")
        table("alter table changing owner to app_scram")
        client = raw(target).login()
        prepared(client, "s", TEXT)
        client.send(bind(statement="s"), execute(), parse("alter table changing add column b int"), bind(), execute(),
                    bind(statement="s"), execute(), sync())
        seen = [client.ready(), used(client, "s"), client.run("begin"), used(client, "s"), client.run("select 1"),
                client.run("rollback"), used(client, "s")]
        answers.append([(kinds(one), errors(one), one[-1].status) for one in seen])
    table("alter table changing owner to owner")
    assert answers[1] == answers[0]


def test_a_dropped_and_recreated_table_is_found_again(pgring, raw, steer, table):
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    client = raw(pooler).login()
    with held.only(held.pids[0]):
        prepared(client, "s", TEXT)
    held.everywhere(lambda: rows(used(client, "s")))
    table("drop table changing")
    assert held.everywhere(lambda: errors(used(client, "s"))[0][1]) == ["42P01"] * SIZE
    table("create table changing as select 2 as a; grant select on changing to public")
    assert held.everywhere(lambda: rows(used(client, "s"))) == [[["2"]]] * SIZE


def bind_binary(statement, value):
    """One parameter in binary format."""
    return message("B", cstring("") + cstring(statement) + struct.pack("!HHH", 1, 1, 1) +
                   struct.pack("!i", len(value)) + value + struct.pack("!H", 0))


def insert_number(client, statement, number):
    client.send(bind_binary(statement, struct.pack("!q", number)), execute(), sync())
    return client.ready()


@pytest.mark.parametrize("described", [True, False], ids=["described", "not described"])
def test_the_bytes_of_a_bigint_are_never_read_as_a_timestamp(pgring, postgres, raw, steer, table, described):
    """The type of $1 was inferred from the column when the client prepared, and its driver keeps to that."""
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    direct, client = raw(postgres).login(), raw(pooler).login()
    table("drop table changing; create table changing (v bigint); grant all on changing to public")
    text, wanted, got = "insert into changing (v) values ($1)", [], []
    for target, answers in ((direct, wanted), (client, got)):
        with held.only(held.pids[0]):
            target.send(parse(text, "s"), *[describe("S", "s")] * described, sync())
            answers.append(kinds(target.ready()))
            answers.append(kinds(insert_number(target, "s", 1)))
    assert got == wanted
    table("alter table changing alter column v type timestamp using to_timestamp(v)::timestamp")
    refused = errors(insert_number(direct, "s", 2))
    assert refused[0][1] == "42804"
    assert held.everywhere(lambda: errors(insert_number(client, "s", 2))) == [refused] * 2
    assert postgres.value("select count(*) from changing") == 2
    # Who prepares now has the new type, also after the older client has been there.
    other = raw(pooler).login()
    with held.only(held.pids[1]):
        other.send(parse(text, "s"), describe("S", "s"), sync())
        (types,) = [got.body for got in other.ready() if got.kind == "t"]
        assert types == struct.pack("!HI", 1, 1114)
        assert kinds(insert_number(other, "s", 86_400_000_000)) == "2CZ"
    assert held.everywhere(lambda: errors(insert_number(client, "s", 2))) == [refused] * 2
    assert postgres.value("select count(*) from changing where v = '2000-01-02'") == 1


@pytest.mark.parametrize("command", ["insert into changing (v) values ($1)", "update changing set v = $1",
                                     RETURNING])
@pytest.mark.parametrize("order", ["the newer client first", "the older client first"])
def test_who_prepares_after_ddl_never_meets_the_parameter_types_of_before(
        pgring, postgres, raw, steer, table, order, command):
    """Both are served, each by its own type: no byte of a double precision is read as a bigint's."""
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    table("drop table changing; create table changing (v bigint); insert into changing values (1);"
          " grant all on changing to public")
    older, newer = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        prepared(older, "s", command)
        assert not errors(insert_number(older, "s", 1))
    held.everywhere(lambda: rows(insert_number(older, "s", 1)))  # a copy everywhere
    table("alter table changing alter column v type double precision")
    with held.only(held.pids[1]):
        newer.send(parse(command, "s"), describe("S", "s"), sync())
        (types,) = [got.body for got in newer.ready() if got.kind == "t"]
        assert types == struct.pack("!HI", 1, 701)

    def ask_newer():
        newer.send(bind_binary("s", struct.pack("!d", 1.0)), execute(), sync())
        assert not errors(newer.ready())
        assert set(postgres.admin.execute("select distinct v from changing").fetchall()) == {(1.0,)}

    def ask_older():
        assert not errors(insert_number(older, "s", 1))
        assert set(postgres.admin.execute("select distinct v from changing").fetchall()) == {(1.0,)}

    for _ in range(2):
        for ask in (ask_newer, ask_older) if order == "the newer client first" else (ask_older, ask_newer):
            held.everywhere(ask)


def test_parameter_types_of_a_query_are_those_the_client_prepared_with(pgring, postgres, raw, steer, table):
    """$1 in a comparison: after the change the same bytes would compare with other rows, in silence."""
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    table("drop table changing; create table changing (v bigint); insert into changing values (5);"
          " grant all on changing to public")
    text = "select 'found' from changing where v = $1"
    direct, client = raw(postgres).login(), raw(pooler).login()
    for target in (direct, client):
        with held.only(held.pids[0]):
            prepared(target, "s", text)
            assert rows(insert_number(target, "s", 5)) == [["found"]]
    table("alter table changing alter column v type timestamp using timestamp '2000-01-01' + v * interval '1us'")
    refused = errors(insert_number(direct, "s", 5))
    assert refused and refused[0][1] == "42883"
    assert held.everywhere(lambda: errors(insert_number(client, "s", 5))) == [refused] * 2
