"""What is removed in Matrix before it was sent is not sent; what may have left is not said to be gone."""

from __future__ import annotations

from tests.sim.whole import Whole


async def offline(chat: Whole) -> None:
    """The network cannot be reached."""
    chat.network.up = False
    chat.network.lose_link()
    await chat.settled()


async def online(chat: Whole) -> None:
    """It can again, and all that waited has gone."""
    chat.network.up = chat.network.acknowledges = True
    await chat.passes(900.0)
    assert await chat.entries() == []


async def test_a_message_that_is_removed_while_it_waits_is_not_sent(chat: Whole) -> None:
    await offline(chat)
    wrong = await chat.says("Oops, the wrong chat")
    await chat.passes(60.0)
    await chat.removes(wrong)
    await chat.says("Hello Anna")
    await online(chat)
    assert chat.contact.received == ["Hello Anna"]
    assert not chat.home.heard("outbound.removal") and not chat.home.heard("outbound.not_sent")
    assert not [text for text in chat.home.texts(chat.portal) if text.startswith("Waiting")]


async def test_a_message_that_is_removed_behind_others_that_wait_is_not_sent(chat: Whole) -> None:
    await offline(chat)
    await chat.says("one")
    wrong = await chat.says("two")
    await chat.says("three")
    await chat.passes(60.0)
    await chat.removes(wrong)
    await online(chat)
    assert chat.contact.received == ["one", "three"]


async def test_a_message_that_may_have_left_is_sent_on_and_its_removal_is_said_to_be_here_only(
    chat: Whole,
) -> None:
    chat.network.acknowledges = False
    message = await chat.says("On its way")
    await chat.passes(60.0)
    await chat.removes(message)
    await online(chat)
    assert chat.contact.received == ["On its way"]
    assert len(chat.home.heard("outbound.removal")) == 1


async def test_a_message_of_which_an_earlier_run_may_have_sent_something_is_sent_on(chat: Whole) -> None:
    await offline(chat)
    message = await chat.says("From before the restart")
    await chat.restart()
    await chat.passes(60.0)
    await chat.removes(message)
    await online(chat)
    assert chat.contact.received == ["From before the restart"]
    assert len(chat.home.heard("outbound.removal")) == 1
