"""Named statements in transaction mode: there on every server connection, and no more than it may have."""

import os
import random

import pytest
from harness.raw import bind, close, describe, errors, execute, kinds, parse, sync, unnamed
from harness.steer import closed, prepared, rows, used
from harness.wait import until

TRUST = {"auth": {"method": "trust"}}
ON_SERVER = "select count(*) from pg_prepared_statements where not from_sql"
MANY = 10000
SEED = int(os.environ.get("PGRING_STATEMENTS_SEED", "0")) or random.SystemRandom().randrange(1 << 32)


def test_a_server_connection_has_no_more_statements_than_it_may(pgring, raw):
    pooler = pgring(database={"pool_size": 2, "max_prepared_statements": 5})
    clients = [raw(pooler).login() for _ in range(2)]
    for number, client in enumerate(clients):
        client.send(*[parse(f"select {number * 100 + n} + $1::int", f"s{n}") for n in range(50)], sync())
        assert kinds(client.ready()) == "1" * 50 + "Z"
    for turn in range(3):
        for n in range(50):
            for number, client in enumerate(clients):
                client.run("begin")
                assert rows(used(client, f"s{n}", turn)) == [[str(number * 100 + n + turn)]]
                assert int(client.value(ON_SERVER)) <= 5
            for client in clients:  # both in a transaction: two server connections
                client.run("commit")


def test_more_statements_than_a_server_connection_may_have_work_in_one_group(pgring, raw):
    client = raw(pgring(database={"pool_size": 1, "max_prepared_statements": 5})).login()
    for _ in range(2):
        for n in range(20):
            client.send(parse(f"select {n} + $1::int", f"s{n}"), bind([1], f"p{n}", f"s{n}"))
        client.send(*[execute(f"p{n}") for n in range(20)], sync())
        assert rows(client.ready()) == [[str(n + 1)] for n in range(20)]
        assert int(client.value(ON_SERVER)) <= 5
        client.send(*[close(name=f"s{n}") for n in range(20)], sync())
        assert kinds(client.ready()) == "3" * 20 + "Z"


