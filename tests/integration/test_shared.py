"""Several clients' reads in flight on one server connection (share): each gets its own answers, and nobody waits for another
for long.

How a read is made to take long: its table is locked by somebody else.
"""

import contextlib

import psycopg
import pytest
from harness.raw import bind, cancel_request, describe, errors, execute, kinds, parse, query, sync, terminate, unnamed
from harness.steer import prepared, rows, used
from harness.wait import until

TABLES = ("drop table if exists share_slow, share_fast cascade;"
          "create table share_slow (id int, value text); insert into share_slow select n, 'slow ' || n from generate_series(1, 9) n;"
          "create table share_fast (id int, value text); insert into share_fast select n, 'fast ' || n from generate_series(1, 9) n;"
          "grant all on share_slow, share_fast to public")


def total(pooler, name):
    (value,) = [int(row["value"]) for row in pooler.show("TOTALS") if row["name"] == name]
    return value


def waiting(pooler):
    return sum(int(row["cl_waiting"]) for row in pooler.show("POOLS"))


def staged(pooler):
    return total(pooler, "total_shared_count")


@contextlib.contextmanager
def locked(postgres, table="share_slow"):
    with psycopg.connect(postgres.dsn()) as holder:
        holder.execute(f"lock table {table} in access exclusive mode")
        yield holder


def read(table, n):
    return query(f"select value from {table} where id = {n}")


def slow(n):
    return read("share_slow", n)


def fast(n):
    return read("share_fast", n)


@pytest.fixture
def shared(postgres, pgring):
    """Makes a pooler whose clients' reads share one server connection of `pool_size`."""
    postgres.admin.execute(TABLES)

    def make(pool_size=2, stall="100s", depth=8, changes=None, **more):
        pooler = pgring(database={"pool_size": pool_size, "share": "reads", "share_stall": stall,
                                  "share_depth": depth, **more}, changes=changes)
        return pooler

    return make


def known(client, *texts):
    """Lets pgring learn that these are short and leave nothing."""
    for text in texts:
        for _ in range(4):
            client.send(text)
            assert not errors(client.ready())


@pytest.fixture
def clients(raw):
    def make(pooler, count, user="app_scram"):
        made = [raw(pooler).login(user) for _ in range(count)]
        known(made[0], slow(1), fast(1))
        return made
    return make


def stage(pooler, client, *messages):
    """Sends what is to be staged, and waits until it is."""
    before = staged(pooler)
    client.send(*messages)
    until(lambda: staged(pooler) == before + 1, "the group is staged")


def begin_slow(postgres, client, n):
    client.send(slow(n))
    until(lambda: postgres.value("select count(*) from pg_locks where relation = 'share_slow'::regclass and not granted") == 1,
          "the read waits for the lock")


def cancel(raw, pooler, client):
    canceller = raw(pooler)
    canceller.send(cancel_request(client.pid, client.secret))
    assert not canceller.rest()


def values(client):
    return [row for (row,) in rows(client.ready())]


def test_what_is_staged_is_answered_in_order_each_to_its_own(postgres, shared, clients):
    pooler = shared()
    first, *others = clients(pooler, 6)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        for n, client in enumerate(others, 2):
            stage(pooler, client, fast(n) if n % 2 else slow(n))
        assert len(postgres.backends()) == 1
    assert values(first) == ["slow 1"]
    for n, client in enumerate(others, 2):
        assert values(client) == [f"fast {n}" if n % 2 else f"slow {n}"]
    assert staged(pooler) == 5 and len(postgres.backends()) == 1
    # They are idle again, and go on.
    for n, client in enumerate(others, 2):
        client.send(fast(n))
        assert values(client) == [f"fast {n}"]


def test_switched_off_nothing_is_staged(postgres, shared, clients):
    pooler = shared(share="off")
    first, second = clients(pooler, 2)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        second.send(fast(2))
        assert values(second) == ["fast 2"]
    assert values(first) == ["slow 1"]
    assert staged(pooler) == 0


def test_behind_one_that_takes_long_nobody_waits_longer_than_share_stall(postgres, shared, clients):
    pooler = shared(stall="100ms")
    first, *others = clients(pooler, 4)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        for n, client in enumerate(others, 2):
            stage(pooler, client, fast(n))
        for n, client in enumerate(others, 2):
            assert values(client) == [f"fast {n}"]  # while the first still waits
    assert values(first) == ["slow 1"]
    assert total(pooler, "total_share_stall_count") >= 1
    assert total(pooler, "total_share_fled_count") == 3
    # The late answers were nobody's.
    for n, client in enumerate([first, *others], 1):
        client.send(fast(n))
        assert values(client) == [f"fast {n}"]


