"""State that no text shows: left by functions, triggers and views. Nobody else meets it but for a moment, and once known,
the text that leaves it is looked into each time, so that its own client keeps what it left.

Each function here leaves nothing while its switch is off, so that its text is taken for harmless before."""

import time

import psycopg
import pytest
from harness.audits import audits, looked_into, totals
from harness.raw import bind, errors, execute, parse, query, sync, unnamed
from harness.session_states import ANYTHING, LOCKS
from harness.steer import prepared, rows, used
from harness.wait import until

WORK_MEM = "show work_mem"
REST_S = 2.0  # an idle connection is looked into long before; the documented window is a second

# What it leaves, how it is seen, the value without it, the one with it.
LEFT = {
    "an unreported setting": ("perform set_config('work_mem', '5MB', false)", WORK_MEM, "4MB", "5MB"),
    "an advisory lock": ("perform pg_advisory_lock(4711)", LOCKS, "0", "1"),
    "a temporary table": ("create temp table left_over (n int); drop table if exists nothing_of_this_name",
                          "select count(*) from pg_class where relnamespace = pg_my_temp_schema()", "0", "1"),
}


@pytest.fixture
def leaves(postgres):
    """Makes leave(): it leaves something as long as the switch is on."""
    def make(body):
        postgres.admin.execute("drop table if exists switch cascade; create table switch (on_now bool);"
                               " insert into switch values (false); grant all on switch to public;"
                               "create or replace function leave() returns int language plpgsql as $f$ begin"
                               f" if (select on_now from switch) then {body}; end if; return 1; end $f$;"
                               "create or replace function leave_by_trigger() returns trigger language plpgsql as"
                               " $f$ begin perform leave(); return new; end $f$;"
                               "drop table if exists triggers; create table triggers (n int);"
                               " grant all on triggers to public;"
                               "create trigger leaves before insert on triggers for each row"
                               " execute function leave_by_trigger();"
                               "create or replace view viewed as select leave() as n; grant all on viewed to public")
        return lambda on: postgres.admin.execute("update switch set on_now = %s", [on])
    return make


def harmless(pooler, client, ask):
    """The text is known, and known to leave nothing."""
    for _ in range(2):
        ask(client)
    looked_into(pooler)


def by_function(client):
    assert not errors(client.run("select leave()"))


def by_extended(client):
    client.send(unnamed("select leave(), 'x'"), sync())
    assert not errors(client.ready())


def by_named(client):
    if not getattr(client, "has_leaver", False):
        prepared(client, "leaver", "select leave(), $1::text")
        client.has_leaver = True
    assert rows(used(client, "leaver", "x")) == [["1", "x"]]


def by_trigger(client):
    assert not errors(client.run("insert into triggers values (1)"))


def by_view(client):
    assert not errors(client.run("select n from viewed where n = 1"))


