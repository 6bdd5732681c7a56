"""One throw-away PostgreSQL: its own folder, port, socket folder and roles."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg

from harness.wait import die_with_parent, free_port, until

# Roles by the authentication method their connections meet; every password is "<role>-secret".
APP_ROLES = ("app_scram", "app_md5", "app_trust")
OWNER = "owner"
DATABASE = "bench"


def password(role):
    return f"{role}-secret"


def binaries():
    """The PostgreSQL that PGRING_TEST_POSTGRES names, or the newest on the machine."""
    if named := os.environ.get("PGRING_TEST_POSTGRES"):
        return named
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if found:
        newest = max(found, key=lambda path: int(path.split("/")[4]))
        return os.path.dirname(newest)
    return subprocess.check_output(["pg_config", "--bindir"], text=True).strip()


HBA = """
local all owner trust
host all owner all trust
local all app_trust trust
host all app_trust all trust
local all app_md5 md5
host all app_md5 all md5
local all all scram-sha-256
host all all all scram-sha-256
local replication owner trust
local replication app_trust trust
local replication app_md5 md5
local replication all scram-sha-256
host replication all all scram-sha-256
"""

SETTINGS = {
    "listen_addresses": "127.0.0.1,::1",
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
}


class Postgres:
    """Starts on construction; `stop()` removes everything."""

    def __init__(self, settings=None):
        self.bin = binaries()
        self.root = tempfile.mkdtemp(prefix="pgring-pg-")
        self.data = f"{self.root}/data"
        self.log_path = f"{self.root}/postgres.log"
        self.socket_dir = self.root
        self.host = "127.0.0.1"
        self.port = free_port()
        self.process = None
        self._admin = None
        self._as_user = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.root, account.pw_uid, account.pw_gid)
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        os.chmod(self.root, 0o755)  # pgring may run as another user and must reach the socket
        try:
            self._create(settings or {})
        except BaseException:
            self.stop()
            raise

    def _create(self, settings):
        self._tool("initdb", "-D", self.data, "-U", OWNER, "-A", "trust", "-E", "UTF8",
                   "--locale=C", "--no-sync")
        with open(f"{self.data}/postgresql.conf", "a") as conf:
            for name, value in {**SETTINGS, **settings}.items():
                conf.write(f"{name} = '{value}'\n")
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.socket_dir}'\n")
        with open(f"{self.data}/pg_hba.conf", "w") as hba:
            hba.write(HBA)
        self.start()
        self._create_roles()
        self._tool("pgbench", "-h", self.socket_dir, "-p", str(self.port), "-U", OWNER, "-i", "-s",
                   "1", "-q", DATABASE)
        self.admin.execute("grant all on all tables in schema public to public")

    def _create_roles(self):
        with psycopg.connect(self.dsn(dbname="postgres"), autocommit=True) as connection:
            for role in APP_ROLES:
                method = "md5" if role == "app_md5" else "scram-sha-256"
                connection.execute(f"set password_encryption = '{method}'")
                connection.execute(f"create role {role} login password '{password(role)}'")
            connection.execute(f"create database {DATABASE} owner {OWNER}")
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute("grant all on schema public to public")

    def _tool(self, name, *arguments):
        done = subprocess.run([f"{self.bin}/{name}", *arguments], capture_output=True, text=True,
                              cwd="/", **self._as_user)
        assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"

    def program(self, name, *arguments, **options):
        """One of PostgreSQL's programs, started as its account in its folder."""
        return subprocess.Popen([f"{self.bin}/{name}", *arguments], cwd=self.root, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=die_with_parent(signal.SIGKILL), **self._as_user,
                                **options)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.bin}/postgres", "-D", self.data], stdout=log, stderr=log, cwd="/",
                preexec_fn=die_with_parent(signal.SIGQUIT), **self._as_user)
        until(self.is_ready, "PostgreSQL answers", 60)

    def is_ready(self):
        assert self.process.poll() is None, f"PostgreSQL ended:\n{self.log()}"
        return subprocess.run(
            [f"{self.bin}/pg_isready", "-q", "-h", self.socket_dir, "-p", str(self.port)],
            capture_output=True).returncode == 0

    def halt(self, signum=signal.SIGINT):
        """Stops the server (SIGINT: fast shutdown) and keeps its data."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        self.process.send_signal(signum)
        self.process.wait(30)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.halt(signal.SIGQUIT)
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def dsn(self, user=OWNER, dbname=DATABASE, host=None, **extra):
        words = {"host": host or self.socket_dir, "port": self.port, "user": user,
                 "dbname": dbname, "application_name": "itest-direct", "sslmode": "disable",
                 "gssencmode": "disable", **extra}
        if user != OWNER:
            words.setdefault("password", password(user))
        return psycopg.conninfo.make_conninfo(**words)

    @property
    def admin(self):
        """A superuser connection past every pooler, for looking and for meddling."""
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(self.dsn(), autocommit=True)
        return self._admin

    def value(self, query, *parameters):
        return self.admin.execute(query, parameters or None).fetchone()[0]

    def backends(self, where="true"):
        """Pids of client connections that are not the tests' own direct ones."""
        rows = self.admin.execute(
            "select pid from pg_stat_activity where backend_type = 'client backend'"
            " and pid <> pg_backend_pid() and application_name not like 'itest-direct%%'"
            f" and ({where}) order by pid").fetchall()
        return [row[0] for row in rows]

    def walsenders(self, where="true"):
        """Pids of replication connections, those of the tests too."""
        rows = self.admin.execute("select pid from pg_stat_activity where"
                                  f" backend_type = 'walsender' and ({where})").fetchall()
        return [row[0] for row in rows]

    def secret(self, role):
        """The role's stored secret, as PostgreSQL keeps it."""
        return self.value("select rolpassword from pg_authid where rolname = %s", role)
