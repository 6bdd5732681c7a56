"""Replication connections end when either side does, and as an operator wants them to."""

import signal
import subprocess
import threading

import pytest
from harness.postgres import DATABASE, password
from harness.raw import errors, kinds, message, query, startup_packet, terminate
from harness.replication import ROLE, begin, fill, refusal, streaming
from harness.wait import stays, until


def test_a_server_that_ends_the_stream_ends_the_client(publisher, front, raw):
    client = streaming(raw, front())
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
def test_a_client_that_leaves_the_stream_frees_its_walsender(publisher, front, raw, how):
    instance = front()
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
def test_a_client_that_leaves_a_base_backup_frees_its_walsender(publisher, front, raw, how):
    client = raw(front(), receive_buffer=4096).login(replication="true")
    client.send(query("BASE_BACKUP (CHECKPOINT 'fast')"))
    client.until("d")
    assert publisher.walsenders()
    getattr(client, how)()
    until(lambda: not publisher.walsenders(), "it is free")


def test_a_slow_reader_of_a_backup_holds_its_server_back(publisher, front, raw):
    instance = front()
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


def test_the_last_words_of_a_client_reach_the_server(publisher, front, raw):
    client = begin(raw, front(), "database")
    client.run("CREATE_REPLICATION_SLOT leaving LOGICAL pgoutput")
    client.send(query("DROP_REPLICATION_SLOT leaving"), terminate())
    client.close()
    until(lambda: publisher.value("select count(*) from pg_replication_slots") == 0,
          "it is dropped")


# Commands and signals.


def test_kill_client_ends_a_stream_with_a_readable_error(publisher, front, raw):
    instance = front()
    client = streaming(raw, instance)
    (row,) = [row for row in instance.show("CLIENTS") if row["replication"] == "physical"]
    instance.show(f"CLIENTS; KILL_CLIENT {row['id']}")
    assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")


def test_reconnect_ends_replication_at_once(publisher, front, raw):
    instance = front()
    clients = [streaming(raw, instance), begin(raw, instance, "database")]
    with instance.console() as console:
        console.execute("RECONNECT other")
        assert kinds(clients[1].run("IDENTIFY_SYSTEM")) == "TDCZ"
        console.execute("RECONNECT")
    for client in clients:
        assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")


def test_a_reload_that_moves_the_server_ends_replication(publisher, front, raw):
    instance = front()
    client = streaming(raw, instance)
    instance.write_config({"server": {"main": {"host": "127.0.0.1"}}})
    instance.signal(signal.SIGHUP)
    assert errors(client.rest())[-1][:2] == ("FATAL", "57P01")
    assert kinds(begin(raw, instance).run("IDENTIFY_SYSTEM")) == "TDCZ"


def test_pause_waits_for_replication_and_newcomers_for_resume(publisher, front, raw):
    instance = front(changes={"shards": {"count": 2}})
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
def test_an_orderly_end_waits_for_replication(publisher, front, raw, signum):
    instance = front()
    client = streaming(raw, instance)
    instance.signal(signum)
    until(lambda: "shutting down" in instance.log(), "pgring has heard it")
    fill(publisher, "still there")
    client.until("d")
    stays(lambda: instance.process.poll() is None, "pgring waits", 0.3)
    client.close()
    assert instance.wait_exit() == 0


def test_quit_ends_replication_at_once(publisher, front, raw):
    instance = front()
    clients = [streaming(raw, instance) for _ in range(3)]
    instance.signal(signal.SIGQUIT)
    assert instance.wait_exit() == 0
    for client in clients:
        assert all(error[:2] == ("FATAL", "57P01") for error in errors(client.rest()))
    until(lambda: not publisher.walsenders(), "the walsenders end")
