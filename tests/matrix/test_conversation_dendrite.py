"""The conversations of the other files on a real Dendrite.

Left out is what Dendrite does not do: it pushes neither read receipts nor removals, and it answers
strangers who ask for a room's messages with an empty page where Synapse refuses.
"""

# ruff: noqa: F401 - imported tests are collected here

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.client import Refused
from tests.matrix.dendrite import Dendrite
from tests.matrix.test_conversation import (
    test_a_conversation_keeps_its_order_both_ways,
    test_a_message_of_an_unknown_kind_is_refused_with_a_notice_and_nothing_is_sent,
    test_a_reply_names_the_same_message_on_both_sides,
    test_a_text_of_a_contact_comes_from_their_labelled_ghost_with_its_marker_and_original_time,
    test_a_text_to_somebody_who_opted_out_is_refused_openly,
    test_a_text_too_long_for_an_event_comes_in_several,
    test_delivered_is_the_bots_read_receipt_and_read_is_the_ghosts,
)
from tests.matrix.test_conversation_portal import (
    test_a_chat_that_somebody_else_started_waits_as_an_invitation,
    test_a_chat_the_user_started_is_joined_and_marked_as_direct_for_them,
    test_a_portal_is_a_closed_direct_chat_that_never_leaves_the_homeserver,
    test_a_portal_that_was_left_is_offered_again_when_there_is_something_new,
    test_only_the_bot_has_power_over_a_portal,
)
from tests.matrix.test_conversation_rooms import (
    test_a_ghost_declines_rooms_that_are_no_portals,
    test_the_bot_does_not_stay_in_a_group,
)
from tests.matrix.test_conversation_talk import test_in_a_portal_only_the_prefix_makes_a_command
from tests.matrix.world import SERVER, Network, User, World, running_world

pytestmark = [pytest.mark.deep, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Dendrite in the place of Synapse."""
    folder = tmp_path_factory.mktemp("dendrite")
    with running_world(folder, Dendrite(folder / "dendrite", server_name=SERVER)) as world:
        yield world


@pytest.mark.threat("S31")
async def test_strangers_neither_enter_nor_read_a_portal(world: World, network: Network, ada: User) -> None:
    mira = await world.contact(network)
    room = await ada.start_chat(mira)
    await ada.client.send_text(room, "Between us")
    await network.read_by(mira, "Between us")
    async with world.user("eve") as eve:
        for attempt in (eve.client.join(room), eve.client.send_text(room, "Let me in")):
            with pytest.raises(Refused) as refused:
                await attempt
            assert refused.value.status == 403
        assert await eve.client.timeline(room) == []


async def test_conversation_goes_on_after_the_homeserver_was_restarted(
    world: World, network: Network, ada: User
) -> None:
    contact, portal = await world.chat(network, ada)
    world.homeserver.stop()
    await network.write(contact.jid, ada.id, "While you were out")
    world.homeserver.start()
    await ada.text("While you were out", room=portal)
    await ada.client.send_text(portal, "I am back")
    await network.read_by(contact, "I am back")
    assert await ada.count(portal, "While you were out") == 1
