"""A received message that the homeserver refuses is kept, or its place is marked, or its end is told."""

from __future__ import annotations

import pytest

from bridge.flow.inbound.retries import GIVE_UP_WAITING_AFTER_S
from bridge.flow.inbound.show import DAY_S, REFUSED_AT_MOST_DAYS, REFUSED_FOR_S
from bridge.ids import RoomId
from bridge.matrix.errors import Rejected
from bridge.matrix.events import MARKER
from bridge.ports import Step
from bridge.wire.vocabulary.message import Message
from tests.sim.homeserver import BOT, Asked, nothing_refused, refusing
from tests.sim.whole import ADA, Whole

FOR_GOOD = REFUSED_AT_MOST_DAYS * DAY_S + REFUSED_FOR_S
BAD = "a word that"
"""Stands in what the tests' homeserver does not want to see."""
REFUSALS = [("M_FORBIDDEN", 403), ("M_TOO_LARGE", 413), ("M_UNKNOWN", 413), ("M_BAD_JSON", 400)]


def receipts(made: Whole) -> list[str]:
    """Messages of which the contact was told that they were delivered or read."""
    return [str(sent.attributes["id"]) for sent in made.network.sent if sent.tag == "receipt"]


def refuse_in(made: Whole, room: RoomId) -> None:
    """A room that lets nobody of ours do anything any more."""

    def rule(asked: Asked) -> None:
        if asked.room == room:
            raise Rejected("M_FORBIDDEN", 403)

    made.home.refuse = rule


@pytest.mark.fault("F48")
async def test_a_refused_name_of_a_ghost_holds_up_no_message(enlisted: Whole) -> None:
    enlisted.home.refuse = refusing(Step.PROFILE, status=400)
    await enlisted.hears("first words")
    assert enlisted.home.texts(enlisted.portal) == ["first words"]


async def test_a_name_refused_when_a_user_is_invited_again_holds_up_no_message(chat: Whole) -> None:
    await chat.member(chat.portal, ADA, "leave")
    chat.home.refuse = refusing(Step.PROFILE)
    await chat.hears("are you there?")
    assert "are you there?" in chat.home.texts(chat.portal)
    assert chat.home.rooms[chat.portal][ADA] == "invite"


async def test_a_message_is_kept_while_its_room_cannot_be_made_and_the_user_is_told_who_wrote(
    enlisted: Whole,
) -> None:
    enlisted.home.refuse = refusing(Step.CREATE_ROOM)
    await enlisted.hears("first words", "second words")
    assert ["Anna" in event.content["body"] for event in enlisted.home.heard("inbound.no_room")] == [True]
    enlisted.home.refuse = nothing_refused
    await enlisted.passes(REFUSED_FOR_S)
    assert enlisted.home.texts(enlisted.portal) == ["first words", "second words"]
    assert len(receipts(enlisted)) == 2
    assert await enlisted.entries() == []


async def test_a_kept_message_is_shown_after_a_restart(enlisted: Whole) -> None:
    enlisted.home.refuse = refusing(Step.CREATE_ROOM)
    await enlisted.hears("first words")
    await enlisted.restart()
    enlisted.home.refuse = nothing_refused
    await enlisted.passes(REFUSED_FOR_S)
    assert enlisted.home.texts(enlisted.portal) == ["first words"]


@pytest.mark.fault("F17")
@pytest.mark.parametrize(("errcode", "status"), REFUSALS)
async def test_what_the_homeserver_does_not_take_is_marked_and_the_next_is_shown(
    chat: Whole, errcode: str, status: int
) -> None:
    chat.home.refuse = refusing(Step.SHOW, errcode=errcode, status=status, saying=BAD)
    await chat.hears("before", f"{BAD} is bad", "after")
    ghost = chat.home.ghost(chat.portal)
    before, placeholder, after = chat.home.texts(chat.portal, ghost)
    assert (before, after) == ("before", "after")
    assert "the homeserver does not let me show" in placeholder
    assert await chat.entries() == []


async def test_what_stands_in_a_messages_place_carries_its_marker(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.SHOW, saying=BAD)
    await chat.hears(f"{BAD} is bad", "after")
    markers = [
        event.content[MARKER] for event in chat.home.events if event.sender == chat.home.ghost(chat.portal)
    ]
    assert len(set(markers)) == 2


async def test_nobody_is_told_that_a_message_was_delivered_which_is_not_shown(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.SHOW, saying=BAD)
    await chat.hears(f"{BAD} is bad")
    assert receipts(chat) == []
    await chat.reads(chat.portal, chat.home.events[-1].event_id)
    assert receipts(chat) == []


