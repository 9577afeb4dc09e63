"""Every step of the homeserver refused for good: a message arrives, or whoever waits is told (promise P1)."""

from __future__ import annotations

import pytest

from bridge.flow.inbound.show import DAY_S, REFUSED_AT_MOST_DAYS, REFUSED_FOR_S
from bridge.ports import Step
from tests.sim.homeserver import nothing_refused, refusing
from tests.sim.whole import ADA, Whole

STEPS = [
    Step.REGISTER_GHOST,
    Step.PROFILE,
    Step.CREATE_ROOM,
    Step.INVITE,
    Step.JOIN,
    Step.LOOK_UP,
    Step.SHOW,
    Step.REDACT,
    Step.MARK_READ,
    Step.ACCOUNT_DATA,
    Step.NOTICE,
]
FOR_GOOD_S = REFUSED_AT_MOST_DAYS * DAY_S + REFUSED_FOR_S
NOT_ALLOWED = 479
"""With this number the network refuses a message for good."""


def seen(made: Whole, text: str) -> bool:
    """Whether a text of the contact stands in a room."""
    return any(text in made.home.texts(room) for room in made.home.rooms)


def told_of_lost(made: Whole) -> int:
    """How many messages of the contact are said not to be shown, by the bot or in a ghost's name."""
    words = "Ask them to repeat it in other words", "This message is lost"
    texts = [text for room in made.home.rooms for text in made.home.texts(room)]
    return sum(any(each in text for each in words) for text in texts)


@pytest.mark.parametrize("step", STEPS)
async def test_what_a_contact_writes_first_is_shown_or_the_user_is_told(enlisted: Whole, step: Step) -> None:
    enlisted.home.refuse = refusing(step)
    await enlisted.hears("one", "two")
    await enlisted.passes(FOR_GOOD_S)
    assert seen(enlisted, "one") + seen(enlisted, "two") + told_of_lost(enlisted) == 2
    assert await enlisted.entries() == []
    enlisted.home.refuse = nothing_refused
    await enlisted.hears("three")
    assert seen(enlisted, "three")


@pytest.mark.parametrize("step", STEPS)
async def test_what_a_contact_writes_into_a_chat_is_shown_or_the_user_is_told(
    chat: Whole, step: Step
) -> None:
    chat.home.refuse = refusing(step)
    await chat.hears("one")
    await chat.member(chat.portal, ADA, "leave")
    await chat.hears("two")
    await chat.passes(FOR_GOOD_S)
    assert seen(chat, "one") + seen(chat, "two") + told_of_lost(chat) == 2
    assert await chat.entries() == []


@pytest.mark.parametrize("step", STEPS)
async def test_what_a_user_writes_arrives_whatever_is_refused(chat: Whole, step: Step) -> None:
    chat.home.refuse = refusing(step)
    await chat.says("hello")
    assert chat.contact.received == ["hello"]
    assert await chat.entries() == []


@pytest.mark.parametrize("step", [step for step in STEPS if step is not Step.NOTICE])
async def test_whoever_writes_what_the_network_refuses_is_told(chat: Whole, step: Step) -> None:
    chat.home.refuse = refusing(step)
    chat.network.refuses = NOT_ALLOWED
    await chat.says("hello")
    assert len(chat.home.heard("outbound.not_sent")) == 1
    assert await chat.entries() == []


@pytest.mark.parametrize("step", [step for step in STEPS if step is not Step.NOTICE])
async def test_whoever_asks_for_a_chat_is_answered(enlisted: Whole, step: Step) -> None:
    enlisted.home.refuse = refusing(step)
    before = len(enlisted.home.texts(enlisted.talk))
    event = await enlisted.says("start-chat whatsapp +4915112345678", enlisted.talk)
    said = enlisted.home.texts(enlisted.talk)[before:]
    assert event.content["body"] == said[0]
    assert len(said) == 3, "that it is looked for, and what came of it"
    assert await enlisted.entries() == []
