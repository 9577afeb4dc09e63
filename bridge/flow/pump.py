"""The pump takes the head of each lane and calls the step that fits.

One task a lane, started when the lane has work and ended when it is empty, so that a lane that
waits holds up nobody else. The pump is woken through the store, never by a direct call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.ports import Clock, Random
from bridge.sentences import Sentence, say
from bridge.store.errors import AlreadySealed, AlreadySettled, AlreadyThere, Fenced, Stale
from bridge.store.journal import Entry, Journal

LOG = structlog.get_logger()

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
"""Full jitter between these (reliability: one second to five minutes, no cap in number)."""

MAX_MISTAKES = 5
"""An entry that meets a mistake of ours this often is put aside with a notice: its lane goes on."""

Step = Callable[[Entry], Awaitable[None]]
"""Handles the head of a lane. It returns after the entry was settled or moved on."""


class Changes(Protocol):
    """Tells that something was committed which may be work."""

    async def changed(self) -> None:
        """Return after the next such commit, also one that came between two calls."""
        ...


class Pump:
    """Runs the lanes. ``steps`` maps an entry's kind to its step; ``put_aside`` ends an entry openly."""

    def __init__(
        self,
        journal: Journal,
        changes: Changes,
        clock: Clock,
        random: Random,
        steps: Mapping[str, Step],
        put_aside: Callable[[Entry, Sentence], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._changes = changes
        self._clock = clock
        self._random = random
        self._steps = steps
        self._put_aside = put_aside
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def lanes_at_work(self) -> int:
        """How many lanes have a task now."""
        return len(self._lanes)

    async def run(self) -> None:
        """Start lanes as work comes, until cancelled."""
        seen = 0
        try:
            while True:
                for lane, position in await self._journal.lanes_after(seen):
                    seen = max(seen, position)
                    self._start(lane)
                await self._changes.changed()
        finally:
            await self._stop()

    def _start(self, lane: str) -> None:
        if lane in self._lanes:
            self._again.add(lane)
            return
        task = asyncio.get_running_loop().create_task(self._drain(lane))
        self._lanes[lane] = task
        task.add_done_callback(lambda done: self._ended(lane, done))

    def _ended(self, lane: str, task: asyncio.Task[None]) -> None:
        del self._lanes[lane]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)
        elif lane in self._again:
            self._again.discard(lane)
            self._start(lane)

    async def _drain(self, lane: str) -> None:
        failures = mistakes = 0
        while True:
            self._again.discard(lane)
            head = await self._head(lane)
            if head is None:
                return
            try:
                await self._steps[head.kind](head)
                failures = mistakes = 0
            except TryAgain as error:
                failures += 1
                LOG.info("entry waits", kind=head.kind, state=head.state, failures=failures)
                await self._clock.sleep(self._wait(failures, error.after))
            except GiveUp as error:
                await self._put_aside(head, error.sentence)
            except (Fenced, Misconfigured):
                raise
            except (Stale, AlreadySealed, AlreadySettled, AlreadyThere):
                continue  # somebody else moved it: what is stored now decides
            except Exception as error:
                mistakes += 1
                LOG.exception("entry met a mistake of ours", kind=head.kind, error=type(error).__name__)
                if mistakes >= MAX_MISTAKES:
                    await self._put_aside(head, say("failure.our_mistake"))
                    mistakes = 0
                else:
                    await self._clock.sleep(self._wait(mistakes, None))

    async def _head(self, lane: str) -> Entry | None:
        """The head once its time has come."""
        while True:
            head = await self._journal.head(lane)
            if head is None:
                return None
            early = head.not_before - self._clock.now()
            if early <= 0:
                return head
            await self._clock.sleep(early)

    def _wait(self, failures: int, at_least: float | None) -> float:
        ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 16))
        part = int.from_bytes(self._random.bytes(4), "big") / 2**32
        return (at_least or 0.0) + ceiling * part

    async def _stop(self) -> None:
        tasks = list(self._lanes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
