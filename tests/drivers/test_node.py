"""Node's drivers with their defaults: node-postgres and its companions, postgres.js, knex, Drizzle; see node/.

Known failures: `prepared statement "fetch-user" does not exist`, postgres.js#547 (its statements have random
names), `unsupported startup parameter: search_path` (postgres.js#423), notifications that never come
(pgbouncer#655).
"""

import os
import re
import shutil

import pytest
from harness.postgres import DATABASE
from target import FOLDER, ROLE

PROGRAMS = ("pg", "pg_streams", "postgresjs", "knex", "drizzle")
SCENARIO = re.compile(r'^scenario\("([^"]+)"', re.M)
INSTALLED = os.path.abspath(f"{FOLDER}/../../.do/node")
# How many rows a scenario leaves in the table ledger.
LEFT = {
    ("pg", "pool"): 180, ("pg", "transactions"): 3, ("pg", "pipeline"): 1, ("pg_streams", "copy"): 6000,
    ("postgresjs", "transactions"): 6, ("postgresjs", "its pool"): 180, ("postgresjs", "copy"): 6000,
    ("knex", "queries"): 502, ("knex", "transactions"): 6,
}


def scenarios():
    """(program, scenario) as the sources name them."""
    for program in PROGRAMS:
        with open(f"{FOLDER}/node/{program}.js", encoding="utf-8") as file:
            found = SCENARIO.findall(file.read())
        assert found, f"{program}.js has no scenario"
        yield from ((program, name) for name in found)


@pytest.fixture(scope="module")
def node():
    """The interpreter; the libraries are what ./do setup installed (scripts/setup.sh)."""
    found = shutil.which("node")
    assert found, "no node on this machine: run ./do setup"
    complaint = f"{INSTALLED}/failure"
    if os.path.exists(complaint):
        with open(complaint, encoding="utf-8") as file:
            pytest.fail(f"npm could not install the libraries of tests/drivers/node:\n{file.read()}", pytrace=False)
    assert os.path.isdir(f"{INSTALLED}/node_modules/pg"), f"no libraries in {INSTALLED}: run ./do setup"
    return found


@pytest.fixture
def may_create(postgres):
    """Drizzle's migrations make a schema."""
    postgres.admin.execute(f"grant create on database {DATABASE} to {ROLE}")
    yield
    postgres.admin.execute(f"revoke create on database {DATABASE} from {ROLE}")


@pytest.mark.parametrize("program, scenario", scenarios())
def test_node_works(may_create, target, ledger, tables, node, program, scenario):
    target.run([node, f"{FOLDER}/node/{program}.js", scenario], NODE_PATH=f"{INSTALLED}/node_modules")
    words = ledger()
    assert len(words) == LEFT.get((program, scenario), 0)
    assert not [word for word in words if "lost" in word]


def test_what_scenarios_leave_is_named_as_they_are():
    assert set(LEFT) <= set(scenarios())
