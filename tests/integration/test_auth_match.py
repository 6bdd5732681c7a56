"""Which line of an hba file a login meets: PostgreSQL is asked by logging in.

Each line of a file gets a method whose outcome tells it apart: `trust` lets in, `reject` says so, and what no
line matches is refused with other words. A login is tried against files in which one line at a time is
`trust` and the others `reject`, so the line that lets it in is the line that it met.
"""

import psycopg
import pytest

from harness import auth_files
from harness.wait import until

# Without the method. +team has the role "ann"; "ann" is a database too.
LINES = [
    "local sameuser all",
    "local samerole bob",
    "local replication bob",
    'local "replication" all',
    "local bench,postgres +team",
    'local all "+team"',
    "host bench ann 127.0.0.1/32",
    "host bench bob 127.9.9.1 255.0.0.255",
    "host bench all 127.0.0.2/32",
    "hostssl all all all",
    "hostgssenc all all all",
    "host ann,bob carl samehost",
    "hostnossl postgres all 127.0.0.0/8",
    "host all +team ::1/128",
    "host all bob samenet",
    "local all @matched_names",
]

ROLES = ("ann", "bob", "carl")
DATABASES = ("bench", "postgres", "ann", "bob", "replication")
ADDRESSES = ("unix", "127.0.0.1", "::1")


@pytest.fixture
def peopled(own_postgres):
    for role in ROLES:
        own_postgres.admin.execute(f"create role {role} login")
    own_postgres.admin.execute("create role team")
    own_postgres.admin.execute("grant team to ann")
    for name in ("ann", "bob", "replication"):
        own_postgres.admin.execute(f"create database {name}")
    with open(f"{own_postgres.data}/matched_names", "w") as names:
        names.write("carl\n")
    return own_postgres


def logins():
    for address in ADDRESSES:
        for role in ROLES:
            for database in DATABASES:
                yield address, database, role, False
            yield address, "replication", role, True


def hba(lines, trusted):
    """The owner's line comes first and is for the tests' own connection."""
    rules = ["local postgres,bench owner trust"]
    rules += [f"{line} {'trust' if i == trusted else 'reject'}" for i, line in enumerate(lines)]
    return "\n".join(rules) + "\n"


def install(postgres, text):
    with open(f"{postgres.data}/pg_hba.conf", "w") as file:
        file.write(text)
    loaded = postgres.value("select pg_conf_load_time()")
    postgres.value("select pg_reload_conf()")
    # A backend sees its own reload; what new connections meet is the postmaster's.
    until(lambda: postgres.value("select pg_conf_load_time()") > loaded, "the file is loaded")


def outcome(postgres, address, database, role, is_replication):
    """in, reject or none."""
    words = {"dbname": database, "user": role, "port": postgres.port, "sslmode": "disable",
             "gssencmode": "disable", "connect_timeout": 10}
    if is_replication:
        words["replication"] = "true"
    if address == "unix":
        words["host"] = postgres.socket_dir
    else:
        words["host"] = address
    try:
        psycopg.connect(psycopg.conninfo.make_conninfo(**words)).close()
    except psycopg.OperationalError as refused:
        text = str(refused)
        if "must be superuser or replication role" in text or "permission denied" in text:
            return "in"  # past the hba file
        assert "pg_hba.conf" in text, text
        return "none" if "no pg_hba.conf entry" in text else "reject"
    return "in"


def ours(postgres, asked):
    """The line of LINES that each login meets, or None, as src/auth finds it."""
    words = []
    for address, database, role, is_replication in asked:
        kind = "unix" if address == "unix" else "tcp"
        groups = "team" if role == "ann" else ""
        words.append(f"{kind}{'-replication' if is_replication else ''} {address} {database} {role} {groups}")
    accepted, lines = auth_files.run("match", f"{postgres.data}/pg_hba.conf", stdin="\n".join(words) + "\n")
    assert accepted and len(lines) == len(asked), lines
    return [None if line == "none" else int(line.split()[0]) - 2 for line in lines]


def test_a_login_meets_the_line_that_it_meets_in_postgresql(peopled):
    asked = list(logins())
    install(peopled, hba(LINES, None))
    met = ours(peopled, asked)
    assert len({line for line in met if line is not None}) >= 9 and None in met
    refused = [outcome(peopled, *login) for login in asked]
    wrong = [f"{login}: pgring {line}, PostgreSQL {said}" for login, line, said in zip(asked, met, refused)
             if said != ("none" if line is None else "reject")]
    assert not wrong, "\n".join(wrong)
    for trusted in range(len(LINES)):
        here = [login for login, line in zip(asked, met) if line == trusted]
        install(peopled, hba(LINES, trusted))
        wrong += [f"{login} does not meet {LINES[trusted]}" for login in here if outcome(peopled, *login) != "in"]
    assert not wrong, "\n".join(wrong)
