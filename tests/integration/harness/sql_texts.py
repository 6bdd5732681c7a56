"""SQL texts made at random, to be judged and executed: what drivers send, what sets a trap for a reader of SQL, and both cut and
pasted.

Names tell what a text alone cannot show: `trapf_` is a function that leaves state in its session, the schema `hidden` has some under names
that are known, `trapv_` is a relation, type or column behind which one is called, and the operator `@#@` calls one too.
"""

TRAP_FUNCTIONS = ("trapf_", "hidden")
TRAPS_BEHIND = ("trapv_", "@#@")

SCHEMA = """
create schema texts; grant all on schema texts to public; set search_path = texts, public;
create table plain (id int primary key, name text, n numeric default 0);
insert into plain select i, 'name ' || i, i from generate_series(1, 20) i;
create table odd ("insert" int, "update" int, "delete" int, "merge" int, "into" int, "values" int, share int, no int, key int);
insert into odd values (1, 2, 3, 4, 5, 6, 7, 8, 9);
create table numbered (id serial, name text);
create sequence counter;
create function trapf_set() returns int language plpgsql as $f$ begin
  perform pg_catalog.set_config('work_mem', '4321kB', false); perform pg_catalog.pg_advisory_lock(99);
  perform pg_catalog.set_config('trap.custom', 'x', false); return 1; end $f$;
create function trapf_of(anyelement) returns anyelement language plpgsql as $f$ begin
  perform texts.trapf_set(); return $1; end $f$;
create function trapf_temporary() returns int language plpgsql as $f$ begin
  create temporary table if not exists left_here (a int); return 1; end $f$;
create function trapf_listens() returns int language plpgsql as $f$ begin execute 'listen here'; return 1; end $f$;
create function trapf_same(int, int) returns boolean language plpgsql as $f$ begin
  perform texts.trapf_set(); return $1 = $2; end $f$;
create function trapv_field(plain) returns int language plpgsql as $f$ begin return texts.trapf_set(); end $f$;
create schema hidden; grant usage on schema hidden to public;
create function hidden.lower(text) returns int language sql volatile as 'select texts.trapf_set()';
create function hidden."coalesce"(int) returns int language sql volatile as 'select texts.trapf_set()';
create operator @#@ (leftarg = int, rightarg = int, function = trapf_same);
create domain trapv_domain as int check (texts.trapf_set() = 1);
create view trapv_view as select id, texts.trapf_set() as n from plain;
create table trapv_rule (a int);
create rule r as on insert to trapv_rule do also select texts.trapf_set();
create function trapf_trigger() returns trigger language plpgsql as $f$ begin perform texts.trapf_set(); return new; end $f$;
create table trapv_trigger (a int);
create trigger t before insert on trapv_trigger for each row execute function trapf_trigger();
create table trapv_default (a int, b int default texts.trapf_set());
grant all on all tables in schema texts to public; grant all on all sequences in schema texts to public;
"""

SPACES = [" "] * 12 + ["\n", "\t", "\r\n", "  ", "/**/", "/* ; */", "/* /* ' */ \" */", "-- x\n", "-- '\n", "--\r", "--;\n",
                       "\f", "/* $$ */", "/*/ */", "/***/"]
COLUMNS = ["id", "n", "plain.id", '"id"', "ID", 'plain."n"', "texts.plain.id"]
TEXT_COLUMNS = ["name", '"name"', "plain.name", "texts . plain . \"name\""]
NUMBERS = ["1", "0", "17", "1.5", ".5", "1e3", "007", "2147483648", "0.e1"]
SAFE = ["length({t})", "abs({i})", "round({i})", "greatest({i}, {i})", "extract(year from now())", "position({t} in {t})",
        "cast({i} as numeric(10, 2))", "{i}::numeric(30, 3)", "array_length(array[{i}], 1)", "random()", "nullif({i}, {i})",
        "case when {b} then {i} else {i} end", "(select {i})", "(select max(id) from plain)", "{i} + {i}", "- {i}", "({i})",
        "pg_catalog.length ({t})", "\"abs\" ({i})", "ABS({i})", "{i} operator(pg_catalog.+) {i}", "strpos({t}, {t})", "mod({i}, 7)"]
SAFE_TEXTS = ["lower({t})", "upper({t})", "pg_catalog.lower({t})", '"lower"({t})', "LOWER ({t})", "pg_catalog . upper ({t})",
              "coalesce({t}, {t})", "concat({t}, {i})", "substring({t} from 1 for 2)", "{i}::varchar(3)", "md5({t})", "to_json({t})::text",
              "left({t}, 2)", "trim(both from {t})", "current_setting('work_mem')", "clock_timestamp()::text", "row({i}, {t})::text",
              "current_timestamp(3)::text", "date '2020-01-01'::text", "({t}) || {t}", "overlay({t} placing {t} from 1)",
              "{i}::character varying (20)", "(select {t})", "to_char(now(), {t})", "quote_literal({t})"]
