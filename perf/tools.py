"""What the benchmark runs against: PostgreSQL or the null server, pgring, PgBouncer."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "integration"))

from harness.pooler import Pgring, binary  # noqa: E402
from harness.postgres import APP_ROLES, Postgres, binaries, password  # noqa: E402
from harness.raw import RawClient  # noqa: E402
from harness.wait import die_with_parent, free_port, until  # noqa: E402

USER = "app_trust"
USERLIST = "".join(f'"{role}" "{password(role)}"\n' for role in APP_ROLES)


class NullServer:
    """The server that answers at once, in the shape of harness.postgres.Postgres."""

    def __init__(self, path):
        assert os.access(path, os.X_OK), f"no null server at {path}: build it (ninja nullserver)"
        self.bin = binaries()
        self.root = tempfile.mkdtemp(prefix="pgring-null-")
        os.chmod(self.root, 0o755)
        self.socket_dir, self.host, self.port = self.root, "127.0.0.1", free_port()
        self.process = subprocess.Popen([path, str(self.port), self.root], stdout=subprocess.PIPE,
                                        preexec_fn=die_with_parent(signal.SIGTERM))
        assert self.process.stdout.readline() == b"ready\n"
        os.chmod(f"{self.root}/.s.PGSQL.{self.port}", 0o777)

    def version(self):
        return "null server"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.root, ignore_errors=True)


class RealServer(Postgres):
    """PostgreSQL with pgbench tables of a size that does not make TPC-B wait for one row."""

    def __init__(self, scale):
        super().__init__(settings={"max_connections": "600", "shared_buffers": "512MB",
                                   "max_wal_size": "4GB"})
        self._tool("pgbench", "-h", self.socket_dir, "-p", str(self.port), "-U", "owner", "-i",
                   "-s", str(scale), "-q", "bench")
        self.admin.execute("grant all on all tables in schema public to public")

    def version(self):
        return "PostgreSQL " + self.value("show server_version")


class Direct:
    """No pooler."""

    name = "direct"

    def __init__(self, server):
        self.server, self.host, self.port = server, server.host, server.port
        self.socket_dir = server.socket_dir

    def version(self):
        return self.server.version()

    def pids(self):
        return []

    def stop(self):
        pass


class PgringTarget:
    name = "pgring"
    share = "off"

    def __init__(self, server, options):
        self.program = binary()
        host = server.host if options.server_transport == "tcp" else server.socket_dir
        changes = {
            "server": {"main": {"host": host}},
            "auth": {"method": "trust"},
            "database": {"*": {"pool_mode": options.pool_mode, "pool_size": options.pool_size,
                               "share": self.share}},
            "log": {"level": "warning", "connections": False, "disconnections": False},
        }
        if options.shards:
            changes["shards"] = {"count": options.shards}
        self._process = Pgring(server, changes=changes, userlist=USERLIST)
        self._process.start()
        self.host, self.port = self._process.host, self._process.port
        self.socket_dir = self._process.socket_dir

    def version(self):
        return subprocess.run([self.program, "--version"], capture_output=True,
                              text=True).stdout.split("\n")[0]

    def pids(self):
        return [self._process.process.pid]

    def stop(self):
        self._process.stop()


class SharingTarget(PgringTarget):
    """Reads of several clients in flight on one server connection."""

    name = "pgring, shared"
    share = "reads"


PGBOUNCER_INI = """[databases]
* = host={host} port={server_port} pool_mode={pool_mode} pool_size={pool_size}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/userlist.txt
max_client_conn = 10000
log_connections = 0
log_disconnections = 0
log_stats = 0
ignore_startup_parameters = extra_float_digits
"""
KEEPS_STATEMENTS = "max_prepared_statements = 200\n"  # in transaction mode
KEEPS_STATEMENTS_SINCE = (1, 21)


def pgbouncer_program(named):
    """The PgBouncer of that path, or of this machine."""
    program = named or shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    assert os.access(program, os.X_OK), f"no PgBouncer at {program} (see --pgbouncer, --targets)"
    return os.path.abspath(program)


def pgbouncer_version(program):
    """What it says of itself, as (1, 18, 0)."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    found = re.search(r"PgBouncer (\d+(?:\.\d+)*)", done.stdout)
    assert found, f"{program} --version: {done.stdout}{done.stderr}"
    return tuple(int(part) for part in found.group(1).split("."))


class PgBouncerTarget:
    name = "pgbouncer"

    def __init__(self, server, options):
        self.program = options.pgbouncer
        self.socket_dir = tempfile.mkdtemp(prefix="pgring-bouncer-")
        self.host, self.port = "127.0.0.1", free_port()
        host = server.host if options.server_transport == "tcp" else server.socket_dir
        settings = PGBOUNCER_INI.format(
            host=host, server_port=server.port, pool_mode=options.pool_mode, port=self.port,
            pool_size=options.pool_size, folder=self.socket_dir)
        if options.pgbouncer_version >= KEEPS_STATEMENTS_SINCE:
            settings += KEEPS_STATEMENTS
        files = {"pgbouncer.ini": settings, "userlist.txt": USERLIST}
        for name, text in files.items():
            with open(f"{self.socket_dir}/{name}", "w") as file:
                file.write(text)
        as_user = {}
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            account = pwd.getpwnam("postgres")
            as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            for path in (self.socket_dir, *(f"{self.socket_dir}/{name}" for name in files)):
                os.chown(path, account.pw_uid, account.pw_gid)
        os.chmod(self.socket_dir, 0o755)
        self._log = open(f"{self.socket_dir}/log", "wb")
        self._process = subprocess.Popen(
            [self.program, f"{self.socket_dir}/pgbouncer.ini"], stdout=self._log, stderr=self._log,
            preexec_fn=die_with_parent(signal.SIGTERM), **as_user)
        until(self._answers, "PgBouncer answers")

    def _answers(self):
        assert self._process.poll() is None, open(f"{self.socket_dir}/log").read()
        try:
            RawClient(self).close()
        except OSError:
            return False
        return True

    def version(self):
        said = subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout
        return re.sub(r"\s+", " ", said.split("\n")[0])

    def pids(self):
        return [self._process.pid]

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
        shutil.rmtree(self.socket_dir, ignore_errors=True)


TARGETS = {"direct": lambda server, options: Direct(server), "pgring": PgringTarget,
           "shared": SharingTarget,
           "pgbouncer": PgBouncerTarget}
