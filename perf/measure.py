"""One run of pgbench: transactions/s, latencies, and what the pooler used meanwhile."""

import glob
import os
import re
import subprocess
import tempfile
from typing import NamedTuple

from tools import USER, password

CONNECTS_PER_S = 100  # that every target manages on a busy machine
LATENCY_SAMPLES = 0.1  # the share of transactions whose latency pgbench writes down


class Figures(NamedTuple):
    tps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the pooler, per transaction; NaN without a pooler
    pss_kib: float


def cpu_ns(pids):
    """CPU time of all threads, kernel worker threads included, in nanoseconds.

    schedstat counts exactly and needs no rights, unlike the cpuacct cgroup; utime and stime count
    clock ticks. Interrupts that happen to run on a thread are in all three.
    """
    total = 0
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(path) as file:
                    total += int(file.read().split()[0])
            except FileNotFoundError:
                continue  # an idle worker thread that ended
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1))
    return total


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def latencies_ms(folder):
    """The sampled latencies of one run, sorted. pgbench's log: client, number, µs, …"""
    found = []
    for path in glob.glob(f"{folder}/log.*"):
        with open(path) as file:
            found += [int(line.split()[2]) / 1000 for line in file if not line.startswith("skip")]
    return sorted(found)


def environment():
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**clean, "PGPASSWORD": password(USER), "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable"}


def pgbench(target, server, scenario, threads, length, folder=None):
    """`length` is what ends the run: ("-T", seconds) or ("-t", transactions)."""
    command = [f"{server.bin}/pgbench", "-n", "-h", target.host, "-p", str(target.port), "-U", USER,
               "-c", str(scenario.clients), "-j", str(threads),
               "-M", scenario.protocol, *scenario.arguments, *length]
    if folder:
        command += ["-l", f"--log-prefix={folder}/log", f"--sampling-rate={LATENCY_SAMPLES}"]
    done = subprocess.run([*command, "bench"], capture_output=True, text=True, env=environment(),
                          timeout=600)
    processed = re.search(r"actually processed: (\d+)", done.stdout)
    if done.returncode != 0 or not processed or "aborted" in done.stderr:
        said = f"{done.stdout}{done.stderr}"[:2000]
        raise RuntimeError(f"{target.name}: {' '.join(command)}:\n{said}")
    return done.stdout, int(processed.group(1))


def warm_up(target, server, scenario, threads):
    """Opens the pool and fills caches, unmeasured."""
    pgbench(target, server, scenario, threads, ("-t", "5"))


def run(target, server, scenario, threads, seconds):
    # pgbench's clock starts before it connects its clients, its rate counts after that.
    length = seconds + scenario.clients // CONNECTS_PER_S
    with tempfile.TemporaryDirectory(prefix="pgring-bench-") as folder:
        before = cpu_ns(target.pids())
        said, count = pgbench(target, server, scenario, threads, ("-T", str(length)), folder)
        used = cpu_ns(target.pids()) - before
        ordered = latencies_ms(folder)
    rate = re.search(r"tps = ([\d.]+)", said)
    if not rate or count == 0:
        raise RuntimeError(f"{target.name}, {scenario.name}: no transaction in {length} s:\n{said}")
    tps = float(rate.group(1))
    has_pooler = bool(target.pids())
    return Figures(tps, quantile(ordered, 0.5), quantile(ordered, 0.99),
                   used / 1000 / max(count, 1) if has_pooler else float("nan"),
                   pss_kib(target.pids()) if has_pooler else float("nan"))