CONDITIONS = ["true", "{i} = {i}", "{t} like {t}", "{i} in ({i}, {i})", "exists (select {i})", "{i} between {i} and {i}",
              "not ({b})", "{b} and {b}", "{b} or {b}", "{i} is null", "{i} = any (array[{i}])", "{i} in (select id from plain)",
              "{t} ilike {t}", "({i}, {i}) = (select 1, 2)", "{i} is distinct from {i}"]
# What a text must not do unseen.
EVIL = ["trapf_set()", "texts.trapf_set()", '"trapf_set"()', "trapf_set ( )", "trapf_of({i})", "trapf_temporary()",
        "trapf_listens()", "pg_advisory_lock(1)", "pg_catalog.pg_try_advisory_lock(1)", "set_config('work_mem', '4321kB', false)",
        "set_config('trap.custom', 'y', false)", "nextval('texts.counter')", "setval('texts.counter', 5)", "setseed(0.5)",
        "query_to_xml('select texts.trapf_set()', true, true, '')", "(select count(*) from ts_stat('select to_tsvector(texts.trapf_set()::text)'))",
        "U&\"trapf\\005fset\"()", "pg_advisory_xact_lock(2)", "lastval()", "trapf_set/**/()", "trapf_set--\n()", "1trapf_set()",
        "lo_creat(-1)", "pg_sleep(0.001)", "texts . \"trapf_set\"\n()",
        "hidden.lower('a')", "hidden.coalesce(1)", 'hidden . "lower" (\'a\')',
        # With standard_conforming_strings a string, else a call.
        "concat('\\' || ', trapf_set(), 1/*' || 1 --*/\n)"]
# Little else, so that it is executed.
AROUND_EVIL = ["select {e}", "select 1, {e} from plain limit 1", "values ({e})", "select name from plain where {e} is not null limit 1",
               "with w (e) as (select {e}) select * from w", "select distinct on (id) {e} from plain", "(select {e})",
               "select * from plain order by {e}", "select 1 union select ({e})::int", "select array[{e}]", "select lower('A'), {e}"]
BEHIND = ["(1 @#@ 2)", "(1::trapv_domain)", "cast(2 as texts.trapv_domain)", "plain.trapv_field", "(plain).trapv_field",
          "(select sum(n) from trapv_view)"]
FROM = ["plain"] * 4 + [
    "plain p join plain on (p.id = plain.id)", "plain, lateral (select plain.id) l (x)", "plain left join (values (1), (2)) v (a) on true",
    "plain cross join unnest(array[1, 2]) u (e)", "plain, unnest(array[1], array['a']) with ordinality as w(e, f, o)",
    "only (plain)", "plain join (select {i}) q (z) on {b}", "plain, json_to_recordset('[{\"a\": 1}]') as j(a int, b numeric(3, 1))",
    "rows from (unnest(array[1])) r (e), plain", "plain tablesample system (50)", "plain, odd"] + ["plain"] * 6
EVIL_FROM = [
    "plain, trapv_view",
    "plain, (select trapf_set()) evil", "plain, trapf_set() evil", "plain, trapf_set() evil (x)", "plain, pg_settings",
    "plain, generate_series(1, 3) g"]
TAILS = [""] * 8 + ["order by 1", "order by 1 desc limit 17", "limit 3 offset 1", "fetch first 2 rows only", "limit (select 2)",
                    "window w as (partition by id)", "for read only"]
EVIL_TAILS = ["for update", "for no key update", "for share of plain", "for key share skip locked", "order by trapf_set()",
              "limit trapf_set()", "into made_{k}", "into temp made_{k}", "union select 1", "union all (values (1))",
              "intersect table numbers", "except (select 2)", "group by plain.id, plain.name, plain.n", "group by trapf_set()"]
