"""What the release binary must be: hardened, and with mimalloc as everybody's allocator."""

import os
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def readelf(pgring_binary):
    def read(*options):
        return subprocess.run(["readelf", "-W", *options, str(pgring_binary)],
                              check=True, capture_output=True, text=True).stdout
    return read


def test_the_binary_is_position_independent_with_full_relro(readelf):
    assert re.search(r"Type:\s+DYN", readelf("-h"))
    dynamic = readelf("-d")
    assert "BIND_NOW" in dynamic or "FLAGS_1" in dynamic and "NOW" in dynamic
    assert "PIE" in dynamic
    assert "GNU_RELRO" in readelf("-l")


def test_the_stack_is_not_executable_and_no_segment_is_writable_code(readelf):
    segments = readelf("-l")
    assert re.search(r"GNU_STACK.* RW +0x", segments)
    assert not re.search(r"LOAD.* RWE ", segments)


def test_stack_canaries_and_fortified_functions_are_used(readelf):
    called = set(re.findall(r"\b__\w+_chk(?:_fail)?\b", readelf("--dyn-syms")))
    assert "__stack_chk_fail" in called
    assert called - {"__stack_chk_fail"}, "no fortified function: _FORTIFY_SOURCE is off"


def test_malloc_and_operator_new_of_every_library_are_mimallocs(pgring_binary):
    done = subprocess.run([str(pgring_binary), "--version"], capture_output=True, text=True, check=True,
                          env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"})
    bound = re.findall(r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `(malloc|free|calloc|realloc|_Znwm|_ZdlPv)'",
                       done.stderr)
    assert bound
    wrong = [(user, symbol, provider) for user, provider, symbol in bound
             if "mimalloc" not in provider and os.path.basename(provider) != "pgring"]
    assert not wrong
    assert any("libcrypto" in user for user, _, _ in bound)
    assert any("libstdc++" in user for user, _, _ in bound)


def test_mimalloc_serves_while_pgring_runs(pgring_binary):
    done = subprocess.run([str(pgring_binary), "--version"], capture_output=True, text=True, check=True,
                          env={**os.environ, "MIMALLOC_SHOW_STATS": "1"})
    assert "heap stats" in done.stderr
