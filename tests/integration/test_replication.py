"""Replication connections pass through one to one: logins, parameters, limits."""

import signal

import pytest
from harness.pooler import plain_userlist
from harness.postgres import DATABASE, password
from harness.raw import (Closed, cancel_request, errors, kinds, message, query, startup_packet,
                         terminate)
from harness.replication import ROLE, SENDERS, begin, refusal
from harness.wait import until


@pytest.mark.parametrize("replication", ["true", "on", "yes", "1", "T", "database"])
@pytest.mark.parametrize("unix", [False, True])
def test_identify_system_answers_as_on_a_direct_connection(publisher, front, raw, replication,
                                                           unix):
    through = raw(front(), unix=unix).login(replication=replication)
    direct = raw(publisher).login(replication=replication)
    answers = [client.run("IDENTIFY_SYSTEM") for client in (through, direct)]
    for answer in answers:
        assert kinds(answer) == "TDCZ"
    rows = [[got for got in answer if got.kind == "D"][0].columns for answer in answers]
    assert rows[0][:2] == rows[1][:2]
    assert rows[0][3] == rows[1][3] == (DATABASE if replication == "database" else None)
    assert through.parameters == direct.parameters
    through.send(terminate())
    assert through.rest() == []


@pytest.mark.parametrize("replication", ["false", "off", "no", "0", "F"])
def test_a_false_value_is_an_ordinary_connection(publisher, front, raw, replication):
    client = begin(raw, front(), replication)
    assert client.value("select backend_type from pg_stat_activity where pid = pg_backend_pid()") \
        == "client backend"
    assert errors(client.run("IDENTIFY_SYSTEM"))[0][1] == "42601"


@pytest.mark.parametrize("replication", ["maybe", "Database", ""])
def test_another_value_is_refused_as_by_postgresql(publisher, front, raw, replication):
    ours, theirs = (refusal(raw, target, replication) for target in (front(), publisher))
    for letter in "SCMH":
        assert ours.get(letter) == theirs.get(letter)


def test_startup_parameters_and_options_arrive_unchanged(publisher, front, raw):
    options = {"application_name": "the standby", "DateStyle": "German",
               "options": r'-c work_mem=123kB -c search_path="a\ b"'}
    client = begin(raw, front(), "database", **options)
    direct = begin(raw, publisher, "database", **options)
    assert client.parameters == direct.parameters
    assert client.parameters["DateStyle"] == "German, DMY"
    for name, value in (("work_mem", "123kB"), ("search_path", '"a b"')):
        assert client.value(f"show {name}") == value
    assert len(publisher.walsenders("application_name = 'the standby'")) == 2


def test_a_bad_parameter_is_refused_with_postgresqls_own_error(publisher, front, raw):
    wrong = {"options": "-c work_mem=lots"}
    ours, theirs = (refusal(raw, target, "database", **wrong) for target in (front(), publisher))
    for letter in "CMH":
        assert ours.get(letter) == theirs.get(letter)


def test_sql_on_a_logical_connection_and_its_cancel(publisher, front, raw):
    instance = front(changes={"shards": {"count": 2}})
    client = begin(raw, instance, "database")
    assert client.value("select current_database()") == DATABASE
    client.send(query("select pg_sleep(60)"))
    until(lambda: publisher.walsenders("state = 'active' and query like '%%pg_sleep%%'"), "it runs")
    assert publisher.walsenders() != [client.pid]  # the key is pgring's
    canceller = raw(instance)
    canceller.send(cancel_request(client.pid, client.secret))
    assert canceller.rest() == []
    assert errors(client.ready())[0][1] == "57014"
    assert client.value("select 1") == "1"


def test_what_comes_with_the_startup_packet_waits_for_the_login(publisher, front, raw):
    client = raw(front(changes={"auth": {"method": "trust"}}))
    client.send(startup_packet({"user": ROLE, "database": DATABASE, "replication": "database"}),
                query("select 'first'"), query("select 'second'"))
    client.ready()
    for value in ("first", "second"):
        (row,) = [got for got in client.ready() if got.kind == "D"]
        assert row.columns == [value]


def test_nothing_reaches_the_server_before_the_client_has_proved_itself(publisher, front, raw):
    client = raw(front())
    client.send(startup_packet({"user": ROLE, "database": DATABASE, "replication": "true"}))
    client.until("R")
    client.send(message("Q", b"\0" * 20))
    assert errors(client.rest())[0][1] == "08P01"
    assert refusal(raw, front(), secret="wrong")["C"] == "28P01"
    assert publisher.walsenders() == []


def test_a_role_that_may_not_replicate_gets_postgresqls_refusal(publisher, front, raw):
    publisher.admin.execute(f"create role humble login password '{password('humble')}'")
    try:
        instance = front(userlist=plain_userlist(("humble", "console_admin")))
        ours, theirs = (refusal(raw, target, user="humble") for target in (instance, publisher))
        for letter in "SCMH":
            assert ours.get(letter) == theirs.get(letter)
    finally:
        publisher.admin.execute("drop role humble")


