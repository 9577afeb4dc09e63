"""The connections of all accounts: one each, opened when wanted, kept while useful.

``always`` keeps a connection open; ``on-demand`` opens it for a push or for something owed, drains
the mailbox, lingers, and closes: the published rule. "I want a connection" is what the journal
says; "I am connected" is only what is so at the moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.errors import GiveUp, RemoteProtocolError, TryAgain
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.parts import Parts
from bridge.ids import AccountId, Jid
from bridge.network.backoff import (
    FRACTION_BYTES,
    LONGEST_SECONDS,
    NEXT,
    End,
    Next,
    after_conflict,
    delay,
    fraction,
)
from bridge.network.connector import Connector, Credentials, Link
from bridge.network.errors import LoginRefused
from bridge.ports import Row, Step
from bridge.profile import Reason, Refusal
from bridge.sentences import say
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.tables import accounts
from bridge.wire.login import REASON_ERROR_RECONNECT, REASON_USER_ACTIVATED
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.people import Person

LOG = structlog.get_logger()

PING_LIMIT_S = 15.0
"""A person waits for the answer to ``ping``."""
SHORTEST_LOOK_S = 1.0
"""How often, at most, a connection that may be of no more use is looked at."""

Awaited = tuple[str, str, str | None]
"""What an acknowledgement is known by: class, id and type; the id alone collides."""

Arrived = Callable[[Unlocked, Stanza], Awaitable[Stanza | None]]
"""Stores a stanza that came and gives what acknowledges it; nothing else is awaited in it."""

Refused = Callable[[AccountId, Reason], Awaitable[None]]


class Line:
    """One account's connection, open or not."""

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.link: Link | None = None
        self.wanted = asyncio.Event()
        self.users = 0
        self.drained = False
        self.active_at = 0.0
        self.closing = False
        self.pending: dict[Awaited, list[asyncio.Future[Ack]]] = {}
        self.changed = asyncio.Condition()
        self.refusal: GiveUp | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether something can be sent now."""
        return self.link is not None and not self.closing and self.link.end is None

    def expect(self, awaited: Awaited) -> asyncio.Future[Ack]:
        """What the acknowledgement will be put into; ``TryAgain`` when the connection ends first."""
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self.pending.setdefault(awaited, []).append(answer)
        return answer

    def expect_no_more(self, awaited: Awaited, answer: asyncio.Future[Ack]) -> None:
        """Forget an expectation, met or not."""
        waiting = self.pending.get(awaited, [])
        if answer in waiting:
            waiting.remove(answer)
        if not waiting:
            self.pending.pop(awaited, None)

    def acknowledged(self, found: Ack) -> None:
        """An acknowledgement came."""
        for answer in self.pending.get((found.cls, found.id, found.type), []):
            if not answer.done():
                answer.set_result(found)

    def doubt(self) -> None:
        """The connection ended: what was not acknowledged may have arrived, or not."""
        for waiting in self.pending.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(TryAgain("the connection ended before the acknowledgement"))
        self.pending.clear()


class Connections:
    """Gives flows an open link when they need one. ``arrived`` and ``refused`` are set by the wiring."""

    def __init__(self, parts: Parts, keyring: Keyring, connector: Connector) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connector = connector
        self._lines: dict[AccountId, Line] = {}
        self.arrived: Arrived | None = None
        self.refused: Refused | None = None

    # What flows ask for

    @asynccontextmanager
    async def use(self, account_id: AccountId) -> AsyncIterator[Link]:
        """An open link, for the length of the block; waits for it as long as it takes.

        ``GiveUp`` when the network refuses the account, ``TryAgain`` when it has to be enlisted first.
        """
        line = await self._line(account_id)
        line.users += 1
        try:
            line.wanted.set()
            async with line.changed:
                await line.changed.wait_for(lambda: line.usable or line.refusal is not None)
            if line.refusal is not None:
                raise line.refusal
            assert line.link is not None
            yield line.link
        finally:
            line.users -= 1
            line.active_at = self._parts.clock.monotonic()

    def open_link(self, account_id: AccountId) -> Link | None:
        """The link, if it is open now."""
        line = self._lines.get(account_id)
        return line.link if line is not None and line.usable else None

    async def deliver(self, account_id: AccountId, stanza: Stanza, awaited: Awaited, *, step: Step) -> Ack:
        """Send a stanza and wait for its acknowledgement. ``TryAgain``: it may have arrived."""
        async with self.use(account_id) as link:
            line = self._lines[account_id]
            answer = line.expect(awaited)
            try:
                # A server that forgets one acknowledgement and answers all else must not hold up a lane.
                async with self._parts.clock.limit(self._parts.profile.timers.iq_timeout_s):
                    await link.send(stanza, step=step)
                    return await answer
            except TimeoutError as error:
                raise TryAgain(f"{step.value}: no acknowledgement") from error
            finally:
                line.expect_no_more(awaited, answer)

    async def resolve(self, account_id: AccountId, service: str, identifier: str) -> Person | None:
        """Who is behind an identifier; None for nobody we may know of."""
        async with self.use(account_id) as link:
            return await link.resolve(service, identifier)

    async def fetch_keys(self, account_id: AccountId, jid: Jid) -> PreKeyBundle:
        """Keys to start a session with, their signature checked; ``GiveUp`` when there are none to be had."""
        async with self.use(account_id) as link:
            bundle = await link.fetch_keys(jid)
        try:
            bundle.verify()
        except RemoteProtocolError as error:
            # A key rotated between two writes of the directory may pass; a forger will not.
            raise TryAgain("the keys of a contact are not signed by their owner") from error
        return bundle

    async def upload_keys(
        self, account_id: AccountId, own: OwnKeys, signed: SignedPreKey, one_time: Sequence[PreKey]
    ) -> None:
        """Give the network our public prekeys."""
        async with self.use(account_id) as link:
            await link.upload_keys(own, signed, one_time)

    async def delete(self, account_id: AccountId) -> None:
        """Have the network forget the account."""
        async with self.use(account_id) as link:
            await link.delete()

    async def ping(self, account_id: AccountId) -> None:
        """Open the connection if need be and ask for a sign of life; ``TryAgain`` when none comes."""
        try:
            async with self._parts.clock.limit(PING_LIMIT_S), self.use(account_id) as link:
                await link.prekey_count()
        except TimeoutError as error:
            raise TryAgain("no sign of life") from error

    async def wake(self, account_id: AccountId) -> None:
        """Something waits at the network: connect, now if possible."""
        line = await self._line(account_id)
        line.wanted.set()

    def enlisted(self, account_id: AccountId) -> None:
        """The network takes the account again: forget an older refusal."""
        line = self._lines.get(account_id)
        if line is not None:
            line.refusal = None

    async def forget(self, account_id: AccountId) -> None:
        """Close and drop an account's connection."""
        line = self._lines.pop(account_id, None)
        if line is not None and line.task is not None:
            line.task.cancel()
            await asyncio.gather(line.task, return_exceptions=True)

    async def start(self) -> None:
        """Open every connection: on demand once, for what came while nobody was here to be woken."""
        for account in await accounts.living(self._parts.store):
            if account.state is AccountState.ENLISTED:
                (await self._line(account.account_id)).wanted.set()

    async def stop(self) -> None:
        """Close everything."""
        for account_id in list(self._lines):
            await self.forget(account_id)

    # One account's life

    async def _line(self, account_id: AccountId) -> Line:
        line = self._lines.get(account_id)
        if line is None:
            line = self._lines[account_id] = Line(account_id)
        if line.task is None or line.task.done():
            line.task = asyncio.get_running_loop().create_task(self._keep_alive(line))
        return line

    async def _keep_alive(self, line: Line) -> None:
        """A line's life goes on after a mistake of ours, slowly."""
        while True:
            try:
                await self._live(line)
            except Exception as error:
                LOG.exception("a connection met a mistake of ours", error=type(error).__name__)
                await self._parts.clock.sleep(LONGEST_SECONDS)

    async def _live(self, line: Line) -> None:
        """Open when wanted, keep while useful, again and again."""
        failures = conflicts = 0
        while True:
            await line.wanted.wait()
            unlocked = await self._keyring.unlock(line.account_id)
            if unlocked is None or unlocked.keys is None or unlocked.account.login is None:
                await self._refuse(line, GiveUp(say("policy.opt_in_first")))
                continue
            try:
                link = await self._open(line, unlocked, retrying=failures > 0)
            except LoginRefused as refusal:
                failures += 1
                if await self._may_retry(line, refusal, failures):
                    await self._parts.clock.sleep(delay(failures, self._chance(), asked=refusal.retry_after))
                continue
            except TryAgain as error:
                failures += 1
                LOG.info("no connection", failures=failures)
                await self._parts.clock.sleep(delay(failures, self._chance(), asked=error.after))
                continue
            try:
                end = await self._serve(line, link)
            finally:
                await self._closed(line, link)
            failures, conflicts = await self._after(end, failures, conflicts)
            if end is not None and NEXT[end.why] in (Next.AFTER_BACKOFF, Next.AT_ONCE):
                line.wanted.set()  # what was under way is in the mailbox again, and nobody wakes us for it

    async def _after(self, end: End | None, failures: int, conflicts: int) -> tuple[int, int]:
        """Wait as the end of a connection demands; the new counts of failures and conflicts."""
        match NEXT[end.why] if end is not None else Next.NOTHING:
            case Next.AFTER_BACKOFF:
                await self._parts.clock.sleep(delay(failures + 1, self._chance()))
                return failures + 1, 0
            case Next.AFTER_CONFLICT:
                LOG.warning("another connection of the same account took over", conflicts=conflicts + 1)
                wait = after_conflict(conflicts + 1, self._chance())
                if wait is None:
                    await asyncio.get_running_loop().create_future()  # a restart is what an admin can do
                else:
                    await self._parts.clock.sleep(wait)
                return 0, conflicts + 1
            case _:
                return 0, 0

    def _chance(self) -> float:
        return fraction(self._parts.random.bytes(FRACTION_BYTES))

    async def _open(self, line: Line, unlocked: Unlocked, *, retrying: bool) -> Link:
        async def on_stanza(stanza: Stanza) -> None:
            await self._on_stanza(line, unlocked, stanza)

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
        link = await self._connector.connect(credentials, on_stanza, reason=reason)
        row: Row = {"account_id": line.account_id, "last_connected_at": self._parts.clock.now()}
        try:
            await self._parts.store.commit(kinds.unit(kinds.CONNECTED, connected=[row]))
        except BaseException:
            await link.close()
            raise
        line.active_at = self._parts.clock.monotonic()
        line.closing, line.refusal = False, None
        async with line.changed:
            line.link = link
            line.changed.notify_all()
        return link

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
                    return None
                await self._one_of(ended, max(linger - idle, SHORTEST_LOOK_S))
            return ended.result()
        finally:
            ended.cancel()

    async def _one_of(self, ended: asyncio.Task[End], seconds: float) -> None:
        with suppress(TimeoutError):
            async with self._parts.clock.limit(seconds):
                await asyncio.wait({ended})

    async def _closed(self, line: Line, link: Link) -> None:
        line.closing = True
        await link.close()
        line.link = None
        line.doubt()
        if line.users or self._parts.settings.connection == "always":
            line.wanted.set()

    async def _refuse(self, line: Line, refusal: GiveUp) -> None:
        line.wanted.clear()
        async with line.changed:
            line.refusal = refusal
            line.changed.notify_all()

    async def _may_retry(self, line: Line, refusal: LoginRefused, failures: int) -> bool:
        """Whether to try again; else the account's state follows, and whoever waits is told why."""
        state = refusal.reason.state
        if state is Refusal.RETRY or (state is Refusal.REAUTHENTICATE and failures == 1):
            return True
        LOG.warning("login refused", account=self._parts.log_id(line.account_id), state=state.value)
        assert self.refused is not None
        await self.refused(line.account_id, refusal.reason)
        await self._refuse(line, GiveUp(say(refusal.reason.sentence)))
        return False

    async def _on_stanza(self, line: Line, unlocked: Unlocked, stanza: Stanza) -> None:
        """The reader's only work: settle what is awaited, or store and acknowledge."""
        line.active_at = self._parts.clock.monotonic()
        if stanza.tag == "ack":
            line.acknowledged(ack.parse(stanza, "from"))
            return
        if stanza.tag == "ib":
            line.drained = line.drained or stanza.child("offline") is not None
            return
        assert self.arrived is not None
        answered = await self.arrived(unlocked, stanza)
        if answered is not None and line.link is not None:
            await line.link.send(answered, step=Step.ACKNOWLEDGE)
