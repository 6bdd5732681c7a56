"""What a client may leave in its session, by kind: how it is taken, given back, and seen from outside."""

from typing import NamedTuple


class State(NamedTuple):
    name: str
    take: str
    give: str  # none: nothing but the session's end takes it away
    seen: str  # SQL that counts it, in its own session; %s is the backend's pid
    rolls_back: bool = True  # with its transaction
    is_pin: bool = True


TEMPORARY = ("select (select count(*) from pg_class where relnamespace = pg_my_temp_schema())"
             " + (select count(*) from pg_proc where pronamespace = pg_my_temp_schema())"
             " + (select count(*) from pg_type where typnamespace = pg_my_temp_schema())")
LOCKS = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
CURSORS = "select count(*) from pg_cursors where is_holdable"
CHANNELS = "select count(*) from pg_listening_channels()"
STATEMENTS = "select count(*) from pg_prepared_statements where from_sql"
LOADED = "select count(*) from pg_settings where name = 'auto_explain.log_min_duration'"
# What every session that is given to another client must say.
ANYTHING = f"select ({TEMPORARY}) + ({LOCKS}) + ({CURSORS}) + ({CHANNELS}) + ({STATEMENTS}) + ({LOADED})"

PINS = [
    State("temporary table", "create temporary table pinned (n int)", "drop table pinned", TEMPORARY),
    State("temporary table of a query", "create temp table pinned as select 1 as n", "drop table pg_temp.pinned",
          TEMPORARY),
    State("select into temp", "select 1 as n into temp pinned", "drop table pinned", TEMPORARY),
    State("table in pg_temp", "create table pg_temp.pinned (n int)", "drop table pinned", TEMPORARY),
    State("temporary view", "create temporary view pinned as select 1 as n", "drop view pinned", TEMPORARY),
    State("temporary sequence", "create temporary sequence pinned", "drop sequence pinned", TEMPORARY),
    State("temporary function", "create function pg_temp.pinned() returns int language sql as 'select 1'",
          "drop function pg_temp.pinned()", TEMPORARY),
    State("temporary type", "create type pg_temp.pinned as enum ('one')", "drop type pg_temp.pinned", TEMPORARY),
    State("cursor with hold", "declare pinned cursor with hold for select 1", "close pinned", CURSORS),
    State("cursors with hold", "declare pinned cursor with hold for select 1", "close all", CURSORS),
    State("advisory lock", "select pg_advisory_lock(4711)", "select pg_advisory_unlock(4711)", LOCKS, False),
    State("advisory lock tried", "select pg_try_advisory_lock(47, 11)", "select pg_advisory_unlock(47, 11)", LOCKS,
          False),
    State("shared advisory lock", "select pg_advisory_lock_shared(4711)", "select pg_advisory_unlock_shared(4711)",
          LOCKS, False),
    State("advisory locks", "select pg_advisory_lock(n) from generate_series(1, 9) n",
          "select pg_advisory_unlock_all()", LOCKS, False),
    State("LISTEN", "listen pinned", "unlisten pinned", CHANNELS),
    State("LISTEN to all", "listen pinned", "unlisten *", CHANNELS),
    State("PREPARE", "prepare pinned as select 9", "deallocate pinned", STATEMENTS, False),
    State("PREPARE of all", "prepare pinned (int) as select $1", "deallocate all", STATEMENTS, False),
    State("all at once", "create temp table pinned (n int); select pg_advisory_lock(4711); listen pinned",
          "discard all", ANYTHING, False),
]
# Given back by the session's end only.
FOREVER = [
    State("LOAD", "load 'auto_explain'", "", LOADED, False),
    State("setseed", "select setseed(0.5)", "", "", False),
]
# What ends with its transaction by itself.
PASSING = [
    "create temporary table passing (n int) on commit drop", "select pg_advisory_xact_lock(4712)",
    "declare passing cursor for select 1", "set local work_mem = '5MB'", "notify passing"]


def named(states):
    return [state.name for state in states]
