"""Replication connections pass through one to one: PostgreSQL's own programs, servers and the bare protocol."""

import os
import signal
import subprocess
import threading

import psycopg
import pytest
from harness.pooler import plain_userlist
from harness.postgres import DATABASE, Postgres, password
from harness.raw import (Closed, cancel_request, errors, kinds, message, query, startup_packet,
                         terminate)
from harness.wait import free_port, stays, until

ROLE = "app_scram"
SENDERS = 20


@pytest.fixture(scope="module")
def publisher():
    """A PostgreSQL whose roles may replicate."""
    server = Postgres({"max_wal_senders": str(SENDERS), "synchronous_commit": "on"})
    for role in (ROLE, "app_trust", "app_md5"):
        server.admin.execute(f"alter role {role} replication")
    server.admin.execute("create table ticks (id bigint primary key, text text)")
    server.admin.execute("grant all on ticks to public")
    yield server
    server.stop()


@pytest.fixture
def pooler(publisher, pgring):
    """Makes pgring before the publisher; at the end nothing of a test replicates any more."""
    yield lambda **options: pgring(publisher, **options)
    until(lambda: not publisher.walsenders(), "no walsender is left")
    for (slot,) in publisher.admin.execute("select slot_name from pg_replication_slots").fetchall():
        publisher.admin.execute("select pg_drop_replication_slot(%s)", (slot,))


def begin(raw, pooler, replication="true", **options):
    return raw(pooler).login(replication=replication, **options)


def refusal(raw, pooler, replication="true", **options):
    """The fields of the error that ends a login."""
    with pytest.raises(Closed) as end:
        begin(raw, pooler, replication, **options)
    return [got for got in end.value.seen if got.kind == "E"][-1].fields


def streaming(raw, pooler):
    """A client that is sent WAL as it is written."""
    client = begin(raw, pooler)
    (row,) = [got for got in client.run("IDENTIFY_SYSTEM") if got.kind == "D"]
    client.send(query(f"START_REPLICATION {row.columns[2]}"))
    client.until("W")
    return client


def finished(program, deadline_s=60):
    output, complaint = program.communicate(timeout=deadline_s)
    assert program.returncode == 0, f"{program.args}: {output}\n{complaint}"
    return output


def fill(publisher, text):
    """Adds a row and returns its id."""
    return publisher.value("insert into ticks select coalesce(max(id), 0) + 1, %s from ticks"
                           " returning id", text)


# The bare protocol.


@pytest.mark.parametrize("replication", ["true", "on", "yes", "1", "T", "database"])
@pytest.mark.parametrize("unix", [False, True])
def test_identify_system_answers_as_on_a_direct_connection(publisher, pooler, raw, replication,
                                                           unix):
    through = raw(pooler(), unix=unix).login(replication=replication)
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
def test_a_false_value_is_an_ordinary_connection(publisher, pooler, raw, replication):
    client = begin(raw, pooler(), replication)
    assert client.value("select backend_type from pg_stat_activity where pid = pg_backend_pid()") \
        == "client backend"
    assert errors(client.run("IDENTIFY_SYSTEM"))[0][1] == "42601"


@pytest.mark.parametrize("replication", ["maybe", "Database", ""])
def test_another_value_is_refused_as_by_postgresql(publisher, pooler, raw, replication):
    ours, theirs = (refusal(raw, target, replication) for target in (pooler(), publisher))
    for letter in "SCMH":
        assert ours.get(letter) == theirs.get(letter)


def test_startup_parameters_and_options_arrive_unchanged(publisher, pooler, raw):
    options = {"application_name": "the standby", "DateStyle": "German",
               "options": r'-c work_mem=123kB -c search_path="a\ b"'}
    client = begin(raw, pooler(), "database", **options)
    direct = begin(raw, publisher, "database", **options)
    assert client.parameters == direct.parameters
    assert client.parameters["DateStyle"] == "German, DMY"
    for name, value in (("work_mem", "123kB"), ("search_path", '"a b"')):
        assert client.value(f"show {name}") == value
    assert len(publisher.walsenders("application_name = 'the standby'")) == 2


