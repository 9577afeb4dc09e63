"""The libsignal program, started once for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2ee.peer.libsignal import Program, running


@pytest.fixture(scope="session")
def libsignal() -> Iterator[Program]:
    """The official library as people to talk to; skips or fails by name when it is missing."""
    with running() as program:
        yield program
