"""Waking without losing a wake-up, and without remembering for ever."""

from __future__ import annotations

import asyncio

from bridge.web.wakes import MAX_REMEMBERED, Wakes
from tests.network.clock import ManualClock


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_remembered_wake_ups_are_bounded() -> None:
    clock, woken = ManualClock(), []

    async def wake(identifier: str) -> None:
        woken.append(identifier)

    wakes = Wakes(wake, clock)
    for number in range(MAX_REMEMBERED * 2):
        wakes.ask(str(number))
        assert len(wakes._woken_at) <= MAX_REMEMBERED
    await _settled()
    assert len(woken) == MAX_REMEMBERED * 2
    await wakes.stop()


async def test_stop_drops_waiting_wake_ups() -> None:
    clock, woken = ManualClock(), []

    async def wake(identifier: str) -> None:
        woken.append(identifier)

    wakes = Wakes(wake, clock)
    wakes.ask("alice")
    wakes.ask("alice")
    await _settled()
    await wakes.stop()
    await clock.advance(60)
    assert woken == ["alice"]


async def test_failing_wake_up_does_not_stop_the_next() -> None:
    clock, woken = ManualClock(), []

    async def wake(identifier: str) -> None:
        woken.append(identifier)
        raise RuntimeError("a mistake of ours")

    wakes = Wakes(wake, clock)
    wakes.ask("alice")
    await _settled()
    await clock.advance(30)
    wakes.ask("alice")
    await _settled()
    assert woken == ["alice", "alice"]
    await wakes.stop()
