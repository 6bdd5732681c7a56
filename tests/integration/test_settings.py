"""What a client sets is its own: on every server connection it meets, on none that another meets, gone with it."""

import pytest
from harness.raw import bind, errors, execute, parse, sync, unnamed
from harness.steer import prepared, rows, used

SIZE = 4

# What is set, the name to show, the value it then has, the value without it.
SETTINGS = [
    ("set work_mem = '6MB'", "work_mem", "6MB", "4MB"),
    ("set session statement_timeout = 65001", "statement_timeout", "65001ms", "0"),
    ("select set_config('lock_timeout', '7s', false)", "lock_timeout", "7s", "0"),
    ("set time zone 'Asia/Tokyo'", "timezone", "Asia/Tokyo", None),
    ("set names 'LATIN1'", "client_encoding", "LATIN1", "UTF8"),
    ("set session characteristics as transaction isolation level serializable",
     "default_transaction_isolation", "serializable", "read committed"),
    ("set search_path to pg_catalog, \"odd, name\", public", "search_path", 'pg_catalog, "odd, name", public',
     '"$user", public'),
    ("do $$ begin set enable_seqscan = off; end $$", "enable_seqscan", "off", "on"),
    ("update pg_settings set setting = 'off' where name = 'enable_hashjoin'", "enable_hashjoin", "off", "on"),
    ("/* no SET */ set /* here */ row_security = off", "row_security", "off", "on"),
    ("set xmloption = document", "xmloption", "document", "content"),
    ("set DateStyle = 'German'; set work_mem = '9MB'", "work_mem", "9MB", "4MB"),
    ("set temp_buffers = '2MB'", "temp_buffers", "2MB", "8MB"),
]
IDS = [name + str(number) for number, (_, name, _, _) in enumerate(SETTINGS)]
FOR_SHOW = "select coalesce(current_setting('{}', true), '')"


def send_simple(client, text):
    return client.run(text)


def send_extended(client, text):
    client.send(unnamed(text), sync())
    return client.ready()


def send_named(client, text):
    client.send(parse(text, "setter"), bind(statement="setter"), execute(), sync())
    return client.ready()


@pytest.mark.parametrize("how", [send_simple, send_extended, send_named])
@pytest.mark.parametrize("text, name, value, default", SETTINGS, ids=IDS)
def test_a_setting_follows_its_client_and_goes_with_it(pgring, raw, steer, how, text, name, value, default):
    if how is not send_simple and text.count("set") == 2 and ";" in text.split("$$")[0]:
        text = text.split("; ")[1]
    pooler = pgring(database={"pool_size": SIZE})
    held = steer(pooler, SIZE)
    client, other = raw(pooler).login(), raw(pooler).login()
    show = FOR_SHOW.format(name)
    with held.only(held.pids[0]):
        default = default or other.value(show)
    with held.only(held.pids[1]):
        assert not errors(how(client, text))
    for _ in range(2):
        assert held.everywhere(lambda: client.value(show)) == [value] * SIZE
        assert held.everywhere(lambda: other.value(show)) == [default] * SIZE
    client.close()
    assert held.everywhere(lambda: raw(pooler).login().value(show)) == [default] * SIZE


