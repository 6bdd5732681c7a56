"""What the clients of the isolation test do while they keep their connection.

A plan is a list of pieces, sent one by one or in one write; a behaviour is one plan or several in a row.
"""

from harness.isolation import Behaviour, Piece, Wrong, expect, expect_error, rows
from harness.raw import bind, close, describe, execute, message, parse, query, sync, unnamed

REPORTED = {
    "application_name": lambda client: client.mark(),
    "DateStyle": lambda client: client.random.choice(["German, DMY", "SQL, MDY", "ISO, YMD", "Postgres, DMY"]),
    "TimeZone": lambda client: client.random.choice(["Asia/Tokyo", "America/Lima", "Europe/Berlin", "UTC"]),
    "IntervalStyle": lambda client: client.random.choice(["iso_8601", "sql_standard", "postgres_verbose"]),
}
# Odd numbers, so that SHOW does not choose another unit.
UNREPORTED = {
    "pgring.x": lambda client: client.mark(),
    "statement_timeout": lambda client: f"{600001 + 2 * client.random.randrange(10**8)}ms",
    "work_mem": lambda client: f"{1025 + 2 * client.random.randrange(30000)}kB",
    "extra_float_digits": lambda client: str(client.random.randrange(-15, 4)),
}
COMMON_TEXTS = 4  # statement texts that all clients use


# Plans without state.

def plan_simple(client):
    mark = client.mark()
    return [Piece(f"simple {mark}", query(f"select '{mark}'"), expect("TDCZ", [[mark]]))]


def plan_several(client):
    marks = [client.mark() for _ in range(client.random.randrange(2, 5))]
    return [Piece(f"several {marks[0]}", query("; ".join(f"select '{mark}'" for mark in marks)),
                  expect("TDC" * len(marks) + "Z", [[mark] for mark in marks]))]


def plan_unnamed(client):
    one, other = client.mark(), client.mark()
    return [Piece(f"unnamed {one}", unnamed("select $1::text, $2::text", [one, other]) + sync(),
                  expect("12TDCZ", [[one, other]]))]


def plan_groups(client):
    """Several statements before one Sync."""
    marks = [client.mark() for _ in range(3)]
    return [Piece(f"group {marks[0]}", b"".join(unnamed("select $1::text", [mark]) for mark in marks) + sync(),
                  expect("12TDC" * 3 + "Z", [[mark] for mark in marks]))]


def plan_error(client):
    mark = client.mark()
    return [Piece(f"error {mark}", query(f"select '{mark}'::int"), expect_error("22P02", mark))]


def plan_error_in_several(client):
    one, other = client.mark(), client.mark()
    return [Piece(f"error in several {one}", query(f"select '{one}'; select '{other}'::int; select 'never'"),
                  expect_error("22P02", other, "TDCEZ", [[one]]))]


def plan_error_in_group(client):
    one, other = client.mark(), client.mark()
    data = unnamed("select $1::text", [one]) + unnamed("select $1::int", [other]) + unnamed("select 'never'")
    return [Piece(f"error in group {one}", data + sync(), expect_error("22P02", other, "12TDC1EZ", [[one]]))]


def plan_many_rows(client):
    mark, count = client.mark(), client.random.choice([1, 10, 500, 3000])
    return [Piece(f"{count} rows {mark}", query(f"select '{mark}/' || n from generate_series(1, {count}) n"),
                  expect("T" + "D" * count + "CZ", [[f"{mark}/{n}"] for n in range(1, count + 1)]))]


def plan_wide_row(client):
    mark, count = client.mark(), client.random.choice([100, 5000, 20000])
    return [Piece(f"wide row {mark}", query(f"select repeat('{mark} ', {count})"),
                  expect("TDCZ", [[f"{mark} " * count]]))]


def plan_notice(client):
    mark = client.mark()

    def check(messages):
        heard = [got.fields["M"] for got in messages if got.kind == "N"]
        if heard != [mark]:
            raise Wrong(f"heard {heard}")

    return [Piece(f"notice {mark}", query(f"do $$ begin raise warning '{mark}'; end $$"), check)]


