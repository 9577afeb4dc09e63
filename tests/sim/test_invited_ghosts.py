"""A ghost that is invited to another room: it leaves, and the bot says once where contacts can be met."""

from __future__ import annotations

from bridge.ids import UserId
from bridge.ports import Step
from tests.sim.homeserver import BOT, SERVER, refusing
from tests.sim.whole import ADA, Whole

BEN = UserId(f"@ben:{SERVER}")
"""Somebody who may not use the bridge."""


async def test_invited_ghost_leaves_and_the_bot_answers_once(chat: Whole) -> None:
    ghost, room = chat.home.ghost(chat.portal), chat.home.make_room(ADA)
    for _ in range(3):
        await chat.member(room, ghost, "invite")
        assert chat.home.rooms[room][ghost] == "leave"
    (answer,) = chat.home.heard("bot.ghost_invited")
    assert answer.room == chat.talk
    assert chat.home.texts(room) == [] and await chat.entries() == []


async def test_ghost_invited_to_each_of_two_rooms_is_answered_for_each(chat: Whole) -> None:
    ghost = chat.home.ghost(chat.portal)
    for room in (chat.home.make_room(ADA), chat.home.make_room(ADA)):
        await chat.member(room, ghost, "invite")
    assert len(chat.home.heard("bot.ghost_invited")) == 2


async def test_invited_ghost_that_cannot_leave_is_answered(chat: Whole) -> None:
    ghost, room = chat.home.ghost(chat.portal), chat.home.make_room(ADA)
    chat.home.refuse = refusing(Step.LEAVE)
    await chat.member(room, ghost, "invite")
    assert len(chat.home.heard("bot.ghost_invited")) == 1 and await chat.entries() == []


async def test_user_without_management_room_is_answered_in_a_new_one(chat: Whole) -> None:
    ghost, room = chat.home.ghost(chat.portal), chat.home.make_room(ADA)
    await chat.member(chat.talk, ADA, "leave")
    await chat.member(room, ghost, "invite")
    (answer,) = chat.home.heard("bot.ghost_invited")
    assert chat.home.rooms[answer.room] == {BOT: "join", ADA: "invite"}


async def test_inviter_without_permission_gets_no_answer(chat: Whole) -> None:
    ghost, room = chat.home.ghost(chat.portal), chat.home.make_room(BEN)
    await chat.member(room, ghost, "invite", by=BEN)
    assert chat.home.rooms[room][ghost] == "leave"
    assert not chat.home.heard("bot.ghost_invited") and await chat.entries() == []


async def test_broken_registration_delays_the_answer_to_an_invited_ghost(chat: Whole) -> None:
    ghost, room = chat.home.ghost(chat.portal), chat.home.make_room(ADA)
    chat.home.refuse = refusing(Step.LEAVE, errcode="M_UNKNOWN_TOKEN", status=401)
    await chat.member(room, ghost, "invite")
    chat.home.refuse = lambda asked: None
    await chat.passes(600.0)
    assert chat.home.rooms[room][ghost] == "leave"
    assert len(chat.home.heard("bot.ghost_invited")) == 1
