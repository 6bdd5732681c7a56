"""State that stays with a server connection keeps its client there, until it is gone; then the connection is clean."""

import pytest
from harness.postgres import OWNER
from harness.raw import bind, close, errors, execute, kinds, parse, query, sync, unnamed
from harness.session_states import ANYTHING, CURSORS, FOREVER, LOCKS, PASSING, PINS, TEMPORARY, named
from harness.steer import PID, prepared, rows, used
from harness.wait import DEADLINE_S, until


def ask_simple(client, text):
    return client.run(text)


def ask_extended(client, text):
    client.send(unnamed(text), sync())
    return client.ready()


def ask_named(client, text):
    client.send(parse(text, "taker"), bind(statement="taker"), execute(), sync())
    return client.ready()


def ask_in_do(client, text):
    return client.run(f"do $outer$ begin execute $inner${text}$inner$; end $outer$")


def ask_by_function(client, text):
    """The text of the statement does not show it."""
    client.send(parse("select run_text($1)"), bind([text]), execute(), sync())
    return client.ready()


ASKS = [ask_simple, ask_extended, ask_named, ask_in_do, ask_by_function]
PATIENCE_S = DEADLINE_S / 4  # where a hang is what may be met


def ways():
    """Each state by each way to take it that PostgreSQL has."""
    for state in PINS:
        for ask in ASKS:
            if ";" in state.take and ask in (ask_extended, ask_named):
                continue  # one statement at a time in that protocol
            if " into temp " in state.take and ask in (ask_in_do, ask_by_function):
                continue  # PostgreSQL: "EXECUTE of SELECT ... INTO is not implemented"
            yield pytest.param(state, ask, id=f"{state.name}-{ask.__name__}")


@pytest.fixture
def run_text(postgres):
    postgres.admin.execute("create or replace function run_text(t text) returns void language plpgsql"
                           " as $$ begin execute t; end $$")


def waiting(pooler):
    return sum(int(row["cl_waiting"]) for row in pooler.show("POOLS"))


def give_back(client, state):
    assert not errors(client.run(state.give))


@pytest.mark.parametrize("state, ask", ways())
def test_a_client_stays_where_its_state_is(pgring, raw, run_text, state, ask):
    pooler = pgring(database={"pool_size": 2})
    client, others = raw(pooler).login(), [raw(pooler).login() for _ in range(2)]
    assert not errors(ask(client, state.take))
    pid = client.value(PID)
    for _ in range(2):
        # What was given back last is taken first: without the pin it would be the client's.
        for other in others:
            other.run("begin")
            assert other.value(PID) != pid
            assert other.value(ANYTHING) == "0"
            other.run("commit")
        assert client.value(PID) == pid
        assert int(client.value(state.seen)) > 0
    give_back(client, state)
    # Both server connections are free, and clean.
    for other in others:
        other.run("begin")
    assert pid in [other.value(PID) for other in others]
    assert [other.value(ANYTHING) for other in others] == ["0", "0"]


@pytest.mark.parametrize("leave", ["give back", "terminate", "close", "abort"])
@pytest.mark.parametrize("state", PINS, ids=named(PINS))
def test_the_only_server_connection_is_given_back_clean(pgring, raw, state, leave):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    assert not errors(client.run(state.take))
    pid = client.value(PID)
    other.send(query(f"select pg_backend_pid(), ({ANYTHING})"))
    until(lambda: waiting(pooler) == 1, "the other client waits")
    assert int(client.value(state.seen)) > 0
    if leave == "give back":
        give_back(client, state)
    elif leave == "terminate":
        client.send(b"X\0\0\0\4")
    else:
        getattr(client, leave)()
    ((served, found),) = rows(other.ready())
    assert found == "0"
    assert served == pid or leave != "give back"
    if leave == "give back":
        assert client.value(ANYTHING) == "0"


GIVES = [(state.name, state.take, state.give, state.seen) for state in PINS if state.name != "all at once"] + [
    ("temporary table, DISCARD TEMP", "create temp table pinned (n int)", "discard temp", TEMPORARY),
    ("temporary table, DISCARD ALL", "create temp table pinned (n int)", "discard all", TEMPORARY),
    ("cursor, DISCARD ALL", "declare pinned cursor with hold for select 1", "discard all", CURSORS),
    ("temporary table, DROP OWNED", "create temp table pinned (n int)", "drop owned by app_scram", TEMPORARY)]


