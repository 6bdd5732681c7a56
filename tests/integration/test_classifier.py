"""What wire says may share a server connection, held against PostgreSQL: texts are judged, executed, and their session looked at.

A text that shares is one statement and ends its own transaction; one that is called a read has written nothing; and none leaves anything in
its session but by what no text shows (views, rules, triggers, operators, types …; with `all` functions too), which the audit finds.
PGRING_CLASSIFIER_SEED repeats a run, PGRING_CLASSIFIER_SECONDS says how long the long one (--long) takes.
"""

import collections
import os
import random
import time

import psycopg
import pytest
from harness.sharing import PROBE_SCHEMA, Session, tables, verdicts
from harness.sql_texts import SCHEMA, TRAP_FUNCTIONS, TRAPS_BEHIND, Texts

BATCH = 250
SHORT_TEXTS = 2000
LONG_S = float(os.environ.get("PGRING_CLASSIFIER_SECONDS", "600"))
ROUTES = [(form, strings) for form in ("query", "parse") for strings in ("on", "off")]
# What a pool would ask about names that stand without a schema.
SHADOWED = """select p.proname from pg_catalog.pg_proc p where p.proname = any(%s) and p.provolatile = 'v'
 and p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace and pg_catalog.pg_function_is_visible(p.oid)"""
# Volatile, and nobody's trouble, so that `all` takes them as any function of a user's: they look at themselves, make random values
# (since 16 and 18), or belong to a language.
HARMLESS = {"amvalidate", "array_sample", "array_shuffle", "current_query", "currtid2", "plpgsql_call_handler",
            "plpgsql_validator", "random_normal", "txid_status", "uuidv4", "uuidv7"}


@pytest.fixture(scope="module")
def server(postgres):
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(PROBE_SCHEMA)
    yield postgres
    postgres.admin.execute("drop schema texts, hidden, probe cascade")


def seed():
    given = os.environ.get("PGRING_CLASSIFIER_SEED")
    return int(given) if given else random.SystemRandom().randrange(1 << 32)


def hides(text, marks):
    small = text.decode("utf-8", "replace").lower()
    return any(mark in small for mark in marks)


class Run:
    """Executes texts and keeps count of what was proven."""

    def __init__(self, server):
        self.sessions = {strings: Session(server, strings == "on") for _, strings in ROUTES[:2]}
        self.counts = collections.Counter()
        self.faults = []
        self.xmax = self.sessions["off"].left.xmax

    def batch(self, texts, form, strings):
        known = "on" if strings == "on" else "unknown"
        both = zip(texts, verdicts(texts, "reads", form, known), verdicts(texts, "all", form, known))
        for text, reads, every in both:
            self.judge(text, form, strings, reads, every)

    def judge(self, text, form, strings, reads, every):
        session = self.sessions[strings]
        before = session.left._replace(xmax=self.xmax)  # the other session may have written since
        messages, after = session.run(text, form)
        failed = any(got.kind == "E" for got in messages)
        complete = sum(got.kind in "CI" for got in messages)
        changes = after is None or after[:2] != before[:2]
        wrote = after is not None and after.xmax != before.xmax
        for mode, verdict in (("reads", reads), ("all", every)):
            outcome = "shared" if verdict.shares else "refused"
            self.counts[mode, outcome, "failed" if failed else "changed" if changes else "done"] += 1
            if not verdict.shares:
                self.counts[mode, verdict.refusal, changes or wrote or complete > 1] += 1
                continue
            fault = self.fault_of(text, mode, verdict, messages, before, after)
            if fault:
                self.faults.append(f"{mode} {form} {strings}: {fault}: {text!r}")
        if changes:
            session.renew()
        else:
            session.left = after
        self.xmax = session.left.xmax

    def fault_of(self, text, mode, verdict, messages, before, after):
        ends = [got.kind for got in messages if got.kind in "CIE"]
        if after is None:
            return f"leaves no idle session: {messages[-1:]}"
        if len(ends) != 1 and not (ends[-1:] == ["E"] and len(ends) == 2):
            return f"is not one statement: {ends}"
        hidden = TRAPS_BEHIND if mode == "reads" else (*TRAPS_BEHIND, *TRAP_FUNCTIONS)
        if after.lasting != before.lasting and not hides(text, hidden):
            return f"leaves {after.lasting}"
        if mode == "reads":
            if verdict.writes:
                return "shares as a write"
            if after.xmax != before.xmax and not hides(text, hidden):
                return "has written"
        # An INSERT takes numbers as a table's default says.
        if after.sequence != before.sequence and not (mode == "all" and verdict.writes):
            return f"leaves lastval() at {after.sequence}"
        return None

    def check(self, given):
        for session in self.sessions.values():
            session.close()
        assert not self.faults, f"seed {given}, {len(self.faults)} faults:\n" + "\n".join(self.faults[:20])
        print(f"\nseed {given}: {sum(self.counts[key] for key in self.counts if key[0] == 'all' and key[1] in ('shared', 'refused'))} texts")
        for key, count in sorted(self.counts.items(), key=str):
            print(count, *key)


