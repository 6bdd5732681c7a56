"""Who gets in by an hba file, and how: held against PostgreSQL with the same lines."""

import hashlib
import os
import pwd
import signal
import subprocess

import psycopg
import pytest
from harness.pooler import CONSOLE_ADMIN, CONSOLE_VIEWER, binary, plain_userlist
from harness.postgres import Postgres, password
from harness.raw import Closed, cstring, errors, message, startup_packet
from harness.wait import until

# Each method has a database of its own, and one that does not exist.
METHODS = ("trust", "reject", "password", "md5", "scram-sha-256")
LINES = "".join(f"host {name(method)} all 127.0.0.1/32 {method}\n" for method in METHODS
                for name in (lambda m: f"m_{m}", lambda m: f"gone_{m}"))
ROLES = ("t_scram", "t_md5", "t_none", "t_nobody")
SECRETS = ("right", "wrong", "empty")


class Peopled(Postgres):
    """Takes logins by TCP as LINES say, and by its socket without asking: that is pgring's way."""

    def __init__(self):
        super().__init__()
        for method in METHODS:
            self.admin.execute(f'create database "m_{method}"')
        for role, encryption in (("t_scram", "scram-sha-256"), ("t_md5", "md5")):
            self.admin.execute(f"set password_encryption = '{encryption}'")
            self.admin.execute(f"create role {role} login password '{password(role)}'")
        self.admin.execute("create role t_none login")
        with open(f"{self.data}/pg_hba.conf", "w") as hba:
            hba.write("local all all trust\n" + LINES)
        loaded = self.value("select pg_conf_load_time()")
        self.value("select pg_reload_conf()")
        until(lambda: self.value("select pg_conf_load_time()") > loaded, "the file is loaded")


@pytest.fixture(scope="module")
def peopled():
    server = Peopled()
    yield server
    server.stop()


def with_files(make, hba, *arguments, ident=None, changes=None, **options):
    """A pgring, not started, with these files beside its own."""
    auth = {"method": None, "hba_file": "hba.conf", "failed_login_delay": "off"}
    if ident is not None:
        auth["ident_file"] = "ident.conf"
    pooler = make(*arguments, changes={**(changes or {}), "auth": auth}, **options)
    write(pooler, "hba.conf", hba)
    write(pooler, "ident.conf", ident or "")
    return pooler


def write(pooler, name, text):
    with open(f"{pooler.root}/{name}", "w") as file:
        file.write(text)


def stored(postgres, kind):
    secrets = {"t_scram": postgres.secret("t_scram"), "t_md5": postgres.secret("t_md5"), "t_none": ""}
    if kind == "plain":
        secrets = {"t_scram": password("t_scram"), "t_md5": password("t_md5"), "t_none": ""}
    return "".join(f'"{role}" "{secret}"\n' for role, secret in secrets.items()) + plain_userlist()


def outcome(raw, target, role, database, secret):
    """"in", or the errors."""
    given = {"right": password(role), "wrong": "not it", "empty": ""}[secret]
    client = raw(target)
    try:
        client.login(role, database, secret=given)
        client.run("select 1")
    except Closed as end:
        return errors(end.seen)
    finally:
        client.close()
    return "in"


@pytest.mark.parametrize("kind", ["verifier", "plain"])
@pytest.mark.parametrize("method", METHODS)
def test_every_login_ends_as_at_postgresql(peopled, pgring_idle, raw, method, kind):
    databases = {"*": None, **{f"m_{m}": {"server": "main"} for m in METHODS}}
    pooler = with_files(pgring_idle, LINES, peopled, userlist=stored(peopled, kind),
                        changes={"database": databases, "timeouts": {"query_wait": "5s"}}).start()
    different, seen = [], set()
    for role in ROLES:
        for database in (f"m_{method}", f"gone_{method}"):
            for secret in SECRETS:
                case = (role, database, secret)
                direct = outcome(raw, peopled, *case)
                ours = outcome(raw, pooler, *case)
                seen.add(str(direct))
                if direct != ours and not is_known_difference(method, kind, *case):
                    different.append(f"{case}: pgring {ours}, PostgreSQL {direct}")
    assert not different, "\n".join(different)
    assert len(seen) >= 2


def is_known_difference(method, kind, role, database, secret):
    # With its plain password an md5 role can be checked by SCRAM; PostgreSQL has the md5 hash only.
    if method == "scram-sha-256" and kind == "plain" and role == "t_md5":
        return secret == "right"
    # Whether a role exists PostgreSQL says before whether the database does; pgring, which has no list of
    # roles where nothing is asked for, knows of the database only.
    return method == "trust" and role == "t_nobody" and database.startswith("gone_")


