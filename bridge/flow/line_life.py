"""The life of an account's connection: opened when wanted, kept while useful, opened again when need be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from bridge.backoff import FRACTION_BYTES, LONGEST_SECONDS, delay, fraction
from bridge.errors import Misconfigured, RemoteProtocolError, TryAgain
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.line import Line
from bridge.flow.parts import Parts
from bridge.ids import AccountId
from bridge.network.backoff import NEXT, End, Next, after_conflict
from bridge.network.connector import Connector, Credentials, Link
from bridge.network.errors import LoginRefused
from bridge.ports import Row
from bridge.profile import Reason, Refusal
from bridge.sentences import Sentence, say
from bridge.store import kinds
from bridge.store.errors import Fenced
from bridge.store.tables.accounts import Account
from bridge.wire.login import REASON_ERROR_RECONNECT, REASON_USER_ACTIVATED
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack

LOG = structlog.get_logger()

SHORTEST_LOOK_S = 1.0
"""How often, at most, a connection that may be of no more use is looked at."""

Arrived = Callable[[Unlocked, Sequence[Stanza]], Awaitable[Sequence[Stanza]]]
"""Stores the stanzas that came and gives what acknowledges them; nothing else is awaited in it."""

Refused = Callable[[AccountId, Reason, float | None], Awaitable[None]]
"""Told that the network refused a login, for good or for so many seconds."""

Said = Callable[[AccountId, Sentence], Awaitable[None]]
"""Tells the user of an account something about its connection."""


Connected = Callable[[AccountId], Awaitable[None]]
"""Told that an account is connected, at the beginning and once an hour."""


@dataclass(frozen=True)
class Hooks:
    """What a line tells the flows."""

    arrived: Arrived
    refused: Refused
    said: Said
    connected: Connected


@dataclass
class _Counts:
    """Ends in a row, by what they demand."""

    failures: int = 0
    conflicts: int = 0
    stale_tokens: int = 0


class LineLife:
    """Lives the life of lines: one task each."""

    def __init__(self, parts: Parts, keyring: Keyring, connector: Connector, hooks: Hooks) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connector = connector
        self._hooks = hooks

    async def live(self, line: Line) -> None:
        """Open when wanted, keep while useful, again and again; a mistake of ours only slows it down.

        ``Fenced`` when another process has the database: then this one has to end.
        """
        counts = _Counts()
        while True:
            await line.wanted.wait()
            try:
                await self._once(line, counts)
            except TryAgain as error:
                counts.failures += 1
                LOG.info("no connection", failures=counts.failures)
                await self._parts.clock.sleep(delay(counts.failures, self._chance(), asked=error.after))
            except (Fenced, Misconfigured):
                raise
            except Exception as error:
                LOG.exception("a connection met a mistake of ours", error=type(error).__name__)
                await self._parts.clock.sleep(LONGEST_SECONDS)

    async def _once(self, line: Line, counts: _Counts) -> None:
        """One connection, from the wish for it to what its end demands."""
        unlocked = await self._keyring.unlock(line.account_id)
        if unlocked is None or unlocked.keys is None or unlocked.account.login is None:
            await line.refuse(say("policy.opt_in_first"))
            return
        try:
            link = await self._open(line, unlocked, retrying=counts.failures > 0)
        except LoginRefused as refusal:
            await self._refused(line, refusal, counts)
            return
        counts.stale_tokens = 0
        opened_at = self._parts.clock.monotonic()
        try:
            end = await self._serve(line, link)
        finally:
            await self._closed(line, link)
        if self._parts.clock.monotonic() - opened_at > LONGEST_SECONDS:
            counts.failures = counts.conflicts = 0
        await self._after(line, end, counts)

    async def _after(self, line: Line, end: End | None, counts: _Counts) -> None:
        """Wait as the end of a connection demands."""
        match NEXT[end.why] if end is not None else Next.NOTHING:
            case Next.AFTER_BACKOFF:
                counts.failures += 1
                await self._parts.clock.sleep(delay(counts.failures, self._chance()))
                line.wanted.set()  # what was under way is in the mailbox again; nobody wakes us for it
            case Next.AT_ONCE:
                line.wanted.set()
            case Next.AFTER_CONFLICT:
                await self._conflict(line, counts)
            case _:
                counts.failures = 0

    async def _conflict(self, line: Line, counts: _Counts) -> None:
        """Another connection of the same account took over: two would throw each other out for ever."""
        counts.conflicts += 1
        LOG.warning("another connection of the same account took over", conflicts=counts.conflicts)
        wait = after_conflict(counts.conflicts, self._chance())
        if wait is not None:
            await self._parts.clock.sleep(wait)
            return
        await self._hooks.said(line.account_id, say("connection.conflict"))
        await line.refuse(say("connection.conflict"))

    def _chance(self) -> float:
        return fraction(self._parts.random.bytes(FRACTION_BYTES))

    async def _open(self, line: Line, unlocked: Unlocked, *, retrying: bool) -> Link:
        async def on_stanzas(stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
            return await self._on_stanzas(line, unlocked, stanzas)

        account = unlocked.account
        assert unlocked.keys is not None
        assert account.login is not None
        line.drained = False
        credentials = Credentials(
            account.login,
            unlocked.keys.noise,
            unlocked.own.identity.public,
            account.identifier,
            account.shown_name,
        )
        reason = REASON_ERROR_RECONNECT if retrying else REASON_USER_ACTIVATED
        link = await self._connector.connect(credentials, on_stanzas, reason=reason)
        try:
            await self.seen(account)
        except BaseException:
            await link.close()
            raise
        line.active_at = self._parts.clock.monotonic()
        await line.opened(link)
        return link

    async def seen(self, account: Account) -> None:
        """Note that the account is connected now: the network counts its days from here."""
        row: Row = {"account_id": account.account_id, "last_connected_at": self._parts.clock.now()}
        await self._parts.store.commit(kinds.unit(kinds.CONNECTED, fence=[account.fence], connected=[row]))
        await self._hooks.connected(account.account_id)

    async def _serve(self, line: Line, link: Link) -> End | None:
        """Until the link ends (its end), or is of no more use (None)."""
        if self._parts.settings.connection == "always":
            return await link.ended()
        ended = asyncio.get_running_loop().create_task(link.ended())
        try:
            while not ended.done():
                line.wanted.clear()
                linger = self._parts.profile.timers.linger_s
                idle = self._parts.clock.monotonic() - line.active_at
                if line.users == 0 and line.drained and idle >= linger:
                    line.closing = True
                    await link.finish()
                    return None
                await self._wait_for(ended, max(linger - idle, SHORTEST_LOOK_S))
            return ended.result()
        finally:
            ended.cancel()

    async def _wait_for(self, ended: asyncio.Task[End], seconds: float) -> None:
        with suppress(TimeoutError):
            async with self._parts.clock.limit(seconds):
                await asyncio.wait({ended})

    async def _closed(self, line: Line, link: Link) -> None:
        line.closing = True
        try:
            await link.close()
        finally:
            line.link = None
            line.doubt()
            if line.users or self._parts.settings.connection == "always":
                line.wanted.set()

    async def _refused(self, line: Line, refusal: LoginRefused, counts: _Counts) -> None:
        """Try again where that may help; else the account's state follows, and whoever waits is told."""
        state = refusal.reason.state
        counts.stale_tokens += state is Refusal.REAUTHENTICATE
        counts.failures += 1
        if state is Refusal.RETRY or (state is Refusal.REAUTHENTICATE and counts.stale_tokens == 1):
            wait = delay(counts.failures, self._chance(), asked=refusal.retry_after)
            await self._parts.clock.sleep(wait)
            return
        LOG.warning("login refused", account=self._parts.log_id(line.account_id), state=state.value)
        await self._hooks.refused(line.account_id, refusal.reason, refusal.retry_after)
        await line.refuse(say(refusal.reason.sentence), state)

    async def _on_stanzas(
        self, line: Line, unlocked: Unlocked, stanzas: Sequence[Stanza]
    ) -> Sequence[Stanza]:
        """The reader's only work: settle what is awaited; store the rest and say what acknowledges it."""
        line.active_at = self._parts.clock.monotonic()
        rest = [stanza for stanza in stanzas if not _is_about_the_line(line, stanza)]
        if not rest:
            return ()
        if line.closing:
            line.wanted.set()  # too late to be acknowledged: it comes again, and nobody wakes us for it
        return await self._hooks.arrived(unlocked, rest)


def _is_about_the_line(line: Line, stanza: Stanza) -> bool:
    """Whether a stanza tells what became of one of ours or of the mailbox; the line then knows."""
    match stanza.tag:
        case "ack":
            try:
                line.acknowledged(ack.parse(stanza, "from"))
            except RemoteProtocolError:
                LOG.warning("acknowledgement not understood")
        case "ib":
            line.drained = line.drained or stanza.child("offline") is not None
        case _:
            return False
    return True
