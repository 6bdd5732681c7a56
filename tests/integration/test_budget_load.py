"""What the budget is for: eight pools that could take all, before a PostgreSQL of 20 connections."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest
from harness.budget import (DBA, MAX_CONNECTIONS, OTHER_DATABASE, POOL_ROLES, RESERVED, Sampler,
                            ceiling, growth_beyond, settled)
from harness.postgres import DATABASE, OWNER
from harness.wait import DEADLINE_S, die_with_parent, stays, until

KEEP_FREE = 2
LEARN_S = 5  # for what has to be learned, on a busy machine; a poll takes place within a second
# What pgring is allowed to be behind by. A limit that falls is known after a poll, and what was permitted
# before that shows in pg_stat_activity after its login.
LAG_S = 2.5

# pgbench's TPC-B-like transaction or a sleep, and time to think.
SCRIPT = r"""
\set think random(0, :think_max)
\set kind random(1, 3)
\if :kind = 1
select pg_sleep(0.05);
\else
\set aid random(1, 100000)
\set bid 1
\set tid random(1, 10)
\set delta random(-5000, 5000)
begin;
update pgbench_accounts set abalance = abalance + :delta where aid = :aid;
select abalance from pgbench_accounts where aid = :aid;
update pgbench_tellers set tbalance = tbalance + :delta where tid = :tid;
update pgbench_branches set bbalance = bbalance + :delta where bid = :bid;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (:tid, :bid, :aid, :delta, now());
end;
\endif
\sleep :think ms
"""


class Load:
    """pgbench for each pool, while the body of `with` runs. It must have met no error."""

    def __init__(self, pooler, clients, think_max_ms, folder):
        self._pooler, self._folder = pooler, folder
        self._clients, self._think_max_ms = clients, think_max_ms  # of each pool
        self._processes = []

    def __enter__(self):
        script = self._folder / "script"
        script.write_text(SCRIPT)
        for role in POOL_ROLES:
            for database in (DATABASE, OTHER_DATABASE):
                command = [f"{self._pooler.postgres.bin}/pgbench", "-n", "-f", str(script), "-c",
                           str(self._clients), "-j", "1", "-T", "3600", "-D",
                           f"think_max={self._think_max_ms}", database]
                said = open(self._folder / f"{role}-{database}", "w+")
                process = subprocess.Popen(command, env=self._pooler.libpq_env(role), stdout=said,
                                           stderr=said, preexec_fn=die_with_parent(signal.SIGKILL))
                self._processes.append((process, said))
        return self

    def __exit__(self, *_):
        for process, said in self._processes:
            process.terminate()
            process.wait()
            said.close()

    def complaints(self):
        """What pgbench wrote beyond its greeting; a client that meets an error is named there."""
        found = []
        for process, said in self._processes:
            said.seek(0)
            found += [text for text in said.read().splitlines()
                      if text and not text.startswith("pgbench (")]
            if process.poll() is not None:
                found.append(f"{said.name} ended")
        return found


class Visitors:
    """Somebody logs in directly, again and again, while the body of `with` runs."""

    def __init__(self, postgres, roles):
        self.visits = {role: 0 for role in roles}
        self.refused = []
        self._postgres = postgres
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            for role in self.visits:
                try:
                    self._visit(role)
                    self.visits[role] += 1
                except psycopg.OperationalError as failure:
                    self.refused.append((role, str(failure).splitlines()[0]))
            self._stop.wait(0.05)


    def _visit(self, role):
        """Logs in and out, until PostgreSQL has closed its side: then the slot is free again."""
        connection = psycopg.connect(self._postgres.dsn(role))
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            connection.close()
            end.settimeout(DEADLINE_S)
            while end.recv(1024):
                pass


def ceiling_in(sample):
    return MAX_CONNECTIONS - RESERVED - KEEP_FREE - sample.others


def role_limit_in(role):
    return lambda sample: sample.limits.get(role, MAX_CONNECTIONS)


def refusals(postgres):
    """Lines of PostgreSQL's log about connections it refused."""
    return len(re.findall("remaining connection slots|too many c", postgres.log()))


def transactions(postgres):
    counts = []
    for database in (DATABASE, OTHER_DATABASE):
        with psycopg.connect(postgres.dsn(dbname=database)) as connection:
            counts.append(connection.execute("select count(*) from pgbench_history").fetchone()[0])
    return sum(counts)


@pytest.mark.parametrize("clients, think_max_ms, most, step_s", [
    pytest.param(96, 100, 4, 0.0, id="short"),
    pytest.param(400, 400, 8, 3.0, id="60s", marks=pytest.mark.long)])
def test_eight_pools_together_never_take_more_than_there_is(small_postgres, small_pgring, tmp_path,
                                                            clients, think_max_ms, most, step_s):
    pooler = small_pgring({"timeouts": {"query_wait_notify": "off"}}, pool_size=20)
    before, began = transactions(small_postgres), time.monotonic()
    refused_before = refusals(small_postgres)
    direct = []

    def nothing_wrong():
        assert load.complaints() == []
        assert visitors.refused == []
        return True

    def room_is_made():
        # The sampler and the tests' own connection are others too; visitors come and go.
        shown = ceiling(pooler)
        known = shown.others >= len(direct) + 2
        return known and shown.used <= MAX_CONNECTIONS - RESERVED - KEEP_FREE - len(direct) - 2

    def step(condition, what):
        until(condition, what, LEARN_S)
        stays(nothing_wrong, "no client and no visitor has met an error", step_s)

    with Load(pooler, clients // 8, think_max_ms, tmp_path) as load, Sampler(small_postgres) as sampler, \
            Visitors(small_postgres, (OWNER, DBA)) as visitors:
        until(lambda: sampler.latest.own >= 10, "the pools have taken what there is")
        step(room_is_made, "pgring has learned of those who watch")
        since = time.monotonic()
        for _ in range(most):
            direct.append(psycopg.connect(small_postgres.dsn(DBA)))
            step(room_is_made, "pgring makes room for a direct connection")
        sampler.role_limits = {"app_md5": 1}
        small_postgres.admin.execute("alter role app_md5 connection limit 1")
        step(lambda: sampler.latest.roles.get("app_md5", 0) <= 1, "the role's limit applies")
        few = sampler.latest.own
        while direct:
            direct.pop().close()
            step(nothing_wrong, "the direct connection ends")
        until(lambda: sampler.latest.own > few, "the room is used again", LEARN_S)
        sampler.role_limits = {}
        small_postgres.admin.execute("alter role app_md5 connection limit -1")
        step(lambda: sampler.latest.roles.get("app_md5", 0) > 1, "the role's limit is gone")
        assert load.complaints() == []
    assert visitors.refused == []
    assert min(visitors.visits.values()) >= 5, visitors.visits
    samples = sampler.samples
    assert growth_beyond(samples, since, lambda one: one.own, ceiling_in, LAG_S) == []
    assert growth_beyond(samples, since, lambda one: one.roles.get("app_md5", 0),
                         role_limit_in("app_md5"), LAG_S) == []
    settled(pooler, small_postgres)
    took = time.monotonic() - began
    print(f"\n{clients} clients, {took:.0f} s: {transactions(small_postgres) - before} transactions, "
          f"{len(samples)} samples, most {max(one.own for one in samples)} backends, visits "
          f"{visitors.visits}, PostgreSQL refused "
          f"{refusals(small_postgres) - refused_before}")