def fuzz(server, given, goes_on):
    run, made = Run(server), Texts(random.Random(given))
    executed = 0
    while goes_on(executed) and not run.faults:
        texts = [made.make() for _ in range(BATCH)]
        run.batch(texts, *ROUTES[executed // BATCH % len(ROUTES)])
        executed += BATCH
    run.check(given)
    return run.counts


def test_what_shares_leaves_nothing(server):
    given = seed()
    counts = fuzz(server, given, lambda executed: executed < SHORT_TEXTS)
    # The run is worth something: texts of each kind were executed, and what was refused did what it was refused for.
    for mode in ("reads", "all"):
        assert counts[mode, "shared", "done"] > SHORT_TEXTS / 50, counts
        assert counts[mode, "refused", "changed"] > SHORT_TEXTS / 50, counts
    assert counts["all", "shared", "changed"] > 0, counts
    for refusal in ("several_statements", "transaction", "advisory_lock", "setting", "definition", "sequence_value"):
        assert counts["all", refusal, True] > 0, (refusal, counts)
    assert counts["reads", "unknown_function", True] > 0 and counts["reads", "write", True] > 0, counts


@pytest.mark.long
def test_what_shares_leaves_nothing_for_long(server):
    end = time.monotonic() + LONG_S
    fuzz(server, seed(), lambda executed: time.monotonic() < end)


def test_a_text_that_means_another_without_standard_conforming_strings(server):
    """The same bytes: a string and nothing else, or a call. Where the setting is not known the text does not share."""
    trap = rb"select '\', trapf_set() , ''"
    assert verdicts([trap], "reads", strings="on")[0].refusal == "unknown_function"
    mirrored = rb"select '\' || ', trapf_set() -- '"
    assert verdicts([mirrored], "reads", strings="on")[0].shares
    assert verdicts([mirrored], "reads", strings="unknown")[0].refusal == "backslash"
    for conforming in (True, False):
        changed = {}
        for text in (trap, mirrored):
            session = Session(server, conforming)
            changed[text] = session.run(text, "query")[1].lasting != session.left.lasting
            session.close()
        # Each is a call in one of the two sessions, and a string or an error in the other.
        assert changed == {trap: conforming, mirrored: not conforming}


def test_known_safe_functions_are_what_postgresql_says(server):
    """All are PostgreSQL's own; those that it calls volatile are few and looked at one by one."""
    safe = tables()["safe"]
    rows = server.admin.execute(
        "select proname, bool_or(provolatile = 'v'), bool_or(prorettype = 'trigger'::regtype), min(prokind::text) from pg_proc"
        " where pronamespace = 'pg_catalog'::regnamespace and proname = any(%s) group by 1", [safe]).fetchall()
    assert sorted(set(safe) - {row[0] for row in rows}) == []
    assert sorted(name for name, volatile, *_ in rows if volatile) == [
        "clock_timestamp", "gen_random_uuid", "pg_is_in_recovery", "random", "timeofday"]
    assert [name for name, _, trigger, kind in rows if trigger or kind == "p"] == []


def test_volatile_functions_of_postgresql_do_not_share(server):
    """Also with `all`: none of what PostgreSQL brings along and calls volatile passes for a user's own."""
    rows = server.admin.execute(
        "select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace and provolatile = 'v'"
        # What takes or gives `internal`, or a trigger, cannot be called by a text.
        " and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)"
        " and not 'internal'::regtype = any(proargtypes::oid[]) and not proname = any(%s)", [tables()["safe"]]).fetchall()
    names = sorted(row[0] for row in rows)
    assert len(names) > 100
    for spelled in ("select {}(1)", "select pg_catalog.{} ()", 'select * from "{}"(1)'):
        texts = [spelled.format(name).encode() for name in names]
        shared = [name for name, verdict in zip(names, verdicts(texts, "all")) if verdict.shares]
        assert set(shared) <= HARMLESS, (spelled, sorted(set(shared) - HARMLESS))


def test_words_of_the_grammar_are_no_names_of_functions(server):
    """What is not taken for a call can be none: PostgreSQL says so of each keyword, and refuses to make such a function."""
    grammar = tables()["grammar"]
    rows = server.admin.execute("select word, catcode::text from pg_get_keywords() where word = any(%s)", [grammar]).fetchall()
    assert sorted(set(grammar) - {word for word, _ in rows}) == []
    assert [word for word, code in rows if code not in "RC"] == []
    for word in grammar:
        with pytest.raises(psycopg.errors.SyntaxError):
            server.admin.execute(f"create function {word}(int) returns int language sql return 1")


def test_a_known_name_without_a_schema_may_be_a_users_own(server):
    """The verdict says so; one query tells whether there is such a function."""
    texts = [b"select lower(1)", b"select pg_catalog.lower('A')", b"select coalesce(1, 2)"]
    judged = verdicts(texts, "reads")
    assert [(verdict.shares, verdict.unqualified) for verdict in judged] == [(True, True), (True, False), (True, False)]

    def shadowed():
        with psycopg.connect(server.dsn(options="-c search_path=texts,public")) as connection:
            return connection.execute(SHADOWED, [tables()["safe"]]).fetchall()

    assert shadowed() == []
    server.admin.execute("create function texts.lower(int) returns int language sql volatile as 'select texts.trapf_set()'")
    try:
        assert shadowed() == [("lower",)]
        session = Session(server, True)
        left = [session.run(text, "query")[1].lasting != session.left.lasting for text in texts]
        session.close()
        assert left[0], "the fuzzer could not see such a function either"
    finally:
        server.admin.execute("drop function texts.lower(int)")
    # Unlike it, the other two leave nothing in a new session.
    session = Session(server, True)
    for text in texts[1:]:
        assert session.run(text, "query")[1].lasting == session.left.lasting
    session.close()
