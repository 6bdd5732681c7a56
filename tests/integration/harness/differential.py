"""The same bytes to PostgreSQL and to pgring: runs scripts, notes the answers, compares them.

A script is a list of steps; a step is bytes to send and what to read before the next one (harness/scripts/).
In transaction mode a Shuffler gives the client another server connection for every transaction.
"""

import re
import struct
from typing import NamedTuple

from harness.raw import Closed, Message, RawClient, query, sync, terminate
from harness.wait import DEADLINE_S, until

PLAIN_USER = "app_trust"
# Hangs are differences too: what PostgreSQL answers in milliseconds may take pgring this long.
ANSWER_S = DEADLINE_S / 5
POOL_SIZE = 4
OPTIONAL_FIELDS = "FLR"  # of an error: file, line, routine; PostgreSQL's own sources
OWN_NAME = re.compile(rb"pgring_\w+")
FIRST_USER_OID = 16384
LINES_SHOWN = 40  # of a difference


class Step(NamedTuple):
    """Bytes, and what ends their answer: `count` messages of one of `kinds`."""

    data: bytes
    count: int = 1
    kinds: str = "Z"


class Script(NamedTuple):
    name: str
    steps: list
    setup: str = ""  # run by a superuser before, on a connection of its own
    user: str = PLAIN_USER
    holds: bool = False  # has session state, for which a client may stay on its server connection
    startup: tuple = ()  # parameters of the startup packet, as pairs


def simple(*texts):
    """One step: simple queries, written together."""
    return Step(b"".join(query(text) for text in texts), len(texts))


def group(*messages):
    """One step: messages of the extended protocol, ended by Sync."""
    return Step(b"".join(messages) + sync())


def pipeline(*messages, ready):
    """One step: messages with several ends, written before anything is read."""
    return Step(b"".join(messages), ready)


def partly(*messages, kinds, count=1):
    """One step that is not at its end when `count` messages of one of `kinds` have come."""
    return Step(b"".join(messages), count, kinds)


class Pass(NamedTuple):
    """What one run of a script gave."""

    answers: list  # a list of messages for each step; the first is that of the login
    moves: int = 0  # how often a transaction began on another server connection than the last
    stays: list = ()  # the steps that began on the same one


class Shuffler:
    """Three clients that take every idle server connection and give them back in an order of their own.

    The idle list is last in, first out: what is given back last is what the script's client gets next.
    """

    def __init__(self, pooler, user=PLAIN_USER):
        self._pooler = pooler
        self._clients = [RawClient(pooler).login(user) for _ in range(POOL_SIZE - 1)]
        self._last_given = {}  # pid -> the turn in which it was on top
        self._turn = 0

    def close(self):
        for client in self._clients:
            client.close()

    def shuffle(self, unwanted):
        """Leaves on top the connection that was there longest ago and is not among the `unwanted`."""
        pids = {}
        self._pooler.settle()
        for client in self._clients:
            client.run("begin")
            pids[int(client.value("select pg_backend_pid()"))] = client
        self._turn += 1
        last = min(pids, key=lambda pid: (pid in unwanted, self._last_given.get(pid, 0)))
        self._last_given[last] = self._turn
        for pid in sorted(pids, key=lambda pid: (pid == last, pid)):
            pids[pid].run("commit")
        self._pooler.settle()

    LEFTOVERS = """select coalesce(string_agg(what, '; ' order by what), '') from (
        select 'setting ' || name || ' = ' || setting from pg_settings where source = 'session'
          and name not like 'transaction%'
        union all select 'setting ' || name || ' is not its default' from pg_settings
          where name in ('role', 'session_authorization')
            and setting not in ('none', 'default', session_user)
        union all select 'statement ' || name from pg_prepared_statements where from_sql
        union all select 'cursor ' || name from pg_cursors where is_holdable
        union all select 'channel ' || channel from pg_listening_channels() channel
        union all select 'lock ' || objid from pg_locks
          where locktype = 'advisory' and pid = pg_backend_pid()
        union all select 'table ' || relname from pg_class where relnamespace = pg_my_temp_schema()
        ) found(what)
    """

    def leftovers(self):
        """What is found on the server connections that can be had, one text for each."""
        for client in self._clients:
            client.run("begin")
        found = [client.value(self.LEFTOVERS) for client in self._clients]
        for client in self._clients:
            client.run("commit")
        return [text for text in found if text]


def run(script, target, postgres, shuffler=None):
    """Plays the script on `target`; with a shuffler, which must belong to it, in transaction mode."""
    until(lambda: not postgres.value("select count(*) from pg_locks where locktype = 'advisory'"),
          "nobody holds an advisory lock")  # an earlier script's backend may still be ending
    if script.setup:
        postgres.admin.execute(script.setup)
    client = RawClient(target, timeout_s=ANSWER_S)
    try:
        client.login(script.user, **dict(script.startup))
        return _play(script, client, postgres, shuffler)
    finally:
        client.close()


