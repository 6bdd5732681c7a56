"""Never one server connection too many: the ceiling, the limits below it, and what they say."""

import select
import subprocess
import time

import psycopg
import pytest
from harness.budget import (DBA, MAX_CONNECTIONS, OTHER_DATABASE, RESERVED, budget, ceiling, line,
                            settled, waits)
from harness.load import Group, Traffic
from harness.postgres import DATABASE, OWNER, password
from harness.raw import kinds, query, startup_packet
from harness.wait import DEADLINE_S, stays, until

KEEP_FREE = 2
LEARNED_S = 5  # a poll takes place within a second; the rest is for a busy machine


def beginning(raw, pooler, *pools):
    """Clients that have asked for a transaction of their own; some of them wait.

    A pool is (number of clients, role, database); the first client of a pool cannot log in before it
    has a connection, so all log in before the first begins.
    """
    clients = [raw(pooler).login(*pool) for count, *pool in pools for _ in range(count)]
    for client in clients:
        client.send(query("begin"))
    return clients


def finish(clients):
    """Each of them gets its transaction and ends it, in whatever order they are served."""
    waiting = {client.socket: client for client in clients}
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], DEADLINE_S)
        assert ready, f"{len(waiting)} clients are not served"
        for client in (waiting.pop(socket) for socket in ready):
            assert kinds(client.ready()) == "CZ"
            assert kinds(client.run("commit")) == "CZ"


def busy(name, user, clients, **options):
    """Clients that always want a connection and give it back after a few milliseconds."""
    return Group(name, user, clients, lambda: ["select pg_sleep(0.005)"], **options)


def told(pooler, *words):
    """The lines of pgring's log that have all of these words."""
    return [text for text in pooler.log().splitlines() if all(word in text for word in words)]


def left_for_us(postgres):
    return MAX_CONNECTIONS - RESERVED - KEEP_FREE - postgres.others()


# The ceiling and its terms.


def test_the_ceiling_is_what_the_server_leaves_and_is_used_up_but_not_passed(
        small_postgres, small_pgring, raw):
    pooler = small_pgring(pool_size=50)
    clients = beginning(raw, pooler, (30, "app_scram"))
    expected = left_for_us(small_postgres)
    until(lambda: small_postgres.own() == expected, f"{expected} server connections are open")
    stays(lambda: small_postgres.own() == expected, "no more than the ceiling", 0.5)
    shown = ceiling(pooler)
    assert (shown.limit, shown.used, shown.waiting) == (expected, expected, 30 - expected)
    for term in (f"max_connections {MAX_CONNECTIONS}", f"superuser_reserved_connections {RESERVED}",
                 f"keep_free {KEEP_FREE}", f"others {small_postgres.others()}"):
        assert term in shown.source
    assert waits(pooler) == ["ceiling"] * (30 - expected)
    finish(clients)


