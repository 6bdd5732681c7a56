"""pg_hba.conf and pg_ident.conf: what PostgreSQL accepts pgring accepts, and understands alike.

PostgreSQL itself is asked, by its views pg_hba_file_rules and pg_ident_file_mappings, which read the files
anew at each look. pgring reads the files of PostgreSQL 18; include lines and regular expressions for
databases and roles came with 16, oauth with 18, so what needs them is asked of a server that has them only.
Where pgring is stricter on purpose, the row says so.
"""

import ipaddress
import os

import pytest

from harness import auth_files

# (line, the oldest PostgreSQL that reads it so)
GOOD_HBA = [
    ("local all all trust", 15),
    ("local all all ident", 15),
    ("local all all peer map=m", 15),
    ('"local" "all" "x y" "trust"', 15),
    ("local a,b , c,d md5", 15),
    ("local a, b c md5", 15),
    ("local\tall\tall\ttrust\t# comment", 15),
    ("local all all#comment", None),  # the comment takes the method with it
    ('local "a#b" all trust', 15),
    ('local "a""b" all trust', 15),
    ('local a"b c"d all trust', 15),
    ("local all \\\n  all \\\n  trust", 15),
    ("# comment \\\nlocal nonsense\nlocal all all trust", 15),
    ("local all,sameuser,samerole,samegroup,replication +g,all,\"+g\" reject", 15),
    ("local @names @names trust", 15),
    ("host all all 127.0.0.1/32 scram-sha-256", 15),
    ("host all all 10.1.2.3/20 md5", 15),
    ("host all all 10.1.2.3/0 password", 15),
    ("host all all 10.1.2.3 255.255.240.0 trust", 15),
    ("host all all 10.1.2.3 255.0.255.0 trust", 15),
    ("host all all 127.1/8 trust", 15),
    ("host all all 0x7f.1/8 trust", 15),
    ("host all all ::1/128 trust", 15),
    ("host all all fd00::1/7 trust", 15),
    ("host all all fd00:: ffff:: trust", 15),
    ("host all all ::ffff:10.0.0.0/104 trust", 15),
    ("host all all all trust", 15),
    ("host all all samehost trust", 15),
    ("host all all samenet trust", 15),
    ("host all all db.example.com trust", 15),
    ("host all all .example.com trust", 15),
    ('host all all "all" trust', 15),
    ("host all all 10.0.0.256 trust", 15),
    ("hostssl all all all cert", 15),
    ("hostssl all all all cert clientcert=verify-full map=m", 15),
    ("hostssl all all all md5 clientcert=verify-ca", 15),
    ("hostssl all all all cert clientname=DN", 15),
    ("hostnossl all all all trust", 15),
    ("hostgssenc all all all trust", 15),
    ("hostnogssenc all all all trust", 15),
    ("hostgssenc all all all gss include_realm=0 krb_realm=X", 15),
    ("host all all all ident map=m", 15),
    ("host all all all pam pamservice=x pam_use_hostname=1", 15),
    ("host all all all ldap ldapprefix=cn= \"ldapsuffix=, dc=x\" ldapserver=h ldapport=390", 15),
    ("host all all all ldap ldapbasedn=x ldapsearchfilter=(uid=$username) ldapserver=h ldaptls=1", 15),
    ("host all all all ldap ldapbasedn=x ldapsearchattribute=cn ldapbinddn=b ldapbindpasswd=p ldapserver=h", 15),
    ('host all all all ldap "ldapurl=ldap://h:1390/dc=x%20y?cn?sub"', 15),
    ('host all all all ldap "ldapurl=ldap://h/dc=x??sub?(a=b)"', 15),
    ('host all all all ldap "ldapurl=ldap://h/dc=x"', 15),
    ("host all all all radius radiusservers=127.0.0.1 radiussecrets=s", 15),
    ('host all all all radius "radiusservers=127.0.0.1,127.0.0.2" "radiussecrets=s,t" radiusports=1812', 15),
    ("local /^a /^b trust", 16),
    ('local "/^a b$" "/^(?!postgres$)" trust', 16),
    ("include names.conf", 16),
    ("include_if_exists none.conf\nlocal all all trust", 16),
    ("include_dir conf.d", 16),
]