@pytest.mark.parametrize("texts, kept", [
    (["begin", "set work_mem = '5MB'", "commit"], "5MB"),
    (["begin", "set work_mem = '5MB'", "rollback"], "4MB"),
    (["begin; set work_mem = '5MB'; commit"], "5MB"),
    (["begin; set work_mem = '5MB'; rollback"], "4MB"),
    (["begin", "set work_mem = '5MB'", "select 1/0", "commit"], "4MB"),
    (["set work_mem = '5MB'; select 1/0"], "4MB"),
    (["begin", "savepoint s", "set work_mem = '5MB'", "rollback to s", "commit"], "4MB"),
    (["begin", "set work_mem = '5MB'", "savepoint s", "set work_mem = '6MB'", "rollback to s", "commit"], "5MB"),
    (["begin", "set local work_mem = '5MB'", "commit"], "4MB"),
    (["begin", "set work_mem = '5MB'", "set local work_mem = '6MB'", "commit"], "5MB"),
    (["begin; select set_config('work_mem', '5MB', true); commit"], "4MB"),
    (["set work_mem = '5MB'", "set work_mem to default"], "4MB"),
    (["set work_mem = '5MB'", "begin", "reset work_mem", "rollback"], "5MB"),
    (["set work_mem = '5MB'", "begin", "reset all", "rollback"], "5MB"),
    (["set work_mem = '5MB'", "begin", "reset all", "commit"], "4MB"),
    (["set work_mem = '5MB'", "discard all"], "4MB"),
    (["begin", "set work_mem = '5MB'", "commit and chain", "set work_mem = '6MB'", "rollback"], "5MB"),
], ids=" | ".join)
def test_a_setting_of_a_transaction_is_kept_as_postgresql_keeps_it(pgring, postgres, raw, steer, texts, kept):
    direct = raw(postgres).login()
    for text in texts:
        direct.run(text)
    assert direct.value("show work_mem") == kept
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        for text in texts:
            client.run(text)
    for _ in range(2):
        assert held.everywhere(lambda: client.value("show work_mem")) == [kept] * 2
        assert held.everywhere(lambda: other.value("show work_mem")) == ["4MB"] * 2


def test_a_set_in_a_failed_group_is_undone(pgring, raw, steer):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client = raw(pooler).login()
    with held.only(held.pids[0]):
        client.send(unnamed("set work_mem = '5MB'"), unnamed("select 1/0"), unnamed("set lock_timeout = '5s'"), sync(),
                    unnamed("set idle_session_timeout = '5h'"), sync())
        client.ready()
        client.ready()
    assert held.everywhere(lambda: client.value("show work_mem")) == ["4MB"] * 2
    assert held.everywhere(lambda: client.value("show lock_timeout")) == ["0"] * 2
    assert held.everywhere(lambda: client.value("show idle_session_timeout")) == ["5h"] * 2


@pytest.mark.parametrize("name, value", [
    ("my.x", "plain"), ("my.x", "it's \\ a \"quote\" $1 ;"), ("my.x", ""), ("My.CamelCase", "v"),
    ('my."odd name"', "v"), ("a.b.c", "nested"), ("my.x", "ü€\n\t"), ("my.x", "long " * 10000)],
    ids=lambda text: text[:12])
@pytest.mark.parametrize("how", ["set {name} = {value}", "select set_config({literal}, {value}, false)"],
                         ids=["set", "set_config"])
def test_a_custom_setting_follows_its_client(pgring, postgres, raw, steer, name, value, how):
    literal = "'" + name.replace('"', "") + "'"
    text = how.format(name=name, literal=literal, value="E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'")
    direct = raw(postgres).login()
    if errors(direct.run(text)):  # such names are not allowed: PostgreSQL says so
        assert '"' in name
        client = raw(pgring(database={"pool_size": 1})).login()
        assert errors(client.run(text)) == errors(direct.run(text))
        return
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        assert not errors(client.run(text))
    show = f"select coalesce(current_setting({literal}, true), '')"
    assert held.everywhere(lambda: client.value(show)) == [value] * 2
    assert held.everywhere(lambda: other.value(show)) == [""] * 2
    assert held.everywhere(lambda: client.value(show)) == [value] * 2
    with held.only(held.pids[1]):
        client.run("reset all")
    assert held.everywhere(lambda: client.value(show)) == [""] * 2


@pytest.mark.parametrize("text", [
    "perform set_config('my.done', 'mine', false)", "set my.done = 'mine'", "execute 'set my.' || 'done = 9'"])
def test_a_custom_setting_of_a_do_block_is_nobody_elses(pgring, raw, steer, text):
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    with held.only(held.pids[0]):
        assert not errors(client.run(f"do $$ begin {text}; end $$"))
    show = FOR_SHOW.format("my.done")
    assert held.everywhere(lambda: other.value(show)) == [""] * 2
    if "execute" not in text:
        assert held.everywhere(lambda: client.value(show)) == ["mine"] * 2


