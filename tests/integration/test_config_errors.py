"""The command line and the config: errors name the place, the cause and the fix."""

import re
import subprocess

import pytest
from harness.pooler import binary
from harness.raw import RawClient
from harness.wait import until

EX_CONFIG = 78

GOOD = """[listen]
port = 6432
unix_socket_dir = ""

[server.main]
host = "/tmp"

[database."*"]
server = "main"

[auth]
method = "trust"
"""


def run(*arguments, timeout_s=30):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True,
                          timeout=timeout_s)


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "pgring.toml"
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    return make


def place(text, needle):
    """line:column of `needle` in `text`, both from 1."""
    before = text[:text.index(needle)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


# replaced part of GOOD, replacement, where the message points, words it must have
BAD = {
    "an unknown key": ("port = 6432", "prot = 6432", "prot", ["prot", "port"]),
    "an unknown table": ("[auth]", "[auht]", "auht", ["auht", "auth"]),
    "a number where a duration is due": (
        "[auth]", "[timeouts]\nquery_wait = 120\n[auth]", "120", ["query_wait", '"120s"']),
    "a bad duration": (
        "[auth]", '[timeouts]\nquery_wait = "12 parsecs"\n[auth]', '"12 parsecs"', ["query_wait"]),
    "text where a number is due": ("6432", '"6432"', '"6432"', ["port"]),
    "a port too large": ("6432", "65536", "65536", ["port", "65535"]),
    "a negative limit": ("6432", "6432\nmax_clients = -1", "-1", ["max_clients"]),
    "an unknown method": ('"trust"', '"sha1"', '"sha1"', ["method", "scram-sha-256"]),
    "a nearly right mode": (
        'server = "main"', 'server = "main"\npool_mode = "transactions"', '"transactions"',
        ["pool_mode", "transaction", "session", "statement"]),
    "a server that is not there": ('server = "main"', 'server = "mian"', '"mian"',
                                   ["mian", "main"]),
    "a bad size": ("[auth]", '[ring]\nclient_buffer_size = "lots"\n[auth]', '"lots"',
                   ["client_buffer_size"]),
    "a duration that must not be off": (
        "[auth]", '[timeouts]\nserver_login_retry = "off"\n[auth]', '"off"',
        ["server_login_retry", "cannot be off"]),
    "a retry without a wait": (
        "[auth]", '[timeouts]\nserver_login_retry = "0s"\n[auth]', '"0s"',
        ["server_login_retry", "cannot be off"]),
    "a cap of nothing": ('"/tmp"', '"/tmp"\nmax_connections = 0', "0\n\n[database",
                         ["server.main.max_connections", '"auto"', "PostgreSQL"]),
    "fewer than no slots left free": ('"/tmp"', '"/tmp"\nkeep_free = -1', "-1", ["keep_free"]),
    "no weight": ('server = "main"', 'server = "main"\nweight = 0', "0\n\n[auth",
                  ["weight", "1 to 1000", "relative"]),
    "a role's weight too large": ("[auth]", "[role.app]\nweight = 1001\n[auth]", "1001",
                                  ["role.app.weight", "1 to 1000"]),
    "a wait for the reserve without unit": (
        'server = "main"', 'server = "main"\nreserve_pool_timeout = 5', "5\n\n[auth",
        ["reserve_pool_timeout", '"5s"']),
    "a minimum above the pool's size": (
        'server = "main"', 'server = "main"\npool_size = 4\nmin_pool_size = 7', "7\n\n[auth",
        ["min_pool_size", "pool_size (4)", "lower min_pool_size"]),
    "a minimum above the database's limit": (
        'server = "main"', 'server = "main"\nmax_connections = 4\nmin_pool_size = 7', "7\n\n[auth",
        ["min_pool_size", "max_connections (4)", "lower min_pool_size"]),
    "a minimum above the server's cap": (
        'server = "main"', 'server = "small"\nmin_pool_size = 7\n[server.small]\nmax_connections = 4',
        "7\n[server", ["min_pool_size", "server.small.max_connections (4)"]),
    "minima that sum above the server's cap": (
        '"/tmp"', '"/tmp"\nmax_connections = 8\n[database.a]\nuser = "u"\nmin_pool_size = 4\n'
        '[database.b]\nuser = "v"\nmin_pool_size = 5', "8\n[database",
        ["server.main.max_connections", "database.a (4)", "database.b (5)", "lower a min_pool_size"]),
    "minima that sum above the role's limit": (
        "[auth]", '[role.u]\nmax_connections = 8\n[database.a]\nuser = "u"\nmin_pool_size = 4\n'
        '[database.b]\nuser = "u"\nmin_pool_size = 5\n[auth]', "8\n[database",
        ["role.u.max_connections", "database.a (4)", "database.b (5)", "raise max_connections"]),
    "an unknown capability": ("[auth]", '[ring]\ndisable = ["min_weight"]\n[auth]', '"min_weight"',
                              ["min_weight", "min_wait"]),
}


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("name", BAD)
def test_a_config_error_names_its_place_and_what_was_expected(write, name, command):
    old, new, needle, words = BAD[name]
    text = GOOD.replace(old, new, 1)
    path = write(text)
    done = run(command, path)
    assert done.returncode == EX_CONFIG, done
    said = done.stdout + done.stderr
    assert f"{path}:{place(text, needle)}:" in said
    assert all(word in said for word in words), said


@pytest.mark.parametrize("broken", ["[listen\nport = 1\n", "[listen]\nport = \n", "\0\0\0",
                                    "[listen]\nport = 1\nport = 2\n", "\xff\xfe", "x" * 100000])
def test_a_file_that_is_not_toml_is_an_error_with_a_place(write, broken):
    path = write(broken)
    done = run("run", path)
    assert done.returncode == EX_CONFIG, done
    assert re.search(re.escape(path) + r":\d+:\d+:", done.stdout + done.stderr)


def test_all_errors_are_shown_at_once(write):
    text = (GOOD.replace("port = 6432", 'port = "x"\nbackolg = 1')
            .replace('"trust"', '"nothing"').replace('"main"\n\n[auth]', '"other"\n\n[auth]'))
    done = run("check", write(text))
    assert done.returncode == EX_CONFIG
    said = done.stdout + done.stderr
    for needle in ('"x"', "backolg", '"nothing"', '"other"'):
        assert f":{place(text, needle)}:" in said, said


def test_a_reserve_that_nobody_can_reach_is_warned_about_and_no_error(write):
    text = GOOD.replace('server = "main"',
                        'server = "main"\nreserve_pool_size = 5\nreserve_pool_timeout = "off"')
    path = write(text)
    done = run("check", path)
    assert done.returncode == 0, done
    assert f"{path}:{place(text, chr(34) + 'off')}: warning: " in done.stderr
    assert "reserve_pool_timeout" in done.stderr and "never used" in done.stderr


def test_check_says_what_would_run(write):
    done = run("check", write(GOOD))
    assert done.returncode == 0, done
    assert "6432" in done.stdout and "main" in done.stdout


def test_check_starts_nothing_and_shows_no_password(write):
    text = GOOD.replace('server = "main"',
                        'server = "main"\nuser = "app"\npassword = "very secret"')
    done = run("check", write(text))
    assert done.returncode == 0, done
    assert "very secret" not in done.stdout + done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = f"{tmp_path}/nowhere.toml"
    done = run("run", path)
    assert done.returncode == EX_CONFIG
    assert path in done.stderr and "No such file" in done.stderr


def test_a_userlist_that_is_not_there_or_broken_is_named(write, tmp_path):
    userlist = tmp_path / "userlist.txt"
    text = GOOD.replace('"trust"', f'"scram-sha-256"\nfile = "{userlist}"')
    done = run("run", write(text))
    assert done.returncode == EX_CONFIG and str(userlist) in done.stderr
    userlist.write_text('"good" "hunter-two"\n"broken "hunter-three\n')
    done = run("run", write(text))
    assert done.returncode == EX_CONFIG and f"{userlist}:2" in done.stderr
    assert "hunter" not in done.stderr


def test_help_and_version_are_printed():
    done = run("--help")
    assert done.returncode == 0 and "pgring" in done.stdout and "check" in done.stdout
    done = run("--version")
    assert done.returncode == 0 and re.search(r"pgring \d+\.\d+", done.stdout)


@pytest.mark.parametrize("arguments", [[], ["--nonsense"], ["run"], ["check"], ["a", "b", "c"]])
def test_a_wrong_command_line_is_an_error_that_points_to_the_help(arguments):
    done = run(*arguments)
    assert done.returncode != 0
    assert "--help" in done.stderr


def test_the_file_alone_means_run(pgring_idle):
    pooler = pgring_idle()
    done = run("check", pooler.config_path)
    assert done.returncode == 0, done
    process = subprocess.Popen([binary(), pooler.config_path], stderr=subprocess.PIPE)
    try:
        def answers():
            assert process.poll() is None, process.stderr.read()
            try:
                client = RawClient(pooler)
            except OSError:
                return False
            try:
                return client.login().value("select 1") == "1"
            finally:
                client.close()

        until(answers, "pgring serves clients")
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
