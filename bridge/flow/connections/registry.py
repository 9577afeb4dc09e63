"""The connections of all accounts: one each, opened when wanted, kept while useful.

``always`` keeps a connection open; ``on-demand`` opens it for a push or for something owed, drains
the mailbox, lingers, and closes: the published rule. "I want a connection" is what the journal
says; "I am connected" is only what is so at the moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.errors import RemoteProtocolError, TryAgain
from bridge.flow.connections.connection import Awaited, Line
from bridge.flow.connections.life import Hooks, LineLife
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring
from bridge.ids import AccountId, Jid
from bridge.network.connector import Connector, Link
from bridge.ports import Step
from bridge.states import AccountState
from bridge.store.tables import accounts
from bridge.store.tables.accounts import Account
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.people import Person

PING_LIMIT_S = 15.0
"""A person waits for the answer to ``ping``."""


class Connections:
    """Gives flows an open link when they need one. The wiring sets ``hooks`` before the first use."""

    def __init__(self, parts: Parts, keyring: Keyring, connector: Connector) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connector = connector
        self._lines: dict[AccountId, Line] = {}
        self._life: LineLife | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with the error that ended a line, when it is one that has to end the process."""

    def attach(self, hooks: Hooks) -> None:
        """What the lines tell the flows; the flows need the connections first."""
        self._life = LineLife(self._parts, self._keyring, self._connector, hooks)

    @asynccontextmanager
    async def _use(self, account_id: AccountId) -> AsyncIterator[tuple[Line, Link]]:
        """An open link, for the length of the block; waits for it as long as it takes.

        ``GiveUp`` when the network refuses the account.
        """
        line = self._line(account_id)
        line.users += 1
        try:
            yield line, await line.ready()
        finally:
            line.users -= 1
            line.active_at = self._parts.clock.monotonic()

    async def ready(self, account_id: AccountId) -> None:
        """Return once there is an open link; ``GiveUp`` when the network refuses the account."""
        async with self._use(account_id):
            pass

    def open_link(self, account_id: AccountId) -> Link | None:
        """The link, if it is open now."""
        line = self._lines.get(account_id)
        return line.link if line is not None and line.usable else None

    async def deliver(self, account_id: AccountId, stanza: Stanza, awaited: Awaited, *, step: Step) -> Ack:
        """Send a stanza and wait for its acknowledgement. ``TryAgain``: it may have arrived."""
        async with self._use(account_id) as (line, link):
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
        async with self._use(account_id) as (_, link):
            return await link.resolve(service, identifier)

    async def fetch_keys(self, account_id: AccountId, jid: Jid) -> PreKeyBundle:
        """Keys to start a session with, their signature checked; ``GiveUp`` when there are none to be had."""
        async with self._use(account_id) as (_, link):
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
        async with self._use(account_id) as (_, link):
            await link.upload_keys(own, signed, one_time)

    async def delete(self, account_id: AccountId) -> None:
        """Have the network forget the account."""
        async with self._use(account_id) as (_, link):
            await link.delete()

    async def ping(self, account_id: AccountId) -> None:
        """Open the connection if need be and ask for a sign of life; ``TryAgain`` when none comes."""
        try:
            async with self._parts.clock.limit(PING_LIMIT_S), self._use(account_id) as (_, link):
                await link.prekey_count()
        except TimeoutError as error:
            raise TryAgain("no sign of life") from error

    async def prekeys_left(self, account_id: AccountId) -> int:
        """How many of our one-time prekeys the network still has."""
        async with self._use(account_id) as (_, link):
            return await link.prekey_count()

    def wake(self, account_id: AccountId) -> None:
        """Something waits at the network: connect, now if possible."""
        self._line(account_id).wanted.set()

    def poll(self, account_id: AccountId) -> None:
        """Look whether something waits, unless the network refused the account or another program has it."""
        line = self._line(account_id)
        if line.refusal is None:
            line.wanted.set()

    async def stay(self, account: Account) -> bool:
        """Whether the account is connected now; if so, its days without a connection begin anew."""
        if self.open_link(account.account_id) is None:
            return False
        assert self._life is not None
        await self._life.seen(account)
        return True

    def enlisted(self, account_id: AccountId) -> None:
        """The network may take the account again: forget an older refusal."""
        line = self._lines.get(account_id)
        if line is not None and self._life is not None:
            self._life.enlisted(line)

    async def forget(self, account_id: AccountId) -> None:
        """Close and drop an account's connection; whoever waits for it is told."""
        line = self._lines.pop(account_id, None)
        if line is None or line.task is None:
            return
        line.task.cancel()
        await asyncio.gather(line.task, return_exceptions=True)
        assert self._life is not None
        await self._life.forget(line)

    async def start(self) -> None:
        """Open every connection: on demand once, for what came while nobody was here to be woken."""
        for account in await accounts.living(self._parts.store):
            if account.state is AccountState.ENLISTED:
                self.wake(account.account_id)

    async def stop(self) -> None:
        """Close everything."""
        for account_id in list(self._lines):
            await self.forget(account_id)

    def _line(self, account_id: AccountId) -> Line:
        assert self._life is not None
        line = self._lines.get(account_id)
        if line is None:
            line = self._lines[account_id] = Line(account_id)
            line.task = asyncio.get_running_loop().create_task(self._life.live(line))
            line.task.add_done_callback(self._ended)
        return line

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)
