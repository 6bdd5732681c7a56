#!/usr/bin/env python3
"""What few server connections cost on many shards: throughput of small pools on 4 shards against 1.

Both pgrings run before the same PostgreSQL (its own, as bench.py's) and take turns in every round. What
is printed is the median of the rounds' ratios; below 0.9 is a fault. PGRING names the binary.
"""

import argparse
import statistics
import sys

import measure
from bench import SCRIPTS, Scenario
from tools import PgringTarget, RealServer

RATIO_MIN = 0.9


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of one run")
    parser.add_argument("--shards", type=int, default=4, help="compared with one")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--script", choices=SCRIPTS, default="select")
    parser.add_argument("--pool-sizes", type=lambda text: [int(word) for word in text.split(",")],
                        default=[1, 2, 3])
    parser.add_argument("--server-transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--scale", type=int, default=5)
    return parser.parse_args()


def compare(server, options, pool_size):
    """Transactions/s of each round: (on one shard, on many)."""
    options.pool_mode, options.pool_size = "transaction", pool_size
    scenario = Scenario(options.script, "simple", options.clients, False, SCRIPTS[options.script])
    threads = scenario.threads(pool_size)
    counts, targets, rounds = (1, options.shards), [], []
    kept = options.shards
    try:
        for options.shards in counts:
            targets.append(PgringTarget(server, options))
        for target in targets:
            measure.warm_up(target, server, scenario, threads)
        for number in range(options.rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)  # nobody is always first
            tps = {at: measure.run(targets[at], server, scenario, threads, options.seconds).tps
                   for at in order}
            rounds.append((tps[0], tps[1]))
    finally:
        options.shards = kept
        for target in targets:
            target.stop()
    return rounds


def main():
    options = parse_arguments()
    server, worst = RealServer(options.scale), float("inf")
    try:
        print(f"{options.script}, {options.clients} clients; {options.rounds} rounds of "
              f"{options.seconds} s, medians\n")
        print(f"pool_size{'1 shard':>12}{f'{options.shards} shards':>12}{'ratio':>9}   rounds")
        for size in options.pool_sizes:
            rounds = compare(server, options, size)
            one, many = (statistics.median(column) for column in zip(*rounds))
            ratios = [after / before for before, after in rounds]
            ratio = statistics.median(ratios)
            worst = min(worst, ratio)
            print(f"{size:9}{one:12,.0f}{many:12,.0f}{ratio:9.2f}   "
                  f"{' '.join(f'{each:.2f}' for each in ratios)}", flush=True)
    finally:
        server.stop()
    return 0 if worst >= RATIO_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
