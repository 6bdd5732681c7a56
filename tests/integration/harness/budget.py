"""Looks at the budget from both sides: pgring's SHOW BUDGET and PostgreSQL's pg_stat_activity."""

import threading
import time
from typing import NamedTuple

import psycopg

from harness import toml
from harness.pooler import USERS, plain_userlist
from harness.postgres import DATABASE, Postgres, password
from harness.wait import DEADLINE_S, until

MAX_CONNECTIONS = 20
RESERVED = 3
DBA = "dba"  # a plain role that no pool has
POOL_ROLES = ("app_scram", "app_md5", "app_trust", "app_more")
OTHER_DATABASE = "other"
# A direct login has no name yet while it starts; nor has it one of the pools' roles.
IS_OURS = ("application_name not like 'itest-direct%' and usename in ("
           + ", ".join(f"'{role}'" for role in POOL_ROLES) + ")")


class SmallPostgres(Postgres):
    """A PostgreSQL with few connections, two databases and the roles above."""

    def __init__(self):
        super().__init__(settings={"max_connections": str(MAX_CONNECTIONS),
                                   "superuser_reserved_connections": str(RESERVED)})
        self.admin.execute("set password_encryption = 'scram-sha-256'")
        for role in (DBA, "app_more"):
            self.admin.execute(f"create role {role} login password '{password(role)}'")
        self.admin.execute(f"create database {OTHER_DATABASE}")
        self._tool("pgbench", "-h", self.socket_dir, "-p", str(self.port), "-U", "owner", "-i",
                   "-s", "1", "-q", OTHER_DATABASE)
        with psycopg.connect(self.dsn(dbname=OTHER_DATABASE), autocommit=True) as connection:
            connection.execute("grant all on schema public to public")
            connection.execute("grant all on all tables in schema public to public")
        # Commits are asynchronous, and a test may crash the server before this one is written.
        self.admin.execute("checkpoint")

    def forget_limits(self):
        """Undoes what a test altered."""
        if self.process.poll() is not None:
            self.start()
        for role in (*POOL_ROLES, DBA):
            self.admin.execute(f"alter role {role} nosuperuser connection limit -1")
        for database in (DATABASE, OTHER_DATABASE):
            self.admin.execute(f"alter database {database} connection limit -1")

    def await_crash(self):
        """Waits until the server has ended all its backends, and answers again."""

        def answers():
            try:
                return self.value("select true")
            except psycopg.OperationalError:
                return False

        until(lambda: not answers(), "PostgreSQL notices")
        until(answers, "PostgreSQL has recovered", 60)

    def restart(self):
        self.halt()
        self.start()

    def others(self):
        """Client backends that are not pgring's, the one that asks included."""
        return self.value("select count(*) from pg_stat_activity where usename is not null and"
                          f" backend_type = 'client backend' and not ({IS_OURS})")

    def own(self, where="true"):
        return len(self.backends(where))


# Four shards, so that what only holds within one is seen.
CONFIG = {"auth": {"method": "trust"}, "shards": {"count": 4},
          "server": {"main": {"keep_free": 2}},
          "timeouts": {"server_login_retry": "100ms"}}
USERLIST = plain_userlist((*USERS, "app_more"))


def config(changes):
    return toml.merge(CONFIG, changes)


class Line(NamedTuple):
    """One row of SHOW BUDGET."""

    server: str
    scope: str  # ceiling, entry, database, role, pool
    name: str
    limit: int  # None: none
    used: int
    opening: int
    closing: int
    lost: int
    others: int  # of the ceiling; None elsewhere
    waiting: int
    source: str


def budget(pooler):
    def line_of(row):
        return Line(*(None if row[name] is None
                      else Line.__annotations__[name](row[name]) for name in Line._fields))

    return [line_of(row) for row in pooler.show("BUDGET")]


def line(pooler, scope, name=None):
    """The only line of a scope, or the one with this name."""
    found = [one for one in budget(pooler) if one.scope == scope and name in (None, one.name)]
    assert len(found) == 1, f"{len(found)} lines of {scope} {name or ''} in {budget(pooler)}"
    return found[0]


def ceiling(pooler):
    return line(pooler, "ceiling")


def waits(pooler):
    """Why each waiter waits."""
    return [row["reason"] for row in pooler.show("WAITS")]


def settled(pooler, postgres):
    """The budget's count has become the true one: nothing opens or closes, nothing was forgotten."""

    def is_so():
        now = ceiling(pooler)
        return now.opening == now.closing == now.lost == 0 and now.used == postgres.own()

    def seen():
        return f"{ceiling(pooler)}, backends {postgres.own()}"

    try:
        until(is_so, "the budget's count is that of pg_stat_activity")
    except AssertionError as failure:
        raise AssertionError(f"{failure}: {seen()}") from None


class Sample(NamedTuple):
    at: float  # time.monotonic()
    own: int
    others: int
    roles: dict  # own ones by role
    limits: dict  # of roles, as the test had set them


class Sampler:
    """Samples pg_stat_activity as fast as it can while the body of `with` runs."""

    def __init__(self, postgres):
        self.samples = []
        self.role_limits = {}  # set by the test when it alters them; replaced, never changed
        self._postgres = postgres
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._connection = psycopg.connect(self._postgres.dsn(), autocommit=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._connection.close()
        assert self.samples, "the sampler never ran"

    @property
    def latest(self):
        until(lambda: self.samples, "there is a sample")
        return self.samples[-1]

    def _run(self):
        while not self._stop.is_set():
            limits = self.role_limits
            rows = self._connection.execute(
                f"select usename, {IS_OURS}, count(*) from pg_stat_activity where usename is not"
                " null and backend_type = 'client backend' group by 1, 2").fetchall()
            roles = {role: count for role, ours, count in rows if ours}
            others = sum(count for _, ours, count in rows if not ours)
            self.samples.append(
                Sample(time.monotonic(), sum(roles.values()), others, roles, limits))


def growth_beyond(samples, since, count_of, limit_of, lag_s):
    """The samples from `since` on in which more connections were open than a limit allows.

    A limit is what `limit_of` says, or said within the last `lag_s`: pgring has to learn of it. What is
    open beyond a limit that fell may stay until it is given up, but never grows: then the bound is what
    was open before.
    """
    beyond, before, recent = [], 0, []
    for sample in samples:
        limit, count = limit_of(sample), count_of(sample)
        # Falling limits, the oldest first: that one is the largest.
        recent = [(at, old) for at, old in recent if at >= sample.at - lag_s and old > limit]
        recent.append((sample.at, limit))
        if sample.at >= since and count > max(before, recent[0][1]):
            beyond.append((round(sample.at - since, 3), count, recent[0][1], sample))
        before = count
    return beyond