def _play(script, client, postgres, shuffler):
    parameters = [got for got in client.login_messages if got.kind in "SNZ"]
    answers, moves, stays, last = [_normal(parameters, {})], 0, [], set()
    oids, is_idle = {}, True
    for number, step in enumerate(script.steps, 1):
        if is_idle and shuffler:
            shuffler.shuffle(last)
            before = until(lambda: _settled(postgres), "no server connection is busy")
        messages = _answer(client, step)
        answers.append(_normal(messages, oids))
        end = messages[-1]
        if end.kind in ("closed", "silence"):
            break
        if is_idle and shuffler:
            used = {pid for pid, _ in _activity(postgres) - before}  # none: pgring answered itself
            if used & last:
                stays.append(number)
            moves += bool(used and last and not used & last)
            last = used or last
        is_idle = end.kind == "Z" and end.status == "I"
    else:
        client.send(terminate())
        client.rest()  # a backend of PostgreSQL has then let go of everything
    return Pass(answers, moves, stays)


def _activity(postgres):
    """What tells that a backend of pgring has done something."""
    return {row[:2] for row in _backends(postgres)}


def _settled(postgres):
    """The same when what pgring itself may have asked a connection is answered, else None."""
    found = _backends(postgres)
    return {row[:2] for row in found} if all(state == "idle" for _, _, state in found) else None


def _backends(postgres):
    return postgres.admin.execute(
        "select pid, state_change, state from pg_stat_activity where backend_type = 'client backend'"
        " and pid <> pg_backend_pid()").fetchall()


def _answer(client, step):
    """The messages of a step; an end that PostgreSQL would not make is a message of its own."""
    messages, ends = [], 0
    try:
        client.send(step.data)
        while ends < step.count:
            messages.append(client.receive())
            ends += messages[-1].kind in step.kinds
            if messages[-1].kind == "Z" and "Z" not in step.kinds:
                break  # an error came in place of what was to come
    except (Closed, BrokenPipeError, ConnectionResetError):
        messages.append(Message("closed", b""))
    except TimeoutError:
        messages.append(Message("silence", bytes(client.buffered)))
    return messages


# Comparing.


def _normal(messages, oids):
    """Without pids and the numbers of what a script created; runs of ParameterStatus in one order."""
    found, run_of_parameters = [], []
    for got in messages:
        if got.kind == "S":
            run_of_parameters.append(got)
            continue
        found += sorted(run_of_parameters)
        run_of_parameters = []
        found.append(_without_numbers(got, oids))
    return found + sorted(run_of_parameters)


def _without_numbers(got, oids):
    def number(oid):
        return oid if oid < FIRST_USER_OID else FIRST_USER_OID + oids.setdefault(oid, len(oids))

    if got.kind == "A":
        return Message("A", b"\0\0\0\0" + got.body[4:])
    if got.kind == "t":
        count = len(got.body[2:]) // 4
        values = struct.unpack_from(f"!{count}I", got.body, 2)
        return Message("t", got.body[:2] + struct.pack(f"!{count}I", *map(number, values)))
    if got.kind != "T":
        return got
    body, at = got.body[:2], 2
    while at < len(got.body):
        end = got.body.index(b"\0", at) + 1
        table, attribute, kind, *rest = struct.unpack_from("!IHIhiH", got.body, end)
        body += got.body[at:end] + struct.pack("!IHIhiH", number(table), attribute, number(kind), *rest)
        at = end + 18
    return Message("T", body)


def _fields(body):
    return [(part[:1].decode("latin-1"), part[1:]) for part in body.rstrip(b"\0").split(b"\0")]


def _is_same_text(expected, got):
    """Whether the texts agree where pgring's has a name of its own in place of the client's."""
    if not OWN_NAME.search(got):
        return expected == got
    pattern = b".+".join(re.escape(part) for part in OWN_NAME.split(got))
    return re.fullmatch(pattern, expected, re.S) is not None


def is_same(expected, got):
    if expected == got:
        return True
    if expected.kind != got.kind or expected.kind not in "EN":
        return False
    left, right = _fields(expected.body), _fields(got.body)
    # In a failed transaction PostgreSQL refuses whatever it meets first, which may be what pgring has put before it.
    aborted = dict(left).get("C") == dict(right).get("C") == b"25P02"
    for letter in OPTIONAL_FIELDS:
        if aborted or letter not in dict(left) or letter not in dict(right):
            left = [field for field in left if field[0] != letter]
            right = [field for field in right if field[0] != letter]
    return len(left) == len(right) and all(
        one[0] == other[0] and _is_same_text(one[1], other[1]) for one, other in zip(left, right))


def difference(script, expected, got):
    """The first one, as text, or None."""
    for number, (left, right) in enumerate(zip(expected.answers, got.answers)):
        same = len(left) == len(right) and all(map(is_same, left, right))
        if not same:
            sent = script.steps[number - 1].data if number else b"(login)"
            return "\n".join([f"{script.name}, step {number}: {_short(sent)}",
                              *_beside(left, right)[:LINES_SHOWN]])
    if len(expected.answers) != len(got.answers):
        return f"{script.name}: {len(got.answers)} steps answered, not {len(expected.answers)}"
    return None


def _beside(left, right):
    """Both answers, what is the same in both only once."""
    lines = []
    for at in range(max(len(left), len(right))):
        one = left[at] if at < len(left) else None
        other = right[at] if at < len(right) else None
        if one and other and is_same(one, other):
            lines.append(f"  {_shown(one)}")
        else:
            lines += [f"{sign} {_shown(got)}" for sign, got in (("-", one), ("+", other)) if got]
    return lines


def _shown(got):
    return f"{got.kind} {_short(got.body)}"


def _short(data, limit=300):
    text = repr(bytes(data))[2:-1]
    return text if len(text) <= limit else f"{text[:limit]}… ({len(data)} bytes)"
