"""Fixtures of the drivers' tests: those of the integration tests. PGRING names the binary."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))

from harness.fixtures import (  # noqa: E402,F401
    opened, own_postgres, pgring, pgring_idle, postgres, raw)
from harness.pooler import binary  # noqa: E402


def pytest_configure(config):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up when timeout(1) ends us
    try:
        binary()  # a missing binary fails the run; nothing is skipped for it
    except AssertionError as failure:
        raise pytest.UsageError(str(failure)) from None


@pytest.fixture
def ledger(postgres):
    """A table for transactions: (word text)."""
    postgres.admin.execute("drop table if exists ledger; create table ledger (word text);"
                           " grant all on ledger to public")
    yield lambda: sorted(row[0] for row in
                         postgres.admin.execute("select word from ledger").fetchall())
    postgres.admin.execute("drop table ledger")


@pytest.fixture(params=["transaction", "session"])
def pooler(request, pgring):
    """A pooler in each pool mode; `named_statements` tells whether drivers may use them."""
    made = pgring(database={"pool_mode": request.param, "pool_size": 4})
    made.named_statements = request.param == "session"
    return made
