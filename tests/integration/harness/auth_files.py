"""What src/auth makes of hba and ident files and of regular expressions: a program of the build says it."""

import os
import subprocess

from harness.pooler import binary


def program():
    build = os.path.dirname(os.path.dirname(binary()))
    path = f"{build}/tests/auth_files/auth_file_rules"
    assert os.access(path, os.X_OK), f"{path} is not built"
    return path


def run(*words, stdin=""):
    """(accepted, lines of the answer)"""
    done = subprocess.run([program(), *words], input=stdin, capture_output=True, text=True)
    assert done.returncode in (0, 1) and not done.stderr, (done.returncode, done.stderr)
    return done.returncode == 0, done.stdout.splitlines()
