"""One Docker for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.daemon import Docker, running_docker


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    with running_docker() as found:
        yield found
