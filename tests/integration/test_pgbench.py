"""pgbench runs clean in every protocol, transport, pool mode and shard count it must."""

import itertools

import pytest
from harness import pgbench

SCRIPTS = {"select": pgbench.SELECT, "tpcb": pgbench.TPCB}
MATRIX = [case for case in itertools.product(("simple", "extended", "prepared"), ("tcp", "unix"),
                                             ("transaction", "session"), (1, 4))
          # Named statements need a session until pgring renames them.
          if not (case[0] == "prepared" and case[2] == "transaction")]


def host_of(pgring, transport):
    return pgring.socket_dir if transport == "unix" else pgring.host


@pytest.mark.parametrize("protocol, transport, pool_mode, shards", MATRIX)
def test_select_and_tpcb_run_clean(pgring, postgres, protocol, transport, pool_mode, shards):
    # Clients fewer than servers in session mode: each holds one for the whole run.
    pooler = pgring(database={"pool_mode": pool_mode, "pool_size": 8},
                    changes={"shards": {"count": shards}})
    before = postgres.value("select coalesce(sum(delta), 0) from pgbench_history")
    balance = postgres.value("select sum(abalance) from pgbench_accounts")
    for script in SCRIPTS.values():
        pgbench.run(pooler, *script, host=host_of(pooler, transport), mode=protocol)
    # TPC-B's own invariant: every transaction was committed exactly once.
    added = postgres.value("select coalesce(sum(delta), 0) from pgbench_history") - before
    assert postgres.value("select sum(abalance) from pgbench_accounts") - balance == added


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_500_clients_share_10_server_connections(pgring, postgres, protocol, transport, shards):
    # Without passwords: eight times 500 SCRAM logins would measure hashing.
    pooler = pgring(database={"pool_size": 10},
                    changes={"shards": {"count": shards}, "auth": {"method": "trust"}})
    with pgbench.BackendCounter(postgres) as counter:
        pgbench.run(pooler, *pgbench.SELECT, host=host_of(pooler, transport), mode=protocol,
                    clients=500, threads=2, transactions=6)
    assert 1 <= counter.most <= 10


@pytest.mark.parametrize("shards", [1, 4])
def test_500_clients_run_tpcb_on_10_server_connections(pgring, postgres, shards):
    pooler = pgring(database={"pool_size": 10}, changes={"shards": {"count": shards}})
    rows = postgres.value("select count(*) from pgbench_history")
    with pgbench.BackendCounter(postgres) as counter:
        pgbench.run(pooler, *pgbench.TPCB, clients=500, threads=500, transactions=2)
    assert 1 <= counter.most <= 10
    assert postgres.value("select count(*) from pgbench_history") - rows == 1000


@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_500_session_clients_take_turns_on_10_server_connections(pgring, postgres, protocol):
    # One thread per client: pgbench prepares with a blocking call.
    pooler = pgring(database={"pool_size": 10, "pool_mode": "session"})
    with pgbench.BackendCounter(postgres) as counter:
        pgbench.run(pooler, *pgbench.SELECT, mode=protocol, clients=500, threads=500,
                    transactions=2)
    assert 1 <= counter.most <= 10


def test_a_connection_per_transaction_runs_clean(pgring):
    pgbench.run(pgring(database={"pool_size": 4}), *pgbench.SELECT, "-C", clients=10,
                transactions=10)


def test_two_roles_have_two_pools_of_their_own_size(pgring, postgres):
    pooler = pgring(database={"pool_size": 3})
    for user in ("app_scram", "app_md5"):
        pgbench.run(pooler, *pgbench.SELECT, user=user, clients=20)
    for user in ("app_scram", "app_md5"):
        assert 1 <= len(postgres.backends(f"usename = '{user}'")) <= 3


@pytest.mark.parametrize("capability", ["min_wait", "credit_receive", "send_vectorized"])
def test_pgbench_runs_clean_without_one_kernel_capability(pgring, capability):
    pooler = pgring(changes={"ring": {"disable": [capability]}, "shards": {"count": 2}})
    for script in SCRIPTS.values():
        pgbench.run(pooler, *script, mode="extended", clients=30, threads=30, transactions=20)


def test_pgbench_runs_clean_without_any_optional_kernel_capability(pgring):
    disabled = ["min_wait", "credit_receive", "send_vectorized"]
    pooler = pgring(changes={"ring": {"disable": disabled}, "shards": {"count": 4}})
    for script in SCRIPTS.values():
        pgbench.run(pooler, *script, clients=30, threads=30, transactions=20)
