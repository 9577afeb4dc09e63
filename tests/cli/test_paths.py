"""Paths that cannot be: every verb names the path and the reason, and never calls it a bug."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.starting import COMMAND, PATIENCE_S, environment, fill
from tests.cli.support import Terminal, Told, filled_in, terminal

__all__ = ["terminal"]

IMPOSSIBLE = {
    "missing": "gone/x",
    "below-a-file": "plain/x",
    "folder": ".",
    "too-long": "y" * 300,
    "control-character": r"a\0b",
    "device": "/dev/null/x",
}
KEYS = ("profile", "signing_key_file", "master_key_file", "uri")


def assert_clear(ended: Told) -> None:
    """The command failed, with a sentence that does not blame the program."""
    said = ended.err + ended.out
    assert ended.code != 0, said
    assert "bug" not in said and "mistake" not in said, said


def set_key(key: str, value: str) -> None:
    config = Path("config.yaml")
    lines = [
        line[: line.index(key)] + f'{key}: "{value}"' if line.strip().startswith(f"{key}:") else line
        for line in config.read_text().splitlines()
    ]
    config.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("path", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("verb", ["check", "run"])
def test_impossible_path_in_the_config_is_a_clear_sentence(
    terminal: Terminal, key: str, path: str, verb: str
) -> None:
    filled_in()
    assert terminal("-g").code == 0
    Path("plain").write_text("")
    set_key(key, path)
    ended = terminal(verb)
    assert_clear(ended)
    assert ended.out.count("ERROR") == (1 if verb == "check" else 0), ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("-e", "-c", "gone/x"),
        ("-e", "-c", "plain/x"),
        ("-e", "-c", "."),
        ("-c", ".", "check"),
        ("-c", "plain/x", "run"),
        ("-c", "y" * 300, "run"),
        ("-c", "", "run"),
        ("-g", "-r", "gone/x"),
        ("-g", "-r", "."),
        ("-g", "-r", "y" * 300),
        ("healthcheck", "-c", "."),
        ("sandbox", "--dir", "plain/x"),
        ("sandbox", "--dir", "plain"),
        ("sandbox", "--dir", "y" * 300),
        ("sandbox", "--dir", "/dev/null/x"),
        ("sandbox", "--dir", "s", "--partner", "x"),
        ("sandbox", "--dir", "s", "--bind", "192.0.2.1"),
    ],
    ids=" ".join,
)
def test_impossible_argument_is_a_clear_sentence(terminal: Terminal, arguments: Sequence[str]) -> None:
    filled_in()
    Path("plain").write_text("")
    assert_clear(terminal(*arguments))


@pytest.mark.parametrize("path", [".", "plain/x", "y" * 300], ids=["folder", "below-a-file", "too-long"])
def test_impossible_registration_is_a_finding(terminal: Terminal, path: str) -> None:
    filled_in()
    Path("plain").write_text("")
    assert terminal("-g").code == 0
    ended = terminal("check", "-r", path)
    assert_clear(ended)
    assert f"{path}: " in ended.out


def test_log_that_cannot_be_written_does_not_end_the_bridge(tmp_path: Path) -> None:
    fill(tmp_path)
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            COMMAND, cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        said = process.stderr.readline()
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert "does not answer (connection refused)" in said