def test_a_bad_parameter_is_refused_with_postgresqls_own_error(publisher, pooler, raw):
    wrong = {"options": "-c work_mem=lots"}
    ours, theirs = (refusal(raw, target, "database", **wrong) for target in (pooler(), publisher))
    for letter in "CMH":
        assert ours.get(letter) == theirs.get(letter)


def test_sql_on_a_logical_connection_and_its_cancel(publisher, pooler, raw):
    instance = pooler(changes={"shards": {"count": 2}})
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


def test_what_comes_with_the_startup_packet_waits_for_the_login(publisher, pooler, raw):
    client = raw(pooler(changes={"auth": {"method": "trust"}}))
    client.send(startup_packet({"user": ROLE, "database": DATABASE, "replication": "database"}),
                query("select 'first'"), query("select 'second'"))
    client.ready()
    for value in ("first", "second"):
        (row,) = [got for got in client.ready() if got.kind == "D"]
        assert row.columns == [value]


def test_nothing_reaches_the_server_before_the_client_has_proved_itself(publisher, pooler, raw):
    client = raw(pooler())
    client.send(startup_packet({"user": ROLE, "database": DATABASE, "replication": "true"}))
    client.until("R")
    client.send(message("Q", b"\0" * 20))
    assert errors(client.rest())[0][1] == "08P01"
    assert refusal(raw, pooler(), secret="wrong")["C"] == "28P01"
    assert publisher.walsenders() == []


def test_a_role_that_may_not_replicate_gets_postgresqls_refusal(publisher, pooler, raw):
    publisher.admin.execute(f"create role humble login password '{password('humble')}'")
    try:
        instance = pooler(userlist=plain_userlist(("humble", "console_admin")))
        ours, theirs = (refusal(raw, target, user="humble") for target in (instance, publisher))
        for letter in "SCMH":
            assert ours.get(letter) == theirs.get(letter)
    finally:
        publisher.admin.execute("drop role humble")


def test_the_clients_own_scram_login_opens_its_walsender(publisher, pooler, raw):
    verifiers = f'"{ROLE}" "{publisher.secret(ROLE)}"\n'
    client = begin(raw, pooler(userlist=verifiers))
    assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"


@pytest.mark.parametrize("role", ["app_trust", "app_md5"])
def test_the_walsender_logs_in_by_the_method_postgresql_asks_for(publisher, pooler, raw, role):
    client = begin(raw, pooler(), user=role)
    assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"
    assert len(publisher.walsenders(f"usename = '{role}'")) == 1


def test_an_entry_names_the_database_and_the_role(publisher, pooler, raw):
    entry = {"server": "main", "dbname": DATABASE, "user": "app_trust"}
    client = begin(raw, pooler(changes={"database": {"alias": entry}}), "database", dbname="alias")
    assert client.value("select current_database() || ' ' || current_user") \
        == f"{DATABASE} app_trust"


def test_the_console_does_not_replicate(pooler, raw):
    assert refusal(raw, pooler(), user="console_admin", dbname="pgring")["C"] == "0A000"


# PostgreSQL's programs.


@pytest.mark.parametrize("shards", [1, 3])
def test_pg_basebackup_makes_a_standby_that_streams_through_pgring(publisher, pooler, shards):
    instance = pooler(changes={"shards": {"count": shards}})
    before = fill(publisher, "before")
    data = f"{publisher.root}/standby-{shards}"
    port = free_port()
    # -R writes the password it was given into the standby's settings.
    finished(publisher.program("pg_basebackup", "-D", data, "-X", "stream", "-c", "fast", "-R",
                               "--no-sync", env=instance.libpq_env(ROLE)), 120)
    finished(publisher.program("pg_verifybackup", data), 120)
    with open(f"{data}/postgresql.auto.conf", "a") as conf:
        conf.write(f"port = {port}\nlisten_addresses = ''\n"
                   f"unix_socket_directories = '{publisher.root}'\n")
    standby = publisher.program("postgres", "-D", data)
    try:
        def ask(statement):
            try:
                with psycopg.connect(host=publisher.root, port=port, user="owner",
                                     dbname=DATABASE) as connection:
                    return (connection.execute(statement).fetchone() or (None,))[0]
            except psycopg.OperationalError:
                return None

        until(lambda: ask("select status from pg_stat_wal_receiver") == "streaming", "it streams",
              60)
        assert ask(f"select text from ticks where id = {before}") == "before"
        after = fill(publisher, "after")
        until(lambda: ask(f"select count(*) from ticks where id = {after}"), "the row arrives")
        assert ask("select sender_port from pg_stat_wal_receiver") == instance.port
        assert [row["replication"] for row in instance.show("SERVERS")] == ["physical"]
    finally:
        standby.send_signal(signal.SIGINT)
        standby.communicate(timeout=60)


