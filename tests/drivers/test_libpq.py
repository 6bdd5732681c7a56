"""libpq's pipeline mode and libpqxx; see pipeline.cc and pqxx.cc."""

import pytest
from target import compiled


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


def test_libpq_in_pipeline_mode(target, ledger, folder):
    target.run([compiled("pipeline.cc", folder, "-I/usr/include/postgresql", "-lpq")])
    assert ledger() == ["one"] * 6 + ["two"] * 6


def test_libpqxx_works(target, ledger, folder):
    target.run([compiled("pqxx.cc", folder, "-Wno-deprecated-declarations", "-lpqxx", "-lpq")])
    assert len(ledger()) == 6
