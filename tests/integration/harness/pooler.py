"""A pgring process: writes its config, starts it, knows when it is ready, judges how it ended."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile

import psycopg

from harness import toml
from harness.postgres import APP_ROLES, DATABASE, OWNER, password
from harness.raw import RawClient
from harness.wait import DEADLINE_S, die_with_parent, free_port, until

SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                     "WARNING: ThreadSanitizer", "MemorySanitizer:")
CONSOLE_ADMIN = "console_admin"
CONSOLE_VIEWER = "console_viewer"
USERS = (*APP_ROLES, OWNER, CONSOLE_ADMIN, CONSOLE_VIEWER)


def binary():
    """The pgring under test. A missing one is a failure, never a skip."""
    path = os.environ.get("PGRING", "")
    assert path, "set PGRING to the pgring binary under test"
    assert os.access(path, os.X_OK), f"PGRING={path} is not an executable file"
    return os.path.abspath(path)


def plain_userlist(users=USERS):
    return "".join(f'"{user}" "{password(user)}"\n' for user in users)


class Pgring:
    """One pgring and its folder. Made by the `pgring` fixture, which also stops it."""

    def __init__(self, postgres, changes=None, userlist=None, database=None, env=None, limits=None,
                 wrapper=(), run_as=None, lazy_begin=False):
        """`changes` is laid over the default config; `database` over [database."*"].

        Tests hold server connections by BEGIN, so it takes one, unless they want it otherwise.
        """
        self._lazy_begin = lazy_begin
        self.postgres = postgres
        self.root = tempfile.mkdtemp(prefix="pgring-it-")
        os.chmod(self.root, 0o755)
        self.host = "127.0.0.1"
        self.port = free_port()
        self.socket_dir = f"{self.root}/sockets"
        os.mkdir(self.socket_dir)
        self.config_path = f"{self.root}/pgring.toml"
        self.userlist_path = f"{self.root}/userlist.txt"
        self.log_path = f"{self.root}/pgring.log"
        self.config = toml.merge(self._default_config(), changes or {})
        if database:
            self.config["database"]["*"].update(database)
        self.write_userlist(plain_userlist() if userlist is None else userlist)
        self.write_config()
        self.process = None
        self.expected_exit = 0
        self.stopped = False
        self._env = env or {}
        self._limits = limits or {}
        self._wrapper = list(wrapper)
        self._as_user = run_as or {}
        if run_as:
            for path in (self.root, self.socket_dir, self.userlist_path, self.config_path):
                os.chown(path, run_as["user"], run_as["group"])

    def _default_config(self):
        return {
            "listen": {"address": ["127.0.0.1"], "port": self.port,
                       "unix_socket_dir": self.socket_dir},
            "shards": {"count": int(os.environ.get("PGRING_TEST_SHARDS", "1"))},
            "server": {"main": {"host": self.postgres.socket_dir, "port": self.postgres.port,
                                "tls": {"mode": "disable"}}},  # proxies know no SSLRequest
            "database": {"*": {"server": "main"}},
            "auth": {"method": "scram-sha-256", "file": self.userlist_path},
            "timeouts": {"query_wait": "60s"},
            "console": {"admins": [CONSOLE_ADMIN], "viewers": [CONSOLE_VIEWER]},
        }

    def write_config(self, changes=None):
        if changes:
            self.config = toml.merge(self.config, changes)
        share = os.environ.get("PGRING_TEST_SHARE")
        sharing = {"share": share, "share_depth": 64} if share else {}
        databases = {name: entry and {"lazy_begin": self._lazy_begin, **sharing, **entry}
                     for name, entry in self.config.get("database", {}).items()}
        with open(self.config_path, "w") as file:
            file.write(toml.dump({**self.config, "database": databases}))
        os.chmod(self.config_path, 0o600)

    def write_userlist(self, text):
        with open(self.userlist_path, "w") as file:
            file.write(text)
        os.chmod(self.userlist_path, 0o600)

    # Starting and ending.

    def spawn(self, notify_path=None, stderr=None):
        """Starts the process without waiting for it to be ready. `stderr` replaces the log file."""
        env = {**os.environ, **self._env}
        env.pop("NOTIFY_SOCKET", None)
        if notify_path:
            env["NOTIFY_SOCKET"] = notify_path

        def before_exec():
            die_with_parent(signal.SIGKILL)()
            for which, pair in self._limits.items():
                resource.setrlimit(which, pair)

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self._wrapper, binary(), "run", self.config_path], stdout=log,
                stderr=log if stderr is None else stderr, env=env,
                stdin=subprocess.DEVNULL, preexec_fn=before_exec, cwd=self.root, **self._as_user)
        return self

    def start(self, stderr=None):
        """Starts the process and waits for its READY=1, sent as to systemd."""
        path = f"{self.root}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            if os.path.exists(path):
                os.unlink(path)  # from a start before this one
            notify.bind(path)
            os.chmod(path, 0o777)
            notify.settimeout(0.02)
            self.spawn(path, stderr)

            def is_ready():
                if self.process.poll() is not None:
                    raise AssertionError(f"pgring ended with {self.process.returncode} before it "
                                         f"was ready:\n{self.log()}")
                try:
                    return b"READY=1" in notify.recv(4096).split(b"\n")
                except TimeoutError:
                    return False

            until(is_ready, "pgring sends READY=1")
        return self

    def signal(self, signum):
        self.process.send_signal(signum)

    def wait_exit(self, deadline_s=DEADLINE_S):
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"pgring still runs after {deadline_s:g} s:\n{self.tail()}") from None

    def stop(self):
        """Ends the process gently, then firmly, and says what was wrong, if anything."""
        if self.stopped:
            return
        self.stopped = True
        complaints = []
        if self.process is not None and self.process.poll() is None:
            complaints += self._end()
        if self.process is not None and self.process.returncode != self.expected_exit:
            complaints.append(f"exit code {self.process.returncode}, expected {self.expected_exit}")
        if os.path.exists(self.log_path):
            complaints += [f"log has: {report}" for report in SANITIZER_REPORTS
                           if report in self.log()]
        log = self.tail() if os.path.exists(self.log_path) else ""
        shutil.rmtree(self.root, ignore_errors=True)
        assert not complaints, "; ".join(complaints) + f"\npgring's log:\n{log}"

    def _end(self):
        # TERM waits for clients: with none left it must suffice.
        for signum, patience_s in ((signal.SIGTERM, DEADLINE_S / 2), (signal.SIGQUIT, DEADLINE_S)):
            self.process.send_signal(signum)
            try:
                self.process.wait(patience_s)
                return []
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()
        self.process.wait()
        return ["neither SIGTERM nor SIGQUIT ended pgring"]

    # Looking.

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def tail(self, lines=80):
        return "\n".join(self.log().splitlines()[-lines:])

    def status(self, field):
        """A "Vm…"/"Rss…" line of /proc/PID/status, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            found = re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.M)
        return int(found.group(1)) * 1024

    def private_memory(self):
        """Bytes only this process has: what it would give back by ending."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            text = file.read()
        return sum(int(kib) * 1024 for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M))

    # Connecting.

    def dsn(self, user="app_scram", dbname=DATABASE, host=None, **extra):
        words = {"host": host or self.host, "port": self.port, "user": user, "dbname": dbname,
                 "password": password(user), "sslmode": "disable", "gssencmode": "disable",
                 "connect_timeout": "30", **extra}
        return psycopg.conninfo.make_conninfo(**words)

    def connect(self, user="app_scram", dbname=DATABASE, autocommit=True, host=None, **extra):
        """psycopg without named statements, which transaction mode does not have yet."""
        return psycopg.connect(self.dsn(user, dbname, host, **extra), autocommit=autocommit,
                               prepare_threshold=None)

    def console(self, user=CONSOLE_ADMIN, dbname="pgring"):
        return self.connect(user=user, dbname=dbname)

    def show(self, what, dbname="pgring"):
        """The rows of SHOW `what` as dicts of text."""
        client = RawClient(self)
        try:
            answer = client.login(CONSOLE_ADMIN, dbname).run(f"SHOW {what}")
        finally:
            client.close()
        (header,) = [got for got in answer if got.kind == "T"]
        return [dict(zip(header.names, got.columns)) for got in answer if got.kind == "D"]

    def settle(self):
        """Waits until no server connection is being opened, asked something by pgring itself, or cancelled."""
        until(lambda: not [row for row in self.show("SERVERS") if row["state"] not in ("idle", "active")],
              "pgring asks no server connection anything")

    def libpq_env(self, user="app_scram"):
        """For programs: psql, pgbench, pg_dump."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**env, "PGPASSWORD": password(user), "PGSSLMODE": "disable",
                "PGGSSENCMODE": "disable", "PGUSER": user, "PGHOST": self.host,
                "PGPORT": str(self.port), "PGDATABASE": DATABASE, "PGCONNECT_TIMEOUT": "30"}
