"""COPY both ways, in every size, broken off in the middle, through psql and as bytes."""

import hashlib
import os
import subprocess

import psycopg
import pytest
from harness.postgres import OWNER
from harness.raw import (bind, errors, execute, kinds, message, parse, query, sync, terminate,
                         unnamed)
from harness.wait import until

MIB = 1 << 20
ROW_SIZE = 1024  # bytes of a line in the file, with number, tab and newline


@pytest.fixture
def target(postgres):
    postgres.admin.execute("drop table if exists copied; create unlogged table copied"
                           " (number bigint, payload text); grant all on copied to public")
    yield "copied"
    postgres.admin.execute("drop table copied")


def psql(where, command, user="app_scram", **env):
    return subprocess.run([f"{where.postgres.bin}/psql", "-X", "-q", "-A", "-t", "-v",
                           "ON_ERROR_STOP=1", "-c", command], capture_output=True, text=True,
                          env={**where.libpq_env(user), **env}, timeout=1800)


def write_rows(path, size):
    """A file of about `size` bytes, each line different, and its digest."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for first in range(0, size // ROW_SIZE, 4096):
            last = min(first + 4096, size // ROW_SIZE)
            block = b"".join(b"%012d\t%s\n" % (row, (b"%x" % (row * 2654435761)).ljust(1010, b"."))
                             for row in range(first, last))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(MIB), b""):
            digest.update(block)
    return digest.hexdigest()


@pytest.mark.parametrize("size", [1 * MIB, 64 * MIB,
                                  pytest.param(1024 * MIB, marks=pytest.mark.long)])
@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_psql_copies_in_and_out_without_changing_a_byte(pgring, target, tmp_path, size, transport):
    pooler = pgring(database={"pool_size": 2})
    env = {"PGHOST": pooler.socket_dir if transport == "unix" else pooler.host}
    source, result = tmp_path / "in", tmp_path / "out"
    wanted = write_rows(source, size)
    done = psql(pooler, f"\\copy {target} from '{source}'", **env)
    assert done.returncode == 0, done.stderr
    done = psql(pooler, f"\\copy (select lpad(number::text, 12, '0'), payload from {target}"
                        f" order by number) to '{result}'", **env)
    assert done.returncode == 0, done.stderr
    assert os.path.getsize(result) == os.path.getsize(source)
    assert digest_of(result) == wanted
    source.unlink()
    result.unlink()


def test_a_copy_with_a_bad_line_in_the_middle_leaves_the_connection_usable(pgring, target):
    pooler = pgring(database={"pool_size": 1})
    with pooler.connect() as connection:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            with connection.cursor().copy(f"copy {target} from stdin") as copy:
                for row in range(20000):
                    copy.write(f"{row}\tx\n" if row != 300 else "not a number\tx\n")
        assert connection.execute("select 1").fetchone() == (1,)
        assert connection.execute(f"select count(*) from {target}").fetchone() == (0,)
        with pooler.connect() as other:
            assert other.execute("select 2").fetchone() == (2,)


def test_copy_data_after_the_server_gave_up_is_dropped(pgring, target, raw):
    # As a client does that writes without reading: data, CopyDone and the next query in one go.
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    data = [message("d", b"bad line\n")] + [message("d", b"1\tx\n")] * 5000
    client.send(query(f"copy {target} from stdin"), *data, message("c"), query("select 41 + 1"))
    first = client.ready()
    assert kinds(first) == "GEZ" and errors(first)[0][1] == "22P02"
    second = client.ready()
    assert kinds(second) == "TDCZ" and second[-1].status == "I"
    assert raw(pooler).login().value("select 7") == "7"


def test_a_client_may_fail_its_own_copy(pgring, target, raw):
    client = raw(pgring(database={"pool_size": 1})).login()
    client.send(query(f"copy {target} from stdin"), message("d", b"1\tx\n"),
                message("f", b"changed my mind\0"))
    answer = client.ready()
    assert kinds(answer) == "GEZ"
    assert errors(answer)[0][1] == "57014" and "changed my mind" in errors(answer)[0][2]
    assert client.value(f"select count(*) from {target}") == "0"


@pytest.mark.parametrize("bad", [False, True])
def test_copy_in_by_the_extended_protocol(pgring, target, raw, bad):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    client.send(unnamed(f"copy {target} from stdin"), sync())
    assert client.until("G")[-1].kind == "G"
    lines = [message("d", b"1\tone\n"), message("d", b"two\ttwo\n" if bad else b"2\ttwo\n")]
    client.send(*lines, message("c"), sync())
    answer = client.ready()
    assert kinds(answer) == ("EZ" if bad else "CZ")
    assert answer[-1].status == "I"
    assert client.value(f"select count(*) from {target}") == ("0" if bad else "2")
    assert raw(pooler).login().value("select 7") == "7"


def test_a_failing_copy_out_leaves_the_connection_usable(pgring, raw):
    client = raw(pgring(database={"pool_size": 1})).login()
    answer = client.run("copy (select 1 / (50000 - n) from generate_series(1, 60000) n) to stdout")
    assert answer[0].kind == "H" and errors(answer)[0][1] == "22012"
    assert sum(got.kind == "d" for got in answer) > 1000
    assert client.value("select 1") == "1"


def test_a_client_that_vanishes_during_copy_in_leaves_nothing_behind(pgring, postgres, target, raw):
    pooler = pgring(database={"pool_size": 1})
    client = raw(pooler).login()
    client.send(query(f"copy {target} from stdin"))
    client.until("G")
    client.send(message("d", b"1\tx\n") * 1000)
    client.abort()
    other = raw(pooler).login()
    assert other.value(f"select count(*) from {target}") == "0"
    until(lambda: not postgres.backends("state = 'active' and query like 'copy%%'"),
          "the broken COPY has ended")


def test_many_clients_copy_at_once_and_each_gets_its_own_rows(pgring, opened):
    pooler = pgring(database={"pool_size": 4}, changes={"shards": {"count": 4}})
    copies = []
    for client in range(4):
        connection = opened(pooler.connect())
        context = connection.cursor().copy(
            f"copy (select '{client}-' || n from generate_series(1, 20000) n) to stdout")
        copies.append((client, context, context.__enter__()))
    received = {client: bytearray() for client, _, _ in copies}
    running = list(copies)
    while running:
        for entry in list(running):
            block = entry[2].read()
            if not block:
                entry[1].__exit__(None, None, None)
                running.remove(entry)
            received[entry[0]] += block
    for client, data in received.items():
        lines = bytes(data).decode().splitlines()
        assert lines == [f"{client}-{row}" for row in range(1, 20001)]


def test_a_copy_inside_a_transaction_is_rolled_back_with_it(pgring, target):
    with pgring().connect(OWNER, autocommit=False) as connection:
        with connection.cursor().copy(f"copy {target} from stdin") as copy:
            copy.write("1\tx\n")
        assert connection.execute(f"select count(*) from {target}").fetchone() == (1,)
        connection.rollback()
        assert connection.execute(f"select count(*) from {target}").fetchone() == (0,)


def test_a_client_that_says_goodbye_during_copy_in_does_not_keep_its_connection(pgring, raw):
    # Without credit receives nothing but the end of the COPY could tell that the client has gone.
    pooler = pgring(changes={"ring": {"disable": ["credit_receive"]}}, database={"pool_size": 1})
    other = raw(pooler).login()
    rude = raw(pooler).login()
    rude.send(query("copy pgbench_history from stdin"))
    rude.until("G")
    rude.send(terminate())
    assert other.value("select 1") == "1"
    ahead = raw(pooler).login()
    ahead.send(query("copy pgbench_history from stdin"), terminate())
    assert other.value("select 2") == "2"


def test_extended_copy_in_may_be_sent_in_one_piece(pgring, postgres, raw):
    answers = []
    for target in (postgres, pgring(database={"pool_size": 1})):
        client = raw(target).login()
        copy = parse("copy pgbench_history (tid) from stdin") + bind() + execute()
        got = [kinds((client.send(batch), client.ready())[1]) for batch in (
            copy + message("d", b"1\n") + message("c") + sync(),
            copy + sync() + message("d", b"1\n") + message("c") + sync(),
            unnamed("select 1") + message("c") + sync(),
            query("select 1"))]
        answers.append(got)
    assert answers[0] == answers[1]


def test_a_sync_into_a_copy_that_fails_is_not_answered_to_another_client(pgring, raw):
    # By the simple protocol the Sync has an answer of its own if the COPY is over when it arrives.
    pooler = pgring(database={"pool_size": 1})
    other = raw(pooler).login()
    for _ in range(20):
        odd = raw(pooler).login()
        odd.send(query("copy pgbench_history (tid) from stdin"))
        odd.until("G")
        odd.send(message("d", b"nonsense\n"), message("d", b"1\n"), sync())
        other.send(query("select 1"))
        assert kinds(other.ready()) == "TDCZ"
        odd.close()
