"""Clients log in by trust, md5 and SCRAM with every kind of stored secret, towards every server."""

import hashlib

import psycopg
import pytest
from harness.postgres import APP_ROLES, password
from harness.raw import Closed, errors

SERVER_ROLES = {"trust": "app_trust", "md5": "app_md5", "scram": "app_scram"}


def md5_secret(role):
    return "md5" + hashlib.md5((password(role) + role).encode()).hexdigest()


def scram_secret(postgres, role):
    """The role's own SCRAM secret in PostgreSQL, or one made for it where it has another kind."""
    stored = postgres.secret(role)
    if stored.startswith("SCRAM-SHA-256$"):
        return stored
    postgres.admin.execute("begin; set local password_encryption = 'scram-sha-256'")
    postgres.admin.execute(f"alter role {role} password '{password(role)}'")
    made = postgres.secret(role)
    postgres.admin.execute("rollback")
    return made


def userlist(postgres, role, kind):
    secret = {"plain": lambda: password(role), "md5": lambda: md5_secret(role),
              "scram": lambda: scram_secret(postgres, role)}[kind]()
    return f'"{role}" "{secret}"\n'


# client method, stored secret, server method: what md5 and SCRAM can prove from what is stored.
WORKING = [
    *(("trust", "plain", server) for server in SERVER_ROLES),
    *(("md5", "plain", server) for server in SERVER_ROLES),
    *(("scram-sha-256", "plain", server) for server in SERVER_ROLES),
    ("trust", "md5", "trust"), ("trust", "md5", "md5"), ("md5", "md5", "trust"),
    ("md5", "md5", "md5"), ("trust", "scram", "trust"), ("md5", "scram", "trust"),
    ("md5", "scram", "scram"), ("scram-sha-256", "scram", "trust"),
    ("scram-sha-256", "scram", "scram"),
]
# The stored secret is not enough to log in at the server.
SERVER_FAILS = [
    ("md5", "md5", "scram"), ("trust", "scram", "scram"), ("scram-sha-256", "scram", "md5"),
]


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("method, kind, server", WORKING)
def test_a_client_logs_in_and_runs_a_transaction(pgring, postgres, method, kind, server, transport):
    role = SERVER_ROLES[server]
    pooler = pgring(userlist=userlist(postgres, role, kind), changes={"auth": {"method": method}})
    host = pooler.socket_dir if transport == "unix" else None
    with pooler.connect(role, autocommit=False, host=host) as connection:
        assert connection.execute("select session_user, 1 + 1").fetchone() == (role, 2)


@pytest.mark.parametrize("method, kind, server", SERVER_FAILS)
def test_a_secret_the_server_does_not_take_is_a_clear_error(pgring, postgres, method, kind, server):
    role = SERVER_ROLES[server]
    pooler = pgring(userlist=userlist(postgres, role, kind), changes={
        "auth": {"method": method}, "timeouts": {"query_wait": "2s"}})
    with pytest.raises(psycopg.OperationalError) as refused:
        with pooler.connect(role) as connection:
            connection.execute("select 1")
    assert "timeout expired" not in str(refused.value)
    assert not postgres.backends()


@pytest.mark.parametrize("method, kind", [("md5", "plain"), ("md5", "md5"), ("md5", "scram"),
                                          ("scram-sha-256", "plain"), ("scram-sha-256", "scram")])
def test_a_wrong_password_is_refused_as_postgresql_does(pgring, postgres, raw, method, kind):
    pooler = pgring(userlist=userlist(postgres, "app_scram", kind),
                    changes={"auth": {"method": method}})
    with pytest.raises(Closed) as direct:
        raw(postgres).login("app_scram", secret="wrong")
    with pytest.raises(Closed) as pooled:
        raw(pooler).login("app_scram", secret="wrong")
    assert errors(pooled.value.seen) == errors(direct.value.seen)
    assert errors(pooled.value.seen)[0][:2] == ("FATAL", "28P01")


def test_an_empty_password_is_refused(pgring, raw):
    for method in ("md5", "scram-sha-256"):
        pooler = pgring(userlist='"app_scram" ""\n', changes={"auth": {"method": method}})
        with pytest.raises(Closed) as refused:
            raw(pooler).login("app_scram", secret="")
        assert errors(refused.value.seen)[0][:2] == ("FATAL", "28P01")


def test_md5_secrets_cannot_serve_scram_clients(pgring, postgres, raw):
    pooler = pgring(userlist=userlist(postgres, "app_md5", "md5"))
    with pytest.raises(Closed) as refused:
        raw(pooler).login("app_md5")
    assert errors(refused.value.seen)[0][:2] == ("FATAL", "28P01")


