"""pgjdbc logs in and works, with statements prepared at once and by its defaults.

See LogIn.java and Prepared.java. Known failures: `prepared statement "S_1" already exists`
(pgjdbc#869, #742), `unsupported startup parameter`.
"""

import glob
import os
import shutil
import subprocess

import pytest
from harness.postgres import DATABASE
from target import FOLDER

DRIVER = "/usr/share/java/postgresql.jar"
NO_TRACE = "-XX:-UsePerfData"  # else the JVM leaves a folder in /tmp
SOURCES = [f"{FOLDER}/LogIn.java", f"{FOLDER}/Prepared.java"]


def tool(name):
    """A program of a JDK, on the PATH or where Debian puts it."""
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/jvm/*/bin/{name}"))), None)
    assert found, f"no {name} on this machine: install a JDK"
    return found


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    assert os.path.exists(DRIVER), f"{DRIVER} is missing: install libpostgresql-jdbc-java"
    done = subprocess.run([tool("javac"), f"-J{NO_TRACE}", "-cp", DRIVER, "-d", str(folder),
                           *SOURCES],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_pgjdbc_runs_transactions(pooler, ledger, classes):
    threshold = "5" if pooler.named_statements else "0"
    done = subprocess.run(
        [tool("java"), NO_TRACE, "-cp", f"{classes}:{DRIVER}", "LogIn",
         f"jdbc:postgresql://{pooler.host}:{pooler.port}/{DATABASE}", threshold],
        capture_output=True, text=True, env=pooler.libpq_env(), timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "ok", done.stdout + done.stderr
    assert len(ledger()) == 40


@pytest.mark.parametrize("threshold", ["1", "default"])
def test_pgjdbc_prepares_in_transaction_mode(target, ledger, tables, postgres, classes, threshold):
    postgres.admin.execute("".join(
        f"create schema app_{name}; grant all on schema app_{name} to public;"
        f"create table app_{name}.here as select '{name}'::text as word;"
        f"grant all on app_{name}.here to public;" for name in ("one", "two")))
    target.run([tool("java"), NO_TRACE, "-cp", f"{classes}:{DRIVER}", "Prepared",
                f"jdbc:postgresql://{target.host}:{target.port}/{DATABASE}", threshold])
    assert len(ledger()) == 2500
