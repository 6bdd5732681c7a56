"""Go's database/sql with lib/pq; see transactions.go.

Known failures: `pq: unnamed prepared statement does not exist`, `pq: bind message supplies 3
parameters, but prepared statement "" requires 2` (lib/pq#889, grafana#74260), and at worst another
client's SQL that runs (pgbouncer#203).
"""

import pytest
from target import built_by_go


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return built_by_go("transactions.go", tmp_path_factory.mktemp("go"))


def test_lib_pq_works(target, ledger, tables, program):
    target.run([program])
    assert len(ledger()) == 1003
