"""A contact who takes another name has it everywhere in Matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.matrix.errors import Rejected
from bridge.ports import Step
from tests.sim.homeserver import BOT, nothing_refused, refusing
from tests.sim.whole import Whole, whole


async def names(chat: Whole) -> tuple[str, str]:
    """What the ghost is called, and what the room."""
    room = chat.portal
    state = await chat.home.state(BOT, room, "m.room.name", "")
    return chat.home.names[chat.home.ghost(room)], str(state["name"]) if state is not None else ""


async def test_a_new_name_reaches_the_ghost_and_the_room(chat: Whole) -> None:
    for name in ("Anna B.", "Anna C.", "Anna B."):
        chat.contact.name = name
        await chat.hears(f"I am {name} now")
        ghost, room = await names(chat)
        assert ghost == room and ghost.startswith(name)
    assert await chat.entries() == []


async def test_a_name_that_the_homeserver_refuses_holds_up_no_message(chat: Whole) -> None:
    chat.home.refuse = refusing(Step.PROFILE, Step.ROOM_STATE)
    chat.contact.name = "Anna B."
    await chat.hears("Can you read this?")
    assert "Can you read this?" in chat.home.texts(chat.portal)
    assert await chat.entries() == []


@pytest.mark.parametrize("name", ["x" * 10_000, "\0" * 10_000, "\0", "\u200b\u202e", "\ufffe" * 2_000])
async def test_unusable_name_does_not_cost_the_message(chat: Whole, name: str) -> None:
    chat.contact.name = name
    await chat.hears("Can you read this?")
    assert "Can you read this?" in chat.home.texts(chat.portal)
    assert not chat.network.waiting and await chat.entries() == []
    ghost, _ = await names(chat)
    assert ghost.startswith("x" * 64 + " (" if name[0] == "x" else "Anna (")


async def test_unusable_name_of_a_new_contact_is_replaced(enlisted: Whole) -> None:
    enlisted.contact.name = "\0" * 10_000
    await enlisted.hears("First words")
    assert enlisted.home.texts(enlisted.portal) == ["First words"]
    assert (await names(enlisted))[0].startswith("Anna (")


async def test_a_new_name_waits_for_a_registration_that_is_broken(chat: Whole) -> None:
    def broken(asked: object) -> None:
        raise Rejected("M_UNKNOWN_TOKEN", 401)

    chat.home.refuse = broken
    chat.contact.name = "Anna B."
    await chat.hears("Hello")
    chat.home.refuse = nothing_refused
    await chat.passes(600.0)
    assert (await names(chat))[0].startswith("Anna B.")


async def test_ghosts_and_aliases_have_the_configured_prefix(tmp_path: Path) -> None:
    async with whole(tmp_path, ghost_prefix="ib2_") as chat:
        chat.home.ghost_prefix = "ib2_"
        await chat.enlist()
        await chat.chat()
        await chat.hears("Hello from the other side")
        assert "Hello from the other side" in chat.home.texts(chat.portal, chat.home.ghost(chat.portal))
        assert chat.home.aliases.keys() and all(alias.startswith("ib2_") for alias in chat.home.aliases)