ASKS = [by_function, by_extended, by_named, by_trigger, by_view]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("kind", LEFT)
def test_what_a_new_text_leaves_is_its_own_clients_at_once(pgring, raw, leaves, kind, ask):
    body, seen, without, value = LEFT[kind]
    leaves(body)(True)
    pooler = pgring(database={"pool_size": 1, "max_pinned": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    ask(client)
    if "setting" in kind:
        assert other.value(seen) == without
        assert client.value(seen) == value
        return
    other.send(query(f"select ({seen})"))
    until(lambda: sum(int(row["cl_waiting"]) for row in pooler.show("POOLS")) == 1, "the other client waits")
    assert client.value(seen) == value
    client.close()
    assert rows(other.ready()) == [[without]]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("kind", LEFT)
def test_a_text_that_begins_to_leave_something_is_found_out(pgring, raw, leaves, kind, ask):
    body, seen, without, value = LEFT[kind]
    switch = leaves(body)
    pooler = pgring(database={"pool_size": 2})
    client, other = raw(pooler).login(), raw(pooler).login()
    harmless(pooler, client, ask)
    switch(True)
    ask(client)
    until(lambda: "no text had shown" in pooler.log(), "it was found")
    looked_into(pooler)
    # Nobody's, so that it is taken back.
    for one in (other, client):
        assert one.value(seen) == without
    (line,) = [line for line in pooler.log().splitlines() if "no text had shown" in line]
    text = {"by_trigger": "insert into triggers values (?)", "by_view": "select n from viewed where n = ?"}
    assert text.get(ask.__name__, "select leave()") in line
    assert {WORK_MEM: "work_mem", LOCKS: "advisory lock"}.get(seen, "temporary object") in line
    assert totals(pooler)["total_left_state_count"] == 1
    # From now on it is its own client's.
    ask(client)
    assert client.value(seen) == value
    other.run("begin")
    assert other.value(seen) == without
    other.run("commit")
    assert client.value(seen) == value


def test_what_a_view_of_the_settings_changes_is_its_clients(pgring, postgres, raw):
    """UPDATE of a view of pg_settings, whose rule calls set_config."""
    postgres.admin.execute("create or replace view my_settings as select name, setting from pg_settings;"
                           "create or replace rule change as on update to my_settings do instead"
                           " select set_config(old.name, new.setting, false); grant all on my_settings to public")
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    for value in ("off", "on", "off"):
        assert not errors(client.run(f"update my_settings set setting = '{value}' where name = 'enable_hashjoin'"))
        assert other.value("show enable_hashjoin") == "on"
        assert client.value("show enable_hashjoin") == value


def test_a_suspect_that_leaves_nothing_any_more_is_not_audited_each_time(pgring, raw, leaves):
    switch = leaves(LEFT["an unreported setting"][0])
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    harmless(pooler, client, by_function)
    switch(True)
    by_function(client)
    until(lambda: "no text had shown" in pooler.log(), "it was found")
    switch(False)
    client.run("reset all")
    looked_into(pooler)
    before = audits(pooler)
    begun = time.monotonic()
    for _ in range(3):
        by_function(client)
    assert audits(pooler) >= before + 3
    for _ in range(100):
        by_function(client)
    took_s = time.monotonic() - begun
    assert audits(pooler) <= before + 3 + 1 + took_s * 5


def test_what_stays_in_use_is_looked_into_all_the_same(pgring, raw, leaves):
    """A connection that never rests, of a pool with more clients than connections."""
    switch = leaves(LEFT["an unreported setting"][0])
    pooler = pgring(database={"pool_size": 1})
    client, *others = (raw(pooler).login() for _ in range(4))
    harmless(pooler, client, by_function)
    for other in others:
        harmless(pooler, other, lambda one: one.run("select 1 from generate_series(1, 10)"))
    switch(True)
    by_function(client)
    switch(False)
    end = time.monotonic() + REST_S
    while time.monotonic() < end:
        for other in others:
            other.send(query("select 1 from generate_series(1, 10)"))
        for other in others:
            assert not errors(other.ready())
    assert others[0].value(WORK_MEM) == "4MB"
    assert "no text had shown" in pooler.log()


def test_a_pool_whose_texts_leave_nothing_is_hardly_asked(pgring, raw):
    pooler = pgring(database={"pool_size": 4})
    clients = [raw(pooler).login() for _ in range(4)]
    begun, before = time.monotonic(), audits(pooler)
    for number in range(1000):
        client = clients[number % 4]
        assert client.value(f"select {number}") == str(number)
        client.send(parse("select $1::int + 1"), bind([str(number)]), execute(), sync())
        assert not errors(client.ready())
        assert not errors(client.run("begin; select 1; commit"))
    took_s = time.monotonic() - begun
    # Once for each of three texts, once a second on each connection.
    assert audits(pooler) - before <= 2 * 3 + 4 * (took_s + 1)
    looked_into(pooler)
    rested = audits(pooler)
    time.sleep(1.5)
    assert audits(pooler) == rested


def test_who_comes_while_a_connection_is_looked_into_waits_for_no_longer(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    client.run("select 1")
    looked_into(pooler)
    slowest_s = 0.0
    for turn in range(150):
        begun = time.monotonic()
        client.run("select 1")
        slowest_s = max(slowest_s, time.monotonic() - begun)
        time.sleep(0.01 + 0.0002 * turn)  # some come in its midst
    assert slowest_s < 0.5
    assert not pooler.show("WAITS")


@pytest.mark.parametrize("settings", ["", "-c statement_timeout=1ms"])
def test_an_audit_is_not_ended_by_its_clients_own_limit(pgring, postgres, raw, settings):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login(options=settings)
    if not settings:
        client.run("set statement_timeout = '1ms'")
    for number in range(40):
        seen = client.run(f"select {number} as a{number}")  # a new text
        assert not [got for got in errors(seen) if got[1] != "57014"]
    looked_into(pooler)
    assert client.value("show statement_timeout") == "1ms"
    assert "could not be read" not in pooler.log()


@pytest.mark.parametrize("connect_query", ["", "set my.base = 'b'; set lock_timeout = '9s'"])
@pytest.mark.parametrize("sets", ["", "set work_mem = '6MB'; set IntervalStyle = 'iso_8601'; set my.own = 'x'"])
def test_a_setting_nobody_lists_is_gone_when_a_connection_has_rested(pgring, raw, leaves, connect_query, sets):
    leaves("perform set_config('my.left', 'mine', false)")(True)
    pooler = pgring(database={"pool_size": 1, "connect_query": connect_query})
    client, other = raw(pooler).login(), raw(pooler).login()
    show = "select coalesce(current_setting('{}', true), '')"
    known = {show.format("my.own"): ("x", ""), WORK_MEM: ("6MB", "4MB"), "show IntervalStyle": ("iso_8601", "postgres")}
    if sets:
        client.run(sets)
    by_function(client)
    looked_into(pooler)
    assert other.value(show.format("my.left")) == ""
    for _ in range(2):
        for name, (own, usual) in known.items():
            assert client.value(name) == (own if sets else usual)
            assert other.value(name) == usual
        looked_into(pooler)
    based = {show.format("my.base"): "b", "show lock_timeout": "9s"} if connect_query else {}
    for name, value in based.items():
        assert client.value(name) == other.value(name) == value


def test_what_is_set_in_plain_words_is_not_asked_for(pgring, raw, steer):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        client.run("select 1")
        before = audits(pooler)
        for text in ("set work_mem = '5MB'", "set my.own to 'x y'", "set enable_seqscan = off", "reset enable_seqscan",
                     "set lock_timeout to 700", "begin; select 1; commit", "set DateStyle = 'German'",
                     "set lock_timeout to default", "set intervalstyle = 'postgres'"):
            assert not errors(client.run(text))
        client.run("begin")
        client.run("set statement_timeout = '7s'")
        client.run("select 1")
        client.run("commit")
        assert audits(pooler) - before <= 2  # by and by
    shows = {WORK_MEM: ("5MB", "4MB"), "show enable_seqscan": ("on", "on"), "show lock_timeout": ("0", "0"),
             "show DateStyle": ("German, DMY", "ISO, MDY"), "show statement_timeout": ("7s", "0"),
             "select coalesce(current_setting('my.own', true), '')": ("x y", "")}
    for _ in range(2):
        for show, (mine, usual) in shows.items():
            assert held.everywhere(lambda: client.value(show)) == [mine] * 2
            assert held.everywhere(lambda: other.value(show)) == [usual] * 2


@pytest.mark.parametrize("texts", [
    ["begin", "set work_mem = '5MB'", "rollback"], ["begin", "set work_mem = '5MB'", "select 1/0", "commit"],
    ["begin", "savepoint s", "set work_mem = '5MB'", "rollback to s", "commit"],
    ["begin", "set work_mem = '5MB'", "savepoint s", "set work_mem = '6MB'", "rollback to s", "rollback"],
    ["set work_mem = '5MB'", "begin", "reset work_mem", "rollback", "set work_mem = '4MB'", "reset work_mem"],
    ["set work_mem = 'none'"], ["set no.such_thing = 1", "reset no.such_thing"]], ids=" | ".join)
def test_what_was_set_and_taken_back_is_as_before(pgring, raw, texts):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    client.send(*map(query, texts))
    for _ in texts:
        client.ready()
    for one in (client, other):
        assert one.value(WORK_MEM) == "4MB"
        assert one.value("select coalesce(current_setting('no.such_thing', true), '')") == ""


def test_a_setting_nobody_lists_is_kept_where_its_text_alone_does_not_say_so(pgring, raw, steer):
    """What comes behind it may have taken it back, so that PostgreSQL is asked."""
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client = raw(pooler).login()
    show = "select coalesce(current_setting('my.kept', true), '')"
    for number, texts in enumerate((["begin", "set my.kept = '{}'", "savepoint s", "select 1", "rollback to s", "commit"],
                                    ["set my.kept = '{}'", "select 1/0"])):
        with held.only(held.pids[0]):
            client.send(*(query(text.format(number)) for text in texts))
            for _ in texts:
                client.ready()
        assert held.everywhere(lambda: client.value(show)) == [str(number)] * 2


def test_a_set_of_a_client_that_left_at_once_is_nobodys(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    other = raw(pooler).login()
    for turn in range(20):
        client = raw(pooler).login()
        client.send(query("set work_mem = '5MB'"), b"X\0\0\0\4" if turn % 2 else b"")
        if turn % 4 < 2:
            client.close()
        assert other.value(WORK_MEM) == "4MB"
        client.close()
    assert other.value(ANYTHING) == "0"


@pytest.mark.parametrize("asks_at_once", [True, False])
def test_a_client_outlives_a_connection_that_ends_while_it_is_looked_into(pgring, postgres, raw, asks_at_once):
    pooler = pgring(database={"pool_size": 2})
    client = raw(pooler).login()
    pid = client.value("select pg_backend_pid()")
    looked_into(pooler)
    with psycopg.connect(postgres.dsn()) as blocker:
        blocker.execute("lock table pg_catalog.pg_depend in access exclusive mode")  # an audit reads it
        assert client.value("select 4711") == "4711"
        until(lambda: postgres.value("select wait_event_type from pg_stat_activity where pid = %s", pid) == "Lock",
              "the connection is looked into")
        if asks_at_once:
            client.send(query("select pg_backend_pid()"))
            pooler.show("CLIENTS")  # so that it has come
        postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
    until(lambda: "server connection ended" in pooler.log(), "its end is seen")
    if not asks_at_once:
        client.send(query("select pg_backend_pid()"))
    seen = client.ready()
    assert not errors(seen)
    assert rows(seen)[0][0] != pid
