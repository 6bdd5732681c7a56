"""Migration tools (what they send, statement by statement), dumps and psql scripts.

Known failures: `ConcurrentMigrationError ... Failed to release advisory lock` with the WARNING
`you don't own a lock of type ExclusiveLock` (rails#32622, flyway#2895, prisma#8038), a lock that
stays behind (authentik#23876), pg_dump's empty search_path met by the next client (pgbouncer#976,
#452). Alembic is in test_sqlalchemy.py, Django in test_django.py.
"""

import psycopg
import psycopg2
import pytest
from target import ROLE

LOCK = 4400


@pytest.fixture
def connect(target):
    """psycopg2: simple queries, as most of these tools send."""

    def make():
        made = target.keep(psycopg2.connect(target.dsn()))
        made.autocommit = True
        return made

    return make


def run(target, connection, query):
    """The first value, if there are rows; then the server connection changes."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        value = cursor.fetchone()[0] if cursor.description else None
    target.shuffle()
    return value


def locks(target):
    return target.postgres.value("select count(*) from pg_locks where locktype = 'advisory'"
                                 " and objid = %s", LOCK)


RAILS = (
    f"SELECT pg_try_advisory_lock({LOCK})",
    'SET client_min_messages TO warning',
    'SET standard_conforming_strings = on',
    'SELECT version FROM schema_migrations ORDER BY version',
    'BEGIN', 'CREATE TABLE "app_ships" ("id" bigserial primary key, "name" text)',
    "INSERT INTO schema_migrations VALUES ('1')", 'COMMIT',
    'CREATE INDEX CONCURRENTLY "app_ships_name" ON "app_ships" ("name")',
    'BEGIN', 'ALTER TABLE "app_ships" ADD "tons" int', 'COMMIT',
    f"SELECT pg_advisory_unlock({LOCK})")
FLYWAY = (
    f"SELECT pg_try_advisory_lock({LOCK})",
    "SELECT set_config('search_path', 'public', false)",
    'BEGIN', 'CREATE TABLE app_ships (id int); CREATE INDEX app_ships_id ON app_ships (id);',
    "INSERT INTO schema_migrations VALUES ('1')", 'COMMIT',
    'SET ROLE app_scram', 'VACUUM app_ships', 'RESET ROLE',
    'DROP INDEX CONCURRENTLY app_ships_id',
    f"SELECT pg_advisory_unlock({LOCK})")
GOLANG_MIGRATE = (
    f"SELECT CASE WHEN pg_advisory_lock({LOCK}) IS NOT NULL THEN true END",
    'SELECT version FROM schema_migrations LIMIT 1',
    'BEGIN', 'TRUNCATE schema_migrations', "INSERT INTO schema_migrations VALUES ('1')", 'COMMIT',
    'CREATE TABLE app_ships (id int); ALTER TABLE app_ships ADD name text;',
    f"SELECT pg_advisory_unlock({LOCK})")


@pytest.mark.parametrize("steps", [RAILS, FLYWAY, GOLANG_MIGRATE],
                         ids=["rails", "flyway", "golang-migrate"])
def test_a_migration_under_a_lock_of_its_session(target, connect, tables, steps):
    tool, other = connect(), connect()
    run(target, tool, "create table schema_migrations (version text primary key)")
    assert run(target, tool, steps[0]) is True
    for step in steps[1:-1]:
        if step.startswith("SELECT version"):
            with tool.cursor() as cursor:
                cursor.execute(step)
            target.shuffle()
        else:
            run(target, tool, step)
        assert run(target, other, f"select pg_try_advisory_lock({LOCK})") is False, step
    assert run(target, tool, steps[-1]) is True, "the lock was this session's until the end"
    assert locks(target) == 0
    assert run(target, other, "select to_regclass('app_ships') is not null") is True
    pids = [run(target, tool, "select pg_backend_pid()") for _ in range(3)]
    target.moved(pids)  # no longer kept on one


def test_a_lock_ends_with_its_client(target, connect):
    tool, other = connect(), connect()
    assert run(target, tool, f"select pg_try_advisory_lock({LOCK})") is True
    assert run(target, tool, f"select pg_try_advisory_lock({LOCK})") is True  # counted
    assert run(target, other, f"select pg_try_advisory_lock({LOCK})") is False
    tool.close()
    run(target, other, f"select pg_advisory_lock({LOCK})")
    assert run(target, other, f"select pg_advisory_unlock({LOCK})") is True
    assert locks(target) == 0


def test_a_lock_that_is_not_held_warns_as_postgresql_does(target, connect):
    one, two = connect(), connect()
    assert run(target, one, f"select pg_try_advisory_lock({LOCK})") is True
    assert run(target, two, f"select pg_advisory_unlock({LOCK})") is False
    assert any("you don't own a lock" in notice for notice in two.notices)
    assert run(target, one, "select pg_advisory_unlock_all()") == ""
    assert run(target, two, f"select pg_try_advisory_lock({LOCK})") is True
    assert run(target, two, f"select pg_advisory_unlock({LOCK})") is True


@pytest.fixture
def schema(postgres, tables):
    """A schema to be dumped, of the role the tests log in as."""
    postgres.admin.execute(f"""
        create schema app_fleet authorization {ROLE};
        set role {ROLE};
        create table app_fleet.ships (id serial primary key, name text, tons int);
        insert into app_fleet.ships (name, tons)
          select 'ship ' || n, n from generate_series(1, 3000) n;
        create view app_fleet.heavy as select * from app_fleet.ships where tons > 1000;
        create function app_fleet.twice(int) returns int language sql as 'select $1 * 2';
        create index on app_fleet.ships (tons);
        reset role;""")
    return "app_fleet"


def content(postgres):
    return postgres.admin.execute("select count(*), sum(tons), (select count(*) from"
                                  " app_fleet.heavy), app_fleet.twice(4)"
                                  " from app_fleet.ships").fetchone()


def test_a_dump_poisons_nobody_and_is_restored(target, schema, postgres, tmp_path):
    before = content(postgres)
    file = str(tmp_path / "dump")
    with target.shuffling():
        plain = target.tool("pg_dump", "--schema", schema)
        target.tool("pg_dump", "--schema", schema, "--format=custom", "--file", file)
        # The dump set search_path to '' on what is other clients' next connection.
        for _ in range(10):
            with psycopg.connect(target.dsn(), prepare_threshold=None) as connection:
                assert connection.execute("show search_path").fetchone() == ('"$user", public',)
                assert connection.execute("show row_security").fetchone() == ("on",)
    for restore in (lambda: target.tool("pg_restore", "--dbname=bench", "--single-transaction",
                                        file),
                    lambda: target.tool("pg_restore", "--dbname=bench", "--exit-on-error", file),
                    lambda: target.tool("psql", "-q", "-X", "-v", "ON_ERROR_STOP=1",
                                        stdin=plain)):
        postgres.admin.execute(f"drop schema {schema} cascade; grant create on database bench"
                               f" to {ROLE}")
        try:
            with target.shuffling():
                restore()
        finally:
            postgres.admin.execute(f"revoke create on database bench from {ROLE}")
        assert content(postgres) == before
    with psycopg.connect(target.dsn(), prepare_threshold=None) as connection:
        assert connection.execute("show search_path").fetchone() == ('"$user", public',)


def test_a_dump_by_two_jobs_restored_by_two_jobs(target, schema, postgres, tmp_path):
    folder = str(tmp_path / "dump")
    before = content(postgres)
    target.tool("pg_dump", "--schema", schema, "--format=directory", "--jobs=2", "--file", folder)
    postgres.admin.execute(f"drop schema {schema} cascade; grant create on database bench"
                           f" to {ROLE}")
    try:
        target.tool("pg_restore", "--dbname=bench", "--jobs=2", folder)
    finally:
        postgres.admin.execute(f"revoke create on database bench from {ROLE}")
    assert content(postgres) == before


SCRIPT = r"""
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
set work_mem = '3MB';
set datestyle = 'German';
create temporary table mine (n int);
insert into mine select generate_series(1, 5);
prepare plus(int) as select sum(n) + $1 from mine;
\set AUTOCOMMIT off
insert into mine values (100);
rollback;
execute plus(10);
commit;
\set AUTOCOMMIT on
\copy ledger from stdin
one
two
\.
show work_mem;
select date '2026-11-21';
begin; declare held cursor with hold for select n from mine order by n; commit;
fetch 2 from held;
select count(*) from ledger \gset found_
select :found_count * 100;
select 'select ' || n from mine where n > 4 \gexec
"""


def test_a_psql_script_is_one_session(target, ledger):
    with target.shuffling():
        out = target.tool("psql", "-q", "-X", stdin=SCRIPT)
    assert out.split() == ["25", "3MB", "21.11.2026", "1", "2", "200", "5"]
    assert ledger() == ["one", "two"]
    with psycopg.connect(target.dsn(), prepare_threshold=None) as connection:
        assert connection.execute("show work_mem").fetchone() == ("4MB",)
        assert connection.execute("select to_regclass('mine')").fetchone() == (None,)
