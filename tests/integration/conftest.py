"""Fixtures and options of the integration tests. PGRING names the binary under test."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness.auth_query import asked, asking, new_role  # noqa: E402,F401
from harness.fixtures import (  # noqa: E402,F401
    many_files, opened, own_postgres, pgring, pgring_idle, postgres, raw, shared_small_postgres,
    small_pgring, small_postgres, steer)
from harness.pooler import binary  # noqa: E402
from harness.replication import front, publisher  # noqa: E402,F401
from harness.tls import authority, certificate, tls_pgring  # noqa: E402,F401

TEST_LIMIT_S = 300  # no test hangs the run
LONG_TEST_LIMIT_S = 3600 + sum(int(os.environ.get(f"PGRING_{run}_SECONDS", "0")) for run in ("ISOLATION", "CLASSIFIER"))


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also run the tests marked `long`")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: minutes or gigabytes; runs with --long only")
    config.addinivalue_line("markers", "release: measures memory; runs with PGRING_BUILD=release")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up when timeout(1) ends us
    try:
        binary()  # a missing binary fails the run; nothing is skipped for it
    except AssertionError as failure:
        raise pytest.UsageError(str(failure)) from None


def pytest_collection_modifyitems(config, items):
    unwanted = []
    if not config.getoption("--long"):
        unwanted.append("long")
    if os.environ.get("PGRING_BUILD") != "release":
        unwanted.append("release")
    gone = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Ends a hanging test with a failure."""
    limit_s = LONG_TEST_LIMIT_S if item.get_closest_marker("long") else TEST_LIMIT_S

    def give_up(_signum, _frame):
        pytest.fail(f"the test ran for more than {limit_s} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(limit_s)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the log of each pgring of a failed test."""
    report = (yield).get_result()
    make = getattr(item, "funcargs", {}).get("pgring_idle")
    if report.when != "call" or not report.failed or make is None:
        return
    for process in make.made:
        if os.path.exists(process.log_path):
            report.sections.append((f"pgring log, port {process.port}", process.tail(120)))
