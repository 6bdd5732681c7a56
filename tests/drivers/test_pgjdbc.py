"""pgjdbc logs in and runs transactions, batches and a cursor; see LogIn.java."""

import glob
import os
import shutil
import subprocess

import pytest
from harness.postgres import DATABASE

DRIVER = "/usr/share/java/postgresql.jar"
NO_TRACE = "-XX:-UsePerfData"  # else the JVM leaves a folder in /tmp
SOURCE = os.path.join(os.path.dirname(__file__), "LogIn.java")


def tool(name):
    """A program of a JDK, on the PATH or where Debian puts it."""
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/jvm/*/bin/{name}"))), None)
    assert found, f"no {name} on this machine: install a JDK"
    return found


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    assert os.path.exists(DRIVER), f"{DRIVER} is missing: install libpostgresql-jdbc-java"
    done = subprocess.run([tool("javac"), f"-J{NO_TRACE}", "-d", str(folder), SOURCE],
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
