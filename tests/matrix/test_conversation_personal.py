"""A bridge for one person: nobody else can opt in, and nobody else can read along."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.matrix.world import World, running_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def own_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("personal"), network={"custody": "personal"}) as world:
        yield world


async def test_where_keys_are_one_persons_own_a_second_one_is_refused(own_box: World) -> None:
    async with own_box.network() as network, own_box.user("ada") as ada, own_box.user("ben") as ben:
        await ada.opt_in()
        assert "which is your own" in ((await ada.hears("opt_in.explained")).body or "")
        await ben.meet_bot()
        await ben.says("opt-in", "policy.one_person")
        await ben.says("agree", "bot.not_understood")
        assert not await network.has_account(ben.id)
        anna = await own_box.contact(network)
        await network.write(anna.jid, ada.id, "Just us")
        room = (await ada.text("Just us")).room
        assert "which is your own" in (await ada.client.state(room, "m.room.topic"))["topic"]
        await ada.says("opt-out", "opt_out.ask")
        await ada.says("leave", "leave.done")
        await ben.says("opt-in", "opt_in.ask_name")
