"""What passes through arrives unchanged: pipelines, errors, notices, portals, large objects."""

import hashlib
import select
import struct
import threading

import psycopg
import psycopg2
import pytest
from harness.postgres import password
from harness.raw import (bind, close, describe, errors, execute, flush, kinds, message, parse,
                         query, sync, terminate, unnamed)
from harness.wait import until


@pytest.fixture
def pooler(pgring):
    return pgring(database={"pool_size": 1})


@pytest.fixture
def client(pooler, raw):
    return raw(pooler).login()


def test_notices_arrive_in_order(pooler):
    heard = []
    with pooler.connect() as connection:
        connection.add_notice_handler(lambda notice: heard.append(
            (notice.severity, notice.message_primary)))
        connection.execute("do $$ begin raise notice 'one'; raise warning 'two'; end $$")
    assert heard == [("NOTICE", "one"), ("WARNING", "two")]


def test_a_pipeline_of_groups_is_answered_group_by_group(client):
    client.send(*[unnamed("select $1::int + 1", [number]) + sync() for number in range(300)])
    for number in range(300):
        answer = client.ready()
        assert kinds(answer) == "12TDCZ"
        assert answer[3].columns == [str(number + 1)]


def test_an_error_inside_a_group_skips_to_its_sync(client):
    client.send(unnamed("select 1"), unnamed("select 1/0"), unnamed("select 2"), sync(),
                unnamed("select 3"), sync())
    first = client.ready()
    assert kinds(first) == "12TDC1EZ" and errors(first)[0][1] == "22012"
    assert first[-1].status == "I"
    assert kinds(client.ready()) == "12TDCZ"


def test_an_error_inside_a_pipelined_transaction_leaves_it_failed(client):
    client.send(query("begin"), unnamed("select 1 / (random() * 0)::int"), sync(),
                unnamed("select 2"), sync(), query("rollback"), query("select 3"))
    shapes = [(kinds(answer), answer[-1].status) for answer in (client.ready() for _ in range(5))]
    assert shapes == [("CZ", "T"), ("12TEZ", "E"), ("EZ", "E"), ("CZ", "I"), ("TDCZ", "I")]


def test_begin_update_commit_in_one_write_stay_one_transaction(pgring, raw):
    # With two server connections a wrong pooler runs the update elsewhere.
    pooler = pgring(database={"pool_size": 2})
    client, other = raw(pooler).login(), raw(pooler).login()
    for number in range(50):
        client.send(query("begin"), query("select pg_backend_pid(), pg_current_xact_id()"),
                    query("select pg_backend_pid(), pg_current_xact_id()"), query("commit"))
        other.send(query("select 1"))
        answers = [client.ready() for _ in range(4)]
        rows = [got.columns for answer in answers for got in answer if got.kind == "D"]
        assert rows[0] == rows[1], number
        assert answers[-1][-1].status == "I"
        other.ready()


def test_two_pipelining_clients_on_one_server_connection_get_their_own_answers(pooler, raw):
    clients = [raw(pooler).login() for _ in range(4)]
    for _ in range(20):
        for number, client in enumerate(clients):
            client.send(*[unnamed("select $1::text", [f"{number}/{step}"]) + sync()
                          for step in range(10)])
        for number, client in enumerate(clients):
            for step in range(10):
                (row,) = [got for got in client.ready() if got.kind == "D"]
                assert row.columns == [f"{number}/{step}"]


def test_a_long_pipeline_written_before_reading_does_not_stall(client):
    # 20,000 answers are due before the client reads the first: both directions are full.
    group = unnamed("select repeat('x', 500)") + sync()
    client.send(group)
    answer_size = sum(5 + len(got.body) for got in client.ready())
    client.socket.setblocking(False)
    to_send, pieces, due = memoryview(group * 20000), [], answer_size * 20000
    while to_send or due > 0:
        readable, writable, _ = select.select([client.socket], [client.socket] if to_send else [],
                                              [], 30)
        assert readable or writable, "nothing moves in either direction"
        if writable:
            to_send = to_send[client.socket.send(to_send[:1 << 20]):]
        elif readable:  # only when no more can be sent
            pieces.append(client.socket.recv(1 << 20))
            assert pieces[-1], "the connection was closed"
            due -= len(pieces[-1])
    client.socket.settimeout(20)
    client.buffered += b"".join(pieces)
    for _ in range(20000):
        assert kinds(client.ready()) == "12TDCZ"