def test_a_dba_gets_in_while_every_connection_is_taken(small_postgres, small_pgring, raw):
    pooler = small_pgring(pool_size=50)
    beginning(raw, pooler, (30, "app_scram"))
    expected = left_for_us(small_postgres)
    until(lambda: small_postgres.own() == expected, f"{expected} server connections are open")
    for role in (OWNER, DBA):
        done = subprocess.run([f"{small_postgres.bin}/psql", "-w", "-A", "-t", "-c", "select 42",
                               small_postgres.dsn(role)], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


def test_direct_connections_take_from_the_ceiling_and_give_back(small_postgres, small_pgring,
                                                                opened):
    pooler = small_pgring(pool_size=50)
    before = left_for_us(small_postgres)
    with Traffic(pooler, busy("all", "app_scram", 30)) as traffic:
        until(lambda: small_postgres.own() == before, f"{before} server connections are open")
        direct = []
        for count in range(1, 4):
            direct.append(opened(psycopg.connect(small_postgres.dsn(DBA))))
            until(lambda: small_postgres.own() == before - count,
                  f"pgring makes room for {count} direct connections", LEARNED_S)
        until(lambda: ceiling(pooler).limit == before - 3, "the ceiling shows it", LEARNED_S)
        for connection in direct:
            connection.close()
        until(lambda: small_postgres.own() == before, "the room is used again", LEARNED_S)
    assert traffic.errors == []
    settled(pooler, small_postgres)


@pytest.mark.parametrize("what, name, scope", [("role", "app_scram", "role"),
                                               ("database", DATABASE, "database")])
def test_a_limit_altered_on_the_server_applies(small_postgres, small_pgring, what, name, scope):
    pooler = small_pgring(pool_size=8)
    with Traffic(pooler, busy("all", "app_scram", 16)) as traffic:
        until(lambda: small_postgres.own() == 8, "the pool is at its size")
        # The tests' own connection to that database counts too.
        others = 1 if what == "database" else 0
        small_postgres.admin.execute(f"alter {what} {name} connection limit {3 + others}")
        until(lambda: small_postgres.own() == 3, "three are left", LEARNED_S)
        stays(lambda: small_postgres.own() == 3, "three, used and not exceeded", 0.5)
        shown = line(pooler, scope, name)
        assert (shown.limit, shown.used) == (3, 3)
        assert f"{3 + others}" in shown.source and "CONNECTION LIMIT" in shown.source
        assert scope in waits(pooler)
        small_postgres.admin.execute(f"alter {what} {name} connection limit -1")
        until(lambda: small_postgres.own() == 8, "the limit is gone", LEARNED_S)
    assert traffic.errors == []


def test_a_restart_with_another_max_connections_is_learned(small_postgres, small_pgring, raw):
    pooler = small_pgring(pool_size=50)
    idle = raw(pooler).login()
    assert idle.value("select 1") == "1"
    until(lambda: ceiling(pooler).limit == left_for_us(small_postgres), "the ceiling is known")
    for more in (10, 0):
        small_postgres.admin.execute(
            f"alter system set max_connections = {MAX_CONNECTIONS + more}")
        small_postgres.restart()
        expected = left_for_us(small_postgres) + more
        with Traffic(pooler, busy("all", "app_scram", 40)) as traffic:
            until(lambda: small_postgres.own() == expected, f"{expected} are open", LEARNED_S)
            until(lambda: ceiling(pooler).limit == expected, "the ceiling shows it", LEARNED_S)
        assert traffic.errors == []
    settled(pooler, small_postgres)


def test_a_configured_max_connections_caps_below_the_ceiling(small_postgres, small_pgring, raw):
    pooler = small_pgring({"server": {"main": {"max_connections": 5}}}, pool_size=50)
    beginning(raw, pooler, (6, "app_scram"), (6, "app_md5"))
    until(lambda: small_postgres.own() == 5, "five are open")
    stays(lambda: small_postgres.own() == 5, "no more", 0.5)
    assert ceiling(pooler).limit == 5


@pytest.mark.parametrize("where", ["database", "role"])
def test_a_database_or_role_has_a_limit_over_its_pools(small_postgres, small_pgring, raw, where):
    limit = {"max_connections": 4}
    changes = ({"database": {DATABASE: {"server": "main", **limit}}} if where == "database"
               else {"role": {"app_scram": limit}})
    pools = ([("app_scram", DATABASE), ("app_md5", DATABASE)] if where == "database"
             else [("app_scram", DATABASE), ("app_scram", OTHER_DATABASE)])
    free = ("app_more", OTHER_DATABASE)
    pooler = small_pgring(changes)
    beginning(raw, pooler, *[(5, *pool) for pool in pools])
    until(lambda: small_postgres.own() == 4, "four are open")
    for client in beginning(raw, pooler, (5, *free)):
        assert kinds(client.ready()) == "CZ"  # not limited by it
    assert small_postgres.own("usename <> 'app_more'") == 4
    shares = [small_postgres.own(f"usename = '{user}' and datname = '{name}'")
              for user, name in pools]
    assert min(shares) >= 1, shares
    shown = (line(pooler, "entry", DATABASE) if where == "database"
             else line(pooler, "role", "app_scram"))
    assert (shown.limit, shown.used) == (4, 4) and "max_connections 4" in shown.source


def test_two_names_of_one_instance_share_one_budget(small_postgres, small_pgring, raw):
    twin = {"host": small_postgres.host, "port": small_postgres.port, "max_connections": 6}
    pooler = small_pgring({"server": {"twin": twin},
                           "database": {"through_twin": {"server": "twin", "dbname": DATABASE}}})
    for dbname in (DATABASE, "through_twin"):
        assert raw(pooler).login("app_scram", dbname).value("select 1") == "1"
    beginning(raw, pooler, *[(8, "app_scram", dbname) for dbname in (DATABASE, "through_twin")])
    until(lambda: small_postgres.own() == 6, "six are open")
    # One may go from the pool that was first to the other, and there is one less for a moment.
    stays(lambda: small_postgres.own() <= 6, "no more", 0.5)
    until(lambda: small_postgres.own() == 6, "six are open again")
    shown = ceiling(pooler)  # one for both
    assert (shown.limit, shown.used) == (6, 6)
    assert "main" in shown.server and "twin" in shown.server


def test_an_application_that_is_superuser_is_held_to_the_ceiling_and_named(small_postgres,
                                                                           small_pgring, raw):
    small_postgres.admin.execute("alter role app_more superuser")
    pooler = small_pgring(pool_size=50)
    beginning(raw, pooler, (30, "app_more"))
    expected = left_for_us(small_postgres)
    until(lambda: small_postgres.own() == expected, f"{expected} are open")
    stays(lambda: small_postgres.own() == expected, "no more", 0.5)
    assert "superuser" in line(pooler, "role", "app_more").source
    assert len(told(pooler, "superuser", "app_more")) == 1


def test_what_a_plain_role_cannot_see_is_said_once_with_the_grant_that_helps(
        small_postgres, small_pgring, raw, opened):
    opened(psycopg.connect(small_postgres.dsn(DBA)))
    pooler = small_pgring()
    with Traffic(pooler, busy("all", "app_scram", 4), busy("others", "app_md5", 4)):
        until(lambda: ceiling(pooler).limit == left_for_us(small_postgres), "the ceiling is known")
        until(lambda: told(pooler, "pg_read_all_stats"), "it is said")
        assert "GRANT pg_read_all_stats" in ceiling(pooler).source
        stays(lambda: len(told(pooler, "pg_read_all_stats")) == 1, "once", 2.5)


# A full server.


def hold_all(postgres, opened):
    """A superuser's connections, until no plain role can log in."""
    held = []
    while postgres.others() + postgres.own() < MAX_CONNECTIONS - RESERVED:
        held.append(opened(psycopg.connect(postgres.dsn())))
    with pytest.raises(psycopg.OperationalError, match="reserved|too many"):
        psycopg.connect(postgres.dsn(DBA))
    return held


@pytest.mark.parametrize("known", [False, True], ids=["never-seen", "known"])
def test_a_client_waits_while_the_server_is_full_and_is_served_then(small_postgres, small_pgring,
                                                                    raw, opened, known):
    pooler = small_pgring(pool_size=10)
    client = raw(pooler)
    if known:
        client.login()
        user = raw(pooler).login()
        user.run("begin")
    held = hold_all(small_postgres, opened)
    client.send(query("select 42") if known
                else startup_packet({"user": "app_scram", "database": DATABASE}))
    until(lambda: len(waits(pooler)) == 1, "the client waits")
    assert waits(pooler)[0] in ("ceiling", "backoff", "server", "opening")
    stays(lambda: len(waits(pooler)) == 1, "it goes on waiting", 1)
    for connection in held:
        connection.close()
    if known:
        assert kinds(client.ready()) == "TDCZ"
        user.run("commit")
    else:
        assert client.authenticate("app_scram", "").value("select 42") == "42"
    settled(pooler, small_postgres)


def test_connections_taken_between_two_polls_are_no_error_for_a_client(small_postgres,
                                                                       small_pgring, opened):
    pooler = small_pgring(pool_size=10)
    groups = [busy(user, user, 30, think_s=(0, 0.05), reconnect=True)
              for user in ("app_scram", "app_md5")]
    with Traffic(pooler, *groups) as traffic:
        for _ in range(3):
            until(lambda: small_postgres.own() > 10, "there are more than fit beside the others")
            held = []
            while len(held) < 4:
                held.append(opened(psycopg.connect(small_postgres.dsn())))
            for pid in small_postgres.backends()[:4]:  # what is opened again finds them there
                small_postgres.admin.execute("select pg_terminate_backend(%s)", [pid])
            until(lambda: small_postgres.own() + small_postgres.others()
                  <= MAX_CONNECTIONS - RESERVED - KEEP_FREE, "pgring makes room", LEARNED_S)
            for connection in held:
                connection.close()
    refused = [fields for _, fields in traffic.errors
               if fields.get("C") == "53300" or "too many" in fields["M"]]
    assert refused == []


def test_who_waited_too_long_is_told_which_limit_stopped_it_and_who_holds_it(small_postgres,
                                                                             small_pgring, raw):
    pooler = small_pgring({"timeouts": {"query_wait": "700ms"},
                           "server": {"main": {"max_connections": 3}}})
    waiter = raw(pooler).login("app_scram")
    for client in beginning(raw, pooler, (3, "app_md5")):
        assert kinds(client.ready()) == "CZ"
    waiter.send(query("select 1"))
    (error,) = [got.fields for got in waiter.rest() if got.kind == "E"]
    said = " ".join(error.values())
    assert "query_wait" in error["M"]
    assert "3 of 3" in said and "max_connections" in said
    assert f"{DATABASE}/app_md5 3" in said
    assert "longest for" in said and "app_scram" in said


# What a pool may have.


def test_clients_log_in_on_every_shard_while_all_connections_are_taken(small_postgres, pgring, raw):
    pooler = pgring(small_postgres, database={"max_connections": 1, "pool_size": 20},
                    changes={"shards": {"count": 4}})
    holder = raw(pooler).login()
    assert kinds(holder.run("begin")) == "CZ"
    others = [raw(pooler).login() for _ in range(4)]  # no connection is needed to log in
    assert all(int(row["clients"]) > 0 for row in pooler.show("SHARDS"))
    for other in others:
        other.send(query("select 1"))
    assert kinds(holder.run("commit")) == "CZ"
    for other in others:
        assert kinds(other.ready()) == "TDCZ"


def test_min_pool_size_is_opened_at_start_in_parallel(small_postgres, small_pgring):
    warm = {"server": "main", "dbname": DATABASE, "user": "app_scram", "min_pool_size": 8,
            "password": password("app_scram"), "connect_query": "select pg_sleep(0.4)"}
    small_pgring({"database": {"warm": warm}})
    until(lambda: small_postgres.own("query like '%%pg_sleep%%' and state = 'active'") >= 4,
          "several open at once")
    until(lambda: small_postgres.own() == 8, "all are open")
    stays(lambda: small_postgres.own() == 8, "and stay", 0.5)


def test_min_pool_size_of_a_role_without_a_password_follows_its_first_login(small_postgres, pgring,
                                                                            raw):
    small_postgres.admin.execute("set password_encryption = 'scram-sha-256'")
    userlist = f'"app_scram" "{small_postgres.secret("app_scram")}"\n'
    pooler = pgring(small_postgres, userlist=userlist,
                    database={"min_pool_size": 4}, changes={"shards": {"count": 4}})
    stays(lambda: small_postgres.own() == 0, "nobody's password is known", 0.5)
    client = raw(pooler).login()
    until(lambda: small_postgres.own() == 4, "four are open")
    client.close()
    stays(lambda: small_postgres.own() == 4, "without a client too", 0.5)


def test_the_reserve_opens_to_who_has_waited_long_enough(small_postgres, small_pgring, raw):
    pooler = small_pgring(pool_size=1, reserve_pool_size=2, reserve_pool_timeout="600ms")
    began = time.monotonic()
    clients = beginning(raw, pooler, (4, "app_scram"))
    until(lambda: small_postgres.own() == 1, "one is open")
    until(lambda: "reserve timer" in waits(pooler), "the others wait for the reserve")
    until(lambda: small_postgres.own() > 1, "then comes the reserve")
    assert time.monotonic() - began >= 0.55
    until(lambda: small_postgres.own() == 3, "all of it")
    stays(lambda: small_postgres.own() == 3, "and no more", 1)
    assert waits(pooler) == ["pool"]
    assert line(pooler, "pool", f"{DATABASE}/app_scram").limit == 3
    finish(clients)


def test_every_limit_shows_its_use_and_where_it_comes_from(small_postgres, small_pgring, raw):
    small_postgres.admin.execute("alter role app_scram connection limit 9")
    pooler = small_pgring({"role": {"app_md5": {"max_connections": 7}},
                           "database": {DATABASE: {"server": "main", "max_connections": 8,
                                                   "pool_size": 6}}})
    for client in beginning(raw, pooler, (3, "app_scram"), (2, "app_md5")):
        assert kinds(client.ready()) == "CZ"
    until(lambda: line(pooler, "role", "app_scram").limit == 9, "the role's limit is known")
    settled(pooler, small_postgres)
    scram, md5 = (small_postgres.own(f"usename = '{user}'") for user in ("app_scram", "app_md5"))
    assert scram >= 3 and md5 >= 2
    shown = {(one.scope, one.name): one for one in budget(pooler)}
    counts = {key: (one.limit, one.used) for key, one in shown.items() if key[0] != "ceiling"}
    assert counts == {("entry", DATABASE): (8, scram + md5),
                      ("database", DATABASE): (None, scram + md5),
                      ("role", "app_scram"): (9, scram), ("role", "app_md5"): (7, md5),
                      ("pool", f"{DATABASE}/app_scram"): (6, scram),
                      ("pool", f"{DATABASE}/app_md5"): (6, md5)}
    assert ceiling(pooler).used == scram + md5
