"""What is owed to people outlasts a broken registration, and finds them when a room is closed to the bot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.flow.outbox import Status, to_owner
from bridge.ids import RoomId
from bridge.matrix.errors import ABOUT_OUR_REGISTRATION, Rejected
from bridge.ports import Step
from bridge.sentences import say
from bridge.store.tables import accounts
from bridge.wire.vocabulary import receipt
from tests.sim.homeserver import BOT, Asked, nothing_refused, refusing
from tests.sim.whole import ADA, Whole

REPAIRED_AFTER_S = 1_000.0
NEWS = "login.forgotten"
NOT_ALLOWED = 479
"""With this number the network refuses a message for good."""
BROKEN = refusing(*Step, errcode="M_UNKNOWN_TOKEN", status=401)
"""The rule of a homeserver that does not know the bridge's token (any more)."""


async def repaired(made: Whole) -> None:
    """The admin installs the registration again."""
    made.home.refuse = nothing_refused
    await made.passes(REPAIRED_AFTER_S)
    assert await made.entries() == []


async def test_the_notice_of_a_failed_message_waits_for_the_registration(chat: Whole) -> None:
    chat.home.refuse = BROKEN
    chat.network.refuses = NOT_ALLOWED
    event = await chat.says("hello")
    await repaired(chat)
    assert [
        said.content["m.relates_to"]["m.in_reply_to"]["event_id"]
        for said in chat.home.heard("outbound.not_sent")
    ] == [event.event_id]


async def test_receipts_of_a_contact_wait_for_the_registration(chat: Whole) -> None:
    event = await chat.says("hello")
    chat.home.refuse = BROKEN
    await chat.told_by_contact(receipt.DELIVERED)
    await chat.told_by_contact(receipt.READ)
    await repaired(chat)
    assert chat.home.read == [(BOT, event.event_id), (chat.home.ghost(chat.portal), event.event_id)]


async def test_statuses_wait_for_the_registration(chat: Whole) -> None:
    event = await chat.says("hello")
    chat.home.refuse = BROKEN
    await chat.journal.owe(Status(chat.portal, event.event_id, "SUCCESS").owed())
    await chat.settled()
    await repaired(chat)
    assert [said.sender for said in chat.home.events if said.type == "com.beeper.message_send_status"] == [
        BOT
    ]


async def test_an_invitation_waits_for_the_registration(enlisted: Whole) -> None:
    enlisted.home.refuse = BROKEN
    room = enlisted.home.make_room(ADA)
    await enlisted.member(room, BOT, "invite")
    await repaired(enlisted)
    assert enlisted.home.rooms[room][BOT] == "join"
    assert len(enlisted.home.heard("bot.greeting_again")) == 1


@pytest.mark.parametrize("errcode", sorted(ABOUT_OUR_REGISTRATION))
async def test_a_received_message_waits_for_the_registration_in_its_own_room(
    chat: Whole, errcode: str
) -> None:
    room = chat.portal
    chat.home.refuse = refusing(*Step, errcode=errcode, status=403)
    await chat.hears("hello")
    await repaired(chat)
    assert chat.portal == room
    assert "hello" in chat.home.texts(room)


async def told(made: Whole) -> RoomId:
    """There is news of the account: the room in which its user hears of it."""
    account = await accounts.of_user(made.database, ADA, made.profile.id)
    assert account is not None
    before = len(made.home.heard(NEWS))
    await made.journal.owe(to_owner(account, say(NEWS)).owed(f"news {before}"))
    await made.settled()
    (said,) = made.home.heard(NEWS)[before:]
    return said.room


async def test_whoever_removed_the_bot_hears_of_their_account_in_a_room_of_the_bots_own(
    enlisted: Whole,
) -> None:
    await enlisted.member(enlisted.talk, BOT, "leave")
    room = await told(enlisted)
    assert room != enlisted.talk
    assert enlisted.home.rooms[room] == {BOT: "join", ADA: "invite"}


async def test_whoever_banned_the_bot_hears_of_their_account_as_well(enlisted: Whole) -> None:
    await enlisted.member(enlisted.talk, BOT, "ban")
    assert await told(enlisted) != enlisted.talk


async def test_a_talk_whose_end_the_bot_was_not_told_of_goes_on_in_another_room(enlisted: Whole) -> None:
    enlisted.home.membership(enlisted.talk, BOT, "leave", by=ADA)
    room = await told(enlisted)
    assert enlisted.home.rooms[room] == {BOT: "join", ADA: "invite"}
    await enlisted.member(room, ADA, "join")
    await enlisted.says("status", room)
    assert "You are reachable" in enlisted.home.texts(room, BOT)[-1]


def closed(*rooms: RoomId) -> Callable[[Asked], None]:
    """A rule: in these rooms the bot may say nothing, though it is in them."""

    def rule(asked: Asked) -> None:
        if asked.step is Step.NOTICE and asked.room in rooms:
            raise Rejected("M_FORBIDDEN", 403)

    return rule


async def test_a_room_in_which_the_bot_may_only_listen_stays_the_room_of_the_talk(enlisted: Whole) -> None:
    enlisted.home.refuse = closed(enlisted.talk)
    room = await told(enlisted)
    assert room != enlisted.talk
    enlisted.home.refuse = nothing_refused
    await enlisted.says("help", enlisted.talk)
    assert enlisted.home.heard("room.ended") == []


async def test_that_a_message_failed_is_told_in_the_talk_where_its_portal_takes_no_notice(
    chat: Whole,
) -> None:
    chat.home.refuse = closed(chat.portal)
    chat.network.refuses = NOT_ALLOWED
    await chat.says("hello")
    (said,) = chat.home.heard("notice.elsewhere")
    assert said.room == chat.talk
    assert "Anna" in said.content["body"]
    assert chat.home.heard("outbound.not_sent") == [said]
    assert await chat.entries() == []


async def test_a_room_of_the_bots_own_that_is_lost_is_replaced(enlisted: Whole) -> None:
    await enlisted.member(enlisted.talk, BOT, "leave")
    own = await told(enlisted)
    enlisted.home.membership(own, BOT, "leave", by=ADA)
    assert await told(enlisted) not in (own, enlisted.talk)


async def test_a_notice_that_no_room_takes_ends(enlisted: Whole) -> None:
    enlisted.home.refuse = refusing(Step.NOTICE)
    await enlisted.says("help", enlisted.talk)
    with pytest.raises(ValueError, match="not enough values"):
        await told(enlisted)
    assert await enlisted.entries() == []