def test_a_login_that_no_line_is_for_is_refused_as_by_postgresql(peopled, pgring_idle, raw):
    pooler = with_files(pgring_idle, LINES, peopled, userlist=stored(peopled, "verifier")).start()
    for database in ("postgres", "no such database"):
        direct = outcome(raw, peopled, "t_scram", database, "right")
        assert direct == [("FATAL", "28000",
                           f'no pg_hba.conf entry for host "127.0.0.1", user "t_scram", '
                           f'database "{database}", no encryption')]
        assert outcome(raw, pooler, "t_scram", database, "right") == direct
    with pytest.raises(Closed) as direct:
        raw(peopled).login("t_scram", "postgres", replication="true")
    with pytest.raises(Closed) as ours:
        raw(pooler).login("t_scram", "postgres", replication="true")
    assert errors(ours.value.seen) == errors(direct.value.seen)
    assert "replication connection from host" in errors(ours.value.seen)[0][2]
    with pytest.raises(psycopg.OperationalError, match=r'host "\[local\]", user "t_scram"'):
        pooler.connect("t_scram", "m_trust", host=pooler.socket_dir)


def test_a_wrong_password_is_logged_with_who_from_where_and_why(peopled, pgring_idle, raw):
    pooler = with_files(pgring_idle, LINES, peopled, userlist=stored(peopled, "verifier")).start()
    outcome(raw, pooler, "t_scram", "m_md5", "wrong")
    outcome(raw, pooler, "t_nobody", "m_password", "wrong")
    until(lambda: pooler.log().count("login failed") == 2, "both are logged")
    known, unknown = [line for line in pooler.log().splitlines() if "login failed" in line]
    for word in ("127.0.0.1:", "database=m_md5", "user=t_scram", "wrong password", "hba.conf:7"):
        assert word in known, known
    for word in ("database=m_password", "user=t_nobody", "no secret is stored", "hba.conf:5"):
        assert word in unknown, unknown
    assert "not it" not in pooler.log()


# The Unix socket.


def own_name():
    return pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize("shards", [1, 3])
def test_peer_lets_in_who_the_map_says(pgring_idle, shards):
    pooler = with_files(pgring_idle, "local all all peer map=os\n",
                        ident=f"os {own_name()} app_scram\nos nobody app_trust\n",
                        changes={"shards": {"count": shards}}).start()
    with pooler.connect("app_scram", host=pooler.socket_dir, password="") as connection:
        assert connection.execute("select session_user").fetchone() == ("app_scram",)
    for role in ("app_trust", own_name()):
        with pytest.raises(psycopg.OperationalError,
                           match=f'FATAL:  Peer authentication failed for user "{role}"'):
            pooler.connect(role, host=pooler.socket_dir)
    with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry for host"):
        pooler.connect("app_scram")


def test_peer_goes_to_the_shard_of_its_pool_once_its_name_is_known(pgring_idle):
    pooler = with_files(pgring_idle, "local all all peer map=os\nhost all all all trust\n",
                        ident=f"os {own_name()} app_scram\n",
                        changes={"shards": {"count": 3}}, database={"pool_size": 1}).start()
    # Pools of one part live on one shard after the other, and all of the Unix socket's clients begin on the first.
    with pooler.connect("app_trust"), pooler.connect("app_scram", host=pooler.socket_dir, password="") as connection:
        assert connection.execute("select session_user").fetchone() == ("app_scram",)


def test_peer_without_a_map_wants_both_names_equal(pgring_idle, raw):
    pooler = with_files(pgring_idle, "local all all peer\n", userlist="").start()
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        pooler.connect("app_trust", host=pooler.socket_dir)
    until(lambda: f"the user is {own_name()}" in pooler.log(), "the log says who it was")


def test_the_user_that_pgring_runs_as_has_the_console_by_the_socket(pgring_idle):
    pooler = with_files(pgring_idle, "local all all reject\nhost all all all reject\n").start()
    for name in ("pgring", "pgbouncer"):
        with psycopg.connect(pooler.dsn(own_name(), name, host=pooler.socket_dir, password="bad"),
                             autocommit=True) as console:
            console.execute("RELOAD")  # as an admin
    # Its name alone is not enough, nor is being it under another name, nor another database.
    for host, role, database in ((pooler.host, own_name(), "pgring"),
                                 (pooler.socket_dir, CONSOLE_ADMIN, "pgring"),
                                 (pooler.socket_dir, own_name(), "bench")):
        with pytest.raises(psycopg.OperationalError, match="pg_hba.conf rejects connection"):
            pooler.connect(role, database, host=host)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_with_the_service_users_name_is_asked_for_a_password(pgring):
    pooler = pgring(changes={"console": {"admins": [CONSOLE_ADMIN]}})
    environment = {**pooler.libpq_env(own_name()), "PGHOST": pooler.socket_dir, "PGPASSWORD": "no"}
    psql = subprocess.run(["psql", "-XAtw", "-d", "pgring", "-c", "SHOW VERSION"], env=environment,
                          capture_output=True, text=True, cwd="/", user="nobody")
    assert psql.returncode == 2 and "password authentication failed" in psql.stderr