def prepare_many(clients, texts):
    """Each client its share of `texts`, named by their number."""
    for first in range(0, len(texts), 100):
        client = clients[first // 100 % len(clients)]
        client.send(*[parse(texts[n], f"s{n}") for n in range(first, first + 100)], sync())
        assert kinds(client.ready()) == "1" * 100 + "Z"


def test_ten_thousand_statements_of_several_clients_work(pgring, raw):
    pooler = pgring(database={"pool_size": 3})
    clients = [raw(pooler).login() for _ in range(5)]
    prepare_many(clients, [f"select {n} + $1::int" for n in range(MANY)])
    order = random.Random(SEED).sample(range(MANY), MANY)
    print(f"seed {SEED}")
    for first in range(0, MANY, 50):
        for n in order[first:first + 50]:
            clients[n // 100 % 5].send(bind([n], statement=f"s{n}"), execute(), sync())
        for n in order[first:first + 50]:
            assert rows(clients[n // 100 % 5].ready()) == [[str(2 * n)]]
    for client in clients[:3]:
        client.run("begin")
        assert 0 < int(client.value(ON_SERVER)) <= 200


@pytest.mark.release
@pytest.mark.parametrize("end", ["closed", "left"])
def test_the_memory_of_statements_comes_back(pgring, raw, end):
    pooler = pgring(database={"pool_size": 2, "max_prepared_statements": 100})
    texts = ["select %d /* %s */" % (n, "x" * 2000) for n in range(MANY)]
    clients, sizes = [raw(pooler).login() for _ in range(4)], []
    for _ in range(4):
        prepare_many(clients, texts)
        sizes.append(pooler.status("VmRSS"))
        if end == "left":
            for client in clients:
                client.close()
            until(lambda: not pooler.show("CLIENTS")[1:], "the clients are gone")
            clients = [raw(pooler).login() for _ in range(4)]
        for first in range(0, MANY if end == "closed" else 0, 100):
            client = clients[first // 100 % 4]
            client.send(*[close(name=f"s{n}") for n in range(first, first + 100)], sync())
            assert kinds(client.ready()) == "3" * 100 + "Z"
    print([size >> 20 for size in sizes])
    # While they are there: 20 MB of texts, and not many times that.
    assert sizes[0] < 150 << 20
    assert sizes[-1] - sizes[0] < 10 << 20


def test_a_hundred_clients_with_one_text_have_one_statement_on_each_server_connection(
        pgring, raw, steer, many_files):
    pooler = pgring(changes=TRUST, database={"pool_size": 3})
    held = steer(pooler, 3, user="app_trust")
    clients = [raw(pooler).login("app_trust") for _ in range(100)]
    text = "select $1::int + 77"
    for number, client in enumerate(clients):
        with held.only(held.pids[number % 3]):
            assert kinds(prepared(client, f"name {number}", text)) == "1Z"
    for number, client in enumerate(clients):
        with held.only(held.pids[(number + 1) % 3]):
            assert rows(used(client, f"name {number}", number)) == [[str(number + 77)]]
    for pid in held.pids:
        assert held.value(pid, f"select count(*) from pg_prepared_statements where statement = '{text}'") == "1"


def test_another_search_path_is_another_statement(pgring, postgres, raw):
    postgres.admin.execute(
        "drop schema if exists path_a, path_b cascade; create schema path_a; create schema path_b;"
        "create table path_a.found as select 'a' as it; create table path_b.found as select 'b' as it;"
        "grant usage on schema path_a, path_b to public; grant select on path_a.found, path_b.found to public")
    pooler, text = pgring(database={"pool_size": 1}), "select it from found"
    one = raw(pooler).login(options="-c search_path=path_a")
    other = raw(pooler).login()
    other.run("set search_path = path_b")
    for client in (one, other):
        assert kinds(prepared(client, "s", text)) == "1Z"
    for _ in range(3):
        assert rows(used(one, "s")) == [["a"]]
        assert rows(used(other, "s")) == [["b"]]
    assert one.value(f"select count(*) from pg_prepared_statements where statement = '{text}'") == "2"
    # As on a direct connection: it is planned again, by the search_path of its Execute.
    one.run("set search_path = path_b")
    assert rows(used(one, "s")) == [["b"]]
    assert rows(used(other, "s")) == [["b"]]


def test_a_name_or_text_of_no_statement_is_refused_as_postgresql_does(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    answers = []
    for target in (postgres, pooler):
        client = raw(target).login()
        seen = [prepared(client, "s", "select 1"), prepared(client, "s", "select 2"), used(client, "s"),
                used(client, "t"), closed(client, "t"), closed(client, "s"), used(client, "s"),
                prepared(client, "s", "select nonsense"), used(client, "s"), prepared(client, "s", "select 3"),
                used(client, "s"), client.run("deallocate all"), used(client, "s"), prepared(client, "s", "select 4"),
                client.run("discard all"), used(client, "s"), client.run("select 5")]
        answers.append([(kinds(one), errors(one)) for one in seen])
    assert answers[1] == answers[0]


def test_statements_switched_off_are_an_error_and_the_connection_goes_on(pgring, raw):
    client = raw(pgring(database={"pool_size": 1, "max_prepared_statements": 0})).login()
    for status in "IT":
        if status == "T":
            client.run("begin")
        client.send(parse("select 1", "s"), bind(statement="s"), execute(), sync())
        seen = client.ready()
        assert [got[:2] for got in errors(seen)] == [("ERROR", "0A000")]
        assert kinds(seen) == "EZ" and seen[-1].status == ("I" if status == "I" else "E")
    client.run("rollback")
    client.send(unnamed("select $1::text", ["goes on"]), sync())
    assert rows(client.ready()) == [["goes on"]]


@pytest.mark.parametrize("size", [300_000, 15_000_000])
def test_a_long_text_is_there_on_every_server_connection(pgring, raw, steer, size):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client = raw(pooler).login()
    text = f"select length('{'x' * size}') + $1::int"
    for turn, pid in enumerate(held.pids + held.pids):
        with held.only(pid):
            if turn == 0:
                assert kinds(prepared(client, "long", text)) == "1Z"
            assert rows(used(client, "long", turn)) == [[str(size + turn)]]


def test_a_text_too_long_to_be_kept_is_an_error_and_the_connection_goes_on(pgring, raw):
    client = raw(pgring(database={"pool_size": 1})).login()
    client.send(parse(f"select length('{'x' * 17_000_000}')", "long"), bind(statement="long"), execute(), sync())
    seen = client.ready()
    assert [got[:2] for got in errors(seen)] == [("ERROR", "54000")]
    client.send(unnamed(f"select length('{'x' * 17_000_000}')"), sync())
    assert rows(client.ready()) == [["17000000"]]


def test_a_value_of_fifty_megabytes_is_bound(pgring, raw, steer):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client = raw(pooler).login()
    value = "abcdefghij" * 5_000_000
    for turn, pid in enumerate(held.pids):
        with held.only(pid):
            if turn == 0:
                assert kinds(prepared(client, "s", "select length($1::text), right($1, 3), md5($1), $2::text")) == "1Z"
            (row,) = rows(used(client, "s", value, turn))
            assert row[:2] + row[3:] == ["50000000", "hij", str(turn)]


GROUP = [parse("select $1::text || 'x'", "stmt"), bind(["value"], "portal", "stmt"), describe("S", "stmt"),
         describe("P", "portal"), execute("portal"), close("P", "portal"), close("S", "stmt"), sync()]


def test_a_group_may_come_byte_by_byte_and_in_any_two_pieces(pgring, postgres, raw):
    pooler, data = pgring(database={"pool_size": 2}), b"".join(GROUP)
    direct = raw(postgres).login()
    direct.send(data)
    wanted = [(got.kind, got.body) for got in direct.ready()]
    client, other = raw(pooler).login(), raw(pooler).login()
    for byte in range(len(data)):
        client.send(data[byte:byte + 1])
    assert [(got.kind, got.body) for got in client.ready()] == wanted
    for cut in range(1, len(data)):
        client.send(data[:cut])
        other.run("select 1")  # by the time of its answer the first piece has been read, too
        client.send(data[cut:])
        assert [(got.kind, got.body) for got in client.ready()] == wanted, cut


@pytest.mark.parametrize("size", [63, 64, 200])
def test_long_names_are_as_on_a_direct_connection(pgring, postgres, raw, size):
    pooler, one, other = pgring(database={"pool_size": 1}), "n" * (size - 1) + "1", "n" * (size - 1) + "2"
    answers = []
    for target in (postgres, pooler):
        client = raw(target).login()
        seen = [prepared(client, one, "select 1"), prepared(client, other, "select 2"), used(client, one),
                used(client, other), closed(client, other), used(client, one)]
        answers.append([(kinds(messages), [got[:2] for got in errors(messages)],
                         [got.columns for got in messages if got.kind == "D"]) for messages in seen])
    assert answers[1] == answers[0]


def test_a_statement_outlives_the_server_connection_it_was_prepared_on(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    prepared(client, "s", "select pg_backend_pid(), $1::text")
    (first, _), = rows(used(client, "s", "one"))
    postgres.admin.execute("select pg_terminate_backend(%s)", [int(first)])
    until(lambda: not postgres.backends() and not pooler.show("SERVERS"), "the server connection is gone")
    (second, value), = rows(used(client, "s", "two"))
    assert value == "two" and second != first


@pytest.mark.parametrize("how", ["close", "abort"])
def test_what_a_leaving_client_left_of_a_group_is_nobody_elses(pgring, raw, how):
    pooler = pgring(changes=TRUST, database={"pool_size": 1})
    data = b"".join(GROUP[:-2] + [sync()])  # its statement is not closed
    watcher = raw(pooler).login("app_trust")
    for cut in range(1, len(data) + 1):
        client = raw(pooler).login("app_trust")
        client.send(data[:cut])
        getattr(client, how)()
        # The other's statement of that name is not there, and one of its own may be.
        watcher.send(bind(["mine"], statement="stmt"), execute(), sync())
        assert [got[:2] for got in errors(watcher.ready())] == [("ERROR", "26000")], cut
        watcher.send(bind([], "portal2", "portal"), sync())
        assert [got[:2] for got in errors(watcher.ready())] == [("ERROR", "26000")], cut
        watcher.send(parse(f"select {cut}, $1::text", "stmt"), bind(["mine"], "", "stmt"), execute(),
                     close(name="stmt"), sync())
        seen = watcher.ready()
        assert kinds(seen) == "12DC3Z" and rows(seen) == [[str(cut), "mine"]]


@pytest.mark.parametrize("shards", [2, 4])
def test_statements_are_right_where_server_connections_move_between_shards(pgring, raw, steer, shards):
    size, texts = 4 * shards, 9
    pooler = pgring(changes={"shards": {"count": shards}, **TRUST},
                    database={"pool_size": size, "max_prepared_statements": 4})
    held = steer(pooler, size, user="app_trust")
    clients = [raw(pooler).login("app_trust") for _ in range(2 * shards)]
    choice, seen = random.Random(SEED), set()
    print(f"seed {SEED}")
    with held.only(held.pids[0]):
        for number, client in enumerate(clients):
            # The even ones share their texts, by different names.
            client.send(*[parse(f"select {number % 2 * number}, {n}, $1::text, pg_backend_pid()", f"{number}s{n}")
                          for n in range(texts)], sync())
            assert kinds(client.ready()) == "1" * texts + "Z"
    for turn in range(400):
        number, pid, n = choice.randrange(len(clients)), choice.choice(held.pids), choice.randrange(texts)
        with held.only(pid):
            assert rows(used(clients[number], f"{number}s{n}", turn)) == [
                [str(number % 2 * number), str(n), str(turn), str(pid)]]
        assert int(held.value(pid, ON_SERVER)) <= 4
        seen.add((number, pid))
    assert len(seen) > 2 * size  # each client was on several
    assert "isolation fault" not in pooler.log()
