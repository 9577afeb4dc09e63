"""Pushing transactions as Synapse does (measured): one at a time, the oldest failed one first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.homeserver.log import Log
from tests.faults.homeserver.world import Appservice, Json, Room

MAX_EVENTS = 100
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 512.0
ANSWER_SECONDS = 60.0


@dataclass
class Transaction:
    """Events, and ephemeral parts that do not survive a failed push."""

    id: str
    events: list[Json]
    ephemeral: list[Json] = field(default_factory=list)


class Pusher:
    """Sends to one appservice. ``held`` is a queue that stands still; ``recover`` retries at once."""

    def __init__(self, appservice: Appservice, log: Log) -> None:
        self._appservice, self._log = appservice, log
        self._events: list[Json] = []
        self._ephemeral: list[Json] = []
        self._extra: list[Transaction] = []
        self._last: Transaction | None = None
        self._failed: Transaction | None = None
        self._count = 0
        self._pushing = False
        self._wake = asyncio.Event()
        self._recover = asyncio.Event()
        self.held = False

    @property
    def is_idle(self) -> bool:
        """Nothing waits, is on its way, or has failed."""
        return not (self._events or self._ephemeral or self._extra or self._failed or self._pushing)

    def event(self, room: Room, event: Json) -> None:
        if self._appservice.is_interested(room, event):
            self._events.append(event)
            self._wake.set()

    def receipt(self, room: Room, user: str, event: str, ts: int) -> None:
        """Ephemeral: makes no transaction while the appservice is down."""
        if self._failed is None and any(self._appservice.owns(member) for member in room.members("join")):
            content = {event: {"m.read": {user: {"ts": ts}}}}
            self._ephemeral.append({"type": "m.receipt", "room_id": room.id, "content": content})
            self._wake.set()

    def again(self, how: str) -> None:
        """Push the last acknowledged transaction again: ``same`` id, ``other`` id, or ``reordered``.

        One that holds a user's event: a repeated echo of the bridge's own events shows nothing.
        """
        if self._last is None:
            return
        events = list(self._last.events)
        if how == "reordered":
            events.reverse()
        id_ = self._last.id if how == "same" else self._next_id()
        self._extra.append(Transaction(id_, events))
        self._wake.set()

    def resume(self) -> None:
        """Do not wait any longer."""
        self._wake.set()
        self._recover.set()

    async def run(self) -> None:
        """Push for ever."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                transaction = self._take()
                if transaction is None:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                self._recover.clear()
                if not await self._push(session, transaction):
                    await self._until_accepted(session, transaction)

    async def _until_accepted(self, session: aiohttp.ClientSession, transaction: Transaction) -> None:
        self._failed, wait = transaction, FIRST_WAIT_SECONDS
        transaction.ephemeral.clear()
        self._ephemeral.clear()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._recover.wait(), wait)
            self._recover.clear()
            if not self.held and await self._push(session, transaction):
                break
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        self._failed = None
        self._log.changed()

    async def _push(self, session: aiohttp.ClientSession, transaction: Transaction) -> bool:
        entry = self._log.add("push", txn=transaction.id, events=transaction.events, answer=None)
        body: Json = {"events": transaction.events}
        if transaction.ephemeral:
            body |= {
                "ephemeral": transaction.ephemeral,
                "de.sorunome.msc2409.ephemeral": transaction.ephemeral,
            }
        self._pushing = True
        entry["answer"] = await self.call(session, "PUT", f"transactions/{transaction.id}", body)
        self._pushing = False
        self._log.changed()
        is_by_a_user = any(not self._appservice.owns(event["sender"]) for event in transaction.events)
        if entry["answer"] == 200 and is_by_a_user:
            self._last = transaction
        return bool(entry["answer"] == 200)

    async def call(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Mapping[str, Any]
    ) -> int | None:
        """The status of one call to the appservice; None when there was no answer."""
        url = f"{self._appservice.document['url']}/_matrix/app/v1/{path}"
        headers = {"Authorization": f"Bearer {self._appservice.document['hs_token']}"}
        try:
            async with session.request(method, url, json=body, headers=headers) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _take(self) -> Transaction | None:
        if self.held:
            return None
        if self._extra:
            return self._extra.pop(0)
        if not (self._events or self._ephemeral):
            return None
        events, self._events = self._events[:MAX_EVENTS], self._events[MAX_EVENTS:]
        ephemeral, self._ephemeral = self._ephemeral[:MAX_EVENTS], self._ephemeral[MAX_EVENTS:]
        return Transaction(self._next_id(), events, ephemeral)

    def _next_id(self) -> str:
        self._count += 1
        return str(self._count)
