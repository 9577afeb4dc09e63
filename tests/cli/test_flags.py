"""The flags that every bridge of the ecosystem has, with their files and exit codes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bridge import __version__
from bridge.cli import told
from bridge.config import Level, example_text, load
from bridge.errors import Misconfigured
from bridge.ids import UserId
from bridge.store.errors import Fenced
from tests.cli.support import Terminal, filled_in, terminal

__all__ = ["terminal"]


def _read(path: str) -> dict[str, object]:
    document = YAML(typ="safe", pure=True).load(Path(path).read_text())
    assert isinstance(document, dict)
    return document


def _mode(path: str) -> int:
    return Path(path).stat().st_mode & 0o777


def test_example_is_private_and_never_overwrites(terminal: Terminal) -> None:
    assert terminal("-e").code == 0
    assert Path("config.yaml").read_text() == example_text()
    assert _mode("config.yaml") == 0o600
    Path("config.yaml").write_text("mine")
    again = terminal("-e")
    assert again.code == 1
    assert "already" in again.err
    assert Path("config.yaml").read_text() == "mine"
    assert [path.name for path in Path().iterdir()] == ["config.yaml"]


def test_example_can_be_printed(terminal: Terminal) -> None:
    told_ = terminal("-c", "-", "-e")
    assert (told_.code, told_.out) == (0, example_text())
    assert not list(Path().iterdir())


def test_example_at_the_root_is_the_packaged_one() -> None:
    root = Path(__file__).resolve().parents[2]
    assert (root / "config.example.yaml").read_text() == example_text()


def test_registration_and_config_get_the_same_tokens(terminal: Terminal) -> None:
    filled_in()
    before = Path("config.yaml").read_text()
    made = terminal("-g")
    assert made.code == 0
    registration, puppets = _read("registration.yaml"), _read("doublepuppet.yaml")
    config = load(Path("config.yaml").read_text()).config
    assert registration["as_token"] == config.appservice.as_token.get_secret_value()
    assert registration["hs_token"] == config.appservice.hs_token.get_secret_value()
    assert puppets["as_token"] == config.double_puppet.token_for("home.test")
    assert len({registration["as_token"], registration["hs_token"], puppets["as_token"]}) == 3
    assert all(_mode(name) == 0o600 for name in ("registration.yaml", "doublepuppet.yaml", "config.yaml"))
    assert config.permission_of(UserId("@anna:home.test")) is Level.ADMIN
    after = Path("config.yaml").read_text().splitlines()
    changed = [a for a, b in zip(after, before.splitlines(), strict=True) if a != b]
    assert [line.split(":")[0].strip() for line in changed] == ["as_token", "hs_token", "secrets"]
    assert not any(str(token) in made.out + made.err for token in (registration["as_token"],))


def test_second_registration_keeps_the_double_puppet_tokens(
    terminal: Terminal,
) -> None:
    filled_in()
    terminal("-g")
    first, puppets = _read("registration.yaml"), _read("doublepuppet.yaml")
    assert terminal("-g").code == 0
    assert _read("registration.yaml")["as_token"] != first["as_token"]
    assert _read("doublepuppet.yaml") == puppets
    assert (
        load(Path("config.yaml").read_text()).config.double_puppet.token_for("home.test")
        == puppets["as_token"]
    )


def test_registration_can_be_printed(terminal: Terminal) -> None:
    filled_in()
    printed = terminal("-g", "-r", "-")
    document = YAML(typ="safe", pure=True).load(printed.out)
    assert (
        document["as_token"]
        == load(Path("config.yaml").read_text()).config.appservice.as_token.get_secret_value()
    )
    assert not Path("registration.yaml").exists()


def test_no_update_excludes_generating_a_registration(terminal: Terminal) -> None:
    filled_in()
    before = Path("config.yaml").read_text()
    assert terminal("-n", "-g").code == 5
    assert Path("config.yaml").read_text() == before
    assert not Path("registration.yaml").exists()


@pytest.mark.parametrize(
    ("text", "arguments", "code", "words"),
    [
        (None, [], 10, "no such file"),
        (None, ["-g"], 10, "no such file"),
        (None, ["run"], 10, "interop-bridge -e"),
        ("a: [", [], 10, "config.yaml line"),
        ("", [], 11, "network.profile"),
        ("", ["-g"], 20, "homeserver.domain"),
        (None, ["-g", "-n"], 5, "--no-update"),
        (None, ["--colour"], 1, "No such option"),
        (None, ["dance"], 1, "No such command"),
        (None, ["sandbox"], 1, "Missing option '--dir'"),
    ],
)  # fmt: skip
def test_failed_start_prints_one_sentence_and_exit_code(
    terminal: Terminal, text: str | None, arguments: list[str], code: int, words: str
) -> None:
    if text is not None:
        Path("config.yaml").write_text(text)
    ended = terminal(*arguments)
    assert ended.code == code
    assert words in ended.err
    assert ended.out == ""


def test_readable_config_with_secrets_is_refused(terminal: Terminal) -> None:
    filled_in()
    terminal("-g")
    Path("config.yaml").chmod(0o644)
    ended = terminal()
    assert ended.code == 11
    assert "chmod 600 config.yaml" in ended.err


def test_unsaved_registration_leaves_the_config_unchanged(terminal: Terminal) -> None:
    filled_in()
    before = Path("config.yaml").read_text()
    ended = terminal("-g", "-r", "nowhere/registration.yaml")
    assert ended.code == 21
    assert Path("config.yaml").read_text() == before


def test_versions_need_no_config(terminal: Terminal) -> None:
    for arguments in (["-v"], ["--version"], ["version"]):
        assert terminal(*arguments).out == f"interop-bridge {__version__}\n"
    assert json.loads(terminal("--version-json").out)["version"] == __version__


def test_package_runs_like_the_command() -> None:
    command = [sys.executable, "-m", "bridge", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == f"interop-bridge {__version__}\n"


def test_healthcheck_fails_without_an_answer(terminal: Terminal) -> None:
    filled_in()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: a connection is refused
        text = Path("config.yaml").read_text().replace("29317", str(taken.getsockname()[1]))
        Path("config.yaml").write_text(text)
        ended = terminal("healthcheck")
    assert ended.code == 1
    assert "does not answer" in ended.err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Misconfigured("a.b", "it is x.", "Write y.", exit_code=40), 40, "a.b: it is x. Write y."),
        (ExceptionGroup("g", [ValueError("1"), Misconfigured("a", "b", "c")]), 11, "a: b c"),
        (ExceptionGroup("g", [ExceptionGroup("h", [Misconfigured("a", "b", "c")])]), 11, "a: b c"),
        (Fenced("hush"), 40, "another instance holds the lease on this database"),
        (ExceptionGroup("g", [ValueError("1"), Fenced("hush")]), 40, "another instance"),
        (ExceptionGroup("g", [ValueError("hush")]), 1, "because of a bug (ExceptionGroup)"),
        (ValueError("hush"), 1, "because of a bug (ValueError)"),
        (KeyboardInterrupt(), 0, ""),
    ],
)  # fmt: skip
def test_errors_are_one_line_without_quoted_content(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    assert told(error) == code
    seen = capsys.readouterr()
    assert words in seen.err
    assert "hush" not in seen.err + seen.out
    assert seen.err.count("\n") <= 1
