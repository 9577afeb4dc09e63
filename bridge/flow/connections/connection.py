"""One account's connection, open or not: who uses it, and what waits for it."""

from __future__ import annotations

import asyncio

from bridge.errors import GiveUp, TryAgain
from bridge.ids import AccountId
from bridge.lifecycle.connection import ConnectionState
from bridge.network.connector import Link
from bridge.profile import Refusal
from bridge.sentences import Sentence
from bridge.wire.vocabulary.ack import Ack

Awaited = tuple[str, str, str | None]
"""What an acknowledgement is known by: class, id and type; the id alone collides."""


class AccountRefused(GiveUp):
    """The network does not let the account in; ``state`` says what the profile makes of its reason."""

    def __init__(self, sentence: Sentence, state: Refusal | None) -> None:
        super().__init__(sentence)
        self.state = state


class Line:
    """The connection of one account, open or not, and what waits for it."""

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.link: Link | None = None
        self.wanted = asyncio.Event()
        self.users = 0
        self.drained = False
        self.active_at = 0.0
        self.state = ConnectionState.IDLE
        self.refusal: tuple[Sentence, Refusal | None] | None = None
        self.task: asyncio.Task[None] | None = None
        self._pending: dict[Awaited, list[asyncio.Future[Ack]]] = {}
        self._changed = asyncio.Condition()

    @property
    def usable(self) -> bool:
        """Whether something can be sent now."""
        closing = self.state is ConnectionState.CLOSING
        return self.link is not None and not closing and self.link.end is None

    async def ready(self) -> Link:
        """The open link, once there is one; ``AccountRefused`` when the network refuses the account."""
        self.wanted.set()
        async with self._changed:
            await self._changed.wait_for(lambda: self.usable or self.refusal is not None)
        if self.refusal is not None:
            raise AccountRefused(*self.refusal)
        assert self.link is not None
        return self.link

    async def opened(self, link: Link) -> None:
        """There is an open link."""
        async with self._changed:
            self.link = link
            self._changed.notify_all()

    async def refuse(self, sentence: Sentence, state: Refusal | None = None) -> None:
        """There will be no link; whoever waits is told why."""
        self.wanted.clear()
        async with self._changed:
            self.refusal = sentence, state
            self._changed.notify_all()

    def expect(self, awaited: Awaited) -> asyncio.Future[Ack]:
        """What the acknowledgement will be put into; ``TryAgain`` when the connection ends first."""
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._pending.setdefault(awaited, []).append(answer)
        return answer

    def expect_no_more(self, awaited: Awaited, answer: asyncio.Future[Ack]) -> None:
        """Forget an expectation, met or not."""
        waiting = self._pending.get(awaited, [])
        if answer in waiting:
            waiting.remove(answer)
        if not waiting:
            self._pending.pop(awaited, None)

    def acknowledged(self, found: Ack) -> None:
        """An acknowledgement came."""
        for answer in self._pending.get((found.cls, found.id, found.type), []):
            if not answer.done():
                answer.set_result(found)

    def doubt(self) -> None:
        """The connection ended: what was not acknowledged may have arrived, or not."""
        for waiting in self._pending.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(TryAgain("the connection ended before the acknowledgement"))
        self._pending.clear()
