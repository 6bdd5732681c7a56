"""Go's database/sql with lib/pq; see transactions.go.

Known failures: `pq: unnamed prepared statement does not exist`, `pq: bind message supplies 3
parameters, but prepared statement "" requires 2` (lib/pq#889, grafana#74260), and at worst another
client's SQL that runs (pgbouncer#203).
"""

import os
import shutil
import subprocess

import pytest
from target import FOLDER


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    assert shutil.which("go"), "no go on this machine: install golang-go"
    folder = tmp_path_factory.mktemp("go")
    done = subprocess.run(
        ["go", "build", "-o", f"{folder}/transactions", f"{FOLDER}/transactions.go"],
        capture_output=True, text=True, cwd=folder,
        env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
             "GOCACHE": f"{folder}/cache", "GOFLAGS": "", "CGO_ENABLED": "0"})
    assert done.returncode == 0, done.stderr
    return f"{folder}/transactions"


def test_lib_pq_works(target, ledger, tables, program):
    target.run([program])
    assert len(ledger()) == 1003
