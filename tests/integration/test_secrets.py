"""Secrets from elsewhere than pgring.toml, files that others can read, and `pgring password`."""

import fcntl
import os
import pty
import subprocess
import termios
import time

import psycopg
import pytest
from harness.pooler import binary
from harness.postgres import password


def write(pooler, name, text, mode=0o600):
    path = f"{pooler.root}/{name}"
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def name_secret(pooler, text):
    """The password of app_scram, for clients and for PostgreSQL, stands where `text` says."""
    with open(pooler.config_path, "a") as config:
        config.write(f"\n[role.app_scram]\npassword = {text}\n")


def mends(text, path):
    """The command that `text` advises is the one: of root's file the group may stay a reader."""
    return f"hint: chmod {640 if os.geteuid() == 0 else 600} {path}\n" in text


def logs_in(pooler, secret):
    try:
        with pooler.connect("app_scram", password=secret) as connection:
            return connection.execute("select session_user").fetchone() == ("app_scram",)
    except psycopg.OperationalError as refused:
        assert "password authentication failed" in str(refused)
        return False


@pytest.mark.parametrize("kind", ["file", "credential", "env"])
def test_a_secret_from_elsewhere_logs_in_on_both_sides(pgring_idle, kind):
    pooler = pgring_idle(userlist="")
    folder = f"{pooler.root}/credentials"
    os.mkdir(folder)
    if kind == "env":
        name_secret(pooler, '{ env = "APP_PASSWORD" }')
        pooler._env = {"APP_PASSWORD": password("app_scram")}
    elif kind == "file":
        write(pooler, "app.secret", password("app_scram") + "\n")
        name_secret(pooler, '{ file = "app.secret" }')
    else:
        write(pooler, "credentials/app", password("app_scram"), 0o400)
        name_secret(pooler, '{ credential = "app" }')
        pooler._env = {"CREDENTIALS_DIRECTORY": folder}
    pooler.start()
    assert logs_in(pooler, password("app_scram"))
    assert not logs_in(pooler, "wrong")
    assert password("app_scram") not in pooler.log()


def test_a_reload_takes_the_secret_that_is_in_the_file_then(pgring_idle, postgres):
    pooler = pgring_idle(userlist='"console_admin" "console_admin-secret"\n')
    write(pooler, "app.secret", "another")
    name_secret(pooler, '{ file = "app.secret" }')
    pooler.start()
    assert not logs_in(pooler, password("app_scram"))
    write(pooler, "app.secret", password("app_scram"))
    with pooler.console() as console:
        console.execute("RELOAD")
        assert logs_in(pooler, password("app_scram"))
        # A bad one changes nothing.
        os.chmod(f"{pooler.root}/app.secret", 0o644)
        with pytest.raises(psycopg.Error) as refused:
            console.execute("RELOAD")
    assert mends(refused.value.diag.message_detail, f"{pooler.root}/app.secret")
    assert password("app_scram") not in str(refused.value)
    assert logs_in(pooler, password("app_scram"))


@pytest.mark.parametrize("name", ["userlist.txt", "pgring.toml"])
def test_a_file_of_secrets_that_others_can_read_is_refused_with_the_chmod(pgring_idle, name):
    pooler = pgring_idle()
    name_secret(pooler, '"inline"')
    os.chmod(f"{pooler.root}/{name}", 0o644)
    for command in ("check", "run"):
        done = subprocess.run([binary(), command, pooler.config_path], capture_output=True, text=True)
        assert done.returncode == 78
        assert mends(done.stderr, f"{pooler.root}/{name}")
        assert "inline" not in done.stderr
    subprocess.run(["chmod", "600", f"{pooler.root}/{name}"], check=True)
    assert subprocess.run([binary(), "check", pooler.config_path], capture_output=True).returncode == 0


# pgring password


def made_by_stdin(role, secret, *options):
    done = subprocess.run([binary(), "password", role, *options], input=secret, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("options", [(), ("--md5",), ("--iterations", "10000")])
def test_a_line_that_pgring_made_lets_its_password_in(pgring, options):
    line = made_by_stdin("app_trust", "a new word\n", *options)
    assert line.startswith('"app_trust" "' + ("md5" if "--md5" in options else "SCRAM-SHA-256$"))
    pooler = pgring(userlist=line, changes={"auth": {"method": "md5"}})
    pooler.connect("app_trust", password="a new word").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        pooler.connect("app_trust", password="a new worD")


def test_postgresql_takes_the_scram_secret_too(postgres):
    secret = made_by_stdin("app_made", "made here\n").split('"')[3]
    postgres.admin.execute("drop role if exists app_made")
    postgres.admin.execute(f"create role app_made login password '{secret}'")
    with psycopg.connect(postgres.dsn("app_made", password="made here", host="127.0.0.1")) as connection:
        assert connection.execute("select session_user").fetchone() == ("app_made",)
    postgres.admin.execute("drop role app_made")


@pytest.mark.parametrize("given", ["", "\n", "nul\0byte\n", "x" * 70_000])
def test_what_is_no_password_is_refused(given):
    done = subprocess.run([binary(), "password", "app"], input=given, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("pgring: ")


def at_terminal(*answers):
    """What `pgring password app` shows at a terminal and prints, and its exit code."""
    master, slave = pty.openpty()

    def take_terminal():  # so that its ^C is a signal
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen([binary(), "password", "app"], stdin=slave, stdout=subprocess.PIPE,
                               stderr=slave, preexec_fn=take_terminal)
    os.close(slave)
    shown = b""
    for prompt, answer in zip((b"Password for role", b"Again"), answers):
        end = time.monotonic() + 20
        while prompt not in shown and time.monotonic() < end:
            shown += os.read(master, 1000)
        os.write(master, answer)
    line = process.communicate(timeout=20)[0].decode()
    code = process.returncode
    try:
        while piece := os.read(master, 1000):
            shown += piece
    except OSError:
        pass  # the terminal is gone with the process
    os.close(master)
    return shown.decode(), line, code


def test_at_a_terminal_it_asks_twice_and_shows_nothing():
    shown, line, code = at_terminal(b"my secret\n", b"my secret\n")
    assert code == 0 and line.startswith('"app" "SCRAM-SHA-256$4096:')
    assert "secret" not in shown
    shown, line, code = at_terminal(b"my secret\n", b"my Secret\n")
    assert code == 1 and line == "" and "not the same" in shown


def test_an_interrupt_ends_the_question_and_puts_the_terminal_back():
    shown, line, code = at_terminal(b"half a sec\x03")
    assert code == 1 and line == "" and "interrupted" in shown