def test_the_holder_of_the_lock_may_wait_for_one_that_is_staged_behind_it(postgres, shared, clients):
    """One program: a transaction on one connection, reads on others."""
    pooler = shared(pool_size=3, stall="100ms")
    first, second, holder = clients(pooler, 3)
    holder.run("begin")
    holder.run("lock table share_slow in access exclusive mode")
    begin_slow(postgres, first, 1)
    stage(pooler, second, fast(2))
    assert values(second) == ["fast 2"]  # the program goes on only then
    holder.run("commit")
    assert values(first) == ["slow 1"]


def test_a_cancel_of_one_that_is_staged_ends_only_that(postgres, shared, clients, raw):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        stage(pooler, third, fast(3))
        cancel(raw, pooler, second)
        (error,) = errors(second.ready())
        assert error[1] == "57014"
    assert values(first) == ["slow 1"] and values(third) == ["fast 3"]
    second.send(fast(4))
    assert values(second) == ["fast 4"]


def test_a_cancel_of_the_first_does_not_meet_those_behind_it(postgres, shared, clients, raw):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        stage(pooler, third, fast(3))
        cancel(raw, pooler, first)
        (error,) = errors(first.ready())
        assert error[1] == "57014"
        assert values(second) == ["fast 2"] and values(third) == ["fast 3"]
    first.send(slow(4))
    assert values(first) == ["slow 4"]


@pytest.mark.parametrize("who", ["first", "second", "last"])
def test_a_client_that_leaves_takes_nobody_with_it(postgres, shared, clients, who):
    pooler = shared()
    first, second, last = made = clients(pooler, 3)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        stage(pooler, last, fast(3))
        {"first": first, "second": second, "last": last}[who].close()
        until(lambda: len(pooler.show("CLIENTS")) == 3, "it has gone")  # with the console's
    expected = ["slow 1", "fast 2", "fast 3"]
    for client, value, name in zip(made, expected, ("first", "second", "last")):
        if name != who:
            assert values(client) == [value]
    assert len(postgres.backends()) == 1


def test_when_all_have_left_what_runs_is_cancelled(postgres, shared, clients):
    pooler = shared()
    first, second = clients(pooler, 2)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        first.close()
        second.close()
        until(lambda: not postgres.backends(), "the server connection is closed")


def test_when_the_server_connection_ends_those_behind_are_served_elsewhere(postgres, shared, clients):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        stage(pooler, third, fast(3))
        postgres.value("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'app_scram'")
        assert values(second) == ["fast 2"] and values(third) == ["fast 3"]
    seen = first.rest()
    assert [sqlstate for _, sqlstate, _ in errors(seen)] == ["57P01"]


def test_an_error_is_its_owners(postgres, shared, clients):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    divided = query("select 1 / (id - 5) from share_fast where id = 4")
    known(second, divided)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, query("select 1 / (id - 5) from share_fast where id = 5"))
        stage(pooler, third, fast(3))
    assert values(first) == ["slow 1"]
    (error,) = errors(second.ready())
    assert error[1] == "22012"
    assert values(third) == ["fast 3"]


def test_groups_of_the_extended_protocol_are_staged(postgres, shared, clients):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    text = "select value, $1::text from share_fast where id = $2::int"
    for client in (second, third):
        prepared(client, "s", text)
        for n in range(4):
            assert rows(used(client, "s", "x", n + 1)) == [[f"fast {n + 1}", "x"]]
    unnamed_text = "select value from share_fast where id = $1::int"
    for n in range(1, 6):
        second.send(unnamed(unnamed_text, [n]), sync())
        assert values(second) == [f"fast {n}"]
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, bind(["second", 2], statement="s"), execute(), sync())
        stage(pooler, third, bind(["third", 3], statement="s"), describe("P"), execute(), sync())
    assert values(first) == ["slow 1"]
    assert rows(second.ready()) == [["fast 2", "second"]]
    assert rows(third.ready()) == [["fast 3", "third"]]
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, unnamed(unnamed_text, [7]), sync())
        stage(pooler, third, fast(8))
    assert values(first) == ["slow 1"]
    messages = second.ready()
    assert rows(messages) == [["fast 7"]] and kinds(messages)[:2] == "12"
    assert values(third) == ["fast 8"]