def test_pg_receivewal_receives_the_very_bytes_of_the_wal(publisher, pooler):
    folder = f"{publisher.root}/received"
    os.mkdir(folder, 0o777)
    os.chmod(folder, 0o777)
    instance = pooler()
    program = publisher.program("pg_receivewal", "-D", folder, "--no-sync",
                                env=instance.libpq_env(ROLE))
    try:
        until(lambda: publisher.walsenders("query like 'START_REPLICATION%%'"), "it streams")
        names = []
        for round_ in range(3):
            names.append(publisher.value("select pg_walfile_name(pg_current_wal_lsn())"))
            publisher.admin.execute("insert into ticks select coalesce(max(id), 0) + n, repeat('x',"
                                    " 500) from ticks, generate_series(1, 5000) n group by n")
            publisher.admin.execute("select pg_switch_wal()")
        for name in names:
            until(lambda: os.path.exists(f"{folder}/{name}"), f"{name} is complete")
            with open(f"{folder}/{name}", "rb") as ours, \
                    open(f"{publisher.data}/pg_wal/{name}", "rb") as theirs:
                assert ours.read() == theirs.read()
    finally:
        program.send_signal(signal.SIGINT)
    finished(program)
    until(lambda: not publisher.walsenders(), "the walsender ends")


def test_pg_recvlogical_follows_a_slot(publisher, pooler):
    env = pooler().libpq_env(ROLE)
    options = ("-d", DATABASE, "--slot", "logical", "--no-loop")
    finished(publisher.program("pg_recvlogical", *options, "--create-slot", "-P", "test_decoding",
                               env=env))
    for number in range(200):
        fill(publisher, f"decoded {number}")
    end = publisher.value("select pg_current_wal_lsn()")
    publisher.admin.execute("checkpoint")  # something behind the end
    output = finished(publisher.program("pg_recvlogical", *options, "--start", "-f", "-",
                                        "--endpos", str(end), env=env))
    assert [line for line in output.splitlines() if "'decoded" in line][-1].endswith(
        "text[text]:'decoded 199'")
    assert output.count("'decoded") == 200
    finished(publisher.program("pg_recvlogical", *options, "--drop-slot", env=env))
    assert publisher.value("select count(*) from pg_replication_slots") == 0


def test_a_subscription_through_pgring_receives_rows(publisher, own_postgres, pooler):
    instance = pooler()
    fill(publisher, "there before")
    publisher.admin.execute("create publication ticking for table ticks")
    subscriber = own_postgres.admin
    subscriber.execute("create table ticks (id bigint primary key, text text)")
    conninfo = instance.dsn(ROLE)
    try:
        subscriber.execute(f"create subscription following connection '{conninfo}'"
                           " publication ticking")

        def same():
            ask = "select count(*), max(id), md5(string_agg(text, ',' order by id)) from ticks"
            return (subscriber.execute(ask).fetchone()
                    == publisher.admin.execute(ask).fetchone())

        until(same, "the table is copied", 60)
        for number in range(300):
            fill(publisher, f"tick {number}")
        publisher.admin.execute("update ticks set text = text || '!' where id % 7 = 0")
        until(same, "the changes arrive", 60)
        (server,) = [row for row in instance.show("SERVERS")
                     if row["application_name"] == "following"]
        assert (server["replication"], server["state"]) == ("logical", "active")
        assert int(server["remote_pid"]) in publisher.walsenders()
    finally:
        subscriber.execute("drop subscription if exists following")
        publisher.admin.execute("drop publication ticking")


# Limits.


