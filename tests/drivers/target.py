"""What the drivers' tests talk to: a pgring in transaction mode, or PostgreSQL itself.

With PGRING_DRIVERS_DIRECT=1 every test runs against PostgreSQL without a pooler: a test that fails
there expects what PostgreSQL does not do, and is wrong.
"""

import contextlib
import os
import shutil
import subprocess
import threading

import psycopg
from harness.postgres import DATABASE, password
from harness.wait import DEADLINE_S

DIRECT = os.environ.get("PGRING_DRIVERS_DIRECT") == "1"
ROLE = "app_scram"
POOL_SIZE = 6
FOLDER = os.path.dirname(os.path.abspath(__file__))
PROGRAM_LIMIT_S = 4 * DEADLINE_S


class Direct:
    """PostgreSQL with the words of harness.pooler.Pgring."""

    def __init__(self, postgres):
        self.postgres = postgres
        self.host = postgres.host
        self.port = postgres.port
        self.socket_dir = postgres.socket_dir
        self.named_statements = True

    def dsn(self, user=ROLE, dbname=DATABASE, host=None, **extra):
        return psycopg.conninfo.make_conninfo(
            host=host or self.host, port=self.port, user=user, dbname=dbname,
            password=password(user), sslmode="disable", gssencmode="disable",
            connect_timeout="30", **extra)

    def libpq_env(self, user=ROLE):
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**env, "PGPASSWORD": password(user), "PGSSLMODE": "disable",
                "PGGSSENCMODE": "disable", "PGUSER": user, "PGHOST": self.host,
                "PGPORT": str(self.port), "PGDATABASE": DATABASE, "PGCONNECT_TIMEOUT": "30"}


class Target:
    """`server` is a Pgring or a Direct; closes what it was given to keep."""

    def __init__(self, server, stack):
        self.server = server
        self.host = server.host
        self.port = server.port
        self.socket_dir = server.socket_dir
        self.postgres = server.postgres
        self._stack = stack
        self._holders = {}

    def dsn(self, user=ROLE, **extra):
        return self.server.dsn(user, **extra)

    def url(self, user=ROLE, scheme="postgresql"):
        return (f"{scheme}://{user}:{password(user)}@{self.host}:{self.port}/{DATABASE}")

    def env(self, user=ROLE):
        return self.server.libpq_env(user)

    def keep(self, connection):
        """Closes it at the end of the test, before the pooler is stopped."""
        self._stack.callback(connection.close)
        return connection

    def at_end(self, work):
        """Calls it at the end of the test, before the pooler is stopped."""
        self._stack.callback(work)

    # Another server connection for every transaction.

    def shuffle(self, user=ROLE):
        """Whoever of this role ran a transaction last meets another server connection next.

        The pool hands out first what was released last. Of three clients two hold a connection each: the third takes
        what is on top, and the one that has held longest gives its own back. Two clients of the program that
        take turns meet different ones too. Directly there is nothing to do.
        """
        if DIRECT:
            return
        if user not in self._holders:
            resting, *holding = [self._holder(user) for _ in range(3)]
            for client in holding:
                client.execute("begin")
                client.execute("select pg_backend_pid()")
            self._holders[user] = [resting, *holding]
        self.server.settle()
        resting, oldest, newest = self._holders[user]
        resting.execute("begin")
        resting.execute("select pg_backend_pid()")
        oldest.execute("commit")
        self._holders[user] = [oldest, newest, resting]
        self.server.settle()

    def _holder(self, user):
        return self.keep(psycopg.connect(self.dsn(user), autocommit=True, prepare_threshold=None))

    @contextlib.contextmanager
    def shuffling(self, user=ROLE):
        """Shuffles all the time, for programs that cannot ask for it."""
        over = threading.Event()
        failures = []

        def work():
            try:
                while not over.wait(0.002):
                    self.shuffle(user)
            except Exception as failure:
                failures.append(failure)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert not failures, failures

    def moved(self, pids):
        """Asserts that these transactions did not all run on one server connection."""
        assert len(pids) > 1
        assert DIRECT or len(set(pids)) > 1, f"all ran on server connection {pids[0]}"

    def run(self, command, user=ROLE, **env):
        """Runs a program until it says "ok"; what it prints before.

        It prints "shuffle" where it wants another server connection and then reads a line, and
        "pid N" for the backends it met.
        """
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**self.env(user), **env}, bufsize=1)
        watchdog = threading.Timer(PROGRAM_LIMIT_S, process.kill)
        watchdog.start()
        complaints = []
        drain = threading.Thread(target=lambda: complaints.append(process.stderr.read()))
        drain.start()
        lines, pids = [], []
        try:
            for line in process.stdout:
                line = line.rstrip("\n")
                if line == "shuffle":
                    self.shuffle(user)
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.write("\n")
                        process.stdin.flush()
                elif line.startswith("pid "):
                    pids.append(int(line.removeprefix("pid ")))
                else:
                    lines.append(line)
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            if process.poll() is None and not process.stdout.closed:
                process.wait(PROGRAM_LIMIT_S)
            watchdog.cancel()
            drain.join()
            process.stdout.close()
            process.stderr.close()
        said = "\n".join(lines)
        assert process.returncode == 0 and lines[-1:] == ["ok"], (
            f"{command[0]} ended with {process.returncode}:\n{said}\n{complaints[0]}")
        self.moved(pids)
        return lines[:-1]

    def tool(self, *command, user=ROLE, stdin=None, code=0):
        """Runs a program that knows nothing of all this (psql, pg_dump); its output."""
        done = subprocess.run(command, input=stdin, capture_output=True, text=True,
                              env=self.env(user), timeout=PROGRAM_LIMIT_S)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def compiled(source, folder, *flags):
    """The program made of a C++ source beside this file."""
    program = str(folder / source.removesuffix(".cc"))
    done = subprocess.run(["g++", "-std=c++17", "-O0", "-Wall", "-Wextra", "-o", program,
                           f"{FOLDER}/{source}", *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def built_by_go(source, folder):
    """The program made of a Go source beside this file, with Debian's libraries (no modules)."""
    assert shutil.which("go"), "no go on this machine: install golang-go"
    program = f"{folder}/{source.removesuffix('.go')}"
    done = subprocess.run(["go", "build", "-o", program, f"{FOLDER}/{source}"], capture_output=True,
                          text=True, cwd=folder,
                          env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                               "GOCACHE": f"{folder}/cache", "GOFLAGS": "", "CGO_ENABLED": "0"})
    assert done.returncode == 0, done.stderr
    return program