def transcript(raw, pooler, user, dbname):
    """What an attacker without a password sees: kinds, sizes, error fields; names taken out."""
    with pytest.raises(Closed) as refused:
        raw(pooler).login(user, dbname, secret="wrong")
    seen = []
    for got in refused.value.seen:
        if got.kind == "E":
            seen.append({key: value.replace(user, "USER").replace(dbname, "DATABASE")
                         for key, value in got.fields.items()})
        else:
            seen.append((got.kind, got.body[:4], len(got.body)))
    return seen


@pytest.mark.parametrize("method", ["md5", "scram-sha-256"])
def test_unknown_users_and_databases_look_like_wrong_passwords(pgring, raw, method):
    pooler = pgring(changes={"auth": {"method": method},
                             "database": {"*": None, "bench": {"server": "main"}}})
    wrong = transcript(raw, pooler, "app_scram", "bench")
    assert wrong[-1]["C"] == "28P01"
    assert transcript(raw, pooler, "nobody_at_all", "bench") == wrong
    assert transcript(raw, pooler, "app_scram", "nowhere") == wrong
    assert transcript(raw, pooler, "nobody_at_all", "nowhere") == wrong


def scram_challenge(raw, pooler, user):
    """(nonce length, salt, iterations) that a user is asked with."""
    with pytest.raises(Closed) as refused:
        raw(pooler).login(user, secret="wrong")
    (body,) = [got.body for got in refused.value.seen
               if got.kind == "R" and got.body[:4] == b"\0\0\0\x0b"]
    fields = dict(part.split("=", 1) for part in body[4:].decode().split(","))
    return len(fields["r"]), fields["s"], fields["i"]


def test_an_unknown_user_is_asked_with_a_stable_salt_like_a_known_one(pgring, postgres, raw):
    lines = "".join(userlist(postgres, role, "scram") for role in APP_ROLES)
    pooler = pgring(userlist=lines)
    known = scram_challenge(raw, pooler, "app_scram")
    unknown = scram_challenge(raw, pooler, "nobody_at_all")
    assert unknown == scram_challenge(raw, pooler, "nobody_at_all"), "a salt that changes is a mark"
    assert unknown != scram_challenge(raw, pooler, "nobody_else"), "one salt for all is a mark"
    assert (known[0], len(known[1]), known[2]) == (unknown[0], len(unknown[1]), unknown[2])
    assert known[1] == scram_challenge(raw, pooler, "app_scram")[1]


def test_plain_secrets_also_ask_with_a_stable_salt(pgring, raw):
    pooler = pgring()
    known = scram_challenge(raw, pooler, "app_scram")
    assert known[1:] == scram_challenge(raw, pooler, "app_scram")[1:]
    unknown = scram_challenge(raw, pooler, "nobody_at_all")
    assert (known[0], len(known[1]), known[2]) == (unknown[0], len(unknown[1]), unknown[2])


def test_a_database_postgresql_does_not_have_is_postgresqls_error(pgring, raw):
    pooler = pgring(changes={"timeouts": {"query_wait": "3s"}})
    client = raw(pooler)
    with pytest.raises(Closed) as refused:
        client.login(dbname="nowhere_at_all")
        client.run("select 1")
    assert errors(refused.value.seen) == [
        ("FATAL", "3D000", 'database "nowhere_at_all" does not exist')]


def test_a_forced_role_runs_the_queries_of_every_client(pgring, postgres):
    pooler = pgring(database={"user": "app_md5", "password": password("app_md5")})
    with pooler.connect("app_scram") as one, pooler.connect("app_trust") as other:
        assert one.execute("select session_user").fetchone() == ("app_md5",)
        assert other.execute("select session_user").fetchone() == ("app_md5",)
    assert len(postgres.backends("usename = 'app_md5'")) == len(postgres.backends())


def test_a_password_with_quotes_and_a_long_password_log_in(pgring, postgres):
    for secret in ('with "quotes" and \\ and é', "x" * 900):
        postgres.admin.execute("drop role if exists app_odd")
        escaped = secret.replace("'", "''")
        postgres.admin.execute(f"create role app_odd login password '{escaped}'")
        doubled = secret.replace('"', '""')
        pooler = pgring(userlist=f'"app_odd" "{doubled}"\n')
        with pooler.connect("app_odd", password=secret) as connection:
            assert connection.execute("select session_user").fetchone() == ("app_odd",)


def test_the_log_holds_no_secret(pgring, raw):
    pooler = pgring(changes={"log": {"level": "debug"}})
    with pooler.connect() as connection:
        connection.execute("select 1")
    with pytest.raises(Closed):
        raw(pooler).login(secret="guessed-wrong-secret")
    assert password("app_scram") not in pooler.log()
    assert "guessed-wrong-secret" not in pooler.log()
