"""Fixtures and helpers of the tests of auth.query: a PostgreSQL that is asked, and poolers that ask it."""

import subprocess

import psycopg
import pytest

from harness.pooler import CONSOLE_ADMIN, binary, plain_userlist
from harness.postgres import Postgres, password
from harness.raw import Closed
from harness.wait import until

ASKER = "pgring_auth"
USERLIST = plain_userlist([CONSOLE_ADMIN])


def run_setup(server, *arguments):
    """What `pgring setup-sql | psql` does, as the superuser."""
    sql = subprocess.run([binary(), "setup-sql", *arguments], capture_output=True, text=True, check=True).stdout
    done = subprocess.run([f"{server.bin}/psql", "-X", "-v", "ON_ERROR_STOP=1", server.dsn(dbname="postgres")],
                          input=sql, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return sql


@pytest.fixture(scope="module")
def asked():
    """A PostgreSQL that setup-sql has been run in; its other roles are those of every test."""
    server = Postgres()
    run_setup(server)
    server.admin.execute("set password_encryption = 'scram-sha-256'")
    server.admin.execute(f"alter role {ASKER} password '{password(ASKER)}'")
    yield server
    server.stop()


@pytest.fixture
def asking(asked, pgring):
    """Makes a pgring that has a secret of its console's admin only, and asks for the others."""

    def make(server=None, changes=None, **auth):
        return pgring(server or asked, userlist=USERLIST, changes={
            "auth": {"role": ASKER, "password": password(ASKER), "failed_login_delay": "off", **auth},
            "timeouts": {"server_login_retry": "200ms"}, **(changes or {})})

    return make


@pytest.fixture
def new_role(asked):
    """Makes roles that log in, and drops them."""
    made = []

    def make(name, words="", secret=None, encryption="scram-sha-256"):
        asked.admin.execute(f"set password_encryption = '{encryption}'")
        stored = f"password '{password(name) if secret is None else secret}'"
        asked.admin.execute(f"create role {name} login {stored if secret != '' else ''} {words}")
        made.append(name)
        return name

    yield make
    for name in made:
        asked.admin.execute(f"drop role if exists {name}")


def session_user(pooler, name="app_scram", **options):
    with pooler.connect(name, **options) as connection:
        return connection.execute("select session_user").fetchone()[0]


def refusal(pooler, name="app_scram", **options):
    """The text by which a login is refused."""
    with pytest.raises(psycopg.OperationalError) as refused:
        session_user(pooler, name, **options)
    return str(refused.value)


def fields(raw, pooler, name="app_scram", secret=None, **options):
    """The ErrorResponse of a refused login: SQLSTATE and texts by their field."""
    client = raw(pooler)
    with pytest.raises(Closed) as refused:
        client.login(name, secret=secret, **options)
    client.close()
    return [got for got in refused.value.seen if got.kind == "E"][0].fields


def totals(pooler, what):
    (value,) = [int(row["value"]) for row in pooler.show("TOTALS") if row["name"] == f"total_secret_{what}_count"]
    return value


def says(pooler, text):
    until(lambda: text in pooler.log(), f"the log says {text!r}")


def reload(pooler, **changes):
    pooler.write_config(changes)
    with pooler.console() as console:
        console.execute("RELOAD")


def logs_in(pooler, name, secret):
    try:
        return session_user(pooler, name, password=secret) == name
    except psycopg.OperationalError:
        return False
