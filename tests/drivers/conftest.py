"""Fixtures of the drivers' tests: those of the integration tests, and a target in transaction mode.

PGRING names the binary. PGRING_DRIVERS_DIRECT=1 runs all against PostgreSQL itself.
"""

import contextlib
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))

from harness.fixtures import (  # noqa: E402,F401
    opened, own_postgres, pgring, pgring_idle, postgres, raw)
from harness.pooler import binary  # noqa: E402
from harness.wait import DEADLINE_S  # noqa: E402
from not_yet import NOT_YET  # noqa: E402
from target import DIRECT, POOL_SIZE, Direct, Target  # noqa: E402

TEST_LIMIT_S = 6 * DEADLINE_S  # no test hangs the run


def pytest_configure(config):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up when timeout(1) ends us
    if DIRECT:
        return
    try:
        binary()  # a missing binary fails the run; nothing is skipped for it
    except AssertionError as failure:
        raise pytest.UsageError(str(failure)) from None


def pytest_collection_modifyitems(items):
    """Marks what not_yet.py names; a name without a test is an error."""
    known, files = set(), set()
    for item in items:
        file = os.path.basename(item.location[0])
        files.add(file)
        for name in {f"{file}::{item.name}", f"{file}::{item.name.partition('[')[0]}"}:
            known.add(name)
            if name in NOT_YET and not DIRECT:
                item.add_marker(pytest.mark.xfail(reason=NOT_YET[name], strict=True))
    whole_files = not any("::" in argument for argument in sys.argv)
    strangers = {name for name in NOT_YET if name.partition("::")[0] in files} - known
    if whole_files and strangers:
        raise pytest.UsageError(f"not_yet.py names tests that do not exist: {sorted(strangers)}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call():
    """Ends a hanging test with a failure."""

    def give_up(_signum, _frame):
        pytest.fail(f"the test ran for more than {TEST_LIMIT_S:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(TEST_LIMIT_S))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the log of the pgring of a failed test."""
    report = (yield).get_result()
    make = getattr(item, "funcargs", {}).get("pgring_idle")
    if report.when == "call" and report.failed and make is not None:
        report.sections += [(f"pgring log, port {process.port}", process.tail(40))
                            for process in make.made if os.path.exists(process.log_path)]


@pytest.fixture
def ledger(postgres):
    """A table for transactions: (word text)."""
    postgres.admin.execute("drop table if exists ledger; create table ledger (word text);"
                           " grant all on ledger to public")
    yield lambda: sorted(row[0] for row in
                         postgres.admin.execute("select word from ledger").fetchall())
    postgres.admin.execute("drop table ledger")


@pytest.fixture
def tables(postgres):
    """Drops what a test has created in the schema public, and the schemas named app_%."""
    before = names(postgres)
    yield
    for kind, name in sorted(names(postgres) - before):
        postgres.admin.execute(f"drop {kind} if exists {name} cascade")


def names(postgres):
    return {tuple(row) for row in postgres.admin.execute(
        "select case relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end,"
        " quote_ident(relname) from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'S', 'v')"
        " union all select 'schema', nspname from pg_namespace where nspname like 'app\\_%'"
        " union all select 'type', typname from pg_type where typtype = 'e'").fetchall()}


@pytest.fixture(params=["direct"] if DIRECT else ["transaction", "session"])
def pooler(request):
    """A pooler in each pool mode; `named_statements` tells whether drivers may use them."""
    if DIRECT:
        return Direct(request.getfixturevalue("postgres"))
    made = request.getfixturevalue("pgring")(
        database={"pool_mode": request.param, "pool_size": 4})
    made.named_statements = request.param == "session"
    return made


@pytest.fixture
def target(request):
    """pgring in transaction mode, or PostgreSQL itself; see target.py."""
    for tables_of_the_test in {"ledger", "tables"} & set(request.fixturenames):
        request.getfixturevalue(tables_of_the_test)  # dropped after the connections are closed
    if DIRECT:
        server = Direct(request.getfixturevalue("postgres"))
    else:
        server = request.getfixturevalue("pgring")(
            lazy_begin=True, database={"pool_mode": "transaction", "pool_size": POOL_SIZE})
    with contextlib.ExitStack() as stack:
        yield Target(server, stack)
