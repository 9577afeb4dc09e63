"""An account's connection when the database belongs to somebody else by now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.backoff import LONGEST_SECONDS
from bridge.errors import BridgeError, Misconfigured, TryAgain
from bridge.flow.connections.life import Hooks
from bridge.flow.connections.registry import Connections
from bridge.flow.keyring import Keyring
from bridge.network.backoff import End, Why
from bridge.network.connector import Connector, Link
from bridge.store.errors import Fenced
from bridge.wire.stanza import Stanza
from tests.sim.flow_support import ACCOUNT, House, house


class Opened:
    """A link that nothing is done with; it lives until it is closed."""

    def __init__(self) -> None:
        self.end: End | None = None
        self._closed = asyncio.Event()

    async def ended(self) -> End:
        await self._closed.wait()
        return End(Why.CLOSED)

    async def close(self) -> None:
        self.end = End(Why.CLOSED)
        self._closed.set()


class Network:
    """Lets everybody in."""

    def __init__(self) -> None:
        self.links: list[Opened] = []
        self.opened = asyncio.Event()

    async def connect(self, *_: Any, **__: Any) -> Link:
        self.links.append(Opened())
        self.opened.set()
        return cast(Link, self.links[-1])


async def _nothing(*_: Any) -> None:
    """What a line tells the flows."""


async def _took_nothing(*_: Any) -> Sequence[Stanza]:
    return ()


def connections(home: House, network: Network) -> Connections:
    made = Connections(home.parts, Keyring(home.parts), cast(Connector, network))
    made.attach(Hooks(_took_nothing, _nothing, _nothing, _nothing))
    return made


@pytest.mark.fault("F29")
@pytest.mark.parametrize("error", [Fenced("gone"), Misconfigured("here", "this is wrong.", "Change it.")])
async def test_a_line_of_a_process_that_lost_its_database_ends_the_process(
    tmp_path: Path, error: BridgeError
) -> None:
    async with house(tmp_path) as home:
        home.store.fails["connected"] = error
        network = Network()
        lines = connections(home, network)
        lines.wake(ACCOUNT)
        with pytest.raises(type(error)):
            await lines.failed
        assert [link.end for link in network.links] == [End(Why.CLOSED)]
        await lines.stop()


@pytest.mark.parametrize("error", [TryAgain("not now"), ZeroDivisionError()])
async def test_any_other_failure_only_slows_a_line_down(tmp_path: Path, error: Exception) -> None:
    async with house(tmp_path) as home:
        home.store.fails["connected"] = error
        network = Network()
        lines = connections(home, network)
        lines.wake(ACCOUNT)
        await network.opened.wait()
        home.store.fails.clear()
        while lines.open_link(ACCOUNT) is None:
            await home.clock.advance(LONGEST_SECONDS)
            await asyncio.sleep(0)
        assert not lines.failed.done()
        assert len(network.links) == 2
        await lines.stop()