def gives():
    for name, take, give, seen in GIVES:
        for ask in ASKS:
            # Two stand for all.
            if ask in (ask_in_do, ask_by_function) and name not in ("temporary table", "advisory lock"):
                continue
            yield pytest.param(take, give, seen, ask, id=f"{name}-{ask.__name__}")


@pytest.mark.parametrize("take, give, seen, ask", gives())
def test_what_is_given_back_in_any_way_lets_go_of_the_server_connection(pgring, raw, run_text, take, give, seen, ask):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler, timeout_s=PATIENCE_S).login()
    assert not errors(client.run(take))
    other.send(query(f"select pg_backend_pid(), ({ANYTHING})"))
    until(lambda: waiting(pooler) == 1, "the other client waits")
    assert client.value(seen) != "0"
    pid = client.value(PID)
    assert not errors(ask(client, give))
    assert rows(other.ready()) == [[pid, "0"]]


def test_a_held_cursor_that_is_closed_as_a_portal_lets_go_of_the_server_connection(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler, timeout_s=PATIENCE_S).login()
    client.run("declare pinned cursor with hold for select 1")
    other.send(query(ANYTHING))
    until(lambda: waiting(pooler) == 1, "the other client waits")
    client.send(close("P", "pinned"), sync())
    assert kinds(client.ready()) == "3Z"
    assert rows(other.ready()) == [["0"]]


@pytest.mark.parametrize("first", [True, False])
def test_a_client_stays_until_the_last_of_its_states_is_gone(pgring, raw, first):
    chosen = [state for state in PINS if state.name in (
        "temporary table", "cursor with hold", "advisory lock", "LISTEN", "PREPARE", "temporary function")]
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    for state in chosen:
        assert not errors(client.run(state.take))
    pid = client.value(PID)
    other.send(query(f"select pg_backend_pid(), ({ANYTHING})"))
    until(lambda: waiting(pooler) == 1, "the other client waits")
    for state in chosen if first else reversed(chosen):
        assert client.value(PID) == pid
        assert int(client.value(state.seen)) > 0
        give_back(client, state)
    assert rows(other.ready()) == [[pid, "0"]]


@pytest.mark.parametrize("state", FOREVER, ids=named(FOREVER))
@pytest.mark.parametrize("ask", [ask_simple, ask_extended, ask_named, ask_in_do])
def test_state_that_cannot_be_given_back_is_gone_with_its_client(pgring, raw, state, ask):
    pooler = pgring(database={"pool_size": 2})
    client, other = raw(pooler).login(OWNER), raw(pooler).login(OWNER)  # LOAD is a superuser's
    assert not errors(ask(client, state.take))
    pid = client.value(PID)
    for _ in range(2):
        other.run("begin")
        assert other.value(PID) != pid
        assert other.value(ANYTHING) == "0"
        other.run("commit")
        assert client.value(PID) == pid
        assert not state.seen or client.value(state.seen) == "1"
    client.close()
    for _ in range(5):
        clients = [raw(pooler).login(OWNER) for _ in range(2)]
        for one in clients:
            one.run("begin")
            assert one.value(PID) != pid
            assert one.value(ANYTHING) == "0"
        for one in clients:
            one.close()


@pytest.mark.parametrize("state", PINS[:-1], ids=named(PINS[:-1]))
@pytest.mark.parametrize("texts, kept", [
    (["begin", None, "commit"], True), (["begin", None, "rollback"], False),
    (["begin", "savepoint s", None, "rollback to s", "commit"], False),
    (["begin", None, "select 1/0", "commit"], False),
    (["begin", None, None, "commit"], False)], ids=["commit", "rollback", "savepoint", "error", "given back"])
def test_state_of_a_transaction_pins_if_it_outlives_it(pgring, postgres, raw, state, texts, kept):
    def play(target):
        takes = [state.take, state.give]
        for text in texts:
            target.run(takes.pop(0) if text is None else text)

    direct = raw(postgres).login()
    play(direct)
    stays = direct.value(state.seen) != "0"  # PostgreSQL knows best
    direct.close()
    until(lambda: not postgres.value("select count(*) from pg_locks where locktype = 'advisory'"), "no lock is left")
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    play(client)
    assert stays == (kept or not state.rolls_back and "given back" not in texts and texts.count(None) == 1)
    other.send(query(ANYTHING))
    if stays:
        until(lambda: waiting(pooler) == 1, "the other client waits")
        assert int(client.value(state.seen)) > 0
        give_back(client, state)
    assert rows(other.ready()) == [["0"]]


