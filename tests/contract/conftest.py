"""One sandbox per variant for tests that leave the clock alone, a fresh one for those that move it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.bare_client import BareClient
from tests.contract.support import (
    VARIANTS,
    Partner,
    Running,
    SandboxControl,
    control_of,
    partner_at,
    sandbox_process,
)

NewClient = Callable[..., BareClient]
_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=VARIANTS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), request.param) as running:
        yield running


@pytest.fixture
def running(shared: Running) -> Running:
    """Overridden by tests that need a sandbox of their own."""
    return shared


@pytest.fixture(params=VARIANTS)
def own_sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with sandbox_process(tmp_path / "sandbox", request.param) as running:
        yield running


@pytest.fixture
async def partner(running: Running) -> AsyncIterator[Partner]:
    async with partner_at(running) as partner:
        yield partner


@pytest.fixture
async def control(running: Running) -> AsyncIterator[SandboxControl]:
    async with control_of(running) as control:
        await control.clear_faults()
        yield control


@pytest.fixture
async def new_client(partner: Partner) -> AsyncIterator[NewClient]:
    """Makes clients with unique identifiers and closes them at the end."""
    made: list[BareClient] = []

    def make(name: str = "Alice") -> BareClient:
        made.append(BareClient(partner, f"@{name.lower()}-{next(_numbers)}:hs.example", name))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
async def alice(new_client: NewClient) -> BareClient:
    """An enlisted and connected client."""
    client = new_client()
    await client.start()
    return client
