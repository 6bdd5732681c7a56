"""Settings that time out, change roles, lose their right to be, or whose defaults change under connected clients."""

import psycopg
import pytest
from harness.postgres import OWNER, Postgres
from harness.raw import errors, kinds, query, sync, unnamed
from harness.steer import prepared, rows, used
from harness.wait import until

SIZE = 4
ROLES = "select session_user || ' ' || current_user"


@pytest.fixture
def written(postgres):
    """A table whose rows are counted: what must not run must not have written."""
    postgres.admin.execute("drop table if exists written; create table written (mark text);"
                           " grant all on written to public")
    return lambda: postgres.value("select count(*) from written")


def test_a_statement_timeout_ends_its_own_clients_queries_only(pgring, raw, steer):
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    timed, other = raw(pooler).login(), raw(pooler).login()
    prepared_by = [prepared, used]
    with held.only(held.pids[0]):
        timed.run("set statement_timeout = '50ms'")
        for client in (timed, other):
            prepared_by[0](client, "s", "select pg_sleep($1::float8)::text || 'slept'")
    for pid in held.pids:
        with held.only(pid):
            assert errors(timed.run("select pg_sleep(20)"))[0][1:] == (
                "57014", "canceling statement due to statement timeout")
            assert rows(other.run("select 'slept' from pg_sleep(0.12)")) == [["slept"]]
            assert errors(used(timed, "s", 20))[0][1] == "57014"
            assert rows(used(other, "s", 0.12)) == [["slept"]]


def test_a_tiny_statement_timeout_is_not_for_what_pgring_asks(pgring, postgres, raw):
    """An audit and a replay that take longer than the client's own limit."""
    pooler = pgring(database={"pool_size": 2})
    client, other = raw(pooler).login(), raw(pooler).login()
    with psycopg.connect(postgres.dsn()) as holder:  # pg_locks becomes a long view
        holder.execute("select count(pg_advisory_lock(n)) from generate_series(1, 4000) n")
        mine = "4MB"
        for turn in range(60):
            client.run("set statement_timeout = '1ms'")
            if not errors(client.run(f"set work_mem = '{1 + turn}MB'")):
                mine = f"{1 + turn}MB"
            other.send(*map(query, [f"set work_mem = '{100 + turn}MB'", "select pg_sleep(0.005)", "show work_mem"]))
            client.send(query("show work_mem"))
            shown = client.ready()
            # Its own limit may hit it, and nothing else may.
            if errors(shown):
                assert errors(shown)[0][1:] == ("57014", "canceling statement due to statement timeout")
            else:
                assert rows(shown) == [[mine]]
            assert not errors(other.ready()) and not errors(other.ready())
            assert rows(other.ready()) == [[f"{100 + turn}MB"]]
            client.run("set statement_timeout = 0")
        holder.rollback()


@pytest.mark.parametrize("how", ["set role app_md5", "set session authorization app_md5",
                                 "select set_config('role', 'app_md5', false)", "set local role app_md5"])
def test_another_role_is_that_clients_and_its_privileges_are_checked(pgring, postgres, raw, steer, how):
    postgres.admin.execute("drop table if exists of_owner; create table of_owner as select 1 as n;"
                           " revoke all on of_owner from public")
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE, user=OWNER)
    direct, client, other = raw(postgres).login(OWNER), raw(pooler).login(OWNER), raw(pooler).login(OWNER)
    direct.run(how)
    wanted = direct.value(ROLES), errors(direct.run("select n from of_owner"))
    assert bool(wanted[1]) == ("local" not in how)
    with held.only(held.pids[0]):
        prepared(client, "s", "select n from of_owner")
        assert rows(used(client, "s")) == [["1"]]
        client.run(how)

    def ask():
        return client.value(ROLES), errors(client.run("select n from of_owner"))

    def ask_other():
        return other.value(ROLES), rows(other.run("select n from of_owner"))

    for _ in range(2):
        assert held.everywhere(ask) == [wanted] * SIZE
        assert held.everywhere(lambda: errors(used(client, "s"))) == [wanted[1]] * SIZE
        assert held.everywhere(ask_other) == [(f"{OWNER} {OWNER}", [["1"]])] * SIZE
    with held.only(held.pids[2]):
        client.run("reset role" if "role" in how else "reset session authorization")
    assert held.everywhere(lambda: client.value(ROLES)) == [f"{OWNER} {OWNER}"] * SIZE
    with held.only(held.pids[3]):
        client.run(how)
    client.close()
    assert held.everywhere(ask_other) == [(f"{OWNER} {OWNER}", [["1"]])] * SIZE