async def test_where_the_ghost_may_say_nothing_the_bot_says_that_something_came(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.SHOW)
    await chat.hears("hello")
    assert [event.room for event in chat.home.heard("inbound.refused")] == [chat.portal]
    assert await chat.entries() == []


async def test_of_a_long_text_only_the_refused_piece_is_marked(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.SHOW, saying=BAD)
    await chat.hears(f"{'x' * 60_000} {BAD} is bad")
    shown = chat.home.texts(chat.portal, chat.home.ghost(chat.portal))
    assert [("x" in text, "Ask them to repeat it" in text) for text in shown] == [
        (True, False),
        (False, True),
    ]
    assert receipts(chat) == []


async def test_a_room_without_the_bot_is_replaced_and_the_message_shown_in_the_new_one(chat: Whole) -> None:
    old = chat.portal
    chat.home.membership(old, BOT, "leave", by=ADA)
    refuse_in(chat, old)
    await chat.hears("hello")
    assert chat.portal != old
    assert chat.home.texts(chat.portal) == ["hello"]


async def test_a_room_that_shows_who_left_what_they_saw_last_is_replaced_all_the_same(chat: Whole) -> None:
    old = chat.portal
    chat.home.membership(old, BOT, "leave", by=ADA)
    chat.home.visible_when_left = True

    def rule(asked: Asked) -> None:
        if asked.room == old and asked.step is Step.SHOW:
            raise Rejected("M_FORBIDDEN", 403)

    chat.home.refuse = rule
    await chat.hears("hello")
    assert chat.portal != old
    assert chat.home.texts(chat.portal) == ["hello"]


async def test_a_message_that_no_room_takes_for_days_ends_with_a_notice_and_the_lane_goes_on(
    chat: Whole,
) -> None:
    refuse = refusing(Step.CREATE_ROOM)
    room = chat.portal

    def rule(asked: Asked) -> None:
        refuse(asked)
        if asked.room == room:
            raise Rejected("M_FORBIDDEN", 403)

    chat.home.refuse = rule
    await chat.hears("lost words")
    await chat.passes(FOR_GOOD - 2 * REFUSED_FOR_S)
    assert chat.home.heard("inbound.refused_too_long") == []
    assert len(chat.home.heard("inbound.room_refuses")) == REFUSED_AT_MOST_DAYS + 1
    await chat.hears("later words")
    await chat.passes(2 * REFUSED_FOR_S)
    assert [event.room for event in chat.home.heard("inbound.refused_too_long")] == [chat.talk]
    chat.home.refuse = nothing_refused
    await chat.passes(REFUSED_FOR_S)
    assert chat.home.texts(chat.portal, chat.home.ghost(chat.portal)) == ["later words"]
    assert len(receipts(chat)) == 1
    assert await chat.entries() == []


async def test_that_a_message_could_not_be_read_is_told_elsewhere_where_its_room_refuses_it(
    chat: Whole,
) -> None:
    nonsense = Message("A1", chat.contact.jid, "msg", b"nonsense").to_stanza("from")
    await chat.network.deliver(nonsense)
    refuse_in(chat, chat.portal)
    await chat.passes(GIVE_UP_WAITING_AFTER_S)
    (told,) = chat.home.heard("inbound.unreadable")
    assert told.room == chat.talk
    assert "Anna" in told.content["body"]
    assert await chat.entries() == []


async def test_a_message_that_comes_again_takes_the_place_of_what_stood_for_it(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.SHOW, saying=BAD)
    await chat.network.contact_writes("A1", f"{BAD} is bad")
    await chat.settled()
    await chat.network.contact_writes("A1", "a better one")
    await chat.settled()
    assert chat.home.texts(chat.portal, chat.home.ghost(chat.portal)) == ["a better one"]
    assert receipts(chat) == ["A1"]


async def test_what_stands_for_a_message_and_may_not_be_taken_away_costs_nothing(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.SHOW, saying=BAD)
    await chat.network.contact_writes("A1", f"{BAD} is bad")
    await chat.settled()
    chat.home.refuse = refusing(Step.REDACT)
    await chat.network.contact_writes("A1", "a better one")
    await chat.settled()
    assert "a better one" in chat.home.texts(chat.portal, chat.home.ghost(chat.portal))
    assert receipts(chat) == ["A1"]
    assert await chat.entries() == []
