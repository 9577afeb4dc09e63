"""What every flow is given: the ports, the profile, and the decisions of the config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from bridge import policy
from bridge.ids import AccountId, EventId, RoomId, UserId, derive, log_id, opaque_localpart, transaction_id
from bridge.labels import service_label
from bridge.policy import Act, Decision, Facts, Refuse
from bridge.ports import Clock, Homeserver, Random, Store
from bridge.profile import Profile, Service
from bridge.states import AccountState, Custody, Level
from bridge.store.journal import Journal
from bridge.store.vault import Vault


@dataclass(frozen=True)
class Settings:
    """What the admin decided."""

    bot: UserId
    domain: str
    command_prefix: str
    custody: Custody
    connection: Literal["on-demand", "always"]
    room_version: str
    status_events: bool
    delivery_receipts: bool
    """Whether the bot's read receipt shows that a message was delivered."""
    appservice_id: str
    ghost_prefix: str
    """What localparts of ghosts and aliases begin with."""
    level_of: Callable[[UserId], Level]


@dataclass(frozen=True)
class Parts:
    """The ports and facts that flows share. ``puppets`` acts as real users, where the admin allows it."""

    clock: Clock
    random: Random
    store: Store
    journal: Journal
    vault: Vault
    homeserver: Homeserver
    puppets: Homeserver | None
    profile: Profile
    settings: Settings
    owner: str
    refusals: Counter[tuple[str, str]]
    """How often each act was refused, by the key of what was said; no word about anybody."""
    secret: bytes = field(repr=False)
    """Keys everything this installation derives; never leaves it."""

    def account_key(self, account_id: AccountId) -> bytes:
        """The key of everything derived for one account, so that two accounts share no name."""
        return derive(self.secret, "account", account_id, size=32)

    def localpart(self, key: bytes, *parts: str | bytes) -> str:
        """An opaque localpart for a ghost or an alias."""
        return opaque_localpart(key, *parts, prefix=self.settings.ghost_prefix)

    def is_ghost(self, user: str) -> bool:
        """Whether a Matrix ID is in the namespace of our ghosts."""
        return user.startswith(f"@{self.settings.ghost_prefix}")

    def transaction(self, *parts: str | bytes) -> str:
        """A Matrix transaction id made of content keys."""
        return transaction_id(self.secret, *parts)

    def log_id(self, identifier: str | bytes) -> str:
        """What stands for an identifier in the log."""
        return log_id(self.secret, identifier)

    def ghost(self, localpart: str) -> UserId:
        """The Matrix user of a ghost."""
        return UserId(f"@{localpart}:{self.settings.domain}")

    def label(self, service: Service) -> str:
        """A service's label as people see it."""
        return service_label(service.label, self.profile.label if self.profile.is_sandbox else None)

    def facts(
        self,
        user: UserId,
        account: AccountState | None = None,
        *,
        service: Service | None = None,
        is_owner: bool = True,
        other_accounts: int = 0,
    ) -> Facts:
        """What policy knows about a user and what they are about to do."""
        level = self.settings.level_of(user)
        return Facts(
            level=level,
            custody=self.settings.custody,
            other_accounts=other_accounts,
            account=account,
            service_known=service is not None,
            is_owner=is_owner,
            partner_allowed=self._may_reach(service),
            local_user=user.endswith(f":{self.settings.domain}"),
        )

    def decide(self, act: Act, facts: Facts) -> Decision:
        """Whether ``act`` may be done now; every refusal is counted."""
        decision = policy.decide(act, facts)
        if isinstance(decision, Refuse):
            self.refusals[act.name, decision.sentence.key] += 1
        return decision

    def _may_reach(self, service: Service | None) -> bool:
        """Other partners' people only where the network joins partners with each other."""
        return service is None or service.integrator == 0 or self.profile.partner_to_partner


@dataclass(frozen=True)
class Where:
    """A place in Matrix to answer to: a room and, where there is one, the event answered."""

    room_id: RoomId
    event_id: EventId | None = None
    user_id: UserId | None = None