BAD_HBA = [
    ("hots all all all trust", 15),
    ("local", 15),
    ("local all", 15),
    ("local all all", 15),
    ("local,host all all trust", 15),
    ("host all all", 15),
    ("host all all 127.0.0.1", 15),
    ("host all all 127.0.0.1 trust", 15),
    ("host all all 127.0.0.1/33 trust", 15),
    ("host all all 127.0.0.1/-1 trust", 15),
    ("host all all 127.0.0.1/ trust", 15),
    ("host all all 127.0.0.1/8x trust", 15),
    ("host all all ::1/129 trust", 15),
    ("host all all 127.0.0.1 ::1 trust", 15),
    ("host all all 127.0.0.1,127.0.0.2 trust", 15),
    ("host all all db.example.com/8 trust", 15),
    ("host all all all nonsense", 15),
    ("host all all all md5,trust", 15),
    ("host all all all MD5", 15),
    ("host all all all peer", 15),
    ("host all all all cert", 15),
    ("local all all gss", 15),
    ("local all all trust nonsense", 15),
    ("local all all trust nonsense=1", 15),
    ("local all all trust map=x", 15),
    ("host all all all md5 clientcert=verify-ca", 15),
    ("hostssl all all all md5 clientcert=1", 15),
    ("hostssl all all all cert clientcert=verify-ca", 15),
    ("hostssl all all all cert clientname=cn", 15),
    ("host all all all md5 ldapserver=h", 15),
    ("host all all all md5 pamservice=h", 15),
    ("host all all all ldap ldapserver=h", 15),
    ("host all all all ldap ldapserver=h ldapprefix=a ldapbasedn=b", 15),
    ("host all all all ldap ldapserver=h ldapbasedn=b ldapsearchattribute=c ldapsearchfilter=d", 15),
    ('host all all all ldap "ldapurl=ldap://h/dc=x?cn?sub?(a=b)"', 15),
    ("host all all all ldap ldapserver=h ldapprefix=a ldapport=0", 15),
    ("host all all all ldap ldapurl=http://h/x", 15),
    ("host all all all ldap ldapurl=ldap://h/x??tree", 15),
    ("host all all all radius radiusservers=127.0.0.1", 15),
    ("local @missing all trust", 15),
    ("local all all#comment", 15),
    ("local /( all trust", 16),
    ("local all /[ trust", 16),
    ("include missing.conf", 16),
    ("include_dir missing.d", 16),
    ("include loop.conf", 16),
    ("include bad.conf", 16),
    ("host all all all oauth issuer=https://i", 18),
    ("host all all all oauth issuer=https://i scope=s map=m delegate_ident_mapping=1", 18),
]

# PostgreSQL reads these lines, and pgring says what is wrong with them.
STRICTER = [
    'local all "all trust\nlocal all all trust',  # a quote that is not closed takes the rest of its line
    'local all all peer "map=x',
    'host all all "" trust',                      # an address that nobody has
    "host all all all ldap ldapserver=h ldapprefix=a ldapport=389x",
    "host all all all ldap ldapserver=h ldapprefix=a ldapscheme=nonsense",
]

# The tests' PostgreSQL is not built with these, or has no library for them; pgring reads them as lines of a
# server that has.
LOOSER = ["host all all all sspi", "host all all all bsd", "host all all all oauth issuer=https://i scope=s"]

GOOD_IDENT = [
    ("m bob bob", 15),
    ("m \"a b\" all", 15),
    ("m /^(.*)@example\\.com$ \\1", 15),
    ("m \"/^(.*) x$\" pre\\1", 15),
    ("# nothing", 15),
    ("m a b ignored", 15),
    ("m a +g", 16),
    ("m a /^b", 16),
    ("include names.conf", 16),
]
BAD_IDENT = [
    ("m", 15),
    ("m a", 15),
    ("m,n a b", 15),
    ("m a,c b", 15),
    ("m a b,c", 15),
    ("m /( b", 15),
    ("m a /(", 16),
    ("include missing.conf", 16),
]

BESIDE = {
    "names": "ann, bob\ncarl # who\n",
    "names.conf": "local ann bob trust\n",
    "loop.conf": "include loop.conf\n",
    "bad.conf": "local all all trust\nnonsense\n",
    "conf.d/10.conf": "local ten all trust\n",
    "conf.d/2.conf": "local two all trust\n",
    "conf.d/.hidden.conf": "nonsense\n",
    "conf.d/other": "nonsense\n",
}


@pytest.fixture(scope="module")
def folder(postgres):
    """PostgreSQL's data folder, with the files that the tests' lines include."""
    for name, content in BESIDE.items():
        write(f"{postgres.data}/{name}", content)
    before = {name: open(f"{postgres.data}/{name}").read() for name in ("pg_hba.conf", "pg_ident.conf")}
    yield postgres.data
    for name, content in before.items():
        write(f"{postgres.data}/{name}", content)


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
    os.chmod(path, 0o644)


def version(postgres):
    return postgres.admin.info.server_version // 10000


def for_this(postgres, rows):
    return [line for line, since in rows if since is not None and since <= version(postgres)]


# Said of a line that is good; the tests' server has no certificate.
WITHOUT_TLS = "hostssl record cannot match because SSL is disabled"


