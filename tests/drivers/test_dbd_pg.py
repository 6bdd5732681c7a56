"""Perl's DBD::Pg with its defaults: named statements on the server; see transactions.pl.

Known failure: `prepared statement "dbdpg_p123_1" does not exist`.
"""

from target import FOLDER


def test_dbd_pg_works(target, ledger):
    target.run(["/usr/bin/perl", f"{FOLDER}/transactions.pl"])
    assert len(ledger()) == 1006