def plan_empty(client):
    return [Piece("empty", query(client.random.choice(["", ";", "-- nothing"])), expect("IZ"))]


# Transactions.

def pid_piece(pids):
    """All pieces that share `pids` must run on one server connection."""

    def check(messages):
        expect("TDCZ")(messages)
        pids.add(rows(messages)[0][0])
        if len(pids) > 1:
            raise Wrong(f"one transaction on backends {pids}")

    return Piece("pid", query("select pg_backend_pid()"), check)


def own_rows_piece(client, expected):
    return Piece("own rows", query(f"select mark from iso_rows where owner = '{client.name}' order by id"),
                 expect("T" + "D" * len(expected) + "CZ", [[mark] for mark in expected]))


def plan_transaction(client):
    mark, pids, during = client.mark(), set(), list(client.own_rows)
    begin, end = client.random.choice(["begin", "start transaction"]), client.random.choice(["commit", "rollback"])
    pieces = [Piece(begin, query(begin), expect("CZ")), pid_piece(pids)]
    if during and client.random.random() < 0.3:
        pieces.append(Piece("delete", query(f"delete from iso_rows where owner = '{client.name}'"),
                            expect("CZ", tag=f"DELETE {len(during)}")))
        during = []
    during.append(mark)
    insert = f"insert into iso_rows (owner, mark) values ('{client.name}', '{mark}')"
    pieces += [Piece(f"insert {mark}", query(insert), expect("CZ", tag="INSERT 0 1")), *choose(client)(client), pid_piece(pids)]
    if client.random.random() < 0.3:
        aborted = client.mark()
        pieces += [Piece(f"error {aborted}", query(f"select '{aborted}'::int"), expect_error("22P02", aborted)),
                   Piece("is aborted", unnamed("select 'never'") + sync(), expect_error("25P02"))]
        pieces.append(Piece(end, query(end), expect("CZ", tag="ROLLBACK")))
    else:
        pieces += [own_rows_piece(client, during), Piece(end, query(end), expect("CZ", tag=end.upper()))]
        client.own_rows = during if end == "commit" else client.own_rows
    return [*pieces, own_rows_piece(client, client.own_rows)]


def plan_portals(client):
    mark = client.mark()
    text = f"select '{mark}/' || n from generate_series(1, 5) n"
    return [Piece("begin", query("begin"), expect("CZ")),
            Piece(f"portal {mark}", parse(text) + bind(portal="p") + execute("p", 2) + sync(),
                  expect("12DDsZ", [[f"{mark}/1"], [f"{mark}/2"]])),
            *plan_unnamed(client),
            Piece(f"portal goes on {mark}", execute("p", 9) + sync(),
                  expect("DDDCZ", [[f"{mark}/{n}"] for n in (3, 4, 5)])),
            Piece("commit", query("commit"), expect("CZ"))]


# COPY.

def plan_copy_out(client):
    mark, count = client.mark(), client.random.choice([0, 3, 2000])

    def check(messages):
        expect("H" + "d" * count + "cCZ")(messages)
        got = [one.body.decode() for one in messages if one.kind == "d"]
        if got != [f"{mark}/{n}\n" for n in range(1, count + 1)]:
            raise Wrong(f"copied {got[:3]}")

    return [Piece(f"copy out {mark}", query(f"copy (select '{mark}/' || n from generate_series(1, {count}) n)"
                                            " to stdout"), check)]