def test_psycopg_pipeline_mode(pooler):
    with pooler.connect() as connection, pooler.connect() as other:
        with connection.pipeline():
            cursors = [connection.execute("select %s::int", [number]) for number in range(100)]
            assert [cursor.fetchone()[0] for cursor in cursors] == list(range(100))
        with pytest.raises(psycopg.errors.DivisionByZero):
            with connection.pipeline():
                connection.execute("select 1/0")
                connection.execute("select 1")
        assert connection.execute("select 5").fetchone() == (5,)
        assert other.execute("select 6").fetchone() == (6,)


def test_flush_brings_answers_without_ready_for_query(client):
    client.send(unnamed("select 1"), flush())
    assert kinds(client.until("C")) == "12TDC"
    client.send(sync())
    assert kinds(client.ready()) == "Z"


def test_a_portal_is_read_in_parts_inside_a_transaction(client):
    client.run("begin")
    client.send(parse("select generate_series(1, 5)"), bind(), execute(limit=2), sync())
    assert kinds(client.ready()) == "12DDsZ"
    client.run("declare c cursor for select generate_series(1, 3)")
    rows = [got.columns for got in client.run("fetch 2 from c") if got.kind == "D"]
    assert rows == [["1"], ["2"]]
    client.run("commit")


def test_one_message_with_several_statements_and_one_with_none(client):
    assert kinds(client.run("select 1; select 2; select 3")) == "TDCTDCTDCZ"
    answer = client.run("select 1; select 1/0; select 2")
    assert kinds(answer) == "TDCEZ" and answer[-1].status == "I"
    assert kinds(client.run("")) == "IZ"
    client.send(parse(""), bind(), describe(), execute(), sync())
    assert kinds(client.ready()) == "12nIZ"
    client.send(sync())
    assert kinds(client.ready()) == "Z"


def test_closing_and_describing_what_is_there_and_what_is_not(client):
    client.send(parse("select $1::int"), describe("S"), close("S"), sync())
    assert kinds(client.ready()) == "1tT3Z"
    client.send(close("S", "never_was"), close("P", "never_was"), sync())
    assert kinds(client.ready()) == "33Z"
    client.send(describe("P", "never_was"), sync())
    answer = client.ready()
    assert kinds(answer) == "EZ" and errors(answer)[0][1] == "34000"


def test_errors_come_with_every_field(pgring, postgres, raw):
    text = "select 1 as one where 'x' = 5.5.5"
    direct = [got.fields for got in raw(postgres).login().run(text) if got.kind == "E"]
    pooled = [got.fields for got in raw(pgring()).login().run(text) if got.kind == "E"]
    assert pooled == direct


def test_function_calls_work(client):
    int4pl = 177
    arguments = b"".join(struct.pack("!ii", 4, value) for value in (40, 2))
    client.send(message("F", struct.pack("!IHHH", int4pl, 1, 1, 2) + arguments +
                        struct.pack("!H", 1)))
    answer = client.ready()
    assert kinds(answer) == "VZ"
    assert answer[0].body == struct.pack("!ii", 4, 42)
    client.send(message("F", struct.pack("!IHHH", 4_000_000, 0, 0, 0) + struct.pack("!H", 0)))
    answer = client.ready()
    assert kinds(answer) == "EZ"
    assert client.value("select 1") == "1"


def test_large_objects_are_written_and_read(pooler):
    data = hashlib.shake_256(b"large object").digest(3_000_001)
    connection = psycopg2.connect(pooler.dsn())
    try:
        large = connection.lobject(0, "wb")
        assert large.write(data) == len(data)
        oid = large.oid
        large.close()
        connection.commit()
        large = connection.lobject(oid, "rb")
        assert large.read() == data
        assert large.seek(2_000_000) == 2_000_000
        assert large.read(10) == data[2_000_000:2_000_010]
        large.unlink()
        connection.commit()
    finally:
        connection.close()