def test_a_spared_parse_of_a_table_that_changes_meanwhile_is_done_after_all(postgres, shared, clients):
    """It fails behind the first, unseen, and is sent again as it came."""
    pooler = shared()
    first, second, third = clients(pooler, 3)
    text = "select * from share_fast where id = $1::int"
    for n in range(1, 6):
        second.send(unnamed(text, [n]), sync())
        assert rows(second.ready()) == [[str(n), f"fast {n}"]]
    before = total(pooler, "total_parse_spared_count")
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, unnamed(text, [2]), sync())
        stage(pooler, third, fast(3))
        assert total(pooler, "total_parse_spared_count") == before + 1
        postgres.admin.execute("alter table share_fast add column more int default 7")
    assert values(first) == ["slow 1"] and values(third) == ["fast 3"]
    messages = second.ready()
    assert rows(messages) == [["2", "fast 2", "7"]] and kinds(messages) == "12TDCZ"
    assert total(pooler, "total_parse_spared_count") == before


def test_what_a_client_sends_behind_its_group_waits_for_that(postgres, shared, clients):
    pooler = shared()
    first, second = clients(pooler, 2)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        second.send(query("begin"), query("select 1"), query("commit"))
        first.send(fast(5))
    assert values(first) == ["slow 1"] and values(first) == ["fast 5"]
    assert values(second) == ["fast 2"]
    assert [second.ready()[-1].status for _ in range(3)] == ["T", "T", "I"]


@pytest.mark.parametrize("text", [
    "insert into share_fast values (0, 'x')", "select value from share_fast where id = 1 for update", "begin",
    "select value from share_fast where id = 1; select 1", "select pg_backend_pid()", "set work_mem = '5MB'"])
def test_what_is_no_plain_read_takes_a_connection_alone(postgres, shared, clients, text):
    pooler = shared()
    first, second = clients(pooler, 2)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        for _ in range(3):
            assert not errors(second.run(text))
        second.run("rollback")
        assert staged(pooler) == 0
    assert values(first) == ["slow 1"]


def test_a_text_nobody_knows_takes_a_connection_alone(postgres, shared, clients):
    pooler = shared()
    first, second = clients(pooler, 2)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        assert second.run("select value || 'x' from share_fast where id = 1")
        assert staged(pooler) == 0
    assert values(first) == ["slow 1"]


def test_others_settings_are_not_shared(postgres, shared, clients):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    second.run("set work_mem = '5MB'")
    with locked(postgres):
        begin_slow(postgres, first, 1)
        second.send(fast(2))
        assert values(second) == ["fast 2"]
        assert staged(pooler) == 0
        stage(pooler, third, fast(3))
    assert values(first) == ["slow 1"] and values(third) == ["fast 3"]


def test_the_name_of_the_application_need_not_be_the_same(postgres, shared, raw):
    pooler = shared()
    first, second, third = [raw(pooler).login(application_name=name) for name in ("one", "two", "one")]
    known(first, slow(1), fast(1))
    own_name = query("select current_setting('application_name') from share_fast where id = 1")
    known(third, own_name)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        third.send(own_name)
        assert values(third) == ["one"]  # on a connection that has it
    assert values(first) == ["slow 1"] and values(second) == ["fast 2"]
    assert [client.value("show application_name") for client in (first, second, third)] == ["one", "two", "one"]


def test_no_more_than_share_depth(postgres, shared, clients):
    pooler = shared(depth=3)
    first, second, third, fourth = clients(pooler, 4)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        stage(pooler, third, fast(3))
        fourth.send(fast(4))
        assert values(fourth) == ["fast 4"]
        assert len(postgres.backends()) == 2
    assert values(first) == ["slow 1"] and values(second) == ["fast 2"] and values(third) == ["fast 3"]


def test_who_needs_a_connection_alone_is_not_overtaken(postgres, shared, clients):
    pooler = shared(pool_size=1)
    first, second, alone, late = clients(pooler, 4)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        alone.send(query("update share_fast set value = 'new 3' where id = 3"))
        until(lambda: waiting(pooler) == 1, "it waits")
        late.send(fast(3))
        until(lambda: waiting(pooler) == 2, "that one waits too")
    assert values(first) == ["slow 1"] and values(second) == ["fast 2"]
    assert not errors(alone.ready())
    assert values(late) == ["new 3"]


def test_a_goodbye_behind_a_staged_group(postgres, shared, clients):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        second.send(terminate())
        stage(pooler, third, fast(3))
    assert values(first) == ["slow 1"] and values(third) == ["fast 3"]
    assert rows(second.rest()) == [["fast 2"]]


def test_a_pause_waits_for_what_is_staged(postgres, shared, clients):
    pooler = shared()
    first, second, third = clients(pooler, 3)
    with locked(postgres):
        begin_slow(postgres, first, 1)
        stage(pooler, second, fast(2))
        with pooler.console() as console:
            console.execute("RECONNECT")
        third.send(fast(3))
        assert values(third) == ["fast 3"]  # on another
    assert values(first) == ["slow 1"] and values(second) == ["fast 2"]
    until(lambda: len(postgres.backends()) == 1, "the old connection is closed")
