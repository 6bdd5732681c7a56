"""Who may do what in the console: every command, every role, both protocols (CVE-2026-6667)."""

import psycopg
import pytest
from harness.pooler import CONSOLE_ADMIN, CONSOLE_VIEWER
from harness.raw import Closed, cstring, errors, message, query, sync

LOOKING = ("HELP", "VERSION", "CONFIG", "DATABASES", "POOLS", "CLIENTS", "SERVERS", "SHARDS", "LISTS", "STATE",
           "BUDGET", "WAITS", "PINS", "PINS_TOTALS", "STATEMENTS", "STATS", "STATS_TOTALS", "STATS_AVERAGES",
           "TOTALS", "TLS")
# By what they are listed as in SHOW HELP.
CHANGING = {
    "RELOAD": ["RELOAD", "reload;"],
    "PAUSE [<database>]": ["PAUSE", "PAUSE bench"],
    "RESUME [<database>]": ["RESUME", "RESUME bench"],
    "RECONNECT [<database>]": ["RECONNECT", "RECONNECT bench"],
    "KILL_CLIENT <client_id>": ["KILL_CLIENT 1", "KILL_CLIENT 999999"],
    "SHUTDOWN": ["SHUTDOWN"],
    "SHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS": ["SHUTDOWN WAIT_FOR_SERVERS", "SHUTDOWN WAIT_FOR_CLIENTS"],
}
ALL_CHANGING = [command for commands in CHANGING.values() for command in commands]


def parse(text):
    return message("P", cstring("") + cstring(text) + b"\0\0")


def bind_and_execute():
    return (message("B", cstring("") + cstring("") + b"\0\0" * 3)
            + message("E", cstring("") + b"\0\0\0\0"))


# Every way in which a text comes to be run.
WAYS = {
    "simple": lambda text: query(text),
    "behind another": lambda text: query(f"SHOW VERSION; {text}"),
    "extended": lambda text: parse(text) + bind_and_execute() + sync(),
}


@pytest.fixture
def pooler(pgring):
    return pgring()


def test_the_table_has_every_command(pooler, raw):
    console = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    (notice,) = [got for got in console.run("SHOW HELP") if got.kind == "N"]
    listed = [line.strip() for line in notice.fields["D"].split("\n") if line.strip()]
    shown = [topic for line in listed if line.startswith("SHOW ") for topic in line[5:].split("|")]
    assert sorted(shown) == sorted(LOOKING)
    assert sorted(line for line in listed if not line.startswith("SHOW ")) == sorted(CHANGING)


@pytest.mark.parametrize("way", WAYS)
def test_a_viewer_may_look_at_everything_and_change_nothing(pooler, raw, way):
    viewer = raw(pooler).login(CONSOLE_VIEWER, "pgring")
    for topic in LOOKING:
        viewer.send(WAYS[way](f"SHOW {topic}"))
        assert not errors(viewer.ready()), topic
    with pooler.connect() as working:
        for command in ALL_CHANGING:
            viewer.send(WAYS[way](command))
            assert [error[:2] for error in errors(viewer.ready())] == [("ERROR", "42501")], command
            assert working.execute("select 1").fetchone() == (1,)
        assert pooler.process.poll() is None


def test_a_viewer_cannot_prepare_first_and_run_later(pooler, raw):
    viewer = raw(pooler).login(CONSOLE_VIEWER, "pgring")
    viewer.send(message("P", cstring("kept") + cstring("SHUTDOWN") + b"\0\0") + sync())
    viewer.ready()
    viewer.send(message("B", cstring("") + cstring("kept") + b"\0\0" * 3)
                + message("E", cstring("") + b"\0\0\0\0") + sync())
    assert errors(viewer.ready())
    assert pooler.process.poll() is None


def test_an_admin_may_do_everything(pooler, raw):
    admin = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    for topic in LOOKING:
        assert not errors(admin.run(f"SHOW {topic}")), topic
    for command in ("RELOAD", "PAUSE bench", "RESUME bench", "PAUSE", "RESUME", "RECONNECT", "RECONNECT bench"):
        assert not errors(admin.run(command)), command
    victim = raw(pooler).login()
    (row,) = [row for row in pooler.show("CLIENTS") if row["user"] == "app_scram"]
    assert not errors(admin.run(f"KILL_CLIENT {row['id']}"))
    assert errors(victim.rest())[0][1] == "57P01"
    admin.send(query("SHUTDOWN"))
    assert pooler.wait_exit() == 0


@pytest.mark.parametrize("role", ["app_scram", "owner", "nobody_at_all"])
def test_others_do_not_come_in(pooler, raw, role):
    for database in ("pgring", "pgbouncer"):
        with pytest.raises(Closed) as refused:
            raw(pooler).login(role, database)
        assert errors(refused.value.seen)[0][1] == ("28P01" if role == "nobody_at_all" else "42501")


def test_rights_that_a_reload_takes_away_are_gone_at_once(pooler, raw):
    admin = raw(pooler).login(CONSOLE_ADMIN, "pgring")
    viewer = raw(pooler).login(CONSOLE_VIEWER, "pgring")
    pooler.write_config({"console": {"admins": ["owner"], "viewers": [CONSOLE_ADMIN]}})
    assert not errors(admin.run("RELOAD"))
    assert errors(admin.run("RELOAD"))[0][1] == "42501"
    assert not errors(admin.run("SHOW VERSION"))
    assert errors(viewer.run("SHOW VERSION"))[0][1] == "42501"


def test_a_client_of_a_database_cannot_reach_the_console_by_its_commands(pooler):
    with pooler.connect() as client:
        with pytest.raises(psycopg.errors.SyntaxError):
            client.execute("KILL_CLIENT 1")
