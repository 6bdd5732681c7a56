"""A PostgreSQL that others replicate from through pgring, and clients that do."""

import pytest

from harness.postgres import Postgres
from harness.raw import Closed, query
from harness.wait import until

ROLE = "app_scram"
SENDERS = 20


@pytest.fixture(scope="session")
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
def front(publisher, pgring):
    """Makes pgring in front of the publisher; at the end nothing of a test replicates any more."""
    yield lambda **options: pgring(publisher, **options)
    until(lambda: not publisher.walsenders(), "no walsender is left")
    for (slot,) in publisher.admin.execute("select slot_name from pg_replication_slots").fetchall():
        publisher.admin.execute("select pg_drop_replication_slot(%s)", (slot,))


def begin(raw, front, replication="true", **options):
    return raw(front).login(replication=replication, **options)


def refusal(raw, front, replication="true", **options):
    """The fields of the error that ends a login."""
    with pytest.raises(Closed) as end:
        begin(raw, front, replication, **options)
    return [got for got in end.value.seen if got.kind == "E"][-1].fields


def streaming(raw, front):
    """A client that is sent WAL as it is written."""
    client = begin(raw, front)
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
