#!/usr/bin/env python3
"""Compares pgring, PgBouncer and no pooler with pgbench, in turn, in one run.

Starts its own PostgreSQL (fsync off, its own folder and port) or, with --server null, a server
that answers at once. Every scenario runs in several rounds; in each round every target runs once,
so that a noisy machine hits all alike. What is printed are medians; --json keeps every round.
PGRING names the binary, PGBOUNCER or --pgbouncer the PgBouncer. How to read the figures: README.md
here.
"""

import argparse
import copy
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

import measure
from tools import (KEEPS_STATEMENTS_SINCE, TARGETS, NullServer, RealServer, pgbouncer_program,
                   pgbouncer_version)

SCRIPTS = {"select": ("-b", "select-only"), "tpcb": ("-b", "tpcb-like")}
PROTOCOLS = ("simple", "extended", "prepared")
CLIENTS = (1, 10, 50, 500)
SESSION_CLIENTS_MAX = 50  # each holds a server connection, in session mode
PHASES = ("plain", "prepared")  # poolers are started anew for each


class Scenario(NamedTuple):
    script: str
    protocol: str
    clients: int
    connect: bool  # a connection per transaction
    arguments: tuple

    @property
    def name(self):
        return f"{self.script} {'connect' if self.connect else self.protocol} c={self.clients}"

    @property
    def phase(self):
        return "prepared" if self.protocol == "prepared" else "plain"

    def threads(self, pool_size):
        """Of pgbench, for every target alike.

        It waits for the answer to a Parse, so that a thread's other clients stand still meanwhile:
        if those hold all server connections, within transactions of several statements, nobody
        goes on. Then each client has a thread.
        """
        if self.protocol == "prepared" and self.script == "tpcb" and self.clients > pool_size:
            return self.clients
        return min(self.clients, os.cpu_count())


