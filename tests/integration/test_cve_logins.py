"""What others' poolers got wrong at logins, one test per CVE, with every method that pgring has."""

import os
import pwd
import struct
import time

import pytest
from harness.pooler import plain_userlist
from harness.raw import Closed, cstring, errors, message, query, startup_packet

METHODS = ("trust", "password", "md5", "scram-sha-256", "peer")


def front(pgring_idle, method, **options):
    """A pgring whose logins to `bench` are by that method, by peer as app_scram."""
    hba = f"local all all {method}\n" + ("" if method == "peer" else f"host all all all {method}\n")
    pooler = pgring_idle(changes={
        "auth": {"method": None, "hba_file": "hba.conf", "ident_file": "ident.conf",
                 "failed_login_delay": "off"},
        "database": {"*": None, "bench": {"server": "main"}}}, **options)
    name = pwd.getpwuid(os.geteuid()).pw_name
    for file, text in (("hba.conf", hba.replace("peer", "peer map=os")), ("ident.conf", f"os {name} app_scram\n")):
        with open(f"{pooler.root}/{file}", "w") as out:
            out.write(text)
    return pooler.start()


def still_serves(raw, pooler, method):
    client = raw(pooler, unix=True) if method == "peer" else raw(pooler)
    assert client.login("app_scram").value("select session_user") == "app_scram"
    client.close()


@pytest.mark.parametrize("database", ["bench", "nowhere"])
@pytest.mark.parametrize("method", METHODS)
def test_cve_2026_107350_a_second_startup_packet_is_nobodys_login(pgring_idle, raw, method, database):
    pooler = front(pgring_idle, method)
    first = startup_packet({"user": "app_scram", "database": database})
    second = startup_packet({"user": "app_trust", "database": "bench"})
    answers = {"trust": b"", "peer": b"", "password": message("p", cstring("app_scram-secret")),
               "md5": message("p", cstring("md5" + 32 * "0")),
               "scram-sha-256": message("p", cstring("SCRAM-SHA-256") + struct.pack("!i", -1))}
    for packets in (first + second, first + second + answers[method], first + answers[method] + second):
        client = raw(pooler, unix=True) if method == "peer" else raw(pooler)
        client.send(packets + query("select session_user"))
        seen = client.rest()
        assert "app_trust" not in "".join(str(got.columns) for got in seen if got.kind == "D")
        assert any(got.kind == "E" for got in seen)
    still_serves(raw, pooler, method)


@pytest.mark.parametrize("method", METHODS)
def test_cve_2026_107349_options_with_an_empty_name_end(pgring_idle, raw, method):
    pooler = front(pgring_idle, method)
    for options in ("-c=", "-c =x", "--=", "-c", "-c= -c= -c="):
        client = raw(pooler, unix=True) if method == "peer" else raw(pooler)
        begun = time.monotonic()
        with pytest.raises(Closed):
            client.login("app_scram", options=options)
        assert time.monotonic() - begun < 10
    still_serves(raw, pooler, method)


@pytest.mark.parametrize("method", METHODS)
def test_cve_2012_4575_names_of_any_length_are_refused(pgring_idle, raw, method):
    pooler = front(pgring_idle, method)
    for user, database in (("app_scram", "d" * 9000), ("u" * 9000, "bench"), ("u" * 4000, "d" * 4000)):
        client = raw(pooler, unix=True) if method == "peer" else raw(pooler)
        with pytest.raises(Closed) as refused:
            client.login(user, database, secret="x")
        assert errors(refused.value.seen)
    still_serves(raw, pooler, method)


@pytest.mark.parametrize("user", ["app_scram", "nobody_at_all"])
@pytest.mark.parametrize("final", [b"", b"c=biws", b"c=biws,p=" + 44 * b"A", b"c=biws,r=,p=" + 44 * b"A", b",,,,",
                                   b"r=x", b"\xff" * 900])
def test_cve_2026_19888_a_scram_answer_without_its_nonce(pgring, raw, user, final):
    pooler = pgring()
    client = raw(pooler)
    client.send(startup_packet({"user": user, "database": "bench"}))
    client.until("R")
    first = b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"
    client.send(message("p", cstring("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
    client.until("R")
    client.send(message("p", final))
    assert errors(client.rest())[0][:2] == ("FATAL", "08P01")
    still_serves(raw, pooler, "scram-sha-256")


@pytest.mark.parametrize("method", ["password", "md5", "scram-sha-256"])
def test_cve_2026_6664_lengths_of_password_messages_are_checked(pgring_idle, raw, method):
    pooler = front(pgring_idle, method)
    bad = [b"p" + struct.pack("!I", length) + b"x" * 8 for length in (0, 3, 65_540, 2**31 - 1, 2**31, 2**32 - 1)]
    bad += [message("p"), message("p", b"no end"), message("p", b"a\0b\0"),
            message("p", cstring("SCRAM-SHA-256") + struct.pack("!I", 2**31 - 1) + b"n,,")]
    for sent in bad:
        client = raw(pooler)
        client.send(startup_packet({"user": "app_scram", "database": "bench"}))
        client.until("R")
        client.send(sent)
        assert errors(client.rest())[0][1] in ("08P01", "28P01"), sent
    still_serves(raw, pooler, method)


@pytest.mark.parametrize("method", ["password", "md5", "scram-sha-256"])
def test_cve_2025_12819_parameters_of_who_is_not_let_in_reach_no_server(pgring_idle, postgres, raw, method):
    pooler = front(pgring_idle, method)
    for user in ("app_scram", "nobody_at_all"):
        with pytest.raises(Closed) as refused:
            raw(pooler).login(user, secret="wrong", search_path="attackers",
                              options="-c session_preload_libraries=x")
        assert errors(refused.value.seen)[0][1] == "28P01"
    assert not postgres.backends()
    still_serves(raw, pooler, method)


@pytest.mark.parametrize("method", ["password", "md5", "scram-sha-256"])
def test_cve_2015_6817_an_unknown_user_is_nobody(pgring_idle, raw, method):
    pooler = front(pgring_idle, method, userlist=plain_userlist() + '"empty" ""\n')
    for user in ("nobody_at_all", "empty", " ", "app_scram\t", "APP_SCRAM", '"'):
        for secret in ("app_scram-secret", f"{user}-secret", "", "md5", " "):
            with pytest.raises(Closed) as refused:
                raw(pooler).login(user, secret=secret)
            assert errors(refused.value.seen)[0][1] == "28P01"
