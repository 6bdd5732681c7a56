"""on_session_state and max_pinned say whether state may stay with a server connection; LISTEN hears what is told."""

import pytest
from harness.postgres import OWNER
from harness.raw import bind, errors, execute, kinds, parse, query, sync, unnamed
from harness.session_states import ANYTHING, FOREVER, PASSING, PINS, named
from harness.steer import PID, rows
from harness.wait import DEADLINE_S, until

REFUSED = {"pool_size": 1, "on_session_state": "error"}
STATES = [state for state in PINS + FOREVER if ";" not in state.take]


def ask_simple(client, text):
    return client.run(text)


def ask_extended(client, text):
    client.send(unnamed(text), unnamed("select 'skipped'"), sync())
    return client.ready()


def ask_named(client, text):
    client.send(parse(text, "taker"), bind(statement="taker"), execute(), sync())
    return client.ready()


def refusal(messages):
    """That of a refused state; its hint says what to do instead."""
    (error,) = [got.fields for got in messages if got.kind == "E"]
    assert (error["V"], error["C"]) == ("ERROR", "0A000"), error
    assert "on_session_state" in error["H"] or "session" in error["H"], error
    assert not [got for got in messages if got.kind in "DC"]
    return error


@pytest.mark.parametrize("ask", [ask_simple, ask_extended, ask_named])
@pytest.mark.parametrize("state", STATES, ids=named(STATES))
def test_a_state_that_may_not_stay_is_an_error_like_any_other(pgring, raw, state, ask):
    pooler = pgring(database=REFUSED)
    client, other = raw(pooler).login(OWNER), raw(pooler).login(OWNER)
    seen = ask(client, state.take)
    refusal(seen)
    assert seen[-1].status == "I"
    assert other.value(ANYTHING) == "0"
    # In a transaction, which it aborts.
    client.run("begin")
    seen = ask(client, state.take)
    refusal(seen)
    assert seen[-1].status == "E"
    assert errors(client.run("select 1"))[0][1] == "25P02"
    assert client.run("commit")[-2].tag == "ROLLBACK"
    assert other.value(ANYTHING) == "0"
    assert client.value("select 'goes on'") == "goes on"


@pytest.mark.parametrize("text", [*PASSING, "set work_mem = '5MB'", "select pg_advisory_unlock_all()", "unlisten *",
                                  "deallocate all", "discard all", "select 'pg_advisory_lock(1) listen'"])
def test_what_leaves_nothing_is_not_refused(pgring, raw, text):
    pooler = pgring(database=REFUSED)
    client, other = raw(pooler).login(), raw(pooler).login()
    for ask in (ask_simple, ask_named):
        if text != "discard all":
            client.run("begin")
        assert not errors(ask(client, text))
        client.run("commit")
        client.send(parse("", "taker2"), b"C\0\0\0\x0bStaker\0", sync())
        client.ready()
        assert other.value(ANYTHING) == "0"


def test_a_refused_text_among_others_does_nothing(pgring, postgres, raw):
    postgres.admin.execute("drop table if exists written; create table written (n int); grant all on written to public")
    client = raw(pgring(database=REFUSED)).login()
    refusal(client.run("insert into written values (1); listen pinned; insert into written values (2)"))
    client.send(*map(query, ["insert into written values (3)", "listen pinned", "insert into written values (4)"]))
    assert not errors(client.ready())
    refusal(client.ready())
    assert not errors(client.ready())
    assert postgres.admin.execute("select n from written order by n").fetchall() == [(3,), (4,)]


@pytest.mark.parametrize("state", [state for state in STATES[:-2] if " into temp " not in state.take],
                         ids=lambda state: state.name)
def test_a_state_that_no_text_showed_is_nobody_elses_either(pgring, raw, state):
    pooler = pgring(database={**REFUSED, "pool_size": 2})
    client, other = raw(pooler).login(), raw(pooler).login()
    client.run(f"do $outer$ begin execute $inner${state.take}$inner$; end $outer$")
    for _ in range(2):
        other.run("begin")
        assert other.value(ANYTHING) == "0"
        other.run("commit")
        client.run("select 1")


def ignored():
    for state in STATES:
        yield pytest.param(state, id=state.name)


@pytest.mark.parametrize("state", ignored())
def test_an_ignored_state_pins_nobody(pgring, raw, state):
    pooler = pgring(database={"pool_size": 1, "on_session_state": "ignore"})
    client, other = raw(pooler).login(OWNER), raw(pooler, timeout_s=DEADLINE_S / 4).login(OWNER)
    pid = client.value(PID)
    assert not errors(client.run(state.take))
    assert other.value(PID) == pid
    if state.seen:
        assert int(other.value(state.seen)) > 0  # that is what was asked for
    if state.give:
        assert not errors(other.run(state.give))
        assert client.value(ANYTHING) == "0"