def test_notifications_reach_a_listening_session(pgring, opened):
    pooler = pgring(database={"pool_mode": "session"})
    listener, sender = opened(pooler.connect()), opened(pooler.connect())
    listener.execute("listen news")
    sender.execute("notify news, 'first'")
    sender.execute("select pg_notify('news', 'second')")
    heard = []
    for note in listener.notifies():
        heard.append((note.channel, note.payload))
        if len(heard) == 2:
            break
    assert heard == [("news", "first"), ("news", "second")]


@pytest.mark.parametrize("size", [100_000, 48_000_000])
def test_a_huge_query_and_a_huge_value_pass_unchanged(client, size):
    text = "z" * size + "!"
    answer = client.run(f"select '{text}', md5('{text}'), 1")
    (row,) = [got for got in answer if got.kind == "D"]
    assert row.columns == [text, hashlib.md5(text.encode()).hexdigest(), "1"]
    client.send(unnamed("select $1::text", [text]), sync())
    (row,) = [got for got in client.ready() if got.kind == "D"]
    assert row.columns == [text]


def test_a_client_that_sends_a_byte_at_a_time_is_served(pooler, raw):
    client = raw(pooler).login()
    dialogue = query("select 1") + unnamed("select 2") + sync() + query("select 3")
    for byte in dialogue:
        client.send(bytes([byte]))
    assert [kinds(client.ready()) for _ in range(3)] == ["TDCZ", "12TDCZ", "TDCZ"]


def test_terminate_behind_a_query_still_runs_the_query(pooler, raw, postgres):
    postgres.admin.execute("create table if not exists last_words (word text);"
                           " grant all on last_words to public; truncate last_words")
    client = raw(pooler).login()
    client.send(query("insert into last_words values ('done')"), terminate())
    assert "Z" in kinds(client.rest())
    assert postgres.value("select count(*) from last_words") == 1


def test_binary_results_and_parameters_pass_unchanged(pooler):
    with pooler.connect() as connection:
        data = bytes(range(256)) * 50
        cursor = connection.cursor(binary=True)
        assert cursor.execute("select %b::bytea, 7", [data]).fetchone() == (data, 7)


def test_psycopg2_runs_with_transactions_and_server_side_cursors(pooler):
    connection = psycopg2.connect(host=pooler.host, port=pooler.port, user="app_scram",
                                  password=password("app_scram"), dbname="bench")
    try:
        with connection, connection.cursor("named") as cursor:
            cursor.itersize = 100
            cursor.execute("select generate_series(1, 1000)")
            assert [row[0] for row in cursor] == list(range(1, 1001))
    finally:
        connection.close()


def test_what_was_asked_before_a_goodbye_is_done(pgring, raw):
    pooler = pgring()
    watcher = raw(pooler).login()
    watcher.run("create table goodbye (i int)")
    client = raw(pooler).login()
    client.send(query("select pg_sleep(0.5), repeat('x', 1000000)"),
                query("insert into goodbye values (1)"), terminate())
    client.close()
    until(lambda: watcher.value("select count(*) from goodbye") == "1", "the row is there")
    watcher.run("drop table goodbye")


def test_a_session_that_pipelines_past_the_limit_of_requests_is_read_on(pgring, raw):
    # Above 4096 outstanding requests a client is not read from until half are answered.
    client = raw(pgring(database={"pool_mode": "session"})).login()
    count = 9000
    odd = (query("select 1") + message("c") + message("c")) * count
    sender = threading.Thread(target=client.send, args=(odd,))
    sender.start()
    for _ in range(count):
        assert kinds(client.ready()) == "TDCZ"
    sender.join()


@pytest.mark.parametrize("group", [
    pytest.param(parse("no such thing") + query("select 1"), id="query skipped by a failed group"),
    pytest.param(parse("select 1") + message("c"), id="end of no copy"),
    pytest.param(parse("no such thing") + message("F", b"\0" * 10), id="function call skipped"),
])
def test_a_goodbye_is_not_put_off_for_replies_that_never_come(pgring, raw, group):
    pooler = pgring(changes={"ring": {"disable": ["credit_receive"]}}, database={"pool_size": 1})
    other = raw(pooler).login()
    for _ in range(3):
        client = raw(pooler).login()
        client.send(group, terminate())
        client.rest()
        assert other.value("select 1") == "1"