def test_the_clients_own_scram_login_opens_its_walsender(publisher, front, raw):
    verifiers = f'"{ROLE}" "{publisher.secret(ROLE)}"\n'
    client = begin(raw, front(userlist=verifiers))
    assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"


@pytest.mark.parametrize("role", ["app_trust", "app_md5"])
def test_the_walsender_logs_in_by_the_method_postgresql_asks_for(publisher, front, raw, role):
    client = begin(raw, front(), user=role)
    assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"
    assert len(publisher.walsenders(f"usename = '{role}'")) == 1


def test_an_entry_names_the_database_and_the_role(publisher, front, raw):
    entry = {"server": "main", "dbname": DATABASE, "user": "app_trust"}
    client = begin(raw, front(changes={"database": {"alias": entry}}), "database", dbname="alias")
    assert client.value("select current_database() || ' ' || current_user") \
        == f"{DATABASE} app_trust"


def test_the_console_does_not_replicate(front, raw):
    assert refusal(raw, front(), user="console_admin", dbname="pgring")["C"] == "0A000"


# Limits.


def test_the_limit_counts_over_all_shards_and_names_itself(publisher, front, raw):
    instance = front(changes={"server": {"main": {"max_replication": 3}},
                               "shards": {"count": 4}})
    clients = [begin(raw, instance, kind) for kind in ("true", "database", "true")]
    fields = refusal(raw, instance)
    assert (fields["C"], fields["M"]) == ("53300",
                                          'too many replication connections to server "main"')
    assert "server.main.max_replication = 3" in fields["D"] and "SHOW SERVERS" in fields["H"]
    assert raw(instance).login().value("select 1") == "1"
    clients.pop().close()
    until(lambda: len(publisher.walsenders()) == 2, "PostgreSQL has seen it leave")

    def fits():
        try:
            return begin(raw, instance)
        except Closed:
            return None

    assert kinds(until(fits, "there is room again").run("IDENTIFY_SYSTEM")) == "TDCZ"
    assert refusal(raw, instance)["C"] == "53300"


def test_a_limit_of_none_refuses_and_a_reload_raises_it(publisher, front, raw):
    instance = front(changes={"server": {"main": {"max_replication": 0}}})
    fields = refusal(raw, instance)
    assert fields["C"] == "0A000" and "server.main.max_replication" in fields["H"]
    instance.write_config({"server": {"main": {"max_replication": 1}}})
    instance.signal(signal.SIGHUP)
    until(lambda: "configuration reloaded" in instance.log(), "it is reloaded")
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_postgresqls_own_limit_is_told_as_it_is(publisher, front, raw):
    instance = front(changes={"server": {"main": {"max_replication": 50}}})
    direct = [begin(raw, publisher) for _ in range(SENDERS)]
    ours, theirs = (refusal(raw, target) for target in (instance, publisher))
    assert ours["C"] == theirs["C"] == "53300"
    assert ours["M"] == theirs["M"]
    for client in direct:
        client.close()
    until(lambda: not publisher.walsenders(), "there is room")
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_no_permit_of_the_budget_is_taken(publisher, front, raw):
    instance = front(changes={"server": {"main": {"max_connections": 1}}})
    ordinary = raw(instance).login()
    ordinary.run("begin")
    clients = [begin(raw, instance, kind) for kind in ("true", "database")]
    for client in clients:
        assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"
    (ceiling,) = [row for row in instance.show("BUDGET") if row["scope"] == "ceiling"]
    assert (ceiling["used"], ceiling["limit"]) == ("1", "1")
    assert {row["database"] for row in instance.show("POOLS")} <= {DATABASE, "pgbouncer", "pgring"}


def test_replicating_clients_count_as_clients(publisher, front, raw):
    instance = front(changes={"listen": {"max_clients": 1}})
    client = begin(raw, instance)
    with pytest.raises(Closed) as end:
        raw(instance).login()
    assert errors(end.value.seen)[0][1] == "53300"
    client.close()
    until(lambda: "client closed the connection" in instance.log(), "pgring has seen it")
    assert raw(instance).login().value("select 1") == "1"


def test_the_console_shows_both_sides(publisher, front, raw):
    instance = front()
    ordinary = raw(instance).login()
    ordinary.run("begin")
    begin(raw, instance, application_name="one")
    begin(raw, instance, "database", application_name="two")
    wanted = {("one", "physical", "active"), ("two", "logical", "active"), ("", "none", "active")}
    clients = [row for row in instance.show("CLIENTS") if row["user"] == ROLE]
    assert {(row["application_name"], row["replication"], row["state"]) for row in clients} \
        == wanted
    servers = instance.show("SERVERS")
    assert {(row["application_name"], row["replication"], row["state"]) for row in servers} \
        == wanted
    assert {row["link"] for row in servers} == {row["ptr"] for row in clients}
    assert {int(row["remote_pid"]) for row in servers if row["replication"] != "none"} \
        == set(publisher.walsenders())
