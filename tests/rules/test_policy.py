"""Who may do what: each act with the facts that decide it, as named rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.policy import RULES, Act, Allow, Decision, Facts, Hold, Refuse, decide
from bridge.states import AccountState, Custody, Level

GOOD = Facts(level=Level.USER, account=AccountState.ENLISTED)
"""A user in good standing, in a chat of their own, with somebody whom the profile lets us reach."""
NEW = replace(GOOD, account=None)
AGREED = replace(GOOD, account=AccountState.AGREED)

ALLOWED = "allowed"

ROWS: dict[str, tuple[Act, Facts, str]] = {
    # To talk to the bot takes the admin's permission, and nothing else.
    "a stranger talks": (Act.TALK, Facts(), "policy.not_permitted"),
    "a blocked person talks": (Act.TALK, replace(NEW, level=Level.BLOCK), "policy.not_permitted"),
    "a relayed person talks": (Act.TALK, replace(NEW, level=Level.RELAY), "policy.not_permitted"),
    "a blocked person with an account talks": (Act.TALK, replace(GOOD, level=Level.BLOCK), ALLOWED),
    "a blocked person who left talks": (
        Act.TALK,
        replace(GOOD, level=Level.BLOCK, account=AccountState.LEFT),
        "policy.not_permitted",
    ),
    "somebody with commands only talks": (Act.TALK, Facts(level=Level.COMMANDS), ALLOWED),
    "a user of another homeserver talks": (Act.TALK, replace(NEW, local_user=False), ALLOWED),
    "somebody who left talks": (Act.TALK, replace(GOOD, account=AccountState.LEFT), ALLOWED),
    # To agree takes an account's permission, our own homeserver, and room in the custody.
    "a stranger agrees": (Act.AGREE, Facts(), "policy.not_permitted"),
    "somebody with commands only agrees": (
        Act.AGREE,
        replace(NEW, level=Level.COMMANDS),
        "policy.no_account_permitted",
    ),
    "a user agrees": (Act.AGREE, NEW, ALLOWED),
    "an admin agrees": (Act.AGREE, replace(NEW, level=Level.ADMIN), ALLOWED),
    "a user of another homeserver agrees": (
        Act.AGREE,
        replace(NEW, local_user=False),
        "policy.other_homeserver",
    ),
    "a second person agrees on a personal box": (
        Act.AGREE,
        replace(NEW, other_accounts=1),
        "policy.one_person",
    ),
    "a second person agrees with an operator": (
        Act.AGREE,
        replace(NEW, other_accounts=1, custody=Custody.OPERATOR),
        ALLOWED,
    ),
    "the first person agrees with an operator": (
        Act.AGREE,
        replace(NEW, custody=Custody.OPERATOR),
        ALLOWED,
    ),
    # To enlist takes an agreement, and permission still.
    "somebody enlists without an agreement": (Act.ENLIST, NEW, "policy.opt_in_first"),
    "somebody enlists after agreeing": (Act.ENLIST, AGREED, ALLOWED),
    "somebody enlists again after a crash": (
        Act.ENLIST,
        replace(GOOD, account=AccountState.ENLISTING),
        ALLOWED,
    ),
    "somebody enlists whom the network forgot": (
        Act.ENLIST,
        replace(GOOD, account=AccountState.EXPIRED),
        ALLOWED,
    ),
    "somebody enlists who is leaving": (
        Act.ENLIST,
        replace(GOOD, account=AccountState.LEAVING),
        "policy.opt_in_first",
    ),
    "somebody enlists whose permission was taken away": (
        Act.ENLIST,
        replace(AGREED, level=Level.COMMANDS),
        "policy.no_account_permitted",
    ),
    "somebody enlists beside another on a personal box": (
        Act.ENLIST,
        replace(AGREED, other_accounts=1),
        "policy.one_person",
    ),
    "somebody of another homeserver enlists": (
        Act.ENLIST,
        replace(AGREED, local_user=False),
        "policy.other_homeserver",
    ),
    # Whatever comes in is shown as long as the account lives, even to one who may not write.
    "a message comes in": (Act.MESSAGE_IN, GOOD, ALLOWED),
    "a message comes in after a suspension": (
        Act.MESSAGE_IN,
        replace(GOOD, account=AccountState.SUSPENDED),
        ALLOWED,
    ),
    "a message comes in after the network forgot us": (
        Act.MESSAGE_IN,
        replace(GOOD, account=AccountState.EXPIRED),
        ALLOWED,
    ),
    "a message comes in for somebody who left": (
        Act.MESSAGE_IN,
        replace(GOOD, account=AccountState.LEFT),
        "policy.has_left",
    ),
    "a message comes in for nobody": (Act.MESSAGE_IN, NEW, "policy.has_left"),
    "a message comes in from a service that the profile does not list": (
        Act.MESSAGE_IN,
        replace(GOOD, service_known=False),
        "policy.unknown_service",
    ),
    "a message comes in from a partner whom we may not reach": (
        Act.MESSAGE_IN,
        replace(GOOD, partner_allowed=False),
        "policy.not_reachable",
    ),
    # Receipts.
    "a receipt goes out": (Act.RECEIPT_OUT, GOOD, ALLOWED),
    "a receipt goes out for somebody who left": (
        Act.RECEIPT_OUT,
        replace(GOOD, account=AccountState.LEFT),
        "policy.has_left",
    ),
    "a guest's reading goes out as a receipt": (
        Act.RECEIPT_OUT,
        replace(GOOD, is_owner=False),
        "policy.not_your_chat",
    ),
    "a receipt goes out to a service that is not listed": (
        Act.RECEIPT_OUT,
        replace(GOOD, service_known=False),
        "policy.unknown_service",
    ),
    "a receipt goes out to a partner whom we may not reach": (
        Act.RECEIPT_OUT,
        replace(GOOD, partner_allowed=False),
        "policy.not_reachable",
    ),
    "a receipt comes in": (Act.RECEIPT_IN, GOOD, ALLOWED),
    "a receipt comes in for somebody who left": (
        Act.RECEIPT_IN,
        replace(GOOD, account=AccountState.LEFT),
        "policy.has_left",
    ),
    "a receipt comes in from a service that is not listed": (
        Act.RECEIPT_IN,
        replace(GOOD, service_known=False),
        "policy.unknown_service",
    ),
    # Nobody is kept, and nobody is thrown out by others.
    "somebody leaves": (Act.LEAVE, GOOD, ALLOWED),
    "somebody leaves whose permission was taken away": (
        Act.LEAVE,
        replace(GOOD, level=Level.BLOCK),
        ALLOWED,
    ),
    "somebody leaves for another": (Act.LEAVE, replace(GOOD, is_owner=False), "policy.not_your_chat"),
}

WRITING = {
    "in good standing": (GOOD, ALLOWED),
    "after permission was taken away": (replace(GOOD, level=Level.COMMANDS), "policy.permission_taken"),
    "in somebody else's chat": (replace(GOOD, is_owner=False), "policy.not_your_chat"),
    "without an account": (NEW, "policy.opt_in_first"),
    "while leaving": (replace(GOOD, account=AccountState.LEAVING), "policy.opt_in_first"),
    "after leaving": (replace(GOOD, account=AccountState.LEFT), "policy.opt_in_first"),
    "before enlisting": (AGREED, "hold policy.still_enlisting"),
    "while enlisting": (replace(GOOD, account=AccountState.ENLISTING), "hold policy.still_enlisting"),
    "forgotten by the network": (replace(GOOD, account=AccountState.EXPIRED), "policy.expired"),
    "suspended": (replace(GOOD, account=AccountState.SUSPENDED), "policy.suspended"),
    "to a service that is not listed": (replace(GOOD, service_known=False), "policy.unknown_service"),
    "to a partner whom we may not reach": (replace(GOOD, partner_allowed=False), "policy.not_reachable"),
}
"""The same for a message and for the start of a chat."""

ROWS |= {f"a message goes out {name}": (Act.MESSAGE_OUT, *row) for name, row in WRITING.items()}
ROWS |= {f"a chat starts {name}": (Act.NEW_CHAT, *row) for name, row in WRITING.items()}


@pytest.mark.parametrize("name", ROWS)
def test_the_table_decides(name: str) -> None:
    act, facts, expected = ROWS[name]
    assert in_words(decide(act, facts)) == expected


def in_words(decision: Decision) -> str:
    match decision:
        case Allow():
            return ALLOWED
        case Refuse(sentence):
            return sentence.key
        case Hold(_, sentence):
            return f"hold {sentence.key}"


def test_every_act_has_rows_that_allow_and_rows_that_refuse() -> None:
    rows = list(ROWS.values())
    for act in Act:
        assert any(row[0] is act and row[2] == ALLOWED for row in rows), act
        assert any(row[0] is act and row[2] != ALLOWED for row in rows), act


def test_every_rule_of_every_act_refuses_in_some_row() -> None:
    """A rule that could be taken out without a failing row is not tested."""
    for act, rules in RULES.items():
        for rule in rules:
            without = [each for each in rules if each is not rule]
            changed = [
                name
                for name, (row_act, facts, _) in ROWS.items()
                if row_act is act
                and next(filter(None, (each(facts) for each in without)), Allow()) != decide(act, facts)
            ]
            assert changed, f"{act}: {rule.__name__}"
