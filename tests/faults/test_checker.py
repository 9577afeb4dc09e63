"""The checker of the promises finds each way in which they can be broken, and nothing in a good history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bridge.sentences import render, say
from tests.e2ee.support import End
from tests.faults.checker import Asked, Given, Logs, Says, Shown, Taken, violations
from tests.faults.ciphertext import message_key
from tests.faults.evidence import logs
from tests.faults.said import worth

CHAT = ("ada", "anna")
OTHER = ("bob", "anna")


def sealed(counter: int, body: bytes, ratchet_key: bytes = b"\x05" + bytes(32)) -> bytes:
    """An ordinary message: version, ratchet key, counter, previous counter, ciphertext, MAC."""
    fields = bytes([0x0A, len(ratchet_key)]) + ratchet_key + bytes([0x10, counter, 0x18, 0])
    return b"\x33" + fields + bytes([0x22, len(body)]) + body + bytes(8)


def first(inner: bytes) -> bytes:
    """A first message around an ordinary one."""
    return b"\x33" + bytes([0x08, 7, 0x12, 2]) + b"ab" + bytes([0x22, len(inner)]) + inner


GOOD = Logs(
    asked=(Asked("$1", CHAT, "u1"), Asked("$2", CHAT, "u2"), Asked("$3", CHAT, "u3", answered=False)),
    shown=(
        Shown("$9", CHAT, "a1", marker="m1"),
        Shown("$10", CHAT, "", redacted=True),
        Shown("$11", CHAT, "a2", marker="m2"),
    ),
    given=(
        Given(CHAT, "N1", "a1", b"1"),
        Given(CHAT, "N2", "a2", b"2"),
        Given(CHAT, "N3", "a3", acked=False),
    ),
    taken=(
        Taken(CHAT, "S1", "pkmsg", first(sealed(0, b"one")), "u1"),
        Taken(CHAT, "S1", "pkmsg", first(sealed(0, b"one")), "u1"),
        Taken(CHAT, "S2", "msg", sealed(1, b"two"), "u2"),
    ),
    receipts=((CHAT, "N1", None), (CHAT, "N2", None)),
)


def test_a_good_history_has_nothing_to_complain_about() -> None:
    assert violations(GOOD) == []


Breaking = Callable[[Logs], Logs]

BROKEN: dict[str, tuple[str, Breaking]] = {
    "an event is lost": ("P1", lambda logs: replace(logs, taken=logs.taken[:2])),
    "an event is sent under two ids": (
        "P1",
        lambda logs: replace(logs, taken=(*logs.taken, Taken(CHAT, "S9", "msg", sealed(2, b"x"), "u2"))),
    ),
    "an event is sent and refused": (
        "P1",
        lambda logs: replace(
            logs, shown=(*logs.shown, Shown("$12", CHAT, "not sent", Says.FAILED, about="$2"))
        ),
    ),
    "an event is refused twice": (
        "P1",
        lambda logs: replace(
            logs,
            taken=logs.taken[:2],
            shown=(
                *logs.shown,
                *(Shown(f"$1{n}", CHAT, "not sent", Says.FAILED, about="$2") for n in (2, 3)),
            ),
        ),
    ),
    "a chat is marked as waiting for ever": (
        "P1",
        lambda logs: replace(
            logs,
            shown=(*logs.shown, Shown("$12", CHAT, "waiting", Says.WAITING, about="$1")),
        ),
    ),
    "a chat is marked as waiting twice": (
        "P1",
        lambda logs: replace(
            logs,
            shown=(
                *logs.shown,
                *(Shown(f"$1{n}", CHAT, f"waiting {n}", Says.WAITING, about=f"${n}") for n in (1, 2)),
            ),
        ),
    ),
    "a notice stands twice": (
        "P1",
        lambda logs: replace(
            logs, shown=(*logs.shown, *(Shown(f"$1{n}", CHAT, "new phone", Says.OTHER) for n in (2, 3)))
        ),
    ),
    "an event is given up twice": (
        "P1",
        lambda logs: replace(
            logs,
            shown=(
                *logs.shown,
                Shown("$12", CHAT, "perhaps", Says.UNSURE, about="$2"),
                Shown("$13", CHAT, "not sent", Says.FAILED, about="$2"),
            ),
        ),
    ),
    "something is sent that nobody wrote": (
        "P1",
        lambda logs: replace(logs, taken=(*logs.taken, Taken(CHAT, "S9", "msg", sealed(2, b"x"), "u9"))),
    ),
    "something is sent to somebody else": (
        "P1",
        lambda logs: replace(logs, taken=(*logs.taken, Taken(OTHER, "S2", "msg", sealed(2, b"x"), "u2"))),
    ),
    "something was never readable": (
        "P1",
        lambda logs: replace(logs, taken=(*logs.taken, Taken(CHAT, "S9", "msg", sealed(2, b"x"), None))),
    ),
    "an acknowledged message is not shown": ("P2", lambda logs: replace(logs, shown=logs.shown[:2])),
    "a message is shown twice": (
        "P2",
        lambda logs: replace(logs, shown=(*logs.shown, Shown("$12", CHAT, "a2", marker="m3"))),
    ),
    "a message is shown and said to be unreadable": (
        "P2",
        lambda logs: replace(
            logs,
            given=logs.given[:2],
            shown=(*logs.shown, Shown("$12", CHAT, "unreadable", Says.UNREADABLE, marker="m9")),
        ),
    ),
    "a message is said to be unreadable twice": (
        "P2",
        lambda logs: replace(
            logs,
            given=logs.given[:2],
            shown=(
                *logs.shown[:2],
                *(Shown(f"$1{n}", CHAT, f"unreadable {n}", Says.UNREADABLE, marker=f"m{n}") for n in (2, 3)),
            ),
        ),
    ),
    "two events carry one marker": (
        "P2",
        lambda logs: replace(
            logs, shown=(*logs.shown, Shown("$12", CHAT, "unreadable", Says.UNREADABLE, marker="m2"))
        ),
    ),
    "something is shown that nobody sent": (
        "P2",
        lambda logs: replace(logs, shown=(*logs.shown, Shown("$12", CHAT, "a9", marker="m9"))),
    ),
    "a message is shown to somebody else": (
        "P2",
        lambda logs: replace(logs, shown=(*logs.shown, Shown("$12", OTHER, "a2", marker="m9"))),
    ),
    "messages are shown in another order": (
        "P3",
        lambda logs: replace(logs, shown=tuple(reversed(logs.shown))),
    ),
    "events are sent in another order": (
        "P3",
        lambda logs: replace(logs, taken=(logs.taken[2], *logs.taken)),
    ),
    "a key seals two messages": (
        "P4",
        lambda logs: replace(logs, taken=(*logs.taken, Taken(CHAT, "S2", "msg", sealed(1, b"TWO"), "u2"))),
    ),
    "a key seals two messages inside first ones": (
        "P4",
        lambda logs: replace(
            logs, taken=(*logs.taken, Taken(CHAT, "S1", "pkmsg", first(sealed(0, b"ONE")), "u1"))
        ),
    ),
    "a message is sealed anew under a new key": (
        "P4",
        lambda logs: replace(logs, taken=(*logs.taken, Taken(CHAT, "S2", "msg", sealed(2, b"2"), "u2"))),
    ),
    "a message is not reported as delivered": ("R", lambda logs: replace(logs, receipts=logs.receipts[:1])),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_promise_is_found(name: str) -> None:
    promise, break_it = BROKEN[name]
    assert {violation.promise for violation in violations(break_it(GOOD))} == {promise}


UNSETTLED = {
    "P1": {"an event is lost", "something was never readable", "a chat is marked as waiting for ever"},
    "P2": {
        "an acknowledged message is not shown",
        "a message is shown and said to be unreadable",
        "a message is said to be unreadable twice",
        "two events carry one marker",
    },
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_only_under_way_breaks_no_promise_yet(name: str) -> None:
    promise, break_it = BROKEN[name]
    may_wait = promise == "R" or name in UNSETTLED.get(promise, set())
    assert (violations(break_it(GOOD), settled=False) == []) is may_wait


def test_a_refused_event_takes_no_part_in_the_order_and_one_sent_again_may_come_later() -> None:
    told = Shown("$12", CHAT, "not sent", Says.FAILED, about="$1")
    refused = replace(GOOD, taken=GOOD.taken[2:], shown=(*GOOD.shown, told))
    assert violations(refused) == []
    given = (GOOD.given[0], GOOD.given[1], replace(GOOD.given[0], ciphertext=b"again"))
    assert violations(replace(GOOD, given=given, shown=tuple(reversed(GOOD.shown)))) == []


def test_unreadable_message_is_shown_by_its_notice() -> None:
    told = Shown("$12", CHAT, "unreadable", Says.UNREADABLE, marker="m2")
    assert violations(replace(GOOD, shown=(*GOOD.shown[:2], told))) == []


def test_event_given_up_may_have_arrived_if_the_notice_says_so() -> None:
    told = Shown("$12", CHAT, "perhaps", Says.UNSURE, about="$2")
    assert violations(replace(GOOD, shown=(*GOOD.shown, told))) == []


def test_edit_changes_what_the_edited_event_says() -> None:
    room, waiting, rooms = "!a", render(say("outbound.waiting")), {"!a": CHAT}
    first = {"msgtype": "m.notice", "body": waiting, "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}}
    new = {"msgtype": "m.notice", "body": "Sent after 2 minutes."}
    relation = {"rel_type": "m.replace", "event_id": "$2"}
    events = {"$2": first, "$3": {**new, "m.new_content": new, "m.relates_to": relation}}
    log = [
        {
            "kind": "out",
            "event": {
                "event_id": id_,
                "room_id": room,
                "type": "m.room.message",
                "content": content,
                "unsigned": {},
            },
        }
        for id_, content in events.items()
    ]
    network: dict[str, Any] = {"receipts": [], "n_in": [], "n_out": []}
    assert [each.says for each in logs(log[:1], network, rooms, ()).shown] == [Says.WAITING]
    (edited,) = logs(log, network, rooms, ()).shown
    assert (edited.event_id, edited.text, edited.says) == ("$2", "Sent after 2 minutes.", Says.OTHER)


def test_each_kind_of_notice_is_told_from_the_others() -> None:
    unsure = say("outbound.unsure", reason=say("outbound.refused", code=479))
    said = {
        Says.WAITING: say("outbound.waiting"),
        Says.FAILED: say("outbound.not_sent", reason=say("outbound.refused", code=479)),
        Says.UNSURE: say("outbound.not_sent", reason=unsure),
        Says.UNREADABLE: say("inbound.unreadable", name="Anna (WhatsApp)"),
        Says.OTHER: say("leave.portal"),
    }
    assert {says: worth(render(sentence)) for says, sentence in said.items()} == {each: each for each in said}


def test_a_message_may_be_sealed_anew_when_it_was_asked_for_again() -> None:
    again = Taken(CHAT, "S2", "msg", sealed(2, b"2"), "u2", count=1)
    assert violations(replace(GOOD, taken=(*GOOD.taken, again))) == []


def test_our_own_reader_agrees_with_the_sealer_about_keys() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    letters = [alice.seal() for _ in range(3)]
    keys = [message_key(*letter)[0] for letter in letters]
    assert [counter for _, counter in keys] == [0, 1, 2] and len({ratchet for ratchet, _ in keys}) == 1
    before = alice.stored
    one, alice.stored = alice.seal(b"one"), before
    other = alice.seal(b"other")
    assert message_key(*one)[0] == message_key(*other)[0] and message_key(*one)[1] != message_key(*other)[1]