def plan_copy_in(client):
    """With the data behind the query, not waiting for CopyInResponse."""
    mark, count = client.mark(), client.random.choice([0, 1, 300])
    data = b"".join(message("d", f"{client.name}\t{mark}\n".encode()) for _ in range(count))
    where = f"where owner = '{client.name}' and mark = '{mark}'"
    if client.random.random() < 0.3:
        failed = [Piece(f"copy in fails {mark}", query("copy iso_copy from stdin") + data
                        + message("f", f"{mark}\0".encode()), expect_error("57014", mark, "GEZ"))]
        return [*failed, Piece("nothing copied", query(f"select count(*) from iso_copy {where}"),
                               expect("TDCZ", [["0"]]))]
    return [Piece(f"copy in {mark}", query("copy iso_copy from stdin") + data + message("c"),
                  expect("GCZ", tag=f"COPY {count}")),
            Piece("what was copied", query(f"delete from iso_copy {where}"), expect("CZ", tag=f"DELETE {count}"))]


async def copy_in_step_by_step(client):
    mark, count = client.mark(), client.random.randrange(1, 400)
    client.note(f"copy in, step by step, {mark}")
    client.wire.transport.write(query("copy iso_copy from stdin"))
    await client.wait("GE")
    for _ in range(count):
        client.wire.transport.write(message("d", f"{client.name}\t{mark}\n".encode()))
    client.wire.transport.write(message("c"))
    client.judge(Piece(mark, b"", expect("CZ", tag=f"COPY {count}")), await client.wait())
    await client.play([Piece("what was copied", query(f"delete from iso_copy where mark = '{mark}'"),
                             expect("CZ", tag=f"DELETE {count}"))])


# Settings.

def known_settings(client):
    return {**REPORTED, **UNREPORTED} if "unreported settings" in client.world.features else REPORTED


def show_piece(client, settings=None):
    """All settings at once; a custom one that was never set is not known, or empty."""
    names = list(known_settings(client))
    mark, expected = client.mark(), client.settings if settings is None else settings
    wanted = [mark] + [expected.get(name, client.world.defaults[name]) for name in names]
    text = f"select '{mark}', " + ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in names)
    return Piece(f"show {mark}", query(text), expect("TDCZ", [wanted]))


def set_piece(client, settings, local=False):
    """Changes `settings`, which are the client's or those of a transaction."""
    name = client.random.choice(list(known_settings(client)))
    value = known_settings(client)[name](client)
    settings[name] = value
    how = "local" if local else client.random.choice(["", "session"])
    if not local and client.random.random() < 0.3:
        return Piece(f"set_config {name} {value}", query(f"select set_config('{name}', '{value}', false)"),
                     expect("TDCZ", [[value]]))
    return Piece(f"set {how} {name} {value}", query(f"set {how} {name} = '{value}'"), expect("CZ", tag="SET"))


def plan_set(client):
    return [set_piece(client, client.settings), show_piece(client)]


def plan_show(client):
    return [show_piece(client)]


def plan_reset(client):
    names = [name for name in client.settings if name != "application_name"]  # that one has a startup value
    if not names:
        return plan_show(client)
    name = client.random.choice(names)
    del client.settings[name]
    return [Piece(f"reset {name}", query(f"reset {name}"), expect("CZ", tag="RESET")), show_piece(client)]


def plan_set_in_transaction(client):
    """With an end of either kind; a savepoint is rolled back before."""
    kept = dict(client.settings)
    pieces = [Piece("begin", query("begin"), expect("CZ")), set_piece(client, kept)]
    during = dict(kept)
    pieces += [Piece("savepoint", query("savepoint a"), expect("CZ")), set_piece(client, during),
               set_piece(client, during, local=True), show_piece(client, during),
               Piece("rollback to", query("rollback to a"), expect("CZ")), show_piece(client, kept)]
    if client.random.random() < 0.5:
        client.settings = kept
        pieces.append(Piece("commit", query("commit"), expect("CZ", tag="COMMIT")))
    else:
        pieces.append(Piece("rollback", query("rollback"), expect("CZ", tag="ROLLBACK")))
    return [*pieces, show_piece(client)]


def plan_set_undone_by_an_error(client):
    mark = client.mark()
    return [Piece(f"set undone {mark}", query(f"set application_name = 'never'; select '{mark}'::int"),
                  expect_error("22P02", mark, "CEZ")), show_piece(client)]


