"""Messages one way through a bridge: as many as go, or at a given pace."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.wire.vocabulary.message import Kind
from tests.bench.gatekeeper import Gatekeeper
from tests.bench.homeserver import Homeserver
from tests.bench.people import Chat, text
from tests.bench.subject import Subject

WAYS = ("out", "into")
"""From Matrix to the network, and from there."""
WINDOW = 4
"""Messages of a chat that may be under way at a time: one in work, and some that wait behind it."""
STUCK_S = 30.0
"""Nothing takes this long: a bench that waits longer tells where it stands and ends."""


@dataclass(frozen=True)
class Result:
    """What it took. ``delays_s``: from one end to the other, for each message."""

    messages: int
    seconds: float
    cpu_s: float
    delays_s: Sequence[float]

    @property
    def per_cpu_s(self) -> float:
        """Messages in a second of the bridge's CPU."""
        return self.messages / self.cpu_s

    @property
    def per_s(self) -> float:
        """Messages in a second of the clock."""
        return self.messages / self.seconds

    def delay_ms(self, share: float) -> float:
        """The delay within which ``share`` of the messages arrived."""
        ordered = sorted(self.delays_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class Way:
    """One direction. A message has arrived when the other end has it, and is done with its receipt."""

    def __init__(self, send: Callable[[Chat], None], prepare: Callable[[Chat, int], None]) -> None:
        self._send = send
        self.prepare = prepare
        self._under_way: dict[Chat, deque[float]] = {}
        self._changed = asyncio.Event()
        self.delays_s: list[float] = []
        self.done = 0
        self.on_done: Callable[[Chat], None] = _nothing

    def send(self, chat: Chat) -> None:
        """One more message in ``chat``."""
        self._under_way.setdefault(chat, deque()).append(time.perf_counter())
        self._send(chat)

    def arrived(self, chat: Chat) -> None:
        """The oldest message under way in ``chat`` is there: a chat keeps its order."""
        self.delays_s.append(time.perf_counter() - self._under_way[chat].popleft())

    def finished(self, chat: Chat) -> None:
        """One message of ``chat`` is done with."""
        self.done += 1
        self.on_done(chat)
        self._changed.set()

    def reset(self) -> None:
        """Count from nothing."""
        self.delays_s, self.done, self.on_done = [], 0, _nothing

    async def until(self, done: int) -> None:
        """Return when so many are done."""
        while self.done < done:
            self._changed.clear()
            try:
                async with asyncio.timeout(STUCK_S):
                    await self._changed.wait()
            except TimeoutError as error:
                raise RuntimeError(f"stuck at {self.done} of {done} messages") from error


class World:
    """Both ends of one bridge, and the chats between them."""

    def __init__(self, homeserver: Homeserver, gatekeeper: Gatekeeper, chats: Sequence[Chat]) -> None:
        self.homeserver = homeserver
        self.chats = chats
        self._out = Way(self._write, lambda chat, count: None)
        self._into = Way(gatekeeper.deliver, lambda chat, count: chat.seal(count))
        self.shown: dict[Chat, list[bytes]] = {chat: [] for chat in chats}
        self._checked = {chat: (chat.answered, chat.sent) for chat in chats}
        by_room = {str(chat.room): chat for chat in chats}
        by_jid = {(chat.account, str(chat.jid)): chat for chat in chats}

        def shown(room: str, content: bytes) -> None:
            self.shown[by_room[room]].append(content)
            self._into.arrived(by_room[room])

        def arrived(account: int, jid: str, sealed: tuple[Kind, bytes]) -> None:
            chat = by_jid[account, jid]
            chat.received.append(sealed)
            self._out.arrived(chat)

        homeserver.shown, homeserver.marked = shown, lambda room: self._out.finished(by_room[room])
        gatekeeper.arrived = arrived
        gatekeeper.confirmed = lambda account, jid: self._into.finished(by_jid[account, jid])

    def way(self, name: str) -> Way:
        """One of ``WAYS``."""
        return {"out": self._out, "into": self._into}[name]

    def _write(self, chat: Chat) -> None:
        chat.answered += 1
        self.homeserver.write(chat, text(chat.answered))

    def check(self) -> None:
        """Every message since the last check arrived, once, in order, and opens."""
        for chat in self.chats:
            out, into = self._checked[chat]
            self._checked[chat] = chat.answered, chat.sent
            opened = chat.open_received()
            shown = [json.loads(content)["body"] for content in self.shown[chat]]
            self.shown[chat].clear()
            assert opened == [text(n + 1) for n in range(out, chat.answered)], "lost on the way out"
            assert shown == [text(n + 1) for n in range(into, chat.sent)], "lost on the way in"
        assert not self.homeserver.unexpected, self.homeserver.unexpected


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No collection of garbage on this side of the wire while it is measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _nothing(_chat: Chat) -> None:
    """Nothing follows."""


async def flood(subject: Subject, way: Way, chats: Sequence[Chat], each: int) -> Result:
    """``each`` messages in every chat, as fast as they go, ``WINDOW`` of a chat at a time."""
    left = dict.fromkeys(chats, each)
    way.reset()
    for chat in chats:
        way.prepare(chat, each)

    def send(chat: Chat) -> None:
        if left[chat]:
            left[chat] -= 1
            way.send(chat)

    way.on_done = send
    with _undisturbed():
        begin, cpu = time.perf_counter(), subject.cpu_s()
        for _ in range(min(WINDOW, each)):
            for chat in chats:
                send(chat)
        await way.until(each * len(chats))
        return Result(way.done, time.perf_counter() - begin, subject.cpu_s() - cpu, way.delays_s)


async def one_by_one(subject: Subject, way: Way, chats: Sequence[Chat], count: int) -> Result:
    """``count`` messages, each when the one before is done with: the bridge has nothing else to do."""
    way.reset()
    for chat in chats:
        way.prepare(chat, count // len(chats) + 1)
    with _undisturbed():
        begin, cpu = time.perf_counter(), subject.cpu_s()
        for number in range(count):
            way.send(chats[number % len(chats)])
            await way.until(number + 1)
        return Result(way.done, time.perf_counter() - begin, subject.cpu_s() - cpu, way.delays_s)


async def at_pace(subject: Subject, way: Way, chats: Sequence[Chat], count: int, per_s: float) -> Result:
    """``count`` messages at random moments, ``per_s`` of them in a second, in chats taken at random."""
    dice = random.Random(1)
    plan = [dice.choice(chats) for _ in range(count)]
    moments, moment = [], 0.0
    for _ in plan:
        moment += dice.expovariate(per_s)
        moments.append(moment)
    way.reset()
    for chat in chats:
        way.prepare(chat, plan.count(chat))
    with _undisturbed():
        begin, cpu = time.perf_counter(), subject.cpu_s()
        for moment, chat in zip(moments, plan, strict=True):
            await asyncio.sleep(max(0.0, begin + moment - time.perf_counter()))
            way.send(chat)
        await way.until(count)
        return Result(way.done, time.perf_counter() - begin, subject.cpu_s() - cpu, way.delays_s)