def ask_simple(client, text):
    return client.run(text)


def ask_extended(client, text):
    client.send(unnamed(text), sync())
    return client.ready()


def told(client, ask, text):
    """The SQLSTATE of a refusal, which is not the end of the client's connection."""
    seen = ask(client, text)
    assert kinds(seen) == "EZ" and seen[-1].status == "I"
    assert errors(seen)[0][0] == "ERROR"
    return errors(seen)[-1][1]


@pytest.mark.parametrize("ask", [ask_simple, ask_extended])
@pytest.mark.parametrize("make", ["set role doomed", "set session authorization doomed"])
def test_nothing_runs_where_a_role_cannot_be_taken_on_again(pgring, postgres, raw, steer, written, ask, make):
    postgres.admin.execute("drop role if exists doomed; create role doomed")
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2, user=OWNER)
    client, other = raw(pooler).login(OWNER), raw(pooler).login(OWNER)
    with held.only(held.pids[0]):
        client.run(make)
    postgres.admin.execute("drop role doomed")
    with held.only(held.pids[1]):
        assert told(client, ask, "insert into written values ('with the wrong role')") == "22023"
        assert ask(other, ROLES)[-3].columns == [f"{OWNER} {OWNER}"]
    assert written() == 0


@pytest.fixture
def log_statement(postgres):
    """A setting that app_scram may make; what is returned takes the right away."""
    postgres.admin.execute("grant set on parameter log_statement to app_scram")
    yield lambda: postgres.admin.execute("revoke set on parameter log_statement from app_scram")
    postgres.admin.execute("revoke set on parameter log_statement from app_scram")


def ask_in_a_pipeline(client, text):
    """What is behind does not run without the setting either; the messages of the first group."""
    client.send(unnamed(text), unnamed(text), sync(), query(text))
    return client.ready()


def ask_in_a_transaction(client, text):
    return client.run(f"begin; {text}; commit")


@pytest.mark.parametrize("ask", [ask_simple, ask_extended, ask_in_a_pipeline, ask_in_a_transaction])
def test_nothing_runs_where_a_parameter_may_not_be_set_any_more(
        pgring, raw, steer, written, log_statement, ask):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        assert not errors(client.run("set log_statement = 'ddl'"))
    assert held.everywhere(lambda: client.value("show log_statement")) == ["ddl"] * 2
    assert held.everywhere(lambda: other.value("show log_statement")) == ["none"] * 2
    log_statement()
    with held.only(held.pids[0]):
        assert told(client, ask, "insert into written values ('without')") == "42501"
    assert held.everywhere(lambda: other.value("show log_statement")) == ["none"] * 2
    assert written() == 0


@pytest.mark.parametrize("reset", ["reset log_statement", "reset all", "discard all"])
def test_a_refused_setting_can_be_reset_by_its_client(pgring, raw, written, log_statement, reset):
    client_asks = "insert into written values ('mark')"
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(), raw(pooler).login()
    client.run("set log_statement = 'ddl'")
    other.run("select 1")
    log_statement()
    assert [got[:2] for got in errors(client.run(client_asks))] == [("ERROR", "42501")]
    client.run(reset)
    assert not errors(client.run(client_asks))
    assert written() == 1


@pytest.fixture
def refused(pgring, raw, log_statement):
    """A client that has set what it may not set again, and more."""
    pooler = pgring(database={"pool_size": 1}, lazy_begin=True)
    client, other = raw(pooler).login(application_name="first"), raw(pooler).login()
    client.run("set log_statement = 'ddl'; set TimeZone = 'Asia/Tokyo'; set application_name = 'second'")
    client.run("set work_mem = '5MB'")
    other.run("select 1")
    log_statement()
    client.other = other
    return client


