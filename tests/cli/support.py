"""The command line as a person at a terminal has it: arguments in; exit code, output and files out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from bridge.cli import invoke
from bridge.config import example_text

PROFILE = Path(__file__).parent / "profile.yaml"


@dataclass(frozen=True)
class Told:
    """How a command ended."""

    code: int
    out: str
    err: str


Terminal = Callable[..., Told]


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    """Runs commands in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def type_in(*arguments: str) -> Told:
        code = invoke(arguments)
        seen = capsys.readouterr()
        assert "Traceback" not in seen.err + seen.out
        return Told(code, seen.out, seen.err)

    yield type_in
    structlog.reset_defaults()


def filled_in(path: Path = Path("config.yaml")) -> None:
    """Write a config with the five values that an admin writes."""
    text = example_text()
    for placeholder, value in (
        ("/path/to/profile.yaml", str(PROFILE)),
        ("@admin:example.com", "@anna:home.test"),
        ("http://example.localhost:8008", "http://localhost:8008"),
        ("domain: example.com", "domain: home.test"),
    ):
        text = text.replace(placeholder, value)
    path.write_text(text)
    path.chmod(0o600)
