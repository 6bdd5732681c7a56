"""PostgreSQL's own programs and servers replicate through pgring."""

import os
import signal

import psycopg
import pytest
from harness.postgres import DATABASE
from harness.replication import ROLE, fill, finished
from harness.wait import free_port, until


@pytest.mark.parametrize("shards", [1, 3])
def test_pg_basebackup_makes_a_standby_that_streams_through_pgring(publisher, front, shards):
    instance = front(changes={"shards": {"count": shards}})
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


def test_pg_receivewal_receives_the_very_bytes_of_the_wal(publisher, front):
    folder = f"{publisher.root}/received"
    os.mkdir(folder, 0o777)
    os.chmod(folder, 0o777)
    instance = front()
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


def test_pg_recvlogical_follows_a_slot(publisher, front):
    env = front().libpq_env(ROLE)
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


def test_a_subscription_through_pgring_receives_rows(publisher, own_postgres, front):
    instance = front()
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
