"""What the bot says while an account is not of use: true at that moment, in order, and with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.network.errors import LoginRefused
from bridge.profile import Reason, Refusal
from tests.sim.homeserver import BOT
from tests.sim.whole import ADA, Whole, whole

SUSPENDED = Reason(state=Refusal.SUSPENDED, sentence="network.banned_for_now")
UNAVAILABLE = Reason(state=Refusal.RETRY, sentence="network.unavailable")
HOUR_S = 3_600.0


def said(bridge: Whole) -> list[str]:
    """What the bot has said to the user, in order."""
    return bridge.home.texts(bridge.talk, BOT)


async def ask_to_opt_in(bridge: Whole) -> None:
    """All of the talk, up to the agreement."""
    bridge.talk = bridge.home.make_room(ADA)
    await bridge.member(bridge.talk, BOT, "invite")
    for words in ("opt-in", "ok", "ok", "agree"):
        await bridge.says(words, bridge.talk)


async def test_an_enlistment_that_takes_long_is_said_once_and_no_question_is_answered_wrongly(
    tmp_path: Path,
) -> None:
    async with whole(tmp_path) as bridge:
        bridge.network.enlisting = UNAVAILABLE
        await ask_to_opt_in(bridge)
        await bridge.passes(600.0)
        assert len(bridge.home.heard("enlist.waiting")) == 1
        for words in ("my-address", "ping", "opt-in"):
            await bridge.says(words, bridge.talk)
        assert len(bridge.home.heard("policy.still_enlisting")) == 3
        bridge.network.enlisting = None
        await bridge.passes(600.0)
        assert bridge.home.heard("enlist.done")


async def test_leaving_waits_until_the_network_can_say_that_it_knows_nothing(tmp_path: Path) -> None:
    async with whole(tmp_path) as bridge:
        bridge.network.enlisting = UNAVAILABLE
        await ask_to_opt_in(bridge)
        await bridge.says("opt-out", bridge.talk)
        await bridge.says("leave", bridge.talk)
        await bridge.passes(HOUR_S)
        assert not bridge.home.heard("leave.done") and not bridge.home.heard("leave.unconfirmed")
        await bridge.says("opt-in", bridge.talk)
        assert bridge.home.heard("policy.leaving")
        bridge.network.enlisting = None
        await bridge.passes(HOUR_S)
        assert bridge.home.heard("leave.done")
        assert bridge.network.directory is None


async def test_an_account_that_was_suspended_for_a_time_comes_back_by_itself(chat: Whole) -> None:
    chat.network.refuses_login = LoginRefused("402", SUSPENDED, retry_after=2 * HOUR_S)
    chat.network.lose_link()
    await chat.passes(60.0)
    assert chat.home.heard("network.banned_for_now")
    await chat.says("ping", chat.talk)
    assert chat.home.heard("policy.suspended")
    chat.network.refuses_login = None
    await chat.passes(2 * HOUR_S)
    assert chat.home.heard("network.trying_again")
    await chat.says("Here I am")
    assert chat.contact.received == ["Here I am"]


async def test_a_suspension_without_an_end_waits_for_the_user(chat: Whole) -> None:
    chat.network.refuses_login = LoginRefused("403", SUSPENDED)
    chat.network.lose_link()
    await chat.passes(60.0)
    chat.network.refuses_login = None
    await chat.passes(48 * HOUR_S)
    assert not chat.home.heard("network.trying_again")
    await chat.says("opt-in", chat.talk)
    await chat.says("Here I am")
    assert chat.contact.received == ["Here I am"]


async def test_a_name_that_begins_like_a_command_is_a_name(tmp_path: Path) -> None:
    async with whole(tmp_path) as bridge:
        bridge.talk = bridge.home.make_room(ADA)
        await bridge.member(bridge.talk, BOT, "invite")
        for words in ("opt-in", "Ping Li", "ok", "agree"):
            await bridge.says(words, bridge.talk)
        await bridge.says("my-address", bridge.talk)
        assert "“Ping Li”" in said(bridge)[-1]


async def test_a_command_in_the_middle_of_a_question_says_that_the_question_is_dropped(chat: Whole) -> None:
    await chat.says("opt-out", chat.talk)
    await chat.says("status", chat.talk)
    assert len(chat.home.heard("talk.dropped")) == 1
    await chat.says("leave", chat.talk)
    assert chat.home.heard("bot.not_understood")


async def test_what_the_bot_says_to_a_user_keeps_its_order(chat: Whole) -> None:
    await chat.says("opt-out", chat.talk)
    await chat.says("leave", chat.talk)
    words = said(chat)
    started = chat.home.heard("opt_out.started")[0].content["body"]
    done = chat.home.heard("leave.done")[0].content["body"]
    assert words.index(str(started)) < words.index(str(done))


async def test_a_correction_of_what_was_not_sent_is_answered(chat: Whole) -> None:
    chat.network.refuses = 479
    refused = await chat.says("Wrnog")
    chat.network.refuses = None
    await chat.corrects(refused, "Wrong")
    assert len(chat.home.heard("outbound.edit_unsent")) == 1


async def test_a_reply_to_what_was_not_sent_names_nothing_that_nobody_has(chat: Whole) -> None:
    chat.network.refuses = 479
    refused = await chat.says("Not for you")
    chat.network.refuses = None
    await chat.replies(refused, "But this is")
    assert chat.contact.received == ["But this is"] and chat.contact.replies == [None]


@pytest.mark.parametrize("said_in_chat", ["!interop status", "!interop help"])
async def test_commands_are_answered_in_a_chat_that_has_ended(chat: Whole, said_in_chat: str) -> None:
    portal = chat.portal
    await chat.says("opt-out", chat.talk)
    await chat.says("leave", chat.talk)
    before = len(chat.home.texts(portal, BOT))
    await chat.says(said_in_chat, portal)
    await chat.says("Is anybody there?", portal)
    answers = chat.home.texts(portal, BOT)[before:]
    assert len(answers) == 2
    assert len(chat.home.heard("room.ended")) == 1


async def test_whoever_has_opted_in_is_greeted_as_such_in_another_room(chat: Whole) -> None:
    another = chat.home.make_room(ADA)
    await chat.member(another, BOT, "invite")
    (greeting,) = chat.home.texts(another, BOT)
    assert greeting.startswith("Hello again")
