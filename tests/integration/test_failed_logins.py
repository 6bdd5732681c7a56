"""Guessing is slow: failed logins are delayed by address and by role."""

import time

import pytest
from harness.pooler import CONSOLE_ADMIN
from harness.raw import Closed, cstring, errors, message, startup_packet
from harness.wait import until


def attempt(raw, pooler, role="app_scram", secret="wrong", **options):
    """How long a login took, in seconds, and how it ended."""
    begun = time.monotonic()
    client = raw(pooler, **options)
    try:
        client.login(role, secret=secret)
        ended = "in"
    except Closed as end:
        ended = errors(end.seen)[0][1]
    client.close()
    return time.monotonic() - begun, ended


@pytest.mark.parametrize("method", ["md5", "scram-sha-256"])
def test_after_a_few_failures_each_takes_longer(pgring, raw, method):
    pooler = pgring(changes={"auth": {"method": method, "failed_login_delay": "400ms"}})
    times = []
    for _ in range(8):
        seconds, ended = attempt(raw, pooler)
        assert ended == "28P01"
        times.append(seconds)
    # 0, 0, 0, 100 ms, then before the check and before the refusal: 100+200, 200+400, 400+400 …
    assert times[3] >= 0.1 and times[4] >= 0.3 and times[5] >= 0.6 and times[7] >= 0.8, times


def test_another_role_logs_in_at_once_and_the_right_password_still_works(pgring, raw):
    pooler = pgring(changes={"auth": {"failed_login_delay": "2s"}})
    for _ in range(6):
        attempt(raw, pooler)
    seconds, ended = attempt(raw, pooler, role="app_md5", secret=None)
    assert ended == "in" and seconds < 1.5
    seconds, ended = attempt(raw, pooler, secret=None)
    assert ended == "in" and seconds >= 0.4


def test_off_is_no_delay(pgring, raw):
    pooler = pgring(changes={"auth": {"failed_login_delay": "off"}})
    begun = time.monotonic()
    for _ in range(20):
        assert attempt(raw, pooler)[1] == "28P01"
    assert time.monotonic() - begun < 15


def test_refusals_that_wait_end_with_their_clients_or_with_the_logins_time(pgring, raw):
    pooler = pgring(changes={"auth": {"method": "md5", "failed_login_delay": "1h"},
                             "timeouts": {"client_login": "3s"}})
    clients = [raw(pooler) for _ in range(16)]
    for client in clients:
        client.send(startup_packet({"user": "app_scram", "database": "bench"}))
        client.until("R")
    for client in clients:
        client.send(message("p", cstring("md5" + 32 * "0")))
    for client in clients[::2]:
        client.close()
    ends = [errors(client.rest())[0][1] for client in clients[1::2]]
    assert ends[0] == "28P01" and ends[-1] == "57014", ends
    assert attempt(raw, pooler, role="app_md5", secret=None)[1] == "in"
    until(lambda: [row["user"] for row in pooler.show("CLIENTS")] == [CONSOLE_ADMIN], "all are gone")
