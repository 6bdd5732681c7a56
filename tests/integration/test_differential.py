"""What a client sees through pgring is, byte by byte, what it sees of PostgreSQL itself.

Except keys, pids and names that pgring gave. In transaction mode each transaction has another server connection.
"""

import pytest
from harness.differential import (POOL_SIZE, Pass, Script, Shuffler, difference, is_same, run,
                                  simple)
from harness.pooler import Pgring
from harness.raw import Message
from harness.scripts import ALL, PREPARING, TABLES, not_yet

# Scripts that do not pass yet, with the reason. One that begins to pass fails the run: take it out there.
NOT_YET = not_yet.IN_TRANSACTIONS
TRIES = 12
REPEATED = 3
NOT_YET_IN_SESSIONS = not_yet.IN_SESSIONS


class Poolers:
    """A pgring for each mode, shared by the scripts; replaced when a script has found a difference."""

    def __init__(self, postgres):
        self._postgres = postgres
        self._running = {}

    def get(self, mode):
        if mode not in self._running:
            self._running[mode] = Pooler(self._postgres, mode)
        return self._running[mode]

    def replace(self, mode):
        """After a difference: what the script has left behind must not meet the next one."""
        self._running.pop(mode).stop()

    def stop(self):
        while self._running:
            self._running.popitem()[1].stop()


class Pooler:
    def __init__(self, postgres, mode):
        pool = {"pool_size": POOL_SIZE, "pool_mode": mode}
        if mode == "one connection":
            pool = {"pool_size": 1, "pool_mode": "transaction"}
        self.process = Pgring(postgres, lazy_begin=True, changes={"auth": {"method": "trust"}, "shards": {"count": 1}},
                              database=pool).start()
        self._shufflers = {}

    def shuffler(self, user):
        if user not in self._shufflers:
            self._shufflers[user] = Shuffler(self.process, user)
        return self._shufflers[user]

    def stop(self):
        for shuffler in self._shufflers.values():
            shuffler.close()
        self.process.stop()


@pytest.fixture(scope="module")
def poolers(postgres):
    postgres.admin.execute(TABLES)
    made = Poolers(postgres)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def direct(poolers, postgres):
    """What PostgreSQL itself answers, asked once for each script."""
    known = {}

    def get(script):
        if script.name not in known:
            known[script.name] = run(script, postgres, postgres)
        return known[script.name]

    return get


def scripts(expected_to_fail):
    """The parameters of a test; those that are to fail are marked."""
    marks = {name: [pytest.mark.xfail(strict=name not in not_yet.BY_CHANCE, raises=AssertionError,
                                      reason=reason)]
             for name, reason in expected_to_fail.items()}
    return [pytest.param(script, id=script.name, marks=marks.get(script.name, [])) for script in ALL]


def test_names_of_scripts_are_unique_and_no_exception_is_for_a_script_that_is_gone():
    names = [script.name for script in ALL]
    assert len(set(names)) == len(names)
    assert set(NOT_YET) | set(NOT_YET_IN_SESSIONS) <= set(names)


def error(**fields):
    return Message("E", b"".join(letter.encode() + text.encode() + b"\0"
                                 for letter, text in fields.items()) + b"\0")


@pytest.mark.parametrize("expected, got, same", [
    (Message("D", b"1"), Message("D", b"2"), False),
    (Message("D", b"1"), Message("d", b"1"), False),
    (error(C="26000", M='"s" is gone'), error(C="26000", M='"s" is gone'), True),
    (error(C="26000", M='"s" is gone'), error(C="26000", M='"pgring_0_1" is gone'), True),
    (error(C="26000", M='"s" is gone'), error(C="26000", M='"pgring_0_1" was gone'), False),
    (error(C="26000", M='"s" is gone'), error(C="26000", M='"t" is gone'), False),
    (error(C="26000", M="m", F="a.c", L="1", R="f"), error(C="26000", M="m"), True),
    (error(C="26000", M="m", F="a.c", L="1", R="f"), error(C="26000", M="m", F="b.c", L="1", R="f"), False),
    (error(C="26000", M="m", H="h"), error(C="26000", M="m"), False)])
def test_what_counts_as_the_same(expected, got, same):
    assert is_same(expected, got) == same


def test_a_missing_message_and_a_missing_step_are_differences():
    script = Script("one", [simple("select 1"), simple("select 2")])
    full = Pass([[], [Message("C", b"a"), Message("Z", b"I")], [Message("Z", b"I")]])
    assert difference(script, full, full) is None
    assert "step 1" in difference(script, full, Pass([[], [Message("Z", b"I")], [Message("Z", b"I")]]))
    assert "2 steps" in difference(script, full, Pass(full.answers[:2]))


@pytest.mark.parametrize("script", scripts({}))
def test_postgresql_answers_twice_the_same(direct, postgres, script):
    expected = direct(script)
    assert len(expected.answers) == len(script.steps) + 1, expected.answers[-1]
    found = difference(script, expected, run(script, postgres, postgres))
    assert not found, found


@pytest.mark.parametrize("script", scripts(NOT_YET))
def test_in_transactions_everything_is_as_direct(direct, poolers, postgres, script):
    expected, pooler = direct(script), poolers.get("transaction")
    shuffler = pooler.shuffler(script.user)
    # What pgring asks a connection about once a second puts that on top of the idle list: then once more.
    for _ in range(TRIES):
        got = run(script, pooler.process, postgres, shuffler)
        found = difference(script, expected, got)
        if found or script.holds or not got.stays:
            break
    if found:
        poolers.replace("transaction")
    assert not found, found
    assert script.holds or got.moves, "the script never came to another server connection"
    assert script.holds or not got.stays, f"steps {got.stays} found the server connection of the last one"
    left = shuffler.leftovers()
    if left:
        poolers.replace("transaction")
    assert not left


@pytest.mark.parametrize("script", [pytest.param(script, id=script.name) for script in PREPARING])
def test_played_again_and_again_on_one_server_connection_everything_is_as_direct(direct, poolers, postgres, script):
    """Where a text is prepared again PostgreSQL is spared the Parse (reuse_parse)."""
    expected, pooler = direct(script), poolers.get("one connection")
    for _ in range(REPEATED):
        found = difference(script, expected, run(script, pooler.process, postgres))
        if found:
            poolers.replace("one connection")
        assert not found, found


def test_the_scripts_that_are_played_again_do_spare_parses(poolers, postgres):
    process = poolers.get("one connection").process
    (script,) = [script for script in ALL if script.name == "reused: unnamed queries"]
    sums = [{row["name"]: int(row["value"]) for row in process.show("TOTALS")}
            for _ in (None, run(script, process, postgres))]
    spared = [of["total_parse_spared_count"] for of in sums]
    assert spared[1] > 0, spared


@pytest.mark.parametrize("script", scripts(NOT_YET_IN_SESSIONS))
def test_in_sessions_everything_is_as_direct(direct, poolers, postgres, script):
    expected = direct(script)
    found = difference(script, expected, run(script, poolers.get("session").process, postgres))
    if found:
        poolers.replace("session")
    assert not found, found
