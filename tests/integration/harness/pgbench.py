"""Runs pgbench and counts, in pg_stat_activity, how many server connections there were."""

import re
import subprocess
import threading

import psycopg

from harness.postgres import DATABASE

SELECT = ("-b", "select-only")
TPCB = ("-b", "tpcb-like")


class BackendCounter:
    """Samples the number of backends of the poolers while the body of `with` runs."""

    def __init__(self, postgres):
        self._postgres = postgres
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.most = 0
        self.samples = 0

    def __enter__(self):
        self._connection = psycopg.connect(self._postgres.dsn(), autocommit=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._connection.close()
        assert self.samples > 0, "the backend counter never ran"

    def _sample(self):
        while not self._stop.is_set():
            count = self._connection.execute(
                "select count(*) from pg_stat_activity where backend_type = 'client backend'"
                " and application_name not like 'itest-direct%'").fetchone()[0]
            self.most = max(self.most, count)
            self.samples += 1
            self._stop.wait(0.005)


def run(pgring, *arguments, host=None, clients=8, threads=2, transactions=50, mode="simple",
        timeout_s=240, user="app_scram"):
    """Runs pgbench to its end and asserts that every transaction of every client succeeded."""
    command = [f"{pgring.postgres.bin}/pgbench", "-n", "-h", host or pgring.host, "-p",
               str(pgring.port), "-c", str(clients), "-j", str(threads), "-t", str(transactions),
               "-M", mode, *arguments, DATABASE]
    done = subprocess.run(command, capture_output=True, text=True, env=pgring.libpq_env(user),
                          timeout=timeout_s)
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, f"{' '.join(command)}:\n{said}"
    processed = re.search(r"actually processed: (\d+)/(\d+)", done.stdout)
    wanted = clients * transactions
    assert processed and processed.groups() == (str(wanted), str(wanted)), said
    assert "aborted" not in done.stderr, said
    return done.stdout
