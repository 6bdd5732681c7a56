"""Lines of an hba file that speak of TLS and of clients' certificates: held against PostgreSQL with the same lines."""

import psycopg
import pytest
from harness.postgres import Postgres, password
from harness.tls import give_certificates

# A database each.
LINES = {
    "hostssl": "hostssl {} all all scram-sha-256",
    "hostnossl": "hostnossl {} all all scram-sha-256",
    "not_hostssl": "hostssl {} all all reject\nhost {} all all scram-sha-256",
    "rejects": "host {} all all reject",
    "cert": "hostssl {} all all cert",
    "cert_map": "hostssl {} all all cert map=people",
    "cert_dn": "hostssl {} all all cert clientname=DN map=whole",
    "signed": "hostssl {} all all scram-sha-256 clientcert=verify-ca",
    "named": "hostssl {} all all scram-sha-256 clientcert=verify-full",
    "named_trust": "hostssl {} all all trust clientcert=verify-full",
}
HBA = "local all all trust\n" + "".join(line.replace("{}", name) + "\n" for name, line in LINES.items())
IDENT = "people somebody t_scram\nwhole /^CN=some(.*)$ t_scram\n"
CERTIFICATES = ("", "t_scram", "somebody", "other")
FILES = {"pg_hba.conf": HBA, "pg_ident.conf": IDENT}


@pytest.fixture(scope="module")
def certified(authority):
    server = Postgres()
    give_certificates(server, authority, authority.issue("postgres"))
    server.admin.execute(f"create role t_scram login password '{password('t_scram')}'")
    for name in LINES:
        server.admin.execute(f"create database {name}")
    for name, text in FILES.items():
        with open(f"{server.data}/{name}", "w") as file:
            file.write(text)
    server.halt()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def people(authority):
    return {name: authority.issue(f"person-{name}", name, ()) for name in CERTIFICATES if name}


def outcome(target, sslmode, person, secret, name):
    """"in", or what libpq was told."""
    own = {"sslcert": person[0], "sslkey": person[1]} if person else {"sslcert": "/none", "sslkey": "/none"}
    try:
        with psycopg.connect(host="127.0.0.1", port=target.port, user="t_scram", dbname=name, password=secret,
                             sslmode=sslmode, prepare_threshold=None, **own) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError as error:
        return str(error).split("failed: ", 1)[-1].strip()
    return "in"


@pytest.mark.parametrize("name", LINES)
def test_every_login_ends_as_at_postgresql(certified, authority, certificate, people, pgring_idle, name):
    pooler = pgring_idle(certified, userlist=f'"t_scram" "{certified.secret("t_scram")}"\n', changes={
        "auth": {"method": None, "hba_file": "pg_hba.conf", "ident_file": "pg_ident.conf", "failed_login_delay": "off"},
        "tls": {"mode": "allow", "cert_file": certificate[0], "key_file": certificate[1],
                "ca_file": authority.certificate},
        "database": {"*": None, **{one: {"server": "main"} for one in LINES}}})
    for file_name, text in FILES.items():
        with open(f"{pooler.root}/{file_name}", "w") as file:
            file.write(text)
    pooler.start()
    different, seen = [], set()
    for person in CERTIFICATES:
        for sslmode in ("disable", "require") if not person else ("require",):
            for secret in (password("t_scram"), "not it"):
                case = (sslmode, people.get(person), secret, name)
                direct, ours = outcome(certified, *case), outcome(pooler, *case)
                seen.add(direct)
                if ours != direct:
                    different.append(f"{person or 'nobody'}, {case}: pgring {ours}, PostgreSQL {direct}")
    assert not different, "\n".join(different)
    assert len(seen) >= 2
