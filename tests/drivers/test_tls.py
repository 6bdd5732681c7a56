"""Drivers with TLS of their own: asyncpg by sslmode, pgjdbc with channel binding's mechanism offered."""

import asyncio
import subprocess

import asyncpg
import pytest
from harness.postgres import DATABASE, password
from harness.tls import authority, certificate, tls_pgring  # noqa: F401
from target import DIRECT
from test_pgjdbc import DRIVER, NO_TRACE, classes, tool  # noqa: F401

pytestmark = pytest.mark.skipif(DIRECT, reason="about pgring's own TLS")

SSLMODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_asyncpg_gets_in_as_its_sslmode_says(pgring, tls_pgring, authority, mode):  # noqa: F811
    pooler = pgring() if mode == "disable" else tls_pgring(mode)

    async def attempt(sslmode):
        """Whether the connection is encrypted; None: there is none."""
        certificates = f"&sslrootcert={authority.certificate}" if "verify" in sslmode else ""
        try:
            connection = await asyncpg.connect(
                f"postgresql://app_scram:{password('app_scram')}@localhost:{pooler.port}/"
                f"{DATABASE}?sslmode={sslmode}{certificates}", statement_cache_size=0, timeout=30)
        except (asyncpg.PostgresError, OSError):
            return None
        try:
            assert await connection.fetchval("select 6 * 7") == 42
            return connection._transport.get_extra_info("ssl_object") is not None
        finally:
            await connection.close()

    for sslmode in SSLMODES:
        can, must = mode != "disable", mode == "require"
        if sslmode == "disable":
            expected = None if must else False
        elif sslmode == "allow":
            expected = must
        elif sslmode == "prefer":
            expected = can
        else:
            expected = True if can else None
        assert asyncio.run(attempt(sslmode)) is expected, sslmode


@pytest.mark.parametrize("sslmode", ["require", "verify-full"])
def test_pgjdbc_runs_transactions_over_tls(tls_pgring, authority, classes, ledger,  # noqa: F811
                                           sslmode):
    pooler = tls_pgring("require")
    done = subprocess.run(
        [tool("java"), NO_TRACE, "-cp", f"{classes}:{DRIVER}", "LogIn",
         f"jdbc:postgresql://localhost:{pooler.port}/{DATABASE}?sslmode={sslmode}"
         f"&sslrootcert={authority.certificate}", "5"],
        capture_output=True, text=True, env=pooler.libpq_env(), timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "ok", done.stdout + done.stderr
    assert len(ledger()) == 40
