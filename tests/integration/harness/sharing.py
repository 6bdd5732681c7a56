"""What wire::sql_sharing makes of texts, and what they leave in a session of PostgreSQL."""

import os
import subprocess
from typing import NamedTuple

from harness.pooler import binary
from harness.raw import Closed, RawClient, bind, errors, execute, parse, query, sync
from harness.wait import until


class Verdict(NamedTuple):
    refusal: str
    writes: bool
    unqualified: bool
    at: slice

    @property
    def shares(self):
        return self.refusal == "none"


def program():
    build = os.path.dirname(os.path.dirname(binary()))
    path = f"{build}/tests/sql_sharing/sql_sharing_verdicts"
    assert os.access(path, os.X_OK), f"{path} is not built"
    return path


def tables():
    """The names in wire/sql_sharing_words.h by their table."""
    found = {}
    for line in subprocess.check_output([program(), "names"], text=True).splitlines():
        table, name = line.split()
        found.setdefault(table, []).append(name)
    return found


def verdicts(texts, mode, form="query", strings="on"):
    asked = b"".join(b"%d %s\n" % (len(text), f"{mode} {form} {strings}".encode()) + text for text in texts)
    done = subprocess.run([program()], input=asked, capture_output=True, check=True)
    answers = done.stdout.decode().splitlines()
    assert len(answers) == len(texts) and not done.stderr, done.stderr
    made = []
    for line in answers:
        refusal, kind, qualified, offset, length = line.split()
        made.append(Verdict(refusal, kind == "write", qualified == "unqualified", slice(int(offset), int(offset) + int(length))))
    return made


class Left(NamedTuple):
    """What a session has that others would meet; lasting is what an audit finds."""
    lasting: str
    sequence: str  # lastval(), which no audit finds
    xmax: str      # the next transaction id: another one once somebody has written


PROBE = """select concat_ws('; ',
  (select string_agg(name || '=' || setting, ',' order by name) from pg_catalog.pg_settings
    where source = 'session' and name not like 'transaction%'),
  (select 'advisory locks ' || string_agg(objid::text || mode, ',' order by objid, mode) from pg_catalog.pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid()),
  (select 'temporary objects' where exists (select from pg_catalog.pg_class where relnamespace = pg_my_temp_schema())),
  (select 'cursor ' || string_agg(name, ',') from pg_catalog.pg_cursors where is_holdable),
  (select 'listens ' || string_agg(c, ',') from pg_listening_channels() c),
  (select 'prepared ' || string_agg(name, ',') from pg_catalog.pg_prepared_statements where from_sql),
  nullif(current_setting('role'), 'none'), session_user, nullif(current_setting('trap.custom', true), '')),
  probe.lastval(), pg_snapshot_xmax(pg_current_snapshot())"""

PROBE_SCHEMA = """create schema probe; grant usage on schema probe to public;
create function probe.lastval() returns text language plpgsql as $f$ begin return pg_catalog.lastval();
exception when others then return 'none'; end $f$"""


class Session:
    """One session in which texts are executed, each in a state that is as after its login."""

    USER = "app_trust"

    def __init__(self, server, conforming):
        self._server = server
        self.conforming = conforming  # standard_conforming_strings
        self._client = None
        self.renew()

    def renew(self):
        self.close()
        if self._client is not None:
            # Its end drops what is temporary, which is a write too.
            until(lambda: not self._server.backends(f"pid = {self._client.pid}"), "the session has ended")
        strings = "on" if self.conforming else "off"
        self._client = RawClient(self._server, unix=True).login(
            self.USER, options=f"-c standard_conforming_strings={strings} -c search_path=texts,public -c statement_timeout=10s"
                               " -c escape_string_warning=off -c client_min_messages=error")
        self.left = self.probe()

    def close(self):
        if self._client is not None:
            self._client.close()

    def probe(self):
        messages = self._client.run(PROBE)
        rows = [got.columns for got in messages if got.kind == "D"]
        assert len(rows) == 1, errors(messages)
        return Left(*rows[0])

    def run(self, text, form):
        """The messages that answer a text, and the state it has left; None: the connection is lost."""
        if form == "query":
            self._client.send(query(text))
        else:
            self._client.send(parse(text), bind(), execute(), sync())
        messages = []
        try:
            while not messages or messages[-1].kind not in "ZG":
                messages.append(self._client.receive())
            if messages[-1].kind == "G":  # COPY … FROM STDIN: nobody sends anything
                return messages, None
            if messages[-1].status != "I":
                return messages, None
            return messages, self.probe()
        except Closed:
            return messages, None
