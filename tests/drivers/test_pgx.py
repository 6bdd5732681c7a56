"""Go's pgx 4 with its defaults and in its other modes; see pgx.go.

Known failures: `prepared statement "lrupsc_1_0" does not exist (SQLSTATE 26000)`, `... already exists
(SQLSTATE 42P05)` (pgx#602, #1590), `cached plan must not change result type` (pgbouncer#1038).
"""

import pytest
from target import built_by_go

MODES = {"prepared": "statement_cache_mode=prepare", "described": "statement_cache_mode=describe",
         "uncached": "statement_cache_capacity=0", "simple": "prefer_simple_protocol=true"}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return built_by_go("pgx.go", tmp_path_factory.mktemp("go"))


@pytest.mark.parametrize("mode", MODES)
def test_pgx_works(target, ledger, tables, program, mode):
    target.run([program, MODES[mode]])
    assert ledger() == ["copied"] * 300 + ["kept"] * 3
