"""auth.query: secrets are looked up in PostgreSQL, by a role and a function that `pgring setup-sql` makes."""

import psycopg
import psycopg.sql
import pytest
from harness.auth_query import ASKER, USERLIST, refusal, reload, run_setup, says, session_user, totals
from harness.pooler import CONSOLE_ADMIN
from harness.postgres import password
from harness.raw import Closed, errors, startup_packet
from harness.wait import until


# The way the README shows.


def test_setup_sql_is_all_that_it_takes(asked, asking):
    pooler = asking()
    assert session_user(pooler) == "app_scram"
    assert session_user(pooler, "app_trust") == "app_trust"
    assert "password authentication failed" in refusal(pooler, password="wrong")
    assert asked.value("select count(*) from pg_stat_activity where usename = %s and datname = 'postgres'", ASKER) == 1
    assert password("app_scram") not in pooler.log() and "SCRAM-SHA-256$" not in pooler.log()


def test_setup_sql_run_again_changes_nothing_and_lets_nobody_else_ask(asked, asking):
    run_setup(asked)
    assert session_user(asking()) == "app_scram"
    with psycopg.connect(asked.dsn("app_scram", dbname="postgres")) as other:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute("select * from pgring.secret_of('owner')")
    with psycopg.connect(asked.dsn(ASKER, dbname="postgres")) as asker:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asker.execute("select * from pg_authid")


def test_setup_sql_takes_a_name_that_has_to_be_quoted(asked, asking):
    name = "the \"asker\"'s \\ own"
    run_setup(asked, name)
    try:
        identifier = psycopg.sql.Identifier(name)
        asked.admin.execute(psycopg.sql.SQL("alter role {} password 'its own'").format(identifier))
        assert session_user(asking(role=name, password="its own")) == "app_scram"
    finally:
        with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("drop owned by {}").format(identifier))
            connection.execute(psycopg.sql.SQL("drop role {}").format(identifier))


def test_setup_sql_takes_the_function_from_whoever_put_one_there(asked, asking):
    with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
        connection.execute("drop schema pgring cascade; create role thief; grant create on database postgres to thief;"
                           "set role thief; create schema pgring;"
                           "create function pgring.secret_of(wanted name, out role_name name, out secret text)"
                           " returns setof record language sql as $$ select wanted, 'open sesame' $$; reset role")
    run_setup(asked)
    with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
        connection.execute("revoke create on database postgres from thief")
        connection.execute("drop role thief")  # nothing is its own
    pooler = asking()
    assert session_user(pooler) == "app_scram"
    assert "password authentication failed" in refusal(pooler, password="open sesame")


# Secrets of every kind, on both sides.


@pytest.mark.parametrize("method, name", [  # with an md5 secret there is no SCRAM, as in PostgreSQL
    ("password", "app_scram"), ("password", "app_md5"), ("md5", "app_scram"), ("md5", "app_md5"),
    ("scram-sha-256", "app_scram")])
def test_a_secret_of_either_kind_is_good_for_both_sides(asked, pgring_idle, method, name):
    pooler = pgring_idle(asked, userlist=USERLIST, changes={"auth": {
        "role": ASKER, "password": password(ASKER), "method": None, "hba_file": "hba.conf"}})
    with open(f"{pooler.root}/hba.conf", "w") as hba:
        hba.write(f"host pgring all all scram-sha-256\nhost all all all {method}\n")
    pooler.start()
    assert session_user(pooler, name) == name
    assert "password authentication failed" in refusal(pooler, name, password="wrong")


def test_a_plain_secret_of_a_table_of_ones_own(asked, asking):
    with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
        connection.execute("create table public.words(name text, word text);"
                           f"grant select on public.words to {ASKER};"
                           f"insert into public.words values ('app_md5', '{password('app_md5')}')")
    try:
        pooler = asking(query="SELECT name, word FROM public.words WHERE name = $1")
        assert session_user(pooler, "app_md5") == "app_md5"
        assert "password authentication failed" in refusal(pooler)
    finally:
        with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
            connection.execute("drop table public.words")


def test_the_userlist_goes_first(asked, asking):
    pooler = asking()
    pooler.write_userlist(USERLIST + '"app_trust" "of the list"\n')
    reload(pooler)
    assert session_user(pooler, "app_trust", password="of the list") == "app_trust"
    assert totals(pooler, "lookup") == 0


def test_a_role_of_postgresql_has_the_console_if_it_may(asking):
    pooler = asking(changes={"console": {"admins": [CONSOLE_ADMIN, "app_scram"]}})
    with pooler.connect("app_scram", dbname="pgring") as console:
        assert console.execute("SHOW VERSION").fetchone()
    assert "may not use the console" in refusal(pooler, "app_trust", dbname="pgring")


def test_a_database_that_does_not_exist_is_told_to_those_who_have_a_password(pgring, asked):
    pooler = pgring(asked, userlist=USERLIST, changes={
        "auth": {"role": ASKER, "password": password(ASKER)},
        "database": {"*": None, "bench": {"server": "main"}}})
    assert 'database "nowhere" does not exist' in refusal(pooler, dbname="nowhere")
    assert "password authentication failed" in refusal(pooler, dbname="nowhere", password="wrong")


