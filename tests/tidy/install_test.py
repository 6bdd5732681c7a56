"""What `meson install` lays down, and what systemd thinks of the service."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

THRESHOLD = 25  # of `systemd-analyze security`, tenths: 2.5; the bound


@pytest.fixture(scope="module")
def installed(tmp_path_factory, build_folder):
    """The tree that `meson install` makes, and the prefix in it."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["/usr/bin/meson", "install", "-C", str(build_folder), "--no-rebuild", "--destdir", str(folder)],
                   check=True, capture_output=True)
    prefix = next(path for path in (folder / "usr/local", folder / "usr") if (path / "bin").is_dir())
    return folder, prefix


@pytest.fixture
def unit(installed, tmp_path):
    """The installed unit, with the path of the binary as it is in the test's folder."""
    folder, prefix = installed
    text = (prefix / "lib/systemd/system/pgring.service").read_text(encoding="utf-8")
    binary = prefix / "bin/pgring"
    final = "/" + str(binary.relative_to(folder))
    assert f"ExecStart={final} run " in text
    path = tmp_path / "pgring.service"
    path.write_text(text.replace(final, str(binary)), encoding="utf-8")
    return path


def test_install_puts_everything_in_place(installed):
    folder, prefix = installed
    binary = prefix / "bin/pgring"
    assert os.access(binary, os.X_OK)
    assert subprocess.run([str(binary), "--version"], check=True, capture_output=True, text=True).stdout
    for path in ("lib/systemd/system/pgring.service", "lib/sysusers.d/pgring.conf", "share/doc/pgring/LICENSE",
                 "share/doc/pgring/CHANGELOG.md", "share/doc/pgring/operations.md",
                 "share/doc/pgring/examples/pgring.toml"):
        assert (prefix / path).is_file(), path
    assert not list(folder.rglob("*.a")) and not list(folder.rglob("liburing*"))


def test_install_never_writes_a_live_configuration(installed):
    folder, _ = installed
    assert not list(folder.rglob("etc/pgring/pgring.toml"))
    assert len(list(folder.rglob("etc/pgring/pgring.toml.example"))) == 1


def test_the_example_configuration_is_accepted(pgring_binary, tmp_path):
    """With a user list in a place where the test can write; nothing else is changed."""
    userlist = tmp_path / "userlist.txt"
    userlist.write_text('"postgres" "secret"\n', encoding="utf-8")
    userlist.chmod(0o600)
    text = (ROOT / "packaging/pgring.toml").read_text(encoding="utf-8")
    config = tmp_path / "pgring.toml"
    config.write_text(text.replace("/etc/pgring/userlist.txt", str(userlist)), encoding="utf-8")
    done = subprocess.run([str(pgring_binary), "check", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_names_every_default_as_the_program_has_it(tmp_path, pgring_binary):
    """The commented lines must be accepted too, once the comment sign is gone."""
    userlist = tmp_path / "userlist.txt"
    userlist.write_text('"postgres" "secret"\n', encoding="utf-8")
    userlist.chmod(0o600)
    text = (ROOT / "packaging/pgring.toml").read_text(encoding="utf-8")
    text = re.sub(r"^# (\[[\w.]+\]|\w+ = .*)$", r"\1", text, flags=re.MULTILINE)
    config = tmp_path / "pgring.toml"
    config.write_text(text.replace("/etc/pgring/userlist.txt", str(userlist)), encoding="utf-8")
    done = subprocess.run([str(pgring_binary), "check", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@needs_systemd
def test_systemd_finds_no_fault_in_the_unit(unit):
    code, output = analyze("verify", "--man=no", str(unit))
    assert code == 0, output
    assert "pgring.service" not in output, output


@needs_systemd
def test_the_sandbox_is_tight(unit):
    code, output = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager", str(unit))
    assert code == 0, output


@needs_systemd
def test_the_sandbox_test_can_fail(unit):
    unit.write_text(re.sub(r"^(Protect|Restrict|SystemCall|Capability|Private|NoNew|Lock|Memory)\w*=.*$", "",
                           unit.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8")
    code, _ = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager", str(unit))
    assert code != 0


def test_the_sandbox_lets_io_uring_through():
    """The calls are in @aio, within @system-service; ~@aio or ~@resources would break pgring."""
    text = (ROOT / "packaging/systemd/pgring.service.in").read_text(encoding="utf-8")
    assert re.search(r"^SystemCallFilter=@system-service$", text, re.MULTILINE)
    assert not re.search(r"^SystemCallFilter=~.*(@aio|@resources|@system-service)", text, re.MULTILINE)
    assert re.search(r"^LimitNOFILE=1048576$", text, re.MULTILINE)
    assert re.search(r"^LimitMEMLOCK=infinity$", text, re.MULTILINE)
