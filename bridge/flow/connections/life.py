"""The life of an account's connection: opened when wanted, kept while useful, opened again when need be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from bridge.backoff import FRACTION_BYTES, LONGEST_SECONDS, delay, fraction
from bridge.errors import Misconfigured, RemoteProtocolError, TryAgain
from bridge.flow.connections.connection import Line
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.ids import AccountId
from bridge.lifecycle.connection import CONNECTION
from bridge.lifecycle.connection import ConnectionEffect as Effect
from bridge.lifecycle.connection import ConnectionEvent as Event
from bridge.lifecycle.connection import ConnectionState as State
from bridge.network.backoff import EVENTS, End, after_conflict
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

_T = TypeVar("_T")

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
class _Run:
    """A line's life as it goes on: the link it has, the ends in a row, and what the next state needs."""

    line: Line
    account: Account | None = None
    """As it was read for the last login."""
    link: Link | None = None
    opened_at: float = 0.0
    failures: int = 0
    conflicts: int = 0
    stale_tokens: int = 0
    wait: float = 0.0
    """Seconds that the next wait takes."""
    said: Sentence = field(default_factory=lambda: say("policy.opt_in_first"))
    """What whoever waits reads when there will be no link."""
    refusal: LoginRefused | None = None
    """The answer to the last login, when it was refused for good."""


Doing = Callable[[_Run], Awaitable[Event]]
Doer = Callable[[_Run], Awaitable[None]]