def test_a_database_may_have_a_query_and_a_place_of_its_own(asked, asking):
    asked.admin.execute("create schema own; create table own.words(name text, word text);"
                        f"grant usage on schema own to {ASKER}; grant select on own.words to {ASKER};"
                        f"insert into own.words values ('app_trust', 'only here')")
    try:
        pooler = asking(changes={"database": {"bench": {
            "server": "main", "auth_database": "bench",
            "auth_query": "SELECT name, word FROM own.words WHERE name = $1"}}})
        assert session_user(pooler, "app_trust", password="only here") == "app_trust"
        assert session_user(pooler, "app_trust", dbname="postgres") == "app_trust"
        assert "password authentication failed" in refusal(pooler, "app_trust")
    finally:
        asked.admin.execute("drop schema own cascade")


# What is no secret.


def exchange(raw, pooler, name):
    """What a client sees of a login with a wrong password: kinds, sizes, and all that is not random."""
    client = raw(pooler)
    with pytest.raises(Closed) as refused:
        client.login(name, secret="wrong")
    client.close()
    seen = [(got.kind, len(got.body)) for got in refused.value.seen if got.kind != "E"]
    told = {key: value.replace(name, "NAME") for key, value in
            [got for got in refused.value.seen if got.kind == "E"][0].fields.items()}
    return seen, told


def test_who_has_no_secret_is_refused_as_one_with_a_wrong_password(asked, asking, raw, new_role):
    names = {"app_scram": "wrong password",
             new_role("expired_role", "valid until '2001-01-01'"): "VALID UNTIL",
             new_role("null_secret_", secret=""): "gave no secret",
             new_role("nologin_role"): "knows no such role",
             "unknown_role": "knows no such role"}
    asked.admin.execute("alter role nologin_role nologin")
    pooler = asking()
    session_user(pooler)  # how the secrets look is known from the first one
    seen = {name: exchange(raw, pooler, name) for name in names}
    assert all(one == seen["app_scram"] for one in seen.values()), seen
    for name, reason in names.items():
        (line,) = until(lambda: [line for line in pooler.log().splitlines()
                                 if f"user={name} " in line and "detail=" in line], "the log has the failed login")
        assert reason in line


def test_cve_2025_2291_past_valid_until_the_right_password_is_wrong(asking, new_role):
    late, due = new_role("late_role", "valid until '2001-01-01'"), new_role("due_role", "valid until '2101-01-01'")
    pooler = asking()
    assert session_user(pooler, due) == due
    assert "password authentication failed" in refusal(pooler, late)


def test_cve_2015_6817_another_roles_secret_lets_nobody_in(asking, raw):
    pooler = asking(query="SELECT s.role_name, s.secret FROM pgring.secret_of('app_scram') AS s WHERE $1 <> ''::text")
    assert "password authentication failed" in refusal(pooler, "somebody", password=password("app_scram"))
    says(pooler, "answered about another role")


def test_cve_2025_12819_nothing_a_client_says_reaches_the_connection_that_asks(asking, raw):
    # The password is the search_path of that connection.
    pooler = asking(query="SELECT $1::text, pg_catalog.current_setting('search_path')", query_cache="off")
    evil = {"search_path": "evil, public", "options": "-c search_path=evil -c role=owner"}
    for parameters in ({}, {"search_path": evil["search_path"]}, {"options": evil["options"]}):
        client = raw(pooler)
        with pytest.raises(Closed) as refused:
            client.login("app_scram", secret="evil, public", **parameters)
        assert errors(refused.value.seen)[0][1] == "28P01"
        client = raw(pooler)
        client.send(startup_packet({"user": "app_trust", "database": "bench", **parameters}))
        try:
            client.authenticate("app_trust", "pg_catalog")
        except Closed as end:  # what PostgreSQL says of those settings comes behind the authentication
            assert errors(end.seen)[0][1] != "28P01"


@pytest.mark.parametrize("name", ["x' OR true --", "$1", "app_scram\\", 'app"scram', "ä" * 20, "app_scram "])
def test_a_name_is_a_name_and_never_sql(asking, name):
    pooler = asking()
    assert "password authentication failed" in refusal(pooler, name, password=password("app_scram"))
    says(pooler, "knows no such role")
    assert session_user(pooler) == "app_scram"


@pytest.mark.parametrize("name", [b"\xff\xfe", b"n" * 64, b"n" * 63])
def test_a_name_that_postgresql_could_not_have_is_an_unknown_role(asking, raw, name):
    pooler = asking()
    text = name.decode("latin-1")
    client = raw(pooler)
    client.send(raw_startup(name))
    with pytest.raises(Closed) as refused:
        client.authenticate(text, "wrong")
    assert errors(refused.value.seen)[0][1] == "28P01"


def raw_startup(name):
    body = b"\0\3\0\0user\0" + name + b"\0database\0bench\0\0"
    return (len(body) + 4).to_bytes(4, "big") + body


def test_what_the_query_raises_about_a_role_is_not_told_to_it(asked, asking):
    with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
        connection.execute("create function public.strict_secret(n name, out role_name name, out secret text)"
                           " language plpgsql as $$ begin"
                           " if n <> 'app_scram' then raise 'there is no %', n; end if;"
                           " role_name := n; secret := 'open'; end $$")
    try:
        pooler = asking(query="SELECT role_name, secret FROM public.strict_secret($1)")
        told = refusal(pooler, "nobody_at_all")
        assert "password authentication failed" in told and "there is no" not in told
        says(pooler, "there is no nobody_at_all")
    finally:
        with psycopg.connect(asked.dsn(dbname="postgres"), autocommit=True) as connection:
            connection.execute("drop function public.strict_secret(name)")
