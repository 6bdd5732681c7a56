"""The console: PgBouncer's columns, commands in both protocols, viewers only look."""

import pytest
from harness.pooler import CONSOLE_ADMIN, CONSOLE_VIEWER, plain_userlist
from harness.raw import Closed, errors, kinds, query, sync, unnamed
from harness.wait import stays, until

SOCKET_COLUMNS = (
    "type user database replication state addr port local_addr local_port connect_time request_time"
    " wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id")
COLUMNS = {
    "VERSION": "version",
    "CLIENTS": SOCKET_COLUMNS,
    "SERVERS": SOCKET_COLUMNS,
    "POOLS": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req"
             " sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login"
             " maxwait maxwait_us pool_mode load_balance_hosts",
    "DATABASES": "name host port database force_user pool_size min_pool_size reserve_pool_size"
                 " server_lifetime pool_mode load_balance_hosts max_connections current_connections"
                 " max_client_connections current_client_connections paused disabled",
    "CONFIG": "key value default changeable",
    "LISTS": "list items",
    "STATS": "database total_server_assignment_count total_xact_count total_query_count"
             " total_received total_sent total_xact_time total_query_time total_wait_time"
             " total_client_parse_count total_server_parse_count total_bind_count"
             " total_client_login_count avg_server_assignment_count avg_xact_count avg_query_count"
             " avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time avg_client_parse_count"
             " avg_server_parse_count avg_bind_count avg_client_login_count",
}
LISTS = ("databases users peers pools peer_pools free_clients used_clients login_clients"
         " free_servers used_servers dns_names dns_zones dns_queries dns_pending")


@pytest.fixture
def pooler(pgring):
    return pgring(changes={"database": {"bench": {"server": "main", "pool_size": 3}}})


@pytest.mark.parametrize("what", COLUMNS)
def test_show_has_pgbouncers_columns_in_both_protocols(pooler, raw, what):
    busy = raw(pooler).login()
    busy.run("begin")
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    answer = console.run(f"show {what}")
    assert answer[0].kind == "T" and answer[0].names == COLUMNS[what].split()
    assert answer[-2].tag == "SHOW" and answer[-1].status == "I"
    rows = [got.columns for got in answer if got.kind == "D"]
    assert rows and all(len(row) == len(answer[0].names) for row in rows)
    console.send(unnamed(f"SHOW {what}"), sync())
    extended = console.ready()
    assert kinds(extended)[:3] == "12T" and kinds(extended)[-2:] == "CZ"
    assert extended[2].names == COLUMNS[what].split()


def test_the_database_pgbouncer_is_the_console_too(pooler, raw):
    for dbname in ("pgring", "pgbouncer"):
        console = raw(pooler).login(CONSOLE_ADMIN, dbname)
        (row,) = [got.columns for got in console.run("SHOW VERSION") if got.kind == "D"]
        assert "pgring" in row[0]


def test_psycopg_reads_the_console_by_the_extended_protocol(pooler):
    with pooler.console() as console:
        assert console.execute("SHOW VERSION").fetchone()
        names = [column.name for column in console.execute("show lists").description]
        assert names == ["list", "items"]
        assert console.execute("SHOW DATABASES;").fetchall()


def test_commands_are_taken_in_any_case_and_nonsense_is_an_error(pooler, raw):
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    for text in ("show version", "SHOW VERSION;", "  Show\n Version ; "):
        assert kinds(console.run(text)) == "TDCZ"
    for text in ("SHOW NONSENSE", "nonsense", "SHOW", "select 1 from", "'", '"', "x" * 10000):
        answer = console.run(text)
        assert kinds(answer) == "EZ", text
        assert errors(answer)[0][0] == "ERROR" and errors(answer)[0][1]
    assert kinds(console.run("show version")) == "TDCZ"


def test_lists_counts_what_there_is(pooler, raw):
    before = {row["list"]: int(row["items"]) for row in pooler.show("LISTS")}
    assert set(LISTS.split()) <= set(before)
    clients = [raw(pooler).login() for _ in range(4)]
    clients[0].run("begin")
    after = {row["list"]: int(row["items"]) for row in pooler.show("LISTS")}
    assert after["used_clients"] == before["used_clients"] + 4
    assert after["used_servers"] == before["used_servers"] + 1


