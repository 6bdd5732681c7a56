"""Waiting for conditions, ports, and processes that must not outlive the tests."""

import ctypes
import os
import random
import signal
import socket
import time

# Sanitizers and a shared machine slow everything down: deadlines are for hangs, not for speed.
DEADLINE_S = float(os.environ.get("PGRING_TEST_DEADLINE", "20"))

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PORTS = range(15000, 32000)
_WORKERS_MAX = 8


def until(condition, what, deadline_s=None):
    """Polls `condition` until it is true and returns its value; fails naming `what`."""
    limit = DEADLINE_S if deadline_s is None else deadline_s
    end = time.monotonic() + limit
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {limit:g} s still not so: {what} (last value {value!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def stays(condition, what, for_s):
    """Asserts that `condition` is true at every poll of the next `for_s` seconds.

    For promises of the kind "nothing happens", which no event can announce.
    """
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert condition(), f"no longer so: {what}"
        time.sleep(0.01)


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    """A port that is free now and outside the ephemeral range, so that no client takes it.

    Each of pytest's workers has ports of its own: what one has chosen and not bound yet is safe.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _PORTS.start + worker % _WORKERS_MAX
    for _ in range(200):
        port = random.choice(range(first, _PORTS.stop, _WORKERS_MAX))
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port found in 200 tries")


def die_with_parent(signum):
    """For `preexec_fn`: the kernel ends the child if pytest itself is killed."""

    def arm():
        _libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    return arm