# The console is a database among others.


def test_lines_for_the_console(pgring_idle):
    pooler = with_files(pgring_idle, f"host pgring {CONSOLE_VIEWER} all trust\n"
                                     f"host pgring {CONSOLE_ADMIN} all password\n"
                                     "host pgring app_scram all scram-sha-256\n"
                                     "host bench all all trust\n").start()
    pooler.connect(CONSOLE_VIEWER, "pgring", password="").close()
    pooler.connect(CONSOLE_ADMIN, "pgring").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        pooler.connect(CONSOLE_ADMIN, "pgring", password="bad")
    with pytest.raises(psycopg.OperationalError, match='role "app_scram" may not use the console'):
        pooler.connect("app_scram", "pgring")


# Changes while it runs.


def test_a_reload_takes_new_lines_for_new_logins_only(pgring_idle):
    pooler = with_files(pgring_idle, "host all all all trust\n").start()
    with pooler.connect("app_trust", password="") as connection:
        write(pooler, "hba.conf", f"host pgring {CONSOLE_ADMIN} all scram-sha-256\n"
                                  "host all all all reject\n")
        with pooler.console() as console:
            console.execute("RELOAD")
        with pytest.raises(psycopg.OperationalError, match="pg_hba.conf rejects connection"):
            pooler.connect("app_trust")
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_reload_of_bad_lines_says_where_and_changes_nothing(pgring_idle):
    pooler = with_files(pgring_idle, "host all all all trust\n", ident="").start()
    write(pooler, "hba.conf", "host all all all trust\nhost all all 10.0.0.0/40 md5\n")
    write(pooler, "ident.conf", "os /( app\n")
    with pooler.console() as console:
        with pytest.raises(psycopg.Error) as refused:
            console.execute("RELOAD")
    assert "hba.conf:2:" in refused.value.diag.message_detail
    assert "ident.conf:1:" in refused.value.diag.message_detail
    pooler.connect("app_trust", password="").close()
    pooler.signal(signal.SIGHUP)
    until(lambda: "reload failed" in pooler.log(), "SIGHUP says so too")
    pooler.connect("app_trust", password="").close()


def test_check_shows_every_bad_line(pgring_idle):
    pooler = with_files(pgring_idle, "host all all all md6\nhost all +staff all md5\n"
                                     "host all all all ldap ldapserver=x ldapprefix=y\n")
    done = subprocess.run([binary(), "check", pooler.config_path], capture_output=True, text=True)
    assert done.returncode == 78
    assert 'hba.conf:1:18: error: "md6" is not an authentication method' in done.stderr
    write(pooler, "hba.conf", "host all +staff all md5\nhost all all all ldap ldapserver=x ldapprefix=y\n")
    done = subprocess.run([binary(), "check", pooler.config_path], capture_output=True, text=True)
    assert done.returncode == 78
    assert "hba.conf:1: error:" in done.stderr and "hba.conf:2: error:" in done.stderr
    pooler.stopped = True


# Passwords in clear text.


def test_a_clear_text_password_is_enough_to_log_in_to_postgresql_by_scram(pgring_idle, postgres):
    # Only the verifier is stored: the login reveals the keys, as one by SCRAM does.
    pooler = with_files(pgring_idle, "host all all all password\n",
                        userlist=f'"app_scram" "{postgres.secret("app_scram")}"\n').start()
    with pooler.connect("app_scram") as connection:
        assert connection.execute("select session_user").fetchone() == ("app_scram",)


def test_many_clear_text_logins_at_once_all_end_well(pgring_idle, raw, postgres):
    secret = postgres.secret("app_scram")
    pooler = with_files(pgring_idle, "host all all all password\n",
                        userlist=f'"app_scram" "{secret}"\n').start()
    clients = [raw(pooler) for _ in range(50)]
    for client in clients:
        client.send(startup_packet({"user": "app_scram", "database": "bench"}))
    for number, client in enumerate(clients):
        sent = password("app_scram") if number % 2 == 0 else "wrong"
        client.send(message("p", cstring(sent)))
    for number, client in enumerate(clients):
        if number % 2 == 0:
            client.until("Z")
        else:
            assert errors(client.rest())[-1][1] == "28P01"


def test_a_client_that_leaves_while_its_password_is_checked_is_forgotten(pgring_idle, raw, postgres):
    secret = postgres.secret("app_scram")
    pooler = with_files(pgring_idle, f"host pgring {CONSOLE_ADMIN} all trust\nhost all all all password\n",
                        userlist=f'"app_scram" "{secret}"\n').start()
    for _ in range(100):
        client = raw(pooler)
        client.send(startup_packet({"user": "app_scram", "database": "bench"}))
        client.until("R")
        client.send(message("p", cstring(password("app_scram"))))
        client.close()
    until(lambda: [row["user"] for row in pooler.show("CLIENTS")] == [CONSOLE_ADMIN], "all are gone")
