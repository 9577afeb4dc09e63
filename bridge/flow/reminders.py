"""The network forgets who does not connect: warnings in time, and the end when it has come."""

from __future__ import annotations

from bridge.flow import owed
from bridge.flow.enlisting import Enlisting
from bridge.flow.parts import Parts
from bridge.lifecycle import Happening, due_reminders, has_expired
from bridge.sentences import say
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.tables import accounts
from bridge.store.tables.accounts import Account

LOOK_EVERY_S = 3_600.0
"""Warnings count in days; an hour late is in time."""
DAY_S = 86_400.0


class Reminders:
    """Looks after accounts that do not connect, and after plaintext that need not be kept."""

    def __init__(self, parts: Parts, enlisting: Enlisting) -> None:
        self._parts = parts
        self._enlisting = enlisting

    async def run(self) -> None:
        """Look now and every hour, until cancelled."""
        while True:
            for account in await accounts.living(self._parts.store):
                await self._look_after(account)
            await self._forget_old_text()
            await self._parts.clock.sleep(LOOK_EVERY_S)

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
            await self._parts.journal.owe(owed.Notice(account.room_id, sentence).owed(key))

    async def _forget_old_text(self) -> None:
        """A retry is answered as long as the mailbox keeps messages, and no longer."""
        oldest = self._parts.clock.now() - self._parts.profile.timers.mailbox_days * DAY_S
        await self._parts.store.commit(kinds.unit(kinds.EXPIRE, forget=[{"changed_at": oldest}]))
