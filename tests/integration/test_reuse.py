"""A Parse that PostgreSQL is spared: when, that nobody can tell, and what may not be done with it (reuse_parse)."""

import psycopg
import pytest
from harness.raw import (bind, cancel_request, close, describe, errors, execute, kinds, parse, query, sync, terminate,
                         unnamed)
from harness.steer import rows
from harness.wait import until

TRUST = {"auth": {"method": "trust"}}
KNOWN_AFTER = 3  # times


def asked(client, *messages):
    client.send(*messages, sync())
    return client.ready()


def again(client, text, values=(), times=KNOWN_AFTER):
    return [rows(asked(client, unnamed(text, values))) for _ in range(times)]


def spared(pooler):
    (count,) = [int(row["value"]) for row in pooler.show("TOTALS") if row["name"] == "total_parse_spared_count"]
    return count


class Counted:
    """How many Parses were spared since."""

    def __init__(self, pooler):
        self._pooler, self._before = pooler, spared(pooler)

    def __call__(self):
        return spared(self._pooler) - self._before


def test_a_text_is_shared_from_the_third_time_on(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    counted = Counted(pooler)
    again(client, "select 'one', 77")
    assert counted() == 0  # the third time it is prepared under a name
    assert again(client, "select 'one', 77", times=5) == [[["one", "77"]]] * 5
    assert counted() == 5
    (row,) = [row for row in pooler.show("STATEMENTS") if row["query"] == "select 'one', 77"]
    assert row["parses_spared"] == "5" and row["servers"] == "1"


def test_texts_that_come_once_make_no_statement(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    for n in range(300):
        assert rows(asked(client, unnamed(f"select {n}"))) == [[str(n)]]
    assert pooler.show("STATEMENTS") == []


def test_switched_off_every_parse_is_sent(pgring, raw):
    pooler = pgring(database={"pool_size": 1, "reuse_parse": False})
    client = raw(pooler).login()
    again(client, "select 1", times=10)
    assert spared(pooler) == 0 and pooler.show("STATEMENTS") == []


def test_every_execution_has_a_plan_of_its_own(pgring, raw):
    """As an unnamed statement's: not from the sixth time on one for any values."""
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    text = "select $1::int + 4711"
    counted = Counted(pooler)
    most = 0
    plans = f"select coalesce(sum(generic_plans), 0), max(custom_plans) from pg_prepared_statements where statement = '{text}'"
    for n in range(23):
        assert again(client, text, [n], times=1) == [[[str(n + 4711)]]]
        ((generic, custom),) = rows(client.run(plans))
        assert generic == "0", n
        most = max(most, int(custom or 0))
    assert most == 5
    assert counted() >= 14
    # One after another without a Parse, too.
    asked(client, parse(text), describe("S"))
    for n in range(12):
        assert rows(asked(client, bind([n]), execute())) == [[str(n + 4711)]]
        ((generic, custom),) = rows(client.run(plans))
        client.send(parse(text), sync())  # the Query has dropped it
        client.ready()
        assert generic == "0"


def test_bound_without_a_parse_it_is_planned_anew_on_other_connections(pgring, raw, steer):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client = raw(pooler).login()
    text = "select $1::int + 4712"
    with held.only(held.pids[0]):
        asked(client, parse(text), describe("S"))
    with held.only(held.pids[1]):
        for n in range(14):
            assert rows(asked(client, bind([n]), execute())) == [[str(n + 4712)]]
    assert held.value(held.pids[1], "select sum(generic_plans) from pg_prepared_statements"
                                    f" where statement = '{text}'") == "0"


def test_a_table_altered_past_pgring_is_met_with_what_a_direct_connection_has(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists reused; create table reused (a int); insert into reused values (1);"
                           "grant all on reused to public")
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    again(client, "select * from reused", times=5)
    postgres.admin.execute("alter table reused add b text default 'new'")
    assert again(client, "select * from reused", times=6) == [[["1", "new"]]] * 6
    postgres.admin.execute("drop table reused")
    for _ in range(6):
        seen = asked(client, unnamed("select * from reused"))
        assert kinds(seen) == "EZ" and [got[1] for got in errors(seen)] == ["42P01"]
    assert raw(pooler).login().value("select 1") == "1"


def test_what_is_defined_on_any_shard_is_seen_by_the_next_parse(pgring, postgres, raw):
    postgres.admin.execute("drop schema if exists near, far cascade; create schema near; create schema far;"
                           "grant all on schema near, far to public; create table far.it as select 'far' as it;"
                           "grant all on far.it to public")
    pooler = pgring(changes={"shards": {"count": 2}, **TRUST}, database={"pool_size": 8})
    clients = [raw(pooler).login("app_trust", options="-c search_path=near,far") for _ in range(8)]
    for turn in range(5):
        for client in clients:
            again(client, "select it from it", times=4)
        clients[turn].run(f"create table near.it as select 'near {turn}' as it")
        for client in clients:
            assert again(client, "select it from it", times=2) == [[[f"near {turn}"]]] * 2
        # By another protocol, in a transaction, prepared before: known when it is over.
        asked(clients[turn], parse("drop table near.it", "gone"))
        clients[turn].run("begin")
        asked(clients[turn], bind(statement="gone"), execute())
        clients[turn].run("commit")
        for client in clients:
            assert again(client, "select it from it", times=2) == [[["far"]]] * 2
        asked(clients[turn], close("S", "gone"))
    assert spared(pooler) > 0


def test_a_client_that_is_pinned_has_each_parse_sent(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    again(client, "select count(*) from pg_class where relname = 'mine'", times=5)
    client.run("create temp table pg_am (a int)")
    counted = Counted(pooler)
    again(client, "select count(*) from pg_class where relname = 'mine'", times=5)
    assert counted() == 0
    client.run("drop table pg_temp.pg_am")


def test_what_comes_behind_a_group_that_is_done_again_comes_behind_it(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists reused; create table reused (a int); grant all on reused to public")
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    text = "insert into reused values ($1) returning a, (select count(*) from reused)"
    again(client, text, [1], times=4)
    postgres.admin.execute("truncate reused; alter table reused alter a type bigint")
    lock = psycopg.connect(postgres.dsn())
    lock.execute("lock table reused")
    client.send(unnamed(text, [1]), sync())
    until(lambda: postgres.value("select count(*) from pg_locks where not granted"), "it waits for the table")
    client.send(unnamed(text, [2]), sync())
    client.send(query("select 3"))
    lock.rollback()
    assert [rows(client.ready()) for _ in range(3)] == [[["1", "0"]], [["2", "1"]], [["3"]]]
    lock.close()


def test_a_client_that_leaves_at_once_has_its_query_done(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists reused; create table reused (a int); grant all on reused to public")
    pooler = pgring(database={"pool_size": 1})
    text = "insert into reused select $1 from pg_sleep(0.2)"
    for n in range(6):
        client = raw(pooler).login()
        if n == 5:  # it is done again
            postgres.admin.execute("alter table reused add b int; alter table reused alter a type bigint")
        client.send(unnamed(text, [n]), sync())
        until(lambda: any(row["state"] == "active" for row in pooler.show("SERVERS")), "it runs")
        client.send(terminate())
        client.close()
        until(lambda: postgres.value(f"select count(*) from reused where a = {n}") == 1, "it was done")


def test_a_cancel_ends_what_waits_for_its_table(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists reused; create table reused (a int); grant all on reused to public")
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    again(client, "select * from reused where a = $1", [1], times=4)
    lock = psycopg.connect(postgres.dsn())
    lock.execute("alter table reused add b int")
    client.send(unnamed("select * from reused where a = $1", [1]), sync())
    until(lambda: postgres.value("select count(*) from pg_locks where not granted"), "it waits for the table")
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    canceller.rest()
    seen = client.ready()
    assert kinds(seen) == "EZ" and [got[1] for got in errors(seen)] == ["57014"]
    lock.rollback()
    assert again(client, "select * from reused where a = $1", [1], times=4) == [[]] * 4
    lock.close()


def test_a_definition_prepared_in_an_earlier_transaction_is_seen_when_it_is_made(pgring, postgres, raw):
    postgres.admin.execute("drop schema if exists near, far cascade; create schema near; create schema far;"
                           "grant all on schema near, far to public; create table far.it as select 'far' as it;"
                           "grant all on far.it to public")
    pooler = pgring(changes=TRUST, database={"pool_size": 1})
    one, other = [raw(pooler).login("app_trust", options="-c search_path=near,far") for _ in range(2)]
    again(other, "select it from it", times=4)
    asked(one, parse("create table near.it as select 'near' as it"))
    again(other, "select it from it", times=2)  # no Parse of its own: the unnamed one is still there
    assert kinds(asked(one, bind(), execute())) == "2CZ"
    assert again(other, "select it from it", times=1) == [[["near"]]]


@pytest.mark.parametrize("name", ["", "s"])
def test_a_server_connection_that_has_lost_its_copies_is_asked_again(pgring, raw, name):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    text = "select $1::text || 'there'"
    for n in range(5):
        use = f"{name}{n}" if name else ""
        assert rows(asked(client, parse(text, use), bind(["is "], statement=use), execute())) == [["is there"]]
    other.run("do $$ begin execute 'deallocate all'; end $$")
    other.run("select 1")
    use = name and "last"
    for _ in range(3):
        assert rows(asked(client, parse(text, use), bind(["is "], statement=use), execute())) == [["is there"]]
        if use:
            asked(client, close("S", use))