def test_pools_clients_and_servers_show_who_does_what(pooler, postgres, raw):
    busy, idle, waiters = raw(pooler).login(application_name="busy"), raw(pooler).login(), []
    busy.run("begin")
    pid = int(busy.value("select pg_backend_pid()"))
    (server,) = [row for row in pooler.show("SERVERS") if row["remote_pid"] == str(pid)]
    assert (server["database"], server["user"], server["state"]) == ("bench", "app_scram", "active")
    (client,) = [row for row in pooler.show("CLIENTS") if row["application_name"] == "busy"]
    assert (client["type"], client["state"], client["database"]) == ("C", "active", "bench")
    assert client["link"] == server["ptr"] and server["link"] == client["ptr"]
    for _ in range(2):
        holder = raw(pooler).login()
        holder.run("begin")
    for _ in range(2):
        waiters.append(raw(pooler).login())
        waiters[-1].send(query("select 1"))

    def pool():
        (row,) = [row for row in pooler.show("POOLS") if row["database"] == "bench"]
        return row

    until(lambda: pool()["cl_waiting"] == "2", "two clients wait")
    assert pool()["sv_active"] == "3" and pool()["sv_idle"] == "0"
    assert pool()["pool_mode"] == "transaction"
    assert idle.value is not None
    busy.run("commit")
    for waiter in waiters:
        waiter.ready()
    assert pool()["cl_waiting"] == "0" and pool()["sv_active"] == "2"


def test_stats_count_transactions_queries_and_bytes(pooler, raw):
    def totals():
        (row,) = [row for row in pooler.show("STATS") if row["database"] == "bench"]
        return {name: int(value) for name, value in row.items() if name.startswith("total_")}

    client = raw(pooler).login()
    client.run("select 1")
    before = totals()
    for _ in range(10):
        client.run("select 1")
    for text in ("begin", "select 2", "select 3", "commit"):
        client.run(text)
    client.run("select repeat('x', 100000)")
    after = totals()
    assert after["total_xact_count"] - before["total_xact_count"] == 12
    assert after["total_query_count"] - before["total_query_count"] == 15
    assert after["total_sent"] - before["total_sent"] > 100000
    assert 0 < after["total_received"] - before["total_received"] < 2000
    assert after["total_query_time"] > before["total_query_time"]


def test_show_shards_has_a_row_per_shard(pgring):
    assert len(pgring(changes={"shards": {"count": 3}}).show("SHARDS")) == 3


def test_config_shows_what_runs(pooler):
    config = {row["key"]: row for row in pooler.show("CONFIG")}
    assert any(str(pooler.port) == row["value"] for row in config.values())
    assert {row["changeable"] for row in config.values()} == {"yes", "no"}


def test_databases_show_size_and_limits(pooler):
    (row,) = [row for row in pooler.show("DATABASES") if row["name"] == "bench"]
    assert (row["pool_size"], row["database"], row["paused"]) == ("3", "bench", "0")
    assert row["host"] == pooler.postgres.socket_dir and row["port"] == str(pooler.postgres.port)


def test_databases_show_reserve_and_limit_as_pgbouncer_does(pgring, raw):
    pooler = pgring(changes={"database": {
        "bench": {"server": "main", "min_pool_size": 2, "reserve_pool_size": 4, "max_connections": 25},
        "free": {"server": "main", "dbname": "bench"}}})
    rows = {row["name"]: row for row in pooler.show("DATABASES")}
    shown = ("pool_size", "min_pool_size", "reserve_pool_size", "max_connections")
    assert [rows["bench"][column] for column in shown] == ["20", "2", "4", "25"]
    assert [rows["free"][column] for column in shown] == ["20", "0", "0", "0"]  # 0 is unlimited
    pooler.write_config({"database": {"bench": {"reserve_pool_size": 5, "max_connections": 26,
                                                "weight": 3}}})
    assert raw(pooler).login(CONSOLE_ADMIN, "pgring").run("RELOAD")[0].tag == "RELOAD"
    (row,) = [row for row in pooler.show("DATABASES") if row["name"] == "bench"]
    assert (row["reserve_pool_size"], row["max_connections"]) == ("5", "26")
    config = {row["key"]: row for row in pooler.show("CONFIG")}
    assert config["database.bench.weight"]["value"] == "3"
    assert config["database.free.max_connections"]["value"] == "unlimited"
    assert config["server.main.max_connections"]["value"] == "auto"
    assert (config["server.main.keep_free"]["value"],
            config["server.main.keep_free"]["changeable"]) == ("3", "yes")