TAKEN = ["insert", "update", "delete", "merge", "share", "no", "key", '"insert"', '"into"', "odd.insert", "(odd.merge)"]
STATEMENTS = ["begin", "start transaction", "commit", "end", "rollback", "abort", "savepoint a", "lock table plain", "set work_mem = '4321kB'",
              "set local work_mem = '4321kB'", "reset work_mem", "prepare p{k} as select 1", "declare c{k} cursor with hold for select 1",
              "listen a{k}", "unlisten *", "create temp table made_{k} (a int)", "do $$ begin perform texts.trapf_set(); end $$",
              "explain analyze select texts.trapf_set()", "explain select 1", "show work_mem", "truncate numbered", "table plain", "table texts.odd",
              "values (1, {t}), ({i}, 'b')", "values ({i})", "notify a", "fetch 1 from c", "discard all", "copy plain to stdout", "analyze plain",
              "begin; select 1", "select 1; begin", "set session authorization default", "", ";", "create table if not exists made_{k} (a int)",
              "select texts.trapf_set() into made_{k}", "begin read only", "(begin)", "(select 1); commit", "deallocate all"]


class Texts:
    def __init__(self, random):
        self.random = random
        self.counter = 0

    def make(self):
        """The next text, in bytes, without NUL."""
        self.counter += 1
        # Most texts are to get far, so that what is in them is executed.
        self.evil = self.pick([0, 0, 0.03, 0.1])
        roll = self.random.random()
        if roll < 0.15:
            text = self.pick(AROUND_EVIL).replace("{e}", self.pick(EVIL))
        elif roll < 0.55:
            text = self.query()
        elif roll < 0.75:
            text = self.write()
        elif roll < 0.85:
            text = self.pick(STATEMENTS)
        else:
            text = self.query() + self.pick([";", "; ", ";\n", " ; "]) + self.pick([self.pick(STATEMENTS), self.query(), ""])
        text = self.filled(text)
        if self.random.random() < 0.6:
            text = "".join(self.pick(SPACES) if c == " " and self.random.random() < 0.3 else c for c in text)
        if self.random.random() < 0.25:
            text += self.pick([";", ";;", "; ", ";\n", "-- ;", " -- x", "/* ; */;"])
        for _ in range(self.pick([0, 0, 0, 0, 0, 1, 1, 3])):
            text = self.mutated(text)
        return text.replace("\0", "").encode("utf-8", "surrogateescape")

    def pick(self, choices):
        return self.random.choice(choices)

    def filled(self, text, depth=0):
        """Every {i}, {t} and {b} by an expression, {k} by a number that no other text has."""
        text = text.replace("{k}", str(self.counter))
        for mark, make in (("{i}", self.number), ("{t}", self.text), ("{b}", self.condition)):
            while mark in text:
                text = text.replace(mark, make(depth), 1)
        return text

    def number(self, depth):
        roll = self.random.random()
        if roll < self.evil:
            return self.pick(BEHIND) if self.random.random() < 0.3 else self.filled(self.pick(EVIL), depth + 1)
        if depth > 2 or roll < 0.6:
            return self.pick(NUMBERS)
        return self.filled(self.pick(SAFE), depth + 1) if roll < 0.85 else self.pick(COLUMNS)

    def text(self, depth):
        roll = self.random.random()
        if depth > 1 or roll < 0.6:
            return self.string()
        return self.filled(self.pick(SAFE_TEXTS), depth + 1) if roll < 0.9 else self.pick(TEXT_COLUMNS)

    def condition(self, depth):
        return "true" if depth > 2 else self.filled(self.pick(CONDITIONS), depth + 1)

    def inside(self):
        """What may stand between quotes: words, and pieces that end a string for who reads it wrongly."""
        evil = self.pick(EVIL[:12]).replace("'", "''").replace("{i}", "1")
        return self.pick(["", "a", "it", ";", "--", "/*", "*/", "$$", "\\", "\\\\", "ä", "\u4e2d", "\"", "begin", "x\ny", "\U0001f600", "$a$",
                          evil, "|| " + evil + " ||", ", " + evil + ", ", "; begin; "])

    def string(self):
        body = "".join(self.inside() for _ in range(self.pick([1, 1, 2, 3])))
        kind = self.random.random()
        if kind < 0.4:
            return "'" + body.replace("$$", "") + self.pick(["", "", "''", "\\", "\\''"]) + "'"
        if kind < 0.6:
            escaped = body.replace("\\", "\\\\").replace("'", "\\'")
            return self.pick("eE") + "'" + escaped.replace("''", "\\'") + self.pick(["", "\\'", "\\\\", "''", "\\x41"]) + "'"
        if kind < 0.8:
            tag = self.pick(["", "a", "_1", "ä", "A1"])
            return f"${tag}$" + body.replace("$", "") + self.pick(["", "'", "$b$"] if tag else ["", "'"]) + f"${tag}$"
        if kind < 0.9:
            return "'" + body.replace("\\", "") + "'" + self.pick(["\n", "\n  ", " -- '\n", "\r"]) + "'b" + self.pick(["", "\\"]) + "'"
        return self.pick(["N'a'", "n'\\'", "U&'\\0041'", "u&'a' uescape '!'", "B'1'::text", "x'1f'::text", "'\\', '''", "'\\' || '"])

    def columns(self):
        made = []
        for _ in range(self.pick([1, 1, 2, 3])):
            roll = self.random.random()
            made.append("*" if roll < 0.1 else self.pick(COLUMNS + TEXT_COLUMNS) if roll < 0.35 else "{t}" if roll < 0.55 else "{i}")
            if roll > 0.8:
                made[-1] += self.pick([" as a", " as \"b c\"", " x", " as insert", " as into", " as lower"])
        return ", ".join(made)

    def query(self, depth=0):
        roll = self.random.random()
        if depth < 2 and roll < 0.2:
            return self.common_tables(depth) + self.query(depth + 1)
        if roll < 0.26:
            return f"select {self.pick(TAKEN)} {self.pick(['', '', 'into made_{k}', 'into temp made_{k}'])} from odd"
        if depth < 2 and roll < 0.32:
            return f"({self.query(depth + 1)}) {self.pick(['', 'union ' + self.query(2), 'limit 1', 'into made_{k}'])}"
        if roll < 0.36:
            return f"select {self.pick(['distinct on (id)', 'distinct on (id, (n))', 'all', 'distinct'])} {self.pick(EVIL[:8] + ['id', 'name'])} from plain"
        where = self.pick(["", "", " where {b}", " where id = {i}"])
        source = self.pick(EVIL_FROM if self.random.random() < self.evil else FROM)
        tail = self.pick(EVIL_TAILS if self.random.random() < self.evil + 0.05 else TAILS)
        return f"select {self.columns()} from {source}{where} {tail}"

    def common_tables(self, depth):
        made = []
        for name in ["w", "w2", "insert", "lower"][:self.pick([1, 1, 2, 3])]:
            columns = self.pick(["", "", "", " (a)", " (a, b)"])
            materialized = self.pick(["", "", "", "materialized ", "not materialized "])
            body = self.query(depth + 1) if self.random.random() < 0.8 else self.write(depth + 1)
            if self.random.random() < 0.1:
                body = "values (1)"
            made.append(f"{name}{columns} as {materialized}({body})")
        return self.pick(["with ", "with ", "with recursive "]) + ", ".join(made) + " "

    def write(self, depth=0):
        target = self.pick(["plain", "numbered", "numbered", "trapv_rule", "trapv_trigger", "trapv_default", "odd", "pg_settings"])
        returning = self.pick(["", "", " returning *", " returning {i}", " returning trapf_set()"])
        written = self.pick([
            f"insert into {target} default values{returning}", f"insert into numbered (name) values ({{t}}){returning}",
            "insert into trapv_rule values (1)", "insert into trapv_trigger (a) values ({i})", "insert into trapv_default (a) values (1)",
            f"insert into plain (id, name) values ({{i}}, {{t}}) on conflict (id) do update set (name, n) = ('a', 1){returning}",
            f"update plain set n = {{i}} where {{b}}{returning}", f"update plain set (n, name) = (1, {{t}}) where id = 3{returning}",
            f"delete from numbered where {{b}}{returning}", "insert into numbered (name) select insert::text from odd",
            "insert into numbered (name) select 'a' into made_{k}", "update pg_settings set setting = '4321kB' where name = 'work_mem'",
            "insert into numbered (id) values (nextval('texts.counter'))", "delete from plain using odd where trapf_set() = 2",
            "merge into numbered using plain on (numbered.id = plain.id) when not matched then insert (name) values ('m')"])
        return (self.common_tables(1) if depth == 0 and self.random.random() < 0.2 else "") + written

    def mutated(self, text):
        at = self.random.randrange(len(text) + 1)
        kind = self.random.random()
        if kind < 0.35:
            piece = self.pick(["'", '"', "\\", "$", "$$", ";", "(", ")", "/*", "*/", "--", "\n", "\r", "U&", "E", ".", "::", ",", "\v", "ä", "''",
                               " into ", " as ", " insert ", " with ", " values ", " for update ", "trapf_set()", ";begin;", "$a$", "\udcdd", "'\\'"])
            return text[:at] + piece + text[at:]
        if kind < 0.65:
            return text[:at] + text[at + self.pick([1, 1, 1, 2, 5]):]
        if kind < 0.8:
            end = at + self.random.randrange(12)
            return text[:end] + text[at:]
        if kind < 0.9:
            return text[:at] + text[at:at + 8].swapcase() + text[at + 8:]
        other = self.filled(self.query())
        return text[:at] + other[self.random.randrange(len(other)):]
