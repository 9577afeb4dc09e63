"""Who may do what. One ordered table of small rules for each act; the first refusal wins.

``decide`` is asked by every flow before every act. Refusals that could reveal something about a
person (unknown, not opted in, blocked) share one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bridge.sentences import Sentence, say
from bridge.states import AccountState, Custody, Level


class Act(Enum):
    """Everything a flow may be about to do."""

    TALK = "talk to the bot"
    AGREE = "agree and enlist"
    ENLIST = "enlist"
    NEW_CHAT = "start a chat"
    MESSAGE_OUT = "send a message"
    MESSAGE_IN = "show a message"
    RECEIPT_OUT = "send a receipt"
    RECEIPT_IN = "show a receipt"
    LEAVE = "leave"


@dataclass(frozen=True)
class Facts:
    """What is known when an act is decided; each rule reads what it needs."""

    level: Level = Level.BLOCK
    custody: Custody = Custody.PERSONAL
    other_accounts: int = 0
    """Living accounts of other users on this installation."""
    account: AccountState | None = None
    service_known: bool = True
    """Whether the profile lists the service."""
    is_owner: bool = True
    """Whether the person acting is the one the account and the portal belong to."""
    partner_allowed: bool = True
    """Whether the profile lets us exchange messages with this service's people."""
    local_user: bool = True
    """Whether the user belongs to the homeserver this installation serves."""


@dataclass(frozen=True)
class Allow:
    """Go ahead."""


@dataclass(frozen=True)
class Refuse:
    """Do not, and say this."""

    sentence: Sentence


@dataclass(frozen=True)
class Hold:
    """Not now: wait for ``until`` (what has to change), and say this."""

    until: str
    sentence: Sentence


Decision = Allow | Refuse | Hold
Rule = Callable[[Facts], Decision | None]


_NO_ACCOUNT = (None, AccountState.LEAVING, AccountState.LEFT)


def _may_talk(facts: Facts) -> Decision | None:
    """Whoever has an account can say that they want to leave, whatever became of their permission."""
    if facts.level < Level.COMMANDS and facts.account in _NO_ACCOUNT:
        return Refuse(say("policy.not_permitted"))
    return None


def _may_have_an_account(facts: Facts) -> Decision | None:
    return Refuse(say("policy.no_account_permitted")) if facts.level < Level.USER else None


def _may_write(facts: Facts) -> Decision | None:
    return Refuse(say("policy.permission_taken")) if facts.level < Level.USER else None


def _served_homeserver(facts: Facts) -> Decision | None:
    return None if facts.local_user else Refuse(say("policy.other_homeserver"))


def _one_person_in_personal_custody(facts: Facts) -> Decision | None:
    if facts.custody is Custody.PERSONAL and facts.other_accounts:
        return Refuse(say("policy.one_person"))
    return None


def _has_account(facts: Facts) -> Decision | None:
    if facts.account in _NO_ACCOUNT:
        return Refuse(say("policy.opt_in_first"))
    return None


def _enlisted(facts: Facts) -> Decision | None:
    match facts.account:
        case AccountState.AGREED | AccountState.ENLISTING:
            return Hold("enlisted", say("policy.still_enlisting"))
        case AccountState.EXPIRED:
            return Refuse(say("policy.expired"))
        case AccountState.SUSPENDED:
            return Refuse(say("policy.suspended"))
        case _:
            return None


def _own_chat(facts: Facts) -> Decision | None:
    return None if facts.is_owner else Refuse(say("policy.not_your_chat"))


def _known_service(facts: Facts) -> Decision | None:
    return None if facts.service_known else Refuse(say("policy.unknown_service"))


def _partner(facts: Facts) -> Decision | None:
    return None if facts.partner_allowed else Refuse(say("policy.not_reachable"))


def _not_after_leaving(facts: Facts) -> Decision | None:
    if facts.account in _NO_ACCOUNT:
        return Refuse(say("policy.has_left"))
    return None


RULES: Mapping[Act, Sequence[Rule]] = {
    Act.TALK: (_may_talk,),
    Act.AGREE: (_may_talk, _may_have_an_account, _served_homeserver, _one_person_in_personal_custody),
    Act.ENLIST: (_may_have_an_account, _served_homeserver, _one_person_in_personal_custody, _has_account),
    Act.NEW_CHAT: (_own_chat, _has_account, _may_write, _enlisted, _known_service, _partner),
    Act.MESSAGE_OUT: (_own_chat, _has_account, _may_write, _enlisted, _known_service, _partner),
    Act.MESSAGE_IN: (_not_after_leaving, _known_service, _partner),
    Act.RECEIPT_OUT: (_not_after_leaving, _own_chat, _known_service, _partner),
    Act.RECEIPT_IN: (_not_after_leaving, _known_service),
    Act.LEAVE: (_own_chat,),
}


def decide(act: Act, facts: Facts) -> Decision:
    """Whether ``act`` may be done now."""
    for rule in RULES[act]:
        decision = rule(facts)
        if decision is not None:
            return decision
    return Allow()
