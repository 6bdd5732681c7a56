"""SET and everything else that changes a session's parameters."""

from harness.differential import Script, group, pipeline, simple
from harness.postgres import OWNER
from harness.raw import parse, query, sync, unnamed
from harness.scripts.prepared import use
from harness.scripts.simple import each

WHO = "select current_user, session_user, current_setting('role'), current_setting('is_superuser')"
SCRIPTS = [
    Script("parameters that are reported", each(
        "set application_name = 'mine'", "show application_name", "set DateStyle = 'German, DMY'",
        "select date '2026-11-21'", "show DateStyle", "set TimeZone = 'Asia/Tokyo'",
        "select timestamptz '2026-11-21 00:00+00'", "set IntervalStyle = iso_8601",
        "select interval '1 day 2 hours'", "set client_encoding = LATIN1", "show client_encoding",
        "set standard_conforming_strings = off", "select 'a\\\\b'", "reset DateStyle", "show DateStyle",
        "reset TimeZone", "show TimeZone", "set application_name to default", "show application_name",
        "reset all", "show IntervalStyle", "show client_encoding", "show application_name")),
    Script("parameters that are not reported", each(
        "set work_mem = '5MB'", "show work_mem", "set statement_timeout = 60000",
        "show statement_timeout", "set lock_timeout to '50s'", "show lock_timeout",
        "set extra_float_digits = 0", "select 0.1::float8 + 0.2", "set bytea_output = escape",
        "select '\\x4142'::bytea", "set session enable_seqscan = off", "show enable_seqscan",
        "set search_path = pg_catalog, public", "show search_path", "reset work_mem", "show work_mem",
        "set statement_timeout = default", "show statement_timeout", "show lock_timeout", "reset all",
        "show lock_timeout", "show search_path", "select 0.1::float8 + 0.2")),
    Script("parameters with a name of one's own", each(
        "show pgring.x", "set pgring.x = 'one'", "show pgring.x", "select current_setting('pgring.x')",
        "set pgring.x to 'two', 'three'", "set pgring.x to 'it''s; \"odd\" €'", "show pgring.x",
        "set \"Pgring\".\"Y\" = 'y'", "show pgring.y", "reset pgring.x", "show pgring.x",
        "set pgring.x = 'four'", "reset all", "show pgring.x", "select current_setting('other.z', true)",
        "set pgring.x = ''", "show pgring.x")),
    Script("set_config", each(
        "select set_config('work_mem', '6MB', false)", "show work_mem",
        "select set_config('work_mem', '7MB', true)", "show work_mem", "begin",
        "select set_config('work_mem', '8MB', true)", "show work_mem", "commit", "show work_mem",
        "select set_config('pgring.x', 'by function', false)", "show pgring.x",
        "select set_config('application_name', n, false) from (values ('a'), ('b')) v(n)",
        "show application_name", "select set_config('work_mem', 'nonsense', false)", "show work_mem",
        "update pg_settings set setting = '9MB' where name = 'work_mem'", "show work_mem")),
    Script("set in transactions that end either way", each(
        "begin", "set work_mem = '5MB'", "set application_name = 'inside'", "commit", "show work_mem",
        "show application_name", "begin", "set work_mem = '6MB'", "set application_name = 'lost'",
        "rollback", "show work_mem", "show application_name", "begin", "set work_mem = '7MB'",
        "select 1/0", "commit", "show work_mem", "set work_mem = '8MB'; select 1/0", "show work_mem",
        "set application_name = 'x'; select 1/0", "show application_name",
        "begin; set work_mem = '9MB'; commit; select 1/0", "show work_mem")),
    Script("set local", each(
        "begin", "set local work_mem = '5MB'", "set local application_name = 'local'", "show work_mem",
        "show application_name", "commit", "show work_mem", "show application_name", "begin",
        "set work_mem = '6MB'", "set local work_mem = '7MB'", "show work_mem", "commit", "show work_mem",
        "set local work_mem = '8MB'", "show work_mem", "set local work_mem = '9MB'; show work_mem",
        "show work_mem")),
    Script("set and savepoints", each(
        "begin", "set work_mem = '5MB'", "savepoint a", "set work_mem = '6MB'",
        "set application_name = 'six'", "rollback to a", "show work_mem", "show application_name",
        "savepoint b", "set work_mem = '7MB'", "release b", "commit", "show work_mem",
        "show application_name")),
    Script("wrong settings", each(
        "set work_mem = 'nonsense'", "show work_mem", "set nowhere = 1", "show nowhere", "reset nowhere",
        "set TimeZone = 'Nowhere/At_All'", "show TimeZone", "set max_connections = 5",
        "set client_encoding = 'nonsense'", "set server_version = '1'", "set statement_timeout = -5",
        "set search_path = nowhere_at_all", "show search_path", "set role nobody_at_all",
        "set session authorization owner", "set log_statement = 'all'", "show log_statement",
        "set pgring.a.b = 1", "set \"bad name\" = 1", "set work_mem = '1MB', '2MB'", "show work_mem")),
    Script("time zones", each(
        "set time zone 'Europe/Berlin'", "show time zone", "select timestamptz '2026-07-01 00:00+00'",
        "set time zone -5", "show TimeZone", "set time zone interval '+02:30' hour to minute",
        "show TimeZone", "set time zone local", "show TimeZone", "set time zone default",
        "show TimeZone", "set timezone = 'UTC'", "begin", "set local time zone 'Asia/Tokyo'",
        "select timestamptz '2026-07-01 00:00+00'", "commit", "show TimeZone")),
    Script("names, schemas, seeds and other spellings", each(
        "set names 'LATIN1'", "show client_encoding", "set names default", "show client_encoding",
        "set schema 'pg_catalog'", "show search_path", "select current_schemas(false)", "set schema 'public'",
        "set session characteristics as transaction isolation level repeatable read",
        "show transaction_isolation", "show default_transaction_isolation",
        "set session characteristics as transaction read only", "show transaction_read_only",
        "create table diff_never (n int)", "reset all", "show default_transaction_read_only",
        "set xml option document", "show xmloption", "reset xmloption", "SET SESSION work_mem TO 1024",
        "show work_mem", "/* c */ set -- x\n work_mem = '3MB'", "show work_mem", "set transaction read only")),
    Script("roles", each(
        WHO, "set role diff_role", WHO, WHO, "reset role", WHO, "set role diff_role", "set role none",
        WHO, "begin", "set local role diff_role", WHO, "commit", WHO, "begin", "set role diff_role",
        "rollback", WHO, "set session role diff_role", WHO, "create table nowhere.diff_made (n int)",
        "reset all", WHO, "discard all", WHO)),
    Script("session authorization", each(
        WHO, "set session authorization app_trust", WHO, WHO, "reset session authorization", WHO,
        "set session authorization app_trust", "set role diff_role", WHO,
        "set session authorization default", WHO, "begin", "set local session authorization app_trust",
        WHO, "commit", WHO, "set session authorization app_trust", "select pg_read_file('PG_VERSION')",
        "discard all", WHO), user=OWNER),
    Script("settings by the extended protocol", [
        group(unnamed("set application_name = 'extended'")), simple("show application_name"),
        group(unnamed("select set_config('work_mem', $1, false)", ["5MB"])), simple("show work_mem"),
        group(unnamed("begin"), unnamed("set work_mem = '6MB'"), unnamed("rollback")),
        simple("show work_mem"), group(unnamed("set work_mem = '7MB'"), unnamed("select 1/0")),
        simple("show work_mem"), group(unnamed("set work_mem = '8MB'"), unnamed("show work_mem")),
        simple("show work_mem"), group(parse("set work_mem = '9MB'", "s"), parse("reset work_mem", "r")),
        group(use("s")), simple("show work_mem"), group(use("r")), simple("show work_mem"),
        group(use("s")), simple("show work_mem")]),
    Script("settings in pipelines", [
        simple("set work_mem = '5MB'", "show work_mem", "reset work_mem", "show work_mem"),
        simple("begin", "set work_mem = '6MB'", "rollback", "show work_mem"),
        pipeline(query("set application_name = 'p'"), unnamed("show application_name"), sync(),
                 query("select 1/0"), unnamed("set application_name = 'q'"), sync(),
                 query("show application_name"), ready=5),
        *each("show application_name", "show work_mem")]),
    Script("a reset that two reads cut", [
        simple("set application_name = 'mine'"),
        *[step for size in range(4062, 4110, 6) for step in (
            simple(f"select '{'x' * size}'", "reset DateStyle"), simple("show application_name"))]]),
    Script("statements see the settings of their client", [
        group(parse("select current_setting('work_mem'), date '2026-11-21'", "s")), group(use("s")),
        simple("set work_mem = '5MB'"), group(use("s")), simple("set DateStyle = 'German'"), group(use("s")),
        simple("reset all"), group(use("s")), group(use("s"))]),
    Script("startup parameters", each(
        "show application_name", "show DateStyle", "select 1", "set application_name = 'other'",
        "show application_name", "set DateStyle = 'SQL'", "show DateStyle", "select 2",
        "show application_name"), startup=(("application_name", "mine"), ("DateStyle", "German"))),
    Script("startup parameters come back", each(
        "set application_name = 'other'", "set application_name to default", "show application_name",
        "set DateStyle = 'SQL, DMY'", "reset DateStyle", "show DateStyle", "set application_name = 'other'",
        "reset all", "show application_name", "set DateStyle = 'SQL'", "discard all", "show DateStyle",
        "show application_name"), startup=(("application_name", "mine"), ("DateStyle", "German, DMY"))),
    Script("startup parameters that are not reported", each(
        "show work_mem", "show statement_timeout", "set work_mem = '6MB'", "show work_mem", "reset work_mem",
        "show work_mem", "reset all", "show statement_timeout", "show search_path"),
        startup=(("work_mem", "5MB"), ("statement_timeout", "61s"), ("search_path", "pg_catalog"))),
    Script("options in the startup packet", each(
        "show work_mem", "show pgring.x", "show application_name", "reset work_mem", "show work_mem",
        "discard all", "show pgring.x"),
        startup=(("options", "-c work_mem=5MB -c pgring.x=a\\ b --application_name=by_option"),)),
    Script("functions that set", each(
        "create function diff_set() returns text language sql as"
        " $$ select set_config('application_name', 'by a function', false) $$",
        "select diff_set()", "show application_name",
        "create function diff_with() returns text language sql set work_mem = '5MB' as"
        " $$ select current_setting('work_mem') $$", "select diff_with()", "show work_mem",
        "do $$ begin perform set_config('TimeZone', 'Asia/Tokyo', false); end $$", "show TimeZone",
        "do $$ begin set work_mem = '6MB'; end $$", "show work_mem", "drop function diff_set, diff_with"),
        setup="drop function if exists diff_set, diff_with"),
]