DENIED = [("ERROR", "42501", 'permission denied to set parameter "log_statement"')]


def test_a_client_whose_setting_is_refused_goes_on_with_the_others(refused):
    for _ in range(2):
        assert errors(refused.run("select 1")) == DENIED
        assert errors(ask_extended(refused, "select 1")) == DENIED
    assert errors(refused.run("reset work_mem; select 1")) == DENIED
    assert kinds(refused.run("reset log_statement")) == "CZ"
    assert refused.value("show work_mem") == "5MB"
    assert refused.value("show TimeZone") == "Asia/Tokyo"
    assert refused.value("show log_statement") == "none"
    assert refused.value("show application_name") == "second"
    assert refused.other.value("show work_mem") == "4MB"


@pytest.mark.parametrize("how", ["reset all", "discard all"])
def test_resetting_all_of_it_goes_back_to_the_login(refused, how):
    assert errors(refused.run("select 1")) == DENIED
    assert refused.parameters["TimeZone"] == "Asia/Tokyo"
    answer = refused.run(how)
    assert kinds(answer) == "CZ" and answer[-2].tag == how.upper().replace("RESET ALL", "RESET")
    assert refused.parameters["TimeZone"] != "Asia/Tokyo"
    assert refused.parameters["application_name"] == "first"
    assert refused.value("show application_name") == "first"
    assert refused.value("show TimeZone") == refused.parameters["TimeZone"]
    assert refused.value("show work_mem") == "4MB"


def test_what_is_refused_in_a_transaction_fails_it(refused):
    assert kinds(refused.run("begin")) == "CZ"
    answer = refused.run("select 1")
    assert errors(answer) == DENIED and answer[-1].status == "E"
    # Not within the transaction, which would bring it back.
    assert errors(refused.run("reset log_statement"))[0][1] == "25P02"
    assert refused.run("commit")[0].tag == "ROLLBACK"
    assert errors(refused.run("select 1")) == DENIED
    assert kinds(refused.run("set log_statement to default")) == "CZ"
    assert refused.value("show work_mem") == "5MB"


def test_a_pipeline_behind_what_is_refused_is_judged_by_itself(refused):
    refused.send(query("select 1"), unnamed("select 2"), sync(), query("reset all"), query("select 3"))
    answers = [refused.ready() for _ in range(4)]
    assert [errors(one) for one in answers] == [DENIED, DENIED, [], []]
    assert rows(answers[3]) == [["3"]]


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("before", [[], ["begin"], ["begin", "savepoint a"]], ids=["alone", "begun", "deep"])
@pytest.mark.parametrize("how", ["reset {}", "set {} to default", "reset all"])
def test_reset_goes_back_to_the_startup_packet(pgring, postgres, raw, mode, before, how):
    startup = {"application_name": "first", "options": "-c work_mem=6MB -c my.own=mine"}
    pooler = pgring(database={"pool_size": 1, "pool_mode": mode})
    seen = []
    for target in (postgres, pooler):
        client = raw(target).login(**startup)
        found = []
        for name in ("application_name", "work_mem", "my.own"):
            client.run(f"set {name} = '7MB'")
            for text in before:
                client.run(text)
            client.run(how.format(name))
            found += [client.value(f"show {name}"), client.parameters["application_name"]]
            if "begin" in before:
                client.run("rollback to a" if len(before) > 1 else "rollback")
                found += [client.value(f"show {name}"), client.parameters["application_name"]]
                client.run("rollback")
            found.append(client.value(f"show {name}"))
        seen.append(found)
        client.close()
    assert seen[1] == seen[0]
    assert raw(pooler).login().value("show work_mem") == "4MB"


def test_a_reset_of_the_login_leaves_no_server_connection_behind(pgring, raw):
    pooler = pgring(database={"pool_size": 1})
    client, other = raw(pooler).login(application_name="first"), raw(pooler).login()
    client.send(query("reset application_name"), query("show application_name"), query("reset all"))
    assert kinds(client.ready()) == "CZ"
    assert rows(client.ready()) == [["first"]]
    assert kinds(client.ready()) == "CZ"
    assert other.value("show application_name") == ""
    assert client.value("show application_name") == "first"