# Statements.

def plan_prepare(client):
    """A text of one's own, or one that all clients use; under a name that may be taken."""
    name, is_common = f"s{client.random.randrange(6)}", client.random.random() < 0.3
    column = f"common{client.random.randrange(COMMON_TEXTS)}" if is_common else client.mark()
    declare = parse(f'select $1::text as "{column}"', name)
    if client.statements.get(name) is None:
        wanted = expect("1Z")
    elif client.random.random() < 0.7:
        declare, wanted = close("S", name) + declare, expect("31Z")
    else:
        return [Piece(f"taken {name}", declare + sync(), expect_error("42P05", name)), *use_pieces(client, name)]
    client.statements[name] = column
    return [Piece(f"prepare {name} {column}", declare + sync(), wanted), *use_pieces(client, name)]


def use_pieces(client, name):
    column, values = client.statements.get(name), [client.mark() for _ in range(client.random.randrange(1, 4))]
    if column is None:
        return [Piece(f"use of no {name}", bind(values[:1], statement=name) + execute() + sync(),
                      expect_error("26000", name))]

    def check(messages):
        expect("2TDC" * len(values) + "Z", [[value] for value in values])(messages)
        names = [got.names for got in messages if got.kind == "T"]
        if names != [[column]] * len(values):
            raise Wrong(f"the statement {name} is {names}, not {column}")

    data = b"".join(bind([value], statement=name) + describe() + execute() for value in values)
    return [Piece(f"use {name} {column} {values[0]}", data + sync(), check)]


def plan_use(client):
    return use_pieces(client, client.random.choice([*client.statements, "nowhere"]))


def plan_error_behind_a_statement(client):
    """A statement is declared, used, and the group fails: the statement stays."""
    name, column, value, wrong = "kept", client.mark(), client.mark(), client.mark()
    data = close("S", name) + parse(f'select $1::text as "{column}"', name) + bind([value], statement=name)
    client.statements[name] = column
    return [Piece(f"error behind {column}", data + execute() + unnamed("select $1::int", [wrong]) + sync(),
                  expect_error("22P02", wrong, "312DC1EZ", [[value]])), *use_pieces(client, name)]


def plan_close(client):
    if not client.statements:
        return plan_prepare(client)
    name = client.random.choice(list(client.statements))
    client.statements[name] = None
    return [Piece(f"close {name}", close("S", name) + sync(), expect("3Z")), *use_pieces(client, name)]


def plan_statement_in_rollback(client):
    name, column = "rolled", client.mark()
    client.statements[name] = column
    return [Piece("begin", query("begin"), expect("CZ")),
            Piece(f"prepare {name} {column}", close("S", name) + parse(f'select $1::text as "{column}"', name)
                  + sync(), expect("31Z")), *use_pieces(client, name),
            Piece("rollback", query("rollback"), expect("CZ")), *use_pieces(client, name)]


def plan_unnamed_kept(client):
    """Parse now, Bind in a later transaction."""
    column, value = client.mark(), client.mark()
    return [Piece(f"parse {column}", parse(f'select $1::text as "{column}"') + sync(), expect("1Z")),
            Piece(f"bind {column}", bind([value]) + execute() + sync(), expect("2DCZ", [[value]])),
            Piece(f"bind again {column}", bind([column]) + execute() + sync(), expect("2DCZ", [[column]]))]


def plan_sql_prepare(client):
    name, column, value = f"p{client.random.randrange(3)}", client.mark(), client.mark()
    pieces = []
    if name in client.prepared:
        pieces.append(Piece(f"execute {name}", query(f"execute {name}('{value}')"),
                            expect("TDCZ", [[client.prepared[name], value]])))
        pieces.append(Piece(f"deallocate {name}", query(f"deallocate {name}"), expect("CZ")))
        pieces.append(Piece(f"execute no {name}", query(f"execute {name}('x')"), expect_error("26000", name)))
    client.prepared[name] = column
    return [*pieces, Piece(f"sql prepare {name} {column}",
                           query(f"prepare {name}(text) as select '{column}', $1"), expect("CZ"))]