def test_pause_waits_for_transactions_then_holds_everybody_until_resume(pooler, postgres, raw):
    busy, other = raw(pooler).login(), raw(pooler).login()
    busy.run("begin")
    console, looker = (raw(pooler).login(CONSOLE_ADMIN, "pgring") for _ in range(2))
    console.send(query("PAUSE"))
    until(lambda: [got.columns for got in looker.run("SHOW DATABASES") if got.kind == "D"],
          "the console answers meanwhile")
    assert busy.value("select 1") == "1"
    busy.run("commit")
    answer = console.ready()
    assert answer[0].tag == "PAUSE"
    other.send(query("select 2"))
    stays(lambda: not postgres.backends("state = 'active'"), "nothing runs while paused", 0.5)
    assert looker.run("RESUME")[0].tag == "RESUME"
    assert kinds(other.ready()) == "TDCZ"


def test_pause_of_one_database_leaves_the_others_running(pooler, raw):
    other, paused = raw(pooler).login(dbname="postgres"), raw(pooler).login(dbname="bench")
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    assert console.run("PAUSE bench")[0].tag == "PAUSE"
    paused.send(query("select 1"))
    assert other.value("select 2") == "2"
    # [database."*"] covers any name: one may be paused before anybody has used it. The console may not.
    assert kinds(console.run("PAUSE nobody_has_used_this")) == "CZ"
    assert kinds(console.run("PAUSE pgring")) == "EZ"
    assert console.run("RESUME bench")[0].tag == "RESUME"
    assert kinds(paused.ready()) == "TDCZ"


def test_reload_takes_new_limits_and_a_new_userlist(pgring, raw):
    pooler = pgring(userlist=plain_userlist((CONSOLE_ADMIN, "app_scram")),
                    changes={"database": {"bench": {"server": "main", "pool_size": 3}}})
    with pytest.raises(Closed) as refused:
        raw(pooler).login("app_md5")
    assert errors(refused.value.seen)[0][1] == "28P01"
    pooler.write_config({"database": {"bench": {"pool_size": 7}}})
    pooler.write_userlist(plain_userlist())
    assert raw(pooler).login(CONSOLE_ADMIN, "pgring").run("RELOAD")[0].tag == "RELOAD"
    (row,) = [row for row in pooler.show("DATABASES") if row["name"] == "bench"]
    assert row["pool_size"] == "7"
    assert raw(pooler).login("app_md5").value("select session_user") == "app_md5"


def test_a_reload_of_a_broken_file_is_an_error_and_changes_nothing(pooler, raw):
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    with open(pooler.config_path, "a") as config:
        config.write("\nthis is not toml\n")
    answer = console.run("RELOAD")
    assert kinds(answer) == "EZ" and errors(answer)[0][1]
    assert raw(pooler).login().value("select 1") == "1"


@pytest.mark.parametrize("command", ["RELOAD", "PAUSE", "RESUME", "SHUTDOWN"])
def test_a_viewer_looks_but_does_not_touch(pooler, raw, command):
    viewer = raw(pooler).login(CONSOLE_VIEWER, "pgring")
    assert kinds(viewer.run("SHOW VERSION")) == "TDCZ"
    for attempt in ([query(command)], [unnamed(command), sync()]):
        viewer.send(*attempt)
        answer = viewer.ready()
        assert errors(answer) and errors(answer)[0][1] == "42501"
    assert raw(pooler).login().value("select 1") == "1"


def test_others_cannot_enter_the_console(pooler, raw):
    for dbname in ("pgring", "pgbouncer"):
        with pytest.raises(Closed) as refused:
            raw(pooler).login("app_scram", dbname)
        assert errors(refused.value.seen)[0][0] == "FATAL"
    with pytest.raises(Closed) as refused:
        raw(pooler).login(CONSOLE_ADMIN, "pgring", secret="wrong")
    assert errors(refused.value.seen)[0][1] == "28P01"


@pytest.mark.parametrize("command", ["SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS",
                                     "SHUTDOWN WAIT_FOR_SERVERS"])
def test_shutdown_ends_the_process_cleanly(pooler, raw, command):
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    console.send(query(command))
    try:
        assert not errors(console.until("Z"))
    except Closed as end:
        assert not errors(end.seen) or errors(end.seen)[0][1] == "57P01"
    console.close()
    assert pooler.wait_exit() == 0