def hba_rules(postgres):
    """(line, type, address, method, options) of each rule; or what is wrong."""
    rows = postgres.admin.execute(
        "select line_number, type, address, netmask, auth_method, options, error from pg_hba_file_rules").fetchall()
    # Of some wrong values PostgreSQL says why in its log only; such a row has no type.
    errors = [row[-1] or "see the log" for row in rows if row[-1] not in (None, WITHOUT_TLS) or row[1] is None]
    if errors:
        return False, errors
    return True, [(number, kind, address(where, mask), method, normal(options or []))
                  for number, kind, where, mask, method, options, _ in rows]


def address(where, mask):
    if where is None:
        return "-"
    return same_form(f"{where} {mask}" if mask else where)


SHOWN = ("map", "clientcert", "pamservice", "ldapserver", "ldapport", "ldaptls", "ldapprefix", "ldapsuffix",
         "ldapbasedn", "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter")


def normal(options):
    return sorted(option.strip() for option in options if option.split("=")[0] in SHOWN)


def split_options(text):
    """Our program writes them with blanks between; a value may have some itself."""
    options = []
    for word in text.split(" "):
        if word.split("=")[0] in SHOWN:
            options.append(word)
        elif options:
            options[-1] += " " + word
    return normal(options)


def our_rules(path):
    accepted, lines = auth_files.run("hba", path)
    if not accepted:
        return False, lines
    rules = []
    for line in lines:
        place, kind, where, method, options = line.split("\t")
        rules.append((int(place.rsplit(":", 1)[1]), kind, same_form(where), method, split_options(options)))
    return True, rules


def same_form(where):
    words = where.split(" ")
    return " ".join(str(ipaddress.ip_address(word)) for word in words) if len(words) == 2 else where


def test_lines_that_postgresql_reads_are_read_alike(postgres, folder):
    wrong = []
    lines = for_this(postgres, GOOD_HBA)
    assert len(lines) >= 45
    for line in lines + ["\n\n".join(line for line in lines if "include" not in line)]:
        write(f"{folder}/pg_hba.conf", line + "\n")
        theirs = hba_rules(postgres)
        ours = our_rules(f"{folder}/pg_hba.conf")
        assert theirs[0], (line, theirs)
        if ours != theirs:
            wrong.append(f"{line[:200]}\n  pgring     {ours}\n  PostgreSQL {theirs}")
    assert not wrong, "\n".join(wrong)


def test_lines_that_postgresql_refuses_are_refused(postgres, folder):
    wrong = []
    lines = for_this(postgres, BAD_HBA)
    assert len(lines) >= 40
    for line in lines:
        write(f"{folder}/pg_hba.conf", line + "\n")
        assert not hba_rules(postgres)[0], line
        accepted, said = our_rules(f"{folder}/pg_hba.conf")
        if accepted or not said[0].startswith(f"{folder}/"):
            wrong.append((line, said))
    assert not wrong, wrong


def test_lines_that_are_read_otherwise_on_purpose(postgres, folder):
    for line in STRICTER:
        write(f"{folder}/pg_hba.conf", line + "\n")
        accepted, said = our_rules(f"{folder}/pg_hba.conf")
        assert not accepted, (line, said)
    # Only the closing quote: the rest of the line is gone for PostgreSQL too, which makes it an error there.
    for line in STRICTER[1:]:
        write(f"{folder}/pg_hba.conf", line + "\n")
        assert hba_rules(postgres)[0], line
    for line in LOOSER:
        write(f"{folder}/pg_hba.conf", line + "\n")
        assert our_rules(f"{folder}/pg_hba.conf")[0], line


def test_newer_syntax_is_read_whatever_the_server(folder):
    """What this server may be too old for."""
    for line, since in GOOD_HBA:
        if since is not None:
            write(f"{folder}/pg_hba.conf", line + "\n")
            accepted, said = our_rules(f"{folder}/pg_hba.conf")
            assert accepted, (line, said)
    for line, _ in BAD_HBA:
        write(f"{folder}/pg_hba.conf", line + "\n")
        assert not our_rules(f"{folder}/pg_hba.conf")[0], line


def test_ident_maps_are_read_alike(postgres, folder):
    write(f"{folder}/names.conf", "m included carl\n")
    path = f"{folder}/pg_ident.conf"
    for rows, good in ((GOOD_IDENT, True), (BAD_IDENT, False)):
        for line in for_this(postgres, rows):
            write(path, line + "\n")
            rows_seen = postgres.admin.execute(
                "select line_number, map_name, sys_name, error from pg_ident_file_mappings").fetchall()
            assert all(row[-1] is None for row in rows_seen) == good, (line, rows_seen)
            accepted, lines = auth_files.run("ident", path)
            assert accepted == good, (line, lines)
            if good:
                ours = []
                for rule in lines:
                    place, name, system = rule.split("\t")
                    ours.append((int(place.rsplit(":", 1)[1]), name, system))
                assert ours == [row[:3] for row in rows_seen], line
    write(f"{folder}/names.conf", BESIDE["names.conf"])
