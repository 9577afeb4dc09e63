"""The pump takes the head of each lane and calls the step that fits.

One task a lane, started when the lane has work and ended when it is empty, so that a lane that
waits holds up nobody else. The pump is woken through the store, never by a direct call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import structlog

from bridge import backoff
from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.ids import EntryId
from bridge.matrix.errors import Rejected
from bridge.ports import Clock, Random
from bridge.sentences import Sentence, say
from bridge.store.errors import AlreadySealed, AlreadySettled, AlreadyThere, Fenced, Stale
from bridge.store.journal import Entry, Journal

LOG = structlog.get_logger()

MAX_MISTAKES = 5
"""An entry that meets a mistake of ours this often is put aside with a notice: its lane goes on."""

MAX_RACES = 3
"""So often in a row an entry that somebody else moved is taken again at once; then with a pause, so
that a step which never looks at what is stored does not keep a processor busy."""

Found = TypeVar("Found")
Step = Callable[[Entry], Awaitable[None]]
"""Handles the head of a lane. It returns after the entry was settled or moved on."""


class Changes(Protocol):
    """Tells that something was committed which may be work."""

    async def changed(self) -> None:
        """Return after the next such commit, also one that came between two calls."""
        ...


@dataclass
class _Troubles:
    """What the head of a lane has met since it last moved."""

    entry_id: EntryId | None = None
    failures: int = 0
    races: int = 0
    mistakes: int = 0


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
                for lane, position in await self._found(partial(self._journal.lanes_after, seen)):
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
        if error is not None:
            if not self.failed.done():
                self.failed.set_exception(error)
        elif lane in self._again:
            self._again.discard(lane)
            self._start(lane)

    async def _drain(self, lane: str) -> None:
        troubles = _Troubles()
        while True:
            self._again.discard(lane)
            head = await self._head(lane)
            if head is None:
                return
            if head.entry_id != troubles.entry_id:
                troubles = _Troubles(head.entry_id)
            wait = await self._attempt(head, troubles)
            if wait:
                await self._clock.sleep(wait)

    async def _attempt(self, head: Entry, troubles: _Troubles) -> float:
        """Take a step with ``head``; how many seconds to wait before the lane's next step."""
        try:
            await self._step(head, troubles)
        except TryAgain as error:
            troubles.failures += 1
            LOG.info("entry waits", kind=head.kind, state=head.state.value, failures=troubles.failures)
            return self._wait(troubles.failures, error.after)
        except (Fenced, Misconfigured):
            raise
        except (Stale, AlreadySealed, AlreadySettled, AlreadyThere):
            # Somebody else moved it: what is stored now decides.
            troubles.races += 1
            return self._wait(troubles.races - MAX_RACES, None) if troubles.races > MAX_RACES else 0.0
        except Exception as error:
            troubles.mistakes += 1
            LOG.exception("entry met a mistake of ours", kind=head.kind, error=type(error).__name__)
            return self._wait(troubles.mistakes, None) if troubles.mistakes != MAX_MISTAKES else 0.0
        troubles.failures = troubles.races = troubles.mistakes = 0
        return 0.0

    async def _step(self, head: Entry, troubles: _Troubles) -> None:
        """Handle ``head``, or put it aside; that can fail as well, and is then tried again."""
        if troubles.mistakes >= MAX_MISTAKES:
            await self._put_aside(head, say("failure.our_mistake"))
            return
        try:
            await self._steps[head.kind](head)
        except GiveUp as error:
            if isinstance(error, Rejected) and error.concerns_registration:
                # The admin repairs the registration; until then nothing is given up.
                raise TryAgain("the homeserver does not accept our registration") from error
            await self._put_aside(head, error.sentence)

    async def _head(self, lane: str) -> Entry | None:
        """The head once its time has come."""
        while True:
            head = await self._found(partial(self._journal.head, lane))
            if head is None:
                return None
            early = head.not_before - self._clock.now()
            if early <= 0:
                return head
            await self._clock.sleep(early)

    async def _found(self, read: Callable[[], Awaitable[Found]]) -> Found:
        """What ``read`` finds in the store; a database that does not answer is waited for."""
        failures = 0
        while True:
            try:
                return await read()
            except TryAgain:
                failures += 1
                LOG.warning("the database does not answer", failures=failures)
                await self._clock.sleep(self._wait(failures, None))

    def _wait(self, failures: int, at_least: float | None) -> float:
        return backoff.wait(failures, self._random, asked=at_least)

    async def _stop(self) -> None:
        self._again.clear()  # a lane that has just ended is not started again
        tasks = list(self._lanes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
