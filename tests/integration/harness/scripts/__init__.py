"""The scripts of the differential test, by subject. A script's name is unique."""

from harness.scripts import (copying, extended, prepared, reused, settings, simple, sql_prepared,
                             state)

ALL = [*simple.SCRIPTS, *extended.SCRIPTS, *prepared.SCRIPTS, *sql_prepared.SCRIPTS,
       *settings.SCRIPTS, *state.SCRIPTS, *copying.SCRIPTS, *reused.SCRIPTS]
# Those that prepare what they run.
PREPARING = [*extended.SCRIPTS, *prepared.SCRIPTS, *sql_prepared.SCRIPTS, *copying.SCRIPTS, *reused.SCRIPTS]

# Made once, by a superuser; scripts that write have a `setup` of their own.
TABLES = """
drop table if exists diff_items;
create table diff_items (id int primary key, name text, price numeric(8, 2), made date);
insert into diff_items select n, 'item ' || n, n * 1.25, date '2026-01-01' + n
  from generate_series(1, 20) n;
insert into diff_items values (21, null, null, null);
grant select on diff_items to public;
do $$ begin
  if not exists (select from pg_roles where rolname = 'diff_role') then
    create role diff_role;
    grant diff_role to app_trust;
  end if;
end $$;
"""