def test_the_limit_counts_over_all_shards_and_names_itself(publisher, pooler, raw):
    instance = pooler(changes={"server": {"main": {"max_replication": 3}},
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


def test_a_limit_of_none_refuses_and_a_reload_raises_it(publisher, pooler, raw):
    instance = pooler(changes={"server": {"main": {"max_replication": 0}}})
    fields = refusal(raw, instance)
    assert fields["C"] == "0A000" and "server.main.max_replication" in fields["H"]
    instance.write_config({"server": {"main": {"max_replication": 1}}})
    instance.signal(signal.SIGHUP)
    until(lambda: "configuration reloaded" in instance.log(), "it is reloaded")
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_postgresqls_own_limit_is_told_as_it_is(publisher, pooler, raw):
    instance = pooler(changes={"server": {"main": {"max_replication": 50}}})
    direct = [begin(raw, publisher) for _ in range(SENDERS)]
    ours, theirs = (refusal(raw, target) for target in (instance, publisher))
    assert ours["C"] == theirs["C"] == "53300"
    assert ours["M"] == theirs["M"]
    for client in direct:
        client.close()
    until(lambda: not publisher.walsenders(), "there is room")
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_no_permit_of_the_budget_is_taken(publisher, pooler, raw):
    instance = pooler(changes={"server": {"main": {"max_connections": 1}}})
    ordinary = raw(instance).login()
    ordinary.run("begin")
    clients = [begin(raw, instance, kind) for kind in ("true", "database")]
    for client in clients:
        assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"
    (ceiling,) = [row for row in instance.show("BUDGET") if row["scope"] == "ceiling"]
    assert (ceiling["used"], ceiling["limit"]) == ("1", "1")
    assert {row["database"] for row in instance.show("POOLS")} <= {DATABASE, "pgbouncer", "pgring"}


def test_replicating_clients_count_as_clients(publisher, pooler, raw):
    instance = pooler(changes={"listen": {"max_clients": 1}})
    client = begin(raw, instance)
    with pytest.raises(Closed) as end:
        raw(instance).login()
    assert errors(end.value.seen)[0][1] == "53300"
    client.close()
    until(lambda: "client closed the connection" in instance.log(), "pgring has seen it")
    assert raw(instance).login().value("select 1") == "1"


def test_the_console_shows_both_sides(publisher, pooler, raw):
    instance = pooler()
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


# Ends.


def test_a_server_that_ends_the_stream_ends_the_client(publisher, pooler, raw):
    client = streaming(raw, pooler())
    (pid,) = publisher.walsenders()
    publisher.admin.execute("select pg_terminate_backend(%s)", (pid,))
    assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")


def test_a_server_that_dies_ends_the_client(own_postgres, pgring, raw):
    own_postgres.admin.execute(f"alter role {ROLE} replication")
    own_postgres.admin.execute("checkpoint")  # commits are asynchronous
    instance = pgring(own_postgres)
    client = streaming(raw, instance)
    own_postgres.halt(signal.SIGKILL)
    client.rest()
    fields = refusal(raw, instance)
    assert fields["C"] == "08001"
    assert not [row for row in instance.show("SERVERS") if row["replication"] != "none"]
    own_postgres.start()
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


@pytest.mark.parametrize("how", ["close", "abort", "terminate"])
def test_a_client_that_leaves_the_stream_frees_its_walsender(publisher, pooler, raw, how):
    instance = pooler()
    client = streaming(raw, instance)
    assert publisher.value("select count(*) from pg_stat_replication") == 1
    if how == "terminate":
        client.send(message("c"), terminate())
        client.rest()
    else:
        getattr(client, how)()
    until(lambda: publisher.value("select count(*) from pg_stat_replication") == 0, "it is free")
    until(lambda: not [row for row in instance.show("SERVERS") if row["replication"] != "none"],
          "pgring forgets it")


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_client_that_leaves_a_base_backup_frees_its_walsender(publisher, pooler, raw, how):
    client = raw(pooler(), receive_buffer=4096).login(replication="true")
    client.send(query("BASE_BACKUP (CHECKPOINT 'fast')"))
    client.until("d")
    assert publisher.walsenders()
    getattr(client, how)()
    until(lambda: not publisher.walsenders(), "it is free")


def test_a_slow_reader_of_a_backup_holds_its_server_back(publisher, pooler, raw):
    instance = pooler()
    client = raw(instance, receive_buffer=4096).login(replication="true")
    before = instance.private_memory()
    client.send(query("BASE_BACKUP (CHECKPOINT 'fast')"))
    client.until("H")
    until(lambda: publisher.walsenders("wait_event = 'WalSenderWriteData'"
                                       " or wait_event = 'ClientWrite'"), "PostgreSQL waits")
    stays(lambda: instance.private_memory() - before < 8 << 20, "what waits is bounded", 0.3)
    got = client.ready()
    assert sum(len(part.body) for part in got if part.kind == "d") > 20 << 20
    assert kinds(got)[-2:] == "CZ"
    assert kinds(client.run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_the_last_words_of_a_client_reach_the_server(publisher, pooler, raw):
    client = begin(raw, pooler(), "database")
    client.run("CREATE_REPLICATION_SLOT leaving LOGICAL pgoutput")
    client.send(query("DROP_REPLICATION_SLOT leaving"), terminate())
    client.close()
    until(lambda: publisher.value("select count(*) from pg_replication_slots") == 0,
          "it is dropped")


# Commands and signals.


def test_kill_client_ends_a_stream_with_a_readable_error(publisher, pooler, raw):
    instance = pooler()
    client = streaming(raw, instance)
    (row,) = [row for row in instance.show("CLIENTS") if row["replication"] == "physical"]
    instance.show(f"CLIENTS; KILL_CLIENT {row['id']}")
    assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")


def test_reconnect_ends_replication_at_once(publisher, pooler, raw):
    instance = pooler()
    clients = [streaming(raw, instance), begin(raw, instance, "database")]
    with instance.console() as console:
        console.execute("RECONNECT other")
        assert kinds(clients[1].run("IDENTIFY_SYSTEM")) == "TDCZ"
        console.execute("RECONNECT")
    for client in clients:
        assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")


def test_a_reload_that_moves_the_server_ends_replication(publisher, pooler, raw):
    instance = pooler()
    client = streaming(raw, instance)
    instance.write_config({"server": {"main": {"host": "127.0.0.1"}}})
    instance.signal(signal.SIGHUP)
    assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_pause_waits_for_replication_and_newcomers_for_resume(publisher, pooler, raw):
    instance = pooler(changes={"shards": {"count": 2}})
    old = streaming(raw, instance)
    with instance.console() as console:
        pausing = subprocess.Popen(
            [f"{publisher.bin}/psql", "-XAt", "-c", "PAUSE", "pgring"],
            env=instance.libpq_env("console_admin"), stdout=subprocess.PIPE)
        until(lambda: {"key": "paused", "value": "yes"} in instance.show("STATE"), "it is paused")
        stays(lambda: pausing.poll() is None, "PAUSE waits for the stream", 0.3)
        old.close()
        assert pausing.communicate(timeout=20)[0] == b"PAUSE\n"
        new = raw(instance)
        new.send(startup_packet({"user": ROLE, "database": DATABASE, "replication": "true"}))

        def waits():
            return [row for row in instance.show("CLIENTS")
                    if row["replication"] == "physical" and row["state"] == "waiting"]

        login = threading.Thread(target=new.authenticate, args=(ROLE, password(ROLE)))
        login.start()
        until(waits, "the newcomer waits")
        assert publisher.walsenders() == []
        console.execute("RESUME")
        login.join(20)
    assert kinds(new.run("IDENTIFY_SYSTEM")) == "TDCZ"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_end_waits_for_replication(publisher, pooler, raw, signum):
    instance = pooler()
    client = streaming(raw, instance)
    instance.signal(signum)
    until(lambda: "shutting down" in instance.log(), "pgring has heard it")
    fill(publisher, "still there")
    client.until("d")
    stays(lambda: instance.process.poll() is None, "pgring waits", 0.3)
    client.close()
    assert instance.wait_exit() == 0


def test_quit_ends_replication_at_once(publisher, pooler, raw):
    instance = pooler()
    clients = [streaming(raw, instance) for _ in range(3)]
    instance.signal(signal.SIGQUIT)
    assert instance.wait_exit() == 0
    for client in clients:
        assert all(error[:2] == ("FATAL", "57P01") for error in errors(client.rest()))
    until(lambda: not publisher.walsenders(), "the walsenders end")