# State that pins.

def plan_advisory_lock(client):
    key = (client.slot << 20) + client.random.randrange(1 << 20)
    lock = Piece(f"lock {key}", query(f"select pg_try_advisory_lock({key})"), expect("TDCZ", [["t"]]))
    unlock = query(f"select pg_advisory_unlock({key})")
    return [lock, *choose(client)(client), lock, Piece(f"unlock {key}", unlock, expect("TDCZ", [["t"]])),
            *plan_simple(client), Piece(f"unlock {key}", unlock, expect("TDCZ", [["t"]]))]


def plan_temporary_table(client):
    mark = client.mark()
    return [Piece(f"temp {mark}", query(f"create temp table iso_temp as select '{mark}' as mark"), expect("CZ")),
            *choose(client)(client), Piece(f"from temp {mark}", query("table iso_temp"), expect("TDCZ", [[mark]])),
            Piece("drop temp", query("drop table iso_temp"), expect("CZ"))]


def plan_listen(client):
    mark, channel = client.mark(), f"channel{client.slot}"

    def check(messages):
        heard = [got.body[4:].split(b"\0")[:2] for got in messages if got.kind == "A"]
        if heard != [[channel.encode(), mark.encode()]]:
            raise Wrong(f"heard {heard}")

    return [Piece(f"listen {channel}", query(f"listen {channel}"), expect("CZ")), *plan_simple(client),
            Piece(f"notify {mark}", query(f"notify {channel}, '{mark}'"), check),
            Piece("unlisten", query(f"unlisten {channel}"), expect("CZ"))]


PLAIN = [plan_simple, plan_several, plan_unnamed, plan_groups, plan_error, plan_error_in_several,
         plan_error_in_group, plan_many_rows, plan_wide_row, plan_notice, plan_empty, plan_copy_out]
HARMLESS = [plan_simple, plan_several, plan_unnamed, plan_groups, plan_many_rows, plan_notice, plan_copy_out]


def choose(client):
    """A plan that can stand anywhere, in a transaction too."""
    return client.random.choice(HARMLESS)


def all_plans(client):
    """(plan, weight) of what this pgring can do."""
    features = client.world.features
    plans = [(plan, 2) for plan in PLAIN] + [(plan_transaction, 6), (plan_portals, 2)]
    if "copy" in features:
        plans += [(plan_copy_in, 2)]
    if "settings" in features:
        plans += [(plan_set, 3), (plan_show, 3), (plan_set_in_transaction, 2),
                  (plan_set_undone_by_an_error, 1)]
    plans += [(plan_reset, 1)] * ("reset" in features)
    if "named" in features:
        plans += [(plan_prepare, 4), (plan_use, 8), (plan_close, 2), (plan_error_behind_a_statement, 2),
                  (plan_statement_in_rollback, 1)]
    plans += [(plan_unnamed_kept, 2)] * ("unnamed kept" in features)
    plans += [(plan_sql_prepare, 2)] * ("sql prepare" in features)
    if "pins" in features:
        plans += [(plan_advisory_lock, 0.5), (plan_temporary_table, 0.5), (plan_listen, 0.5)]
    return plans


def draw(client, count):
    """The pieces of `count` plans in a row."""
    plans, weights = zip(*all_plans(client))
    return [piece for plan in client.random.choices(plans, weights, k=count) for piece in plan(client)]


async def one_plan(client):
    await client.play(draw(client, 1))


async def pipeline(client):
    """Several plans in one write, all before the first answer is read."""
    await client.play(draw(client, client.random.randrange(2, 8)), together=True)


BEHAVIOURS = [Behaviour("one plan", one_plan, 20, None), Behaviour("pipeline", pipeline, 8, None),
              Behaviour("copy step by step", copy_in_step_by_step, 1, "copy")]