@pytest.mark.parametrize("name", ["my.parameter", "work_mem", "DateStyle"])
def test_a_setting_whose_name_is_a_parameter_is_nobody_elses(pgring, raw, steer, name):
    """set_config($1, $2, false): the text does not say what is set."""
    value = {"work_mem": "5MB", "DateStyle": "German, DMY"}.get(name, "mine")
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    show = FOR_SHOW.format(name)
    with held.only(held.pids[0]):
        default = other.value(show)
        prepared(client, "set", "select set_config($1, $2, false)")
        assert rows(used(client, "set", name, value)) == [[value]]
    assert held.everywhere(lambda: other.value(show)) == [default] * 2
    if name != "my.parameter":
        assert held.everywhere(lambda: client.value(show)) == [value] * 2


@pytest.mark.parametrize("name, value, default", [
    ("IntervalStyle", "iso_8601", "postgres"), ("application_name", "set by a function", ""),
    ("work_mem", "5MB", "4MB"), ("my.of_function", "mine", "")])
def test_what_a_function_sets_is_nobody_elses(pgring, postgres, raw, steer, name, value, default):
    postgres.admin.execute("create or replace function innocent(n text, v text) returns text language sql"
                           " as $$ select set_config(n, v, false) $$;"
                           f"create or replace function innocent() returns text language sql as "
                           f"$$ select innocent('{name}', '{value}') $$")
    pooler = pgring(database={"pool_size": 2})
    held = steer(pooler, 2)
    client, other = raw(pooler).login(), raw(pooler).login()
    show = FOR_SHOW.format(name)
    with held.only(held.pids[0]):
        assert client.value("select innocent()") == value
    assert held.everywhere(lambda: other.value(show)) == [default] * 2
    if name != "my.of_function":  # PostgreSQL lists it nowhere
        assert held.everywhere(lambda: client.value(show)) == [value] * 2
        assert held.everywhere(lambda: other.value(show)) == [default] * 2


def test_a_functions_own_set_clause_is_over_with_the_function(pgring, postgres, raw):
    postgres.admin.execute("create or replace function own_path() returns text language sql"
                           " set search_path = pg_catalog set IntervalStyle = iso_8601"
                           " as $$ select current_setting('search_path') $$")
    client = raw(pgring(database={"pool_size": 1})).login()
    for _ in range(2):
        assert client.value("select own_path()") == "pg_catalog"
        assert client.value("show search_path") == '"$user", public'
        assert client.value("show IntervalStyle") == "postgres"


@pytest.mark.parametrize("name, base, own", [
    ("work_mem", "6MB", "7MB"), ("TimeZone", "Asia/Tokyo", "America/Lima"), ("my.mark", "connected", "own")])
@pytest.mark.parametrize("reset", ["reset {}", "set {} to default", "reset all", "discard all"])
def test_connect_query_settings_are_where_reset_goes_back_to(pgring, raw, steer, name, base, own, reset):
    pooler = pgring(database={"pool_size": 2, "connect_query": f"set {name} = '{base}'"})
    client, other = raw(pooler).login(), raw(pooler).login(options=f"-c {name}=UTC" if name == "TimeZone" else "")
    held = steer(pooler, 2)
    show = FOR_SHOW.format(name)
    others = "UTC" if name == "TimeZone" else base
    assert held.everywhere(lambda: client.value(show)) == [base] * 2
    with held.only(held.pids[0]):
        client.run(f"set {name} = '{own}'")
    for _ in range(2):
        assert held.everywhere(lambda: client.value(show)) == [own] * 2
        assert held.everywhere(lambda: other.value(show)) == [others] * 2
    with held.only(held.pids[1]):
        client.run(reset.format(name))
    assert held.everywhere(lambda: client.value(show)) == [base] * 2
    assert held.everywhere(lambda: other.value(show)) == [others] * 2
    assert held.everywhere(lambda: raw(pooler).login().value(show)) == [base] * 2