@pytest.mark.parametrize("database, role, is_refused", [
    ("pin", "error", True), ("error", "pin", False), ("ignore", "error", True), (None, "error", True)])
def test_a_role_may_have_its_own_rule(pgring, raw, database, role, is_refused):
    pooler = pgring(changes={"role": {"app_md5": {"on_session_state": role}}},
                    database={"pool_size": 1, **({"on_session_state": database} if database else {})})
    client, others = raw(pooler).login("app_md5"), raw(pooler).login()
    seen = client.run("select pg_advisory_lock(7)")
    if is_refused:
        refusal(seen)
    else:
        assert not errors(seen)
        assert client.value(ANYTHING) == "1"
    # The role's only: the database's holds for all others.
    seen = others.run("select pg_advisory_lock(8)")
    if database == "error":
        refusal(seen)
    else:
        assert not errors(seen)


@pytest.mark.parametrize("ask", [ask_simple, ask_extended])
def test_no_more_clients_are_pinned_than_may_be(pgring, raw, ask):
    pooler = pgring(database={"pool_size": 4, "max_pinned": 2})
    clients = [raw(pooler).login() for _ in range(3)]
    others = [raw(pooler).login() for _ in range(6)]
    for number, client in enumerate(clients[:2]):
        assert not errors(client.run(f"select pg_advisory_lock({number})"))
    for _ in range(2):
        seen = ask(clients[2], "select pg_advisory_lock(2)")
        (error,) = [got.fields for got in seen if got.kind == "E"]
        assert (error["V"], error["C"]) == ("ERROR", "53400")
        assert "max_pinned" in error["H"]
        assert seen[-1].status == "I"
        assert clients[2].value("select 'goes on'") == "goes on"
        for other in others:
            assert other.value("select 'served'") == "served"
    # Both that are pinned may hold more.
    assert not errors(clients[0].run("select pg_advisory_lock(3)"))
    # A place is free when one is not pinned any more, or has left.
    clients[0].run("select pg_advisory_unlock_all()")
    until(lambda: not errors(ask(clients[2], "select pg_advisory_lock(2)")), "there is room for a third")
    assert errors(clients[0].run("select pg_advisory_lock(1000)"))[0][1] == "53400"
    clients[1].close()
    until(lambda: not errors(clients[0].run("select pg_advisory_lock(1000)")), "there is room for the first")


def told(client):
    """The next notification: pid, channel, payload."""
    got = client.until("A")[-1]
    channel, payload, _ = got.body[4:].split(b"\0")
    return int.from_bytes(got.body[:4], "big"), channel.decode(), payload.decode()


def test_a_listener_is_told_while_it_is_idle_and_in_order(pgring, raw):
    pooler = pgring(database={"pool_size": 2})
    listener, other = raw(pooler).login(), raw(pooler).login()
    listener.run("listen news; listen \"Odd name\"")
    pid = int(other.value(PID))
    for turn in range(3):
        other.run(f"notify news, '{turn}'")
        assert told(listener) == (pid, "news", str(turn))
    other.run("notify \"Odd name\"; notify news, 'both'")
    assert [told(listener), told(listener)] == [(pid, "Odd name", ""), (pid, "news", "both")]
    # Not within its transaction, and right after it.
    listener.run("begin")
    other.run("select pg_notify('news', 'later')")
    assert not [got for got in listener.run("select 1") if got.kind == "A"]
    seen = listener.run("commit")
    if not [got for got in seen if got.kind == "A"]:
        assert told(listener) == (pid, "news", "later")
    # Its own, too.
    own = int(listener.value(PID))
    listener.send(query("notify news, 'own'"))
    assert told(listener) == (own, "news", "own")


def test_who_listens_no_more_hears_nothing_and_nobody_hears_for_it(pgring, raw):
    pooler = pgring(database={"pool_size": 2})
    listener, other, third = (raw(pooler).login() for _ in range(3))
    for turn in range(3):
        listener.run("listen news")
        listener.run("listen more")
        pid = listener.value(PID)
        listener.run("unlisten more")
        assert listener.value(PID) == pid  # still listening
        other.run(f"notify news, '{turn}'")
        assert told(listener)[1:] == ("news", str(turn))
        listener.run("unlisten news")
        other.run("begin; notify news, 'nobody'; commit")
        third.run("notify news, 'nobody'")
        for client in (listener, other, third):
            for _ in range(2):
                assert kinds(client.run("select 1")) == "TDCZ"
                client.run("begin")
            client.run("commit")


def test_several_listeners_each_hear_once(pgring, raw):
    pooler = pgring(database={"pool_size": 4})
    listeners = [raw(pooler).login() for _ in range(3)]
    for listener in listeners:
        listener.run("listen news")
    other = raw(pooler).login()
    other.run("notify news, 'x'")
    for listener in listeners:
        assert told(listener)[1:] == ("news", "x")
        assert kinds(listener.run("select 1")) == "TDCZ"
    assert rows(other.run(ANYTHING)) == [["0"]]
