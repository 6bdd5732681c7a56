"""Watching how pgring learns PostgreSQL's limits: in its own log, and in PostgreSQL's."""

import re
import threading
import time
from datetime import datetime

from harness.wait import until

DEBUG = {"log": {"level": "debug"}}
QUESTION = "/* pgring: the limits and connections of this server */"
# What PostgreSQL says of a text, by its log_line_prefix "%m [%p] %u@%d ".
STATEMENT = re.compile(r"^(\S+ \S+) \S+ \[(\d+)\] (\S+)@(\S+) LOG:  statement: (.*)$", re.M)


def learned(pooler):
    """The fields of each debug line about learned limits, oldest first."""
    return [dict(re.findall(r'(\w+)="?([^" ]*)"?', line)) for line in pooler.log().splitlines()
            if "server limits learned" in line]


def latest(pooler):
    lines = learned(pooler)
    return lines[-1] if lines else {}


def others(pooler):
    return int(latest(pooler).get("others", -1))


def soon(condition, what, limit_s=2.0):
    """As until(), but within what is promised (and a little, for the test's own polling)."""
    began = time.monotonic()
    until(condition, what)
    assert time.monotonic() - began < limit_s + 0.3, what


class Statements:
    """What a PostgreSQL's log says from now on."""

    def __init__(self, server):
        self._server = server
        self._from = len(server.log())

    def __call__(self):
        """(time, backend pid, text) of each."""
        found = STATEMENT.findall(self._server.log()[self._from:])
        return [(datetime.strptime(when, "%Y-%m-%d %H:%M:%S.%f"), int(pid), text)
                for when, pid, _, _, text in found]

    def questions(self):
        return [entry for entry in self() if QUESTION in entry[2]]


class Load:
    """Threads that run `texts` over and over, each on a client of its own, while in `with`."""

    def __init__(self, raw, pooler, texts, threads=4, **login):
        self._clients = [raw(pooler).login(**login) for _ in range(threads)]
        self._stop = threading.Event()
        self._texts = texts
        self._threads = [threading.Thread(target=self._run, args=(client,))
                         for client in self._clients]
        self.rounds = 0
        self.wrong = []

    def _run(self, client):
        while not self._stop.is_set() and not self.wrong:
            for text in self._texts:
                answer = client.run(text)
                if any(got.kind == "E" for got in answer):
                    self.wrong.append(answer)
            self.rounds += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.rounds > 0 and not self.wrong, self.wrong