@pytest.mark.parametrize("text", PASSING)
def test_what_ends_with_its_transaction_does_not_pin(pgring, raw, text):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    for end in ("commit", "rollback"):
        client.run("begin")
        assert not errors(client.run(text))
        client.run(end)
        assert other.value(ANYTHING) == "0"
        client.send(unnamed("begin"), unnamed(text), unnamed(end), sync())
        assert not errors(client.ready())
        assert other.value(ANYTHING) == "0"


def test_an_advisory_lock_is_counted(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    client.run("select pg_advisory_lock(1)")
    client.run("select pg_advisory_lock(1), pg_advisory_lock_shared(2)")
    pid = client.value(PID)
    other.send(query(f"select pg_backend_pid(), ({LOCKS})"))
    for text in ("select pg_advisory_unlock(1)", "select pg_advisory_unlock_shared(2)"):
        assert client.value(text) == "t"
        assert client.value(PID) == pid
        assert postgres.value("select count(*) from pg_locks where locktype = 'advisory' and pid = %s", int(pid)) > 0
    until(lambda: waiting(pooler) == 1, "the other client waits")
    assert client.value("select pg_advisory_unlock(1)") == "t"
    assert rows(other.ready()) == [[pid, "0"]]
    assert client.value("select pg_advisory_unlock(1)") == "f"  # as on a direct connection


def test_a_lock_keeps_others_out_and_waits_for_them(pgring, raw):
    pooler = pgring(database={"pool_size": 3})
    one, other = raw(pooler).login(), raw(pooler).login()
    one.run("select pg_advisory_lock(5)")
    assert other.value("select pg_try_advisory_lock(5)") == "f"
    other.send(query("select pg_advisory_lock(5)"))
    for _ in range(3):
        assert one.value("select 1") == "1"
    one.run("select pg_advisory_unlock(5)")
    assert not errors(other.ready())
    assert one.value("select pg_try_advisory_lock(5)") == "f"
    other.close()
    until(lambda: one.value("select pg_try_advisory_lock(5)") == "t", "the lock of the one that left is free")


def test_settings_and_statements_of_a_pinned_client_are_as_ever(pgring, raw):
    pooler = pgring(database={"pool_size": 2})
    client, other, third = (raw(pooler).login() for _ in range(3))
    client.run("set work_mem = '5MB'")
    prepared(client, "before", "select 'before ' || $1::text")
    client.run("create temp table pinned as select 7 as n")
    pid = client.value(PID)
    other.run("begin")
    assert other.value(PID) != pid
    prepared(client, "within", "select n, $1::text from pinned")
    client.run("set lock_timeout = '5s'")
    assert rows(used(client, "before", "x")) == [["before x"]]
    assert rows(used(client, "within", "y")) == [["7", "y"]]
    client.run("drop table pinned")
    third.run("begin")
    assert third.value(PID) == pid  # so that the client goes elsewhere
    assert third.value("show work_mem") == "4MB"
    other.run("commit")
    assert client.value(PID) != pid
    assert client.value("show work_mem") == "5MB"
    assert client.value("show lock_timeout") == "5s"
    assert rows(used(client, "before", "x")) == [["before x"]]
    assert errors(used(client, "within", "y"))[0][1] == "42P01"


def test_a_pinned_client_is_told_when_its_server_connection_is_lost(pgring, postgres, raw):
    """The state is gone: to go on as if nothing were would be a lie."""
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    client.run("select pg_advisory_lock(6)")
    postgres.admin.execute("select pg_terminate_backend(%s)", [int(client.value(PID))])
    assert errors(client.rest())[-1][0] == "FATAL"
    assert raw(pooler).login().value(ANYTHING) == "0"


def test_a_temporary_table_hides_another_of_its_name_from_its_client_only(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists seen_by; create table seen_by as select 'all' as who;"
                           " grant select on seen_by to public")
    pooler = pgring(database={"pool_size": 2})
    client, other = raw(pooler).login(), raw(pooler).login()
    for one in (client, other):
        prepared(one, "s", "select who from seen_by")
    client.run("create temp table seen_by as select 'me'::text as who")
    for _ in range(3):
        assert rows(used(client, "s")) == [["me"]]
        assert rows(used(other, "s")) == [["all"]]
    client.run("drop table pg_temp.seen_by")
    assert rows(used(client, "s")) == [["all"]]
    assert client.value(TEMPORARY) == "0"
