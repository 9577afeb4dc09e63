"""The network forgets who does not connect: polls and warnings in time, and the end when it has come."""

from __future__ import annotations

import structlog

from bridge.errors import BridgeError, Misconfigured
from bridge.flow import outbox
from bridge.flow.accounts.enlist import Enlisting
from bridge.flow.connections.registry import Connections
from bridge.flow.context import Parts
from bridge.ids import AccountId
from bridge.lifecycle.account import AccountEvent
from bridge.lifecycle.reminders import DAY_S, due_reminders, has_expired
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
POLL_AFTER_S = 5 * 3_600.0
"""An account connects again after so long, at the next look: a push that was lost costs a message six hours
at most (F42), and the thirty days of the network never run out while it can be reached."""
DOUBTED_FOR_S = 600.0
"""After a start or a leap the wall clock is looked at again so much later before anything expires (F45)."""
MAX_DRIFT_S = 60.0
"""How far the wall clock may depart from the monotonic one between two looks; more is a leap."""


class Reminders:
    """Looks after accounts that do not connect, and after plaintext that need not be kept."""

    def __init__(self, parts: Parts, enlisting: Enlisting, connections: Connections) -> None:
        self._parts = parts
        self._connections = connections
        self._enlisting = enlisting
        self._last_look: tuple[float, float] | None = None
        """The wall clock and the monotonic one at the last look."""
        self._seen: dict[AccountId, float] = {}
        """When an account was last known to be connected, or was polled; monotonic."""

    async def run(self) -> None:
        """Look now and every hour, until cancelled."""
        while True:
            trusted = self._is_trusted()
            wait = LOOK_EVERY_S if trusted else DOUBTED_FOR_S
            try:
                await self._look(trusted=trusted)
            except (Fenced, Misconfigured):
                raise
            except BridgeError as error:
                LOG.warning("looking after accounts failed", error=type(error).__name__)
                wait = LOOK_AGAIN_S
            await self._parts.clock.sleep(wait)

    def _is_trusted(self) -> bool:
        """Whether the wall clock went on with the monotonic one since the last look.

        A clock that leapt may be wrong: what it lets expire cannot be brought back.
        """
        last, now = self._last_look, (self._parts.clock.now(), self._parts.clock.monotonic())
        self._last_look = now
        return last is not None and abs((now[0] - last[0]) - (now[1] - last[1])) <= MAX_DRIFT_S

    async def _look(self, *, trusted: bool) -> None:
        for account in await accounts.living(self._parts.store):
            if await self._connections.stay(account):
                self._seen[account.account_id] = self._parts.clock.monotonic()
            else:
                self._poll(account)
                await self._look_after(account, trusted=trusted)
        if trusted:
            await self._forget_old_text()

    def _poll(self, account: Account) -> None:
        """Connect an account that has not connected for hours, by either clock."""
        last, now = account.last_connected_at, self._parts.clock.monotonic()
        away = now - self._seen.setdefault(account.account_id, now)
        if account.state is not AccountState.ENLISTED or last is None:
            return
        if max(away, self._parts.clock.now() - last) >= POLL_AFTER_S:
            self._seen[account.account_id] = now
            self._connections.poll(account.account_id)

    async def _look_after(self, account: Account, *, trusted: bool) -> None:
        last, now = account.last_connected_at, self._parts.clock.now()
        days = self._parts.profile.timers.unenlisted_after_days
        if account.state is not AccountState.ENLISTED or last is None:
            return
        if has_expired(last, now, days):
            if not trusted:
                return
            await self._enlisting.change(account, AccountEvent.FORGOTTEN, say("login.forgotten"))
            return
        due = due_reminders(last, now, days)
        if due:
            newest = due[-1]
            sentence = say("reminder.unenlist", day=days - newest.days_left, days_left=newest.days_left)
            key = f"reminder/{account.account_id.hex()}/{last}/{newest.day}"
            await self._parts.journal.owe(outbox.to_owner(account, sentence).owed(key))

    async def _forget_old_text(self) -> None:
        """A retry is answered as long as the mailbox keeps messages, and no longer."""
        oldest = self._parts.clock.now() - self._parts.profile.timers.mailbox_days * DAY_S
        await self._parts.store.commit(
            kinds.unit(kinds.EXPIRE, forget=[{"owner": self._parts.owner, "changed_at": oldest}])
        )