class LineLife:
    """Lives the life of lines, one task each, as the table of ``bridge.lifecycle.connection`` says."""

    def __init__(self, parts: Parts, keyring: Keyring, connector: Connector, hooks: Hooks) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connector = connector
        self._hooks = hooks
        self._doing: Mapping[State, Doing] = {
            State.IDLE: self._until_wanted,
            State.CONNECTING: self._connect,
            State.OPEN: self._serve,
            State.CLOSING: self._finish,
            State.BACKING_OFF: self._wait,
            State.CONFLICT: self._wait,
            State.REFUSED: self._until_wanted,
        }
        self._effects: Mapping[Effect, Doer] = {
            Effect.NOTE_CONNECTED: self._note_connected,
            Effect.RELEASE_WAITERS: self._release_waiters,
            Effect.DROP_LINK: self._drop_link,
            Effect.WANT_AGAIN: self._want_again,
            Effect.REFUSE_WAITERS: self._refuse_waiters,
            Effect.MARK_ACCOUNT: self._mark_account,
            Effect.TELL_USER: self._tell_user,
            Effect.FORGET_REFUSAL: self._forget_refusal,
        }

    async def live(self, line: Line) -> None:
        """From state to state, until cancelled; a mistake of ours only slows it down.

        ``Fenced`` when another process has the database: then this one has to end.
        """
        run = _Run(line)
        try:
            while True:
                event: Event | None = await self._caught(run, self._doing[line.state](run))
                while event is not None:  # an effect that fails is an event itself
                    event = await self._caught(run, self._follow(run, event))
        finally:
            await self._drop_link(run)

    async def forget(self, line: Line) -> None:
        """The account left or the process stops; the task of its life has ended."""
        await self._follow(_Run(line), Event.FORGET)

    def enlisted(self, line: Line) -> None:
        """The network may take the account now: who waits from here on waits for a link."""
        following = CONNECTION.after(line.state, Event.ENLISTED)
        if Effect.FORGET_REFUSAL in following.effects:
            line.refusal = None
        line.state = following.state

    async def _caught(self, run: _Run, act: Awaitable[_T]) -> _T | Event:
        """What ``act`` gives, or the event that its failure is."""
        try:
            return await act
        except TryAgain as error:
            run.failures += 1
            run.wait = delay(run.failures, self._chance(), asked=error.after)
            LOG.info("no connection", failures=run.failures)
            return Event.UNREACHABLE
        except (Fenced, Misconfigured):
            raise
        except Exception as error:
            run.wait = LONGEST_SECONDS
            LOG.exception("connection met an unexpected error", error=type(error).__name__)
            return Event.FAULT

    async def _follow(self, run: _Run, event: Event) -> None:
        """Do what the event owes, then enter the state that it leads to."""
        following = CONNECTION.after(run.line.state, event)
        for effect in following.effects:
            await self._effects[effect](run)
        run.line.state = following.state

    # What the states do; each ends with an event.

    async def _until_wanted(self, run: _Run) -> Event:
        await run.line.wanted.wait()
        return Event.WANTED

    async def _connect(self, run: _Run) -> Event:
        line, unlocked = run.line, await self._keyring.unlock(run.line.account_id)
        if unlocked is None or unlocked.keys is None or unlocked.account.login is None:
            run.said, run.refusal = say("policy.opt_in_first"), None
            return Event.NOT_ENLISTED

        async def on_stanzas(stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
            return await self._on_stanzas(line, unlocked, stanzas)

        account = run.account = unlocked.account
        credentials = Credentials(
            unlocked.account.login,
            unlocked.keys.noise,
            unlocked.own.identity.public,
            account.identifier,
            account.shown_name,
        )
        line.drained = False
        reason = REASON_ERROR_RECONNECT if run.failures else REASON_USER_ACTIVATED
        try:
            run.link = await self._connector.connect(credentials, on_stanzas, reason=reason)
        except LoginRefused as refusal:
            return self._login_refused(run, refusal)
        return Event.OPENED

    def _login_refused(self, run: _Run, refusal: LoginRefused) -> Event:
        """Try again where that may help; else the account's state follows, and whoever waits is told."""
        state = refusal.reason.state
        run.stale_tokens += state is Refusal.REAUTHENTICATE
        run.failures += 1
        if state is Refusal.RETRY or (state is Refusal.REAUTHENTICATE and run.stale_tokens == 1):
            run.wait = delay(run.failures, self._chance(), asked=refusal.retry_after)
            return Event.TRY_LATER
        LOG.warning("login refused", account=self._parts.log_id(run.line.account_id), state=state.value)
        run.said, run.refusal = say(refusal.reason.sentence), refusal
        return Event.LOGIN_REFUSED

    async def _serve(self, run: _Run) -> Event:
        """Until the link ends, or is of no more use."""
        line, link = run.line, run.link
        assert link is not None
        if self._parts.settings.connection == "always":
            return self._ended(run, await link.ended())
        ended = asyncio.get_running_loop().create_task(link.ended())
        try:
            while not ended.done():
                line.wanted.clear()
                linger = self._parts.profile.timers.linger_s
                idle = self._parts.clock.monotonic() - line.active_at
                if line.users == 0 and line.drained and idle >= linger:
                    return Event.UNUSED
                await self._wait_for(ended, max(linger - idle, SHORTEST_LOOK_S))
            return self._ended(run, ended.result())
        finally:
            ended.cancel()

    async def _wait_for(self, ended: asyncio.Task[End], seconds: float) -> None:
        with suppress(TimeoutError):
            async with self._parts.clock.limit(seconds):
                await asyncio.wait({ended})

    def _ended(self, run: _Run, end: End) -> Event:
        """The event that an end is, and how long the wait after it takes."""
        event = EVENTS[end.why]
        self._forgive(run)
        if event is Event.LOST:
            run.failures += 1
            run.wait = delay(run.failures, self._chance())
        elif event is Event.CLOSED:
            run.failures = 0
        elif event is Event.REPLACED:
            run.conflicts += 1
            LOG.warning("another connection of the same account took over", conflicts=run.conflicts)
            wait = after_conflict(run.conflicts, self._chance())
            if wait is None:
                run.said, run.refusal = say("connection.conflict"), None
                return Event.REPLACED_TOO_OFTEN
            run.wait = wait
        return event

    def _forgive(self, run: _Run) -> None:
        """A connection that lasted ends the row of failures before it."""
        if self._parts.clock.monotonic() - run.opened_at > LONGEST_SECONDS:
            run.failures = run.conflicts = 0

    async def _finish(self, run: _Run) -> Event:
        assert run.link is not None
        await run.link.finish()
        self._forgive(run)
        run.failures = 0
        return Event.CLOSED

    async def _wait(self, run: _Run) -> Event:
        await self._parts.clock.sleep(run.wait)
        return Event.WAIT_OVER

    def _chance(self) -> float:
        return fraction(self._parts.random.bytes(FRACTION_BYTES))

    # What events owe.

    async def _note_connected(self, run: _Run) -> None:
        assert run.account is not None
        await self.seen(run.account)
        run.stale_tokens = 0
        run.opened_at = run.line.active_at = self._parts.clock.monotonic()

    async def seen(self, account: Account) -> None:
        """Note that the account is connected now: the network counts its days from here."""
        row: Row = {"account_id": account.account_id, "last_connected_at": self._parts.clock.now()}
        await self._parts.store.commit(kinds.unit(kinds.CONNECTED, fence=[account.fence], connected=[row]))
        await self._hooks.connected(account.account_id)

    async def _release_waiters(self, run: _Run) -> None:
        assert run.link is not None
        await run.line.opened(run.link)

    async def _drop_link(self, run: _Run) -> None:
        """Close the link, if there is one; harmless when done twice."""
        line, link = run.line, run.link
        if link is None:
            return
        run.link = line.link = None
        try:
            await link.close()
        finally:
            line.doubt()
            if line.users or self._parts.settings.connection == "always":
                line.wanted.set()

    async def _want_again(self, run: _Run) -> None:
        run.line.wanted.set()

    async def _refuse_waiters(self, run: _Run) -> None:
        await run.line.refuse(run.said, run.refusal.reason.state if run.refusal is not None else None)

    async def _mark_account(self, run: _Run) -> None:
        assert run.refusal is not None
        await self._hooks.refused(run.line.account_id, run.refusal.reason, run.refusal.retry_after)

    async def _tell_user(self, run: _Run) -> None:
        await self._hooks.said(run.line.account_id, run.said)

    async def _forget_refusal(self, run: _Run) -> None:
        run.line.refusal = None

    async def _on_stanzas(
        self, line: Line, unlocked: Unlocked, stanzas: Sequence[Stanza]
    ) -> Sequence[Stanza]:
        """The reader's only work: settle what is awaited; store the rest and say what acknowledges it."""
        line.active_at = self._parts.clock.monotonic()
        rest = [stanza for stanza in stanzas if not _is_about_the_line(line, stanza)]
        if not rest:
            return ()
        if line.link is None or line.state is State.CLOSING:
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