def scenarios(options):
    """The scenarios asked for, those without named statements first."""
    found = []
    for script in options.scripts:
        arguments = ("-f", options.null_script) if options.server == "null" else SCRIPTS[script]
        for protocol in options.protocols:
            found += [Scenario(script, protocol, clients, False, arguments)
                      for clients in options.clients]
        if options.connect and script == options.scripts[0]:
            found += [Scenario(script, "simple", clients, True, (*arguments, "-C"))
                      for clients in options.clients if clients in (10, 50)]
    return found


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of one run")
    parser.add_argument("--quick", action="store_true", help="1 round of 1 s, 1 and 50 clients")
    parser.add_argument("--server", choices=("postgresql", "null"), default="postgresql")
    parser.add_argument("--nullserver", default=beside_pgring("perf/nullserver"),
                        help="path of the built null server (default: in pgring's build folder)")
    parser.add_argument("--pgbouncer", default=os.environ.get("PGBOUNCER"),
                        help="path of a PgBouncer (default: PGBOUNCER, else the one installed)")
    parser.add_argument("--targets", type=words(TARGETS), default=list(TARGETS))
    parser.add_argument("--scripts", type=words(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--protocols", type=words(PROTOCOLS), default=list(PROTOCOLS))
    parser.add_argument("--clients", type=lambda text: [int(word) for word in text.split(",")],
                        default=None)
    parser.add_argument("--no-connect", dest="connect", action="store_false",
                        help="without the connection-per-transaction scenarios")
    parser.add_argument("--pool-size", type=int, default=20)
    parser.add_argument("--scale", type=int, default=None, help="of the pgbench tables")
    parser.add_argument("--shards", type=int, default=0, help="of pgring; 0: its default")
    parser.add_argument("--server-transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--json", help="write every round there")
    options = parser.parse_args()
    if "pgbouncer" in options.targets:
        options.pgbouncer = pgbouncer_program(options.pgbouncer)
        options.pgbouncer_version = pgbouncer_version(options.pgbouncer)
    if options.quick:
        options.rounds, options.seconds = 1, 1
    options.clients = options.clients or ([1, 50] if options.quick else list(CLIENTS))
    options.scale = options.scale or (5 if options.quick else 50)
    if options.server == "null":
        options.scripts = ["select"]
    return options


def beside_pgring(path):
    """A file of the build folder that PGRING, BUILD/src/pgring, is in."""
    binary = os.path.abspath(os.environ.get("PGRING", ""))
    return os.path.join(os.path.dirname(os.path.dirname(binary)), path)


def words(known):
    def parse(text):
        chosen = text.split(",")
        wrong = [word for word in chosen if word not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f"{wrong[0]}: one of {', '.join(known)}")
        return chosen

    return parse


def run_phase(server, phase, chosen, options, results):
    """All scenarios of one phase, on poolers started for it."""
    targets = []
    try:
        for name in options.targets:
            own = copy.copy(options)
            own.pool_mode = "transaction"
            if (phase == "prepared" and name == "pgbouncer"
                    and options.pgbouncer_version < KEEPS_STATEMENTS_SINCE):
                own.pool_mode = "session"
                own.pool_size = max(options.pool_size, SESSION_CLIENTS_MAX)
            targets.append(TARGETS[name](server, own))
            targets[-1].pool_mode = own.pool_mode
        results["versions"].update({target.name: target.version() for target in targets})
        for scenario in chosen:
            results["scenarios"][scenario.name] = run_scenario(server, targets, scenario, options)
            print_scenario(scenario, results["scenarios"][scenario.name])
    finally:
        for target in targets:
            target.stop()


def run_scenario(server, targets, scenario, options):
    able = [target for target in targets
            if target.pool_mode == "transaction" or scenario.clients <= SESSION_CLIENTS_MAX]
    threads = scenario.threads(options.pool_size)
    rounds = {target.name: [] for target in targets}
    for target in able:
        measure.warm_up(target, server, scenario, threads)
    for number in range(options.rounds if able else 0):
        turn = number % len(able)  # nobody is always first
        for target in able[turn:] + able[:turn]:
            rounds[target.name].append(
                measure.run(target, server, scenario, threads, options.seconds))
    return {target.name: {"pool_mode": target.pool_mode,
                          "rounds": [row._asdict() for row in rounds[target.name]],
                          "median": medians(rounds[target.name])}
            for target in targets}


def medians(rows):
    return {field: statistics.median(getattr(row, field) for row in rows) if rows else float("nan")
            for field in measure.Figures._fields}


def shown(value, width, digits):
    return f"{'–':>{width}}" if math.isnan(value) else f"{value:{width},.{digits}f}"


def print_header(options, server):
    print(f"{server.version()}, {platform.release()}, {os.cpu_count()} cores; "
          f"{options.rounds} rounds of {options.seconds} s, medians; pool of {options.pool_size}, "
          f"server over {options.server_transport}", flush=True)
    if options.server == "postgresql":
        print(f"fsync, synchronous_commit and full_page_writes are off; scale {options.scale}")
    if "pgbouncer" in options.targets:
        print("PgBouncer " + ".".join(str(part) for part in options.pgbouncer_version))
    print(f"\n{'':26}{'':11}{'tps':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs/tx':>11}{'PSS MiB':>9}")


def print_scenario(scenario, result):
    title = scenario.name
    for name, entry in result.items():
        row = entry["median"]
        print(f"{title:26}{name:11}{shown(row['tps'], 9, 0)}{shown(row['p50_ms'], 9, 2)}"
              f"{shown(row['p99_ms'], 9, 2)}{shown(row['cpu_us'], 11, 2)}"
              f"{shown(row['pss_kib'] / 1024, 9, 1)}{remark(entry)}", flush=True)
        title = ""


def remark(entry):
    if entry["pool_mode"] == "transaction":
        return ""
    if entry["rounds"]:
        return "  session mode"
    return f"  only in session mode: not with more than {SESSION_CLIENTS_MAX} clients"


def without_nan(value):
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main():
    options = parse_arguments()
    results = {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "versions": {},
               "machine": {"kernel": platform.release(), "cores": os.cpu_count()},
               "options": {key: value for key, value in vars(options).items() if key != "json"},
               "scenarios": {}}
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("select 1;\n")
        script.flush()
        options.null_script = script.name
        server = (NullServer(options.nullserver) if options.server == "null"
                  else RealServer(options.scale))
        try:
            results["versions"]["server"] = server.version()
            print_header(options, server)
            chosen = scenarios(options)
            for phase in PHASES:
                if of_phase := [one for one in chosen if one.phase == phase]:
                    run_phase(server, phase, of_phase, options, results)
        finally:
            server.stop()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(without_nan(results), file, indent=1)
        print(f"\nevery round: {options.json}")


if __name__ == "__main__":
    sys.exit(main())
