"""What the style and packaging tests share: the tree, its build, and a list of violations."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def tracked():
    """Paths in the tree, relative to its root, that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file())


@pytest.fixture(scope="session")
def build_folder():
    """The build folder of the binary that PGRING names."""
    return pathlib.Path(os.environ["PGRING"]).parents[1]


@pytest.fixture(scope="session")
def pgring_binary():
    path = pathlib.Path(os.environ["PGRING"])
    assert path.is_file(), f"{path} is missing; ./do build makes it"
    return path


def report(violations):
    """Fails with every violation, one a line, as file:line: what."""
    assert not violations, f"{len(violations)} violations\n" + "\n".join(violations)
