"""Calls of the homeserver port that Dendrite answers otherwise than Synapse."""

# ruff: noqa: F401 - imported tests are collected here

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.registration import main_document, new_registration, puppet_document
from demo.synapse import free_port
from tests.matrix.conftest import BOT, PASSWORD, RealSynapse, fixed_bytes
from tests.matrix.dendrite import Dendrite
from tests.matrix.test_homeserver import (
    room_of,
    test_a_message_has_the_time_it_was_written,
    test_a_redacted_event_loses_its_content,
    test_an_invite_that_is_not_allowed_is_rejected,
    test_an_unregistered_ghost_is_registered_and_the_call_repeated,
    test_history_comes_newest_first_and_ends,
    test_registering_twice_is_harmless,
    test_state_is_set_and_found_or_none,
    test_the_port_for_double_puppets_registers_nobody,
    test_the_same_transaction_id_gives_the_same_event,
)
from tests.matrix.world import SERVER

pytestmark = pytest.mark.deep
"""Lists of members are not compared: Dendrite brings them up to date a moment later."""


@pytest.fixture(scope="module")
def real_synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSynapse]:
    """A Dendrite in its place."""
    main = new_registration("interop", f"http://127.0.0.1:{free_port()}", fixed_bytes("main"))
    puppets = new_registration("interop-puppets", None, fixed_bytes("puppets"))
    dendrite = Dendrite(tmp_path_factory.mktemp("dendrite"), server_name=SERVER)
    dendrite.configure(
        [
            main_document(main, server=SERVER, bot_localpart="interopbot"),
            puppet_document(puppets, server=SERVER),
        ]
    )
    dendrite.start()
    try:
        for name in ("anna", "ben"):
            dendrite.register(name, PASSWORD)
        yield RealSynapse(dendrite, main, puppets, 0)
    finally:
        dendrite.stop()


async def test_second_leave_is_success(homeserver: HttpHomeserver) -> None:
    room, its_ghost = await room_of(homeserver, "leaving")
    await homeserver.leave(its_ghost, room)
    await homeserver.leave(its_ghost, room)
    member = await homeserver.state(BOT, room, "m.room.member", its_ghost)
    assert member is not None and member["membership"] == "leave"
