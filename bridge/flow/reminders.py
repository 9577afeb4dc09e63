"""The network forgets who does not connect: warnings in time, and the end when it has come."""

from __future__ import annotations

import structlog

from bridge.errors import BridgeError, Misconfigured
from bridge.flow import owed
from bridge.flow.connections import Connections
from bridge.flow.enlisting import Enlisting
from bridge.flow.parts import Parts
from bridge.lifecycle import DAY_S, Happening, due_reminders, has_expired
from bridge.sentences import say
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.errors import Fenced
from bridge.store.tables import accounts
from bridge.store.tables.accounts import Account

LOG = structlog.get_logger()

LOOK_EVERY_S = 3_600.0
"""Warnings count in days; an hour late is in time."""
LOOK_AGAIN_S = 60.0
"""After a look that failed: a database or network that is away for a moment."""


class Reminders:
    """Looks after accounts that do not connect, and after plaintext that need not be kept."""

    def __init__(self, parts: Parts, enlisting: Enlisting, connections: Connections) -> None:
        self._parts = parts
        self._connections = connections
        self._enlisting = enlisting

    async def run(self) -> None:
        """Look now and every hour, until cancelled."""
        while True:
            wait = LOOK_EVERY_S
            try:
                await self._look()
            except (Fenced, Misconfigured):
                raise
            except BridgeError as error:
                LOG.warning("looking after accounts failed", error=type(error).__name__)
                wait = LOOK_AGAIN_S
            await self._parts.clock.sleep(wait)

    async def _look(self) -> None:
        for account in await accounts.living(self._parts.store):
            if not await self._connections.stay(account.account_id):
                await self._look_after(account)
        await self._forget_old_text()

    async def _look_after(self, account: Account) -> None:
        last, now = account.last_connected_at, self._parts.clock.now()
        days = self._parts.profile.timers.unenlisted_after_days
        if account.state is not AccountState.ENLISTED or last is None:
            return
        if has_expired(last, now, days):
            await self._enlisting.change(account, Happening.FORGOTTEN, say("login.forgotten"))
            return
        due = due_reminders(last, now, days)
        if due:
            newest = due[-1]
            sentence = say("reminder.unenlist", day=days - newest.days_left, days_left=newest.days_left)
            key = f"reminder/{account.account_id.hex()}/{last}/{newest.day}"
            await self._parts.journal.owe(owed.to_owner(account, sentence).owed(key))

    async def _forget_old_text(self) -> None:
        """A retry is answered as long as the mailbox keeps messages, and no longer."""
        oldest = self._parts.clock.now() - self._parts.profile.timers.mailbox_days * DAY_S
        await self._parts.store.commit(kinds.unit(kinds.EXPIRE, forget=[{"changed_at": oldest}]))
