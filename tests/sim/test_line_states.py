"""A connection goes from state to state as its table says, and whoever waits is served or told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from bridge.backoff import LONGEST_SECONDS
from bridge.errors import TryAgain
from bridge.flow.connections.connection import AccountRefused
from bridge.flow.connections.life import Hooks
from bridge.flow.connections.registry import Connections
from bridge.flow.keyring import Keyring
from bridge.ids import AccountId
from bridge.network.backoff import CONFLICT_SECONDS, MAX_CONFLICTS, End, Why
from bridge.network.connector import Connector, Link
from bridge.network.errors import LoginRefused
from bridge.profile import Reason, Refusal
from bridge.sentences import Sentence
from bridge.wire.stanza import Stanza
from tests.sim.flow_support import ACCOUNT, House, house

GONE = LoginRefused("403", Reason(state=Refusal.ENLIST_AGAIN, sentence="login.forgotten"))
STALE = LoginRefused("401", Reason(state=Refusal.REAUTHENTICATE, sentence="login.unknown_reason"))
BUSY = LoginRefused("503", Reason(state=Refusal.RETRY, sentence="login.unknown_reason"), retry_after=60.0)


class FakeLink:
    """A link that ends when a test or the bridge ends it."""

    def __init__(self, on_stanzas: Callable[..., Any]) -> None:
        self.on_stanzas = on_stanzas
        self.end: End | None = None
        self._ended = asyncio.Event()

    def lose(self, why: Why) -> None:
        self.end = self.end or End(why)
        self._ended.set()

    async def ended(self) -> End:
        await self._ended.wait()
        assert self.end is not None
        return self.end

    async def finish(self) -> None:
        await self.on_stanzas([Stanza("message", {"id": "late"})])
        self.lose(Why.CLOSED)

    async def close(self) -> None:
        self.lose(Why.CLOSED)


class Scene:
    """Connections to a network whose answers to logins a test lines up; without any it lets everybody in."""

    def __init__(self, home: House, connection: Literal["always", "on-demand"]) -> None:
        self.home = home
        parts = replace(home.parts, settings=replace(home.parts.settings, connection=connection))
        self.answers: list[Exception] = []
        self.links: list[FakeLink] = []
        self.logins = 0
        self.said: list[str] = []
        self.refused: list[str] = []
        self.lines = Connections(parts, Keyring(parts), cast(Connector, self))
        self.lines.attach(Hooks(self._took, self._refused, self._said, self._connected))

    async def connect(self, _: object, on_stanzas: Callable[..., Any], **__: object) -> Link:
        self.logins += 1
        if self.answers:
            raise self.answers.pop(0)
        self.links.append(FakeLink(on_stanzas))
        return cast(Link, self.links[-1])

    async def _took(self, *_: object) -> Sequence[Stanza]:
        return ()

    async def _refused(self, _: AccountId, reason: Reason, __: float | None) -> None:
        self.refused.append(reason.sentence)

    async def _said(self, _: AccountId, sentence: Sentence) -> None:
        self.said.append(sentence.key)

    async def _connected(self, _: AccountId) -> None:
        pass

    async def until(self, reached: Callable[[], bool], seconds: float = 1.0) -> None:
        """Let time pass in steps of ``seconds`` until something is so."""
        while not reached():
            await self.home.clock.advance(seconds)
            await asyncio.sleep(0)

    def is_open(self) -> bool:
        return self.lines.open_link(ACCOUNT) is not None


@asynccontextmanager
async def scene(folder: Path, connection: Literal["always", "on-demand"] = "always") -> AsyncIterator[Scene]:
    async with house(folder) as home:
        made = Scene(home, connection)
        try:
            yield made
        finally:
            await made.lines.stop()


@pytest.mark.parametrize("why", [Why.LOST, Why.SILENT, Why.DISMISSED, Why.BROKEN, Why.NOT_STORED, Why.FAULT])
async def test_broken_connection_is_opened_again_by_itself(tmp_path: Path, why: Why) -> None:
    async with scene(tmp_path) as net:
        net.lines.wake(ACCOUNT)
        await net.until(net.is_open)
        net.links[0].lose(why)
        await net.until(lambda: len(net.links) == 2 and net.is_open())
        assert net.logins == 2


async def test_unreachable_network_is_tried_until_it_answers(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        net.answers = [TryAgain("away")] * 3
        await asyncio.gather(net.lines.ready(ACCOUNT), net.until(net.is_open, LONGEST_SECONDS))
        assert net.logins == 4


async def test_busy_network_is_not_asked_before_its_time(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        net.answers = [BUSY]
        net.lines.wake(ACCOUNT)
        await net.until(lambda: (net.home.clock.next_in() or 0.0) >= 60.0, 0.0)
        await net.home.clock.advance(59.0)
        assert net.logins == 1
        await net.until(net.is_open)
        assert net.refused == []


async def test_stale_token_is_renewed_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        net.answers = [STALE, STALE]
        waiting = asyncio.ensure_future(net.lines.ready(ACCOUNT))
        await net.until(waiting.done)
        assert isinstance(waiting.exception(), AccountRefused)
        assert (net.logins, net.refused) == (2, ["login.unknown_reason"])


async def test_refused_login_is_told_and_enlisting_again_ends_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        net.answers = [GONE]
        with pytest.raises(AccountRefused) as refusal:
            await net.lines.ready(ACCOUNT)
        assert (refusal.value.state, net.refused) == (Refusal.ENLIST_AGAIN, ["login.forgotten"])
        net.lines.enlisted(ACCOUNT)
        await net.lines.ready(ACCOUNT)
        assert net.is_open()


@pytest.mark.fault("F41")
async def test_conflicts_back_off_then_stop(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        net.lines.wake(ACCOUNT)
        for conflicts in range(1, MAX_CONFLICTS + 1):
            await net.until(net.is_open)
            net.links[-1].lose(Why.REPLACED)
            await net.until(lambda: not net.is_open(), 0.0)
            net.lines.wake(ACCOUNT)
            await net.home.clock.advance(CONFLICT_SECONDS - 1)
            assert (len(net.links), net.said) == (conflicts, [])
        await net.until(net.is_open)
        net.links[-1].lose(Why.REPLACED)
        await net.until(lambda: net.said == ["connection.conflict"], 0.0)
        await net.home.clock.advance(CONFLICT_SECONDS * 100)
        assert len(net.links) == MAX_CONFLICTS + 1


async def test_unused_connection_closes_and_what_comes_too_late_opens_it_again(tmp_path: Path) -> None:
    async with scene(tmp_path, "on-demand") as net:
        net.lines.wake(ACCOUNT)
        await net.until(net.is_open)
        await net.links[0].on_stanzas([Stanza("ib", {}, (Stanza("offline", {"count": "0"}),))])
        await net.until(lambda: len(net.links) == 2)
        assert net.links[0].end == End(Why.CLOSED)


async def test_whoever_waits_when_an_account_is_forgotten_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        net.answers = [TryAgain("away")]
        waiting = asyncio.ensure_future(net.lines.ready(ACCOUNT))
        await net.until(lambda: net.logins == 1, 0.0)
        await net.lines.forget(ACCOUNT)
        with pytest.raises(AccountRefused):
            await waiting
