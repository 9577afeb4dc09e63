"""What stands around the program: the systemd unit, and what stays out of the repository and the image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT, text_of
from tests.peers.presence import missing
from tools import reference

UNIT = "packaging/interop-bridge.service"
EXPOSURE = "20"
"""At most 2.0 of 10 in systemd's own count; a unit without settings has 9.6."""
WRITTEN = (
    "config.yaml",
    ".config.yaml.partial",
    "registration.yaml",
    "doublepuppet.yaml",
    "master.key",
    "signing-key.pem",
    "bridge.db",
    "bridge.db-wal",
    "bridge.db-shm",
    "bridge.db.before-version-1",
    "profile.yaml",
    "sandbox/keys.yaml",
    "sandbox/control.yaml",
    "docker/.env",
    "docker/data/passwords.json",
    "docker/data/bridge/config.yaml",
)
"""What the verbs and the compose file write where the guides run them."""


def systemd_analyze(*arguments: str) -> str:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze", "apt install systemd")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    path = tmp_path / "interop-bridge.service"
    text = re.sub("^ExecStart=.*$", f"ExecStart={sys.executable}", text_of(UNIT), flags=re.MULTILINE)
    path.write_text(text)
    return path


def test_unit_has_no_mistake(unit: Path) -> None:
    assert systemd_analyze("verify", str(unit)) == ""


def test_unit_is_hardened(unit: Path) -> None:
    judged = systemd_analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(unit))
    assert "Overall exposure level" in judged


def test_unit_does_not_restart_after_exit_codes_that_exist() -> None:
    [codes] = re.findall(r"^RestartPreventExitStatus=(.*)$", text_of(UNIT), re.MULTILINE)
    assert {int(code) for code in codes.split()} <= set(reference.exit_codes())


@pytest.mark.parametrize("path", WRITTEN)
def test_secret_is_ignored_by_git(path: str) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        missing("git", "run the tests in a clone")
    assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False).returncode == 0


def test_only_named_files_get_into_the_image() -> None:
    lines = [line for line in text_of(".dockerignore").splitlines() if line]
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert allowed == {
        *("bridge", "requirements", "docker/*.sh", "docker/*.py"),
        *("pyproject.toml", "README.md", "LICENSE", "NOTICE"),
    }