def test_alter_system_changes_the_defaults_of_connected_clients(pgring, own_postgres, raw, steer):
    pooler = pgring(own_postgres, database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    plain, setter, resetter = (raw(pooler).login() for _ in range(3))
    names = {"work_mem": ("4MB", "5MB", "6MB"), "IntervalStyle": ("postgres", "iso_8601", "sql_standard")}
    shows = [(f"show {name}", *values) for name, values in names.items()]
    with held.only(held.pids[0]):
        for name, (_, own, _) in names.items():
            setter.run(f"set {name} = '{own}'")
            resetter.run(f"set {name} = '{own}'; reset {name}")

    def reload(change):
        for name, (_, _, new) in names.items():
            own_postgres.admin.execute(f"alter system {change(name, new)}")
        own_postgres.admin.execute("select pg_reload_conf()")

    def reached(which):
        """Backends read the file when they are asked something next; then it is read."""
        return all(held.value(pid, "show work_mem") == names["work_mem"][which] for pid in held.pids)

    for _ in range(2):
        for show, default, own, _ in shows:
            assert held.everywhere(lambda: plain.value(show)) == [default] * SIZE
            assert held.everywhere(lambda: setter.value(show)) == [own] * SIZE
        reload(lambda name, new: f"set {name} = '{new}'")
        until(lambda: reached(2), "the new defaults hold in every backend")
        for show, default, own, new in shows:
            for _ in range(2):
                assert held.everywhere(lambda: plain.value(show)) == [new] * SIZE
                assert held.everywhere(lambda: resetter.value(show)) == [new] * SIZE
                assert held.everywhere(lambda: setter.value(show)) == [own] * SIZE
        assert plain.parameters["IntervalStyle"] == "sql_standard"
        assert setter.parameters["IntervalStyle"] == "iso_8601"
        reload(lambda name, _: f"reset {name}")
        until(lambda: reached(0), "the old defaults are back in every backend")


def test_alter_role_changes_the_defaults_of_new_server_connections(pgring, postgres, raw):
    pooler = pgring(database={"pool_size": 1})
    plain, setter = raw(pooler).login(), raw(pooler).login()
    setter.run("set work_mem = '5MB'; set IntervalStyle = 'iso_8601'")
    try:
        postgres.admin.execute("alter role app_scram set work_mem = '6MB';"
                               " alter role app_scram set IntervalStyle = 'sql_standard'")
        assert plain.value("show work_mem") == "4MB"
        (pid,) = postgres.backends()
        postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
        until(lambda: not postgres.backends() and not pooler.show("SERVERS"), "the server connection is gone")
        for _ in range(2):
            assert plain.value("show work_mem") == "6MB"
            assert plain.value("show IntervalStyle") == "sql_standard" == plain.parameters["IntervalStyle"]
            assert setter.value("show work_mem") == "5MB"
            assert setter.value("show IntervalStyle") == "iso_8601" == setter.parameters["IntervalStyle"]
        setter.run("reset work_mem; reset IntervalStyle")
        assert setter.value("show work_mem") == "6MB"
        assert setter.value("show IntervalStyle") == "sql_standard"
    finally:
        postgres.admin.execute("alter role app_scram reset all")


@pytest.fixture
def two_phase_postgres():
    server = Postgres({"max_prepared_transactions": "5"})
    yield server
    server.stop()


def test_a_prepared_transaction_is_committed_over_another_server_connection(two_phase_postgres, pgring, raw, steer):
    two_phase_postgres.admin.execute("create table written (mark text); grant all on written to public")
    pooler = pgring(two_phase_postgres, database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    for turn, (end, whose) in enumerate([("commit", client), ("rollback", client), ("commit", other)]):
        with held.only(held.pids[0]):
            for text in ("begin", f"insert into written values ('{turn}')", f"prepare transaction 'gid {turn}'"):
                assert not errors(client.run(text))
            assert other.value("select count(*) from pg_prepared_xacts") == "1"  # it is not held
        with held.only(held.pids[1]):
            assert not errors(whose.run(f"{end} prepared 'gid {turn}'"))
    marks = two_phase_postgres.admin.execute("select mark from written order by mark").fetchall()
    assert marks == [("0",), ("2",)]
