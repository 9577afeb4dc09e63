"""The bridge is killed in the middle of conversations, and stopped, with the real Synapse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bridge.app.startup_checks import EXIT_OPERATOR
from tests.matrix.world import BOT, Contact, Network, User, World, sentence

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

IN_A_ROUND = 6
END_S = 30.0


async def start(world: World) -> None:
    await asyncio.to_thread(world.bridge.start)


async def from_the_ghost(user: User, room: str) -> list[str]:
    """The texts of the contact as they stand in a portal."""
    events = await user.client.timeline(room, limit=1000)
    return [
        each["content"]["body"]
        for each in events
        if each["type"] == "m.room.message" and each["sender"].startswith("@ib_")
    ]


class Exchange:
    """Both ends of a chat write; what each wrote, in order."""

    def __init__(self, network: Network, user: User, contact: Contact, room: str) -> None:
        self._network, self._user, self._contact, self.room = network, user, contact, room
        self.out: list[str] = []
        self.back: list[str] = []

    async def write(self, count: int) -> None:
        for _ in range(count):
            self.out.append(f"out {len(self.out)}")
            self.back.append(f"back {len(self.back)}")
            await self._user.client.send_text(self.room, self.out[-1])
            await self._network.write(self._contact.jid, self._user.id, self.back[-1])

    async def one_is_out(self) -> None:
        """The first of the last round has reached the network."""
        first = len(self.out) - IN_A_ROUND

        async def taken() -> bool:
            sent = await self._network.out_of(self._user.id, self._contact)
            return len({each["id"] for each in sent}) > first

        await self._network.until(taken)

    async def one_is_back(self) -> None:
        """The first of the last round stands in Matrix."""
        await self._user.text(self.back[-IN_A_ROUND], room=self.room)

    async def at_once(self) -> None:
        """Nothing is waited for."""

    async def arrives(self) -> None:
        """The last of each side has come.

        Before more is written: an event that Synapse makes in the moment in which it finds the bridge up
        again, it keeps to itself until the bridge is down another time.
        """
        await self._network.read_by(self._contact, self.out[-1])
        await self._user.text(self.back[-1], room=self.room)

    async def must_have_arrived_once(self) -> None:
        """Everything that was written is there, once and in its order."""
        await self.arrives()
        await self.write(1)
        await self.arrives()
        held = (await self._network.person(self._contact.jid))["received"]
        assert [each["text"] for each in held] == self.out
        assert await from_the_ghost(self._user, self.room) == self.back


async def test_a_conversation_survives_three_kills_with_nothing_lost_or_doubled(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    chat = Exchange(network, ada, mira, await ada.start_chat(mira))
    moments: list[Callable[[], Awaitable[None]]] = [chat.one_is_out, chat.one_is_back, chat.at_once]
    for moment in moments:
        await chat.write(IN_A_ROUND)
        await moment()
        world.bridge.kill()
        await chat.write(2)  # while nobody is there
        await start(world)
        await chat.arrives()
    await chat.must_have_arrived_once()


async def test_a_first_message_that_met_a_kill_makes_one_chat(
    world: World, network: Network, ada: User
) -> None:
    known = {each.room for each in ada.seen if each.kind == "invite"}
    strangers = [await world.contact(network) for _ in range(3)]
    for each in strangers:
        await network.write(each.jid, ada.id, f"{each.name} says hello")

    async def stored() -> bool:
        jid = (await network.account(ada.id))["jid"]
        entries = [each for each in (await network.log())["n_in"] if each["account"] == jid]
        return all(each["acked_order"] is not None for each in entries)

    await network.until(stored)
    world.bridge.kill()
    await start(world)
    rooms = [(await ada.text(f"{each.name} says hello")).room for each in strangers]
    invited = [each.room for each in ada.seen if each.kind == "invite" and each.room not in known]
    assert sorted(invited) == sorted(rooms) and len(set(rooms)) == 3
    assert [await from_the_ghost(ada, room) for room in rooms] == [
        [f"{each.name} says hello"] for each in strangers
    ]


async def test_what_was_typed_before_the_bot_joined_is_answered_once(world: World) -> None:
    async with world.user("eva") as eva:
        world.bridge.kill()
        eva.talk = await eva.client.start_dm(BOT)
        await eva.client.send_text(eva.talk, "help")
        await eva.client.send_text(eva.talk, "my-address")
        await start(world)
        await eva.hears("bot.greeting")
        await eva.hears("address.none")
        await eva.says("status", "status.none")
        bodies = await eva.bodies(eva.talk)
        for key in ("bot.greeting", "help.list", "address.none"):
            assert len([body for body in bodies if sentence(key).fullmatch(body)]) == 1


async def test_opting_in_goes_on_where_a_kill_met_it(world: World, network: Network) -> None:
    async with world.user("eva") as eva:
        await eva.meet_bot()
        await eva.says("opt-in", "opt_in.ask_name")
        world.bridge.kill()
        await eva.client.send_text(eva.talk, "ok")
        await start(world)
        await eva.hears("opt_in.ask_identifier")
        await eva.says("ok", "opt_in.confirm")
        await eva.says("agree", "opt_in.started")
        world.bridge.kill()
        await start(world)
        await eva.hears("enlist.invitation")
        bodies = await eva.bodies(eva.talk)
        assert len([body for body in bodies if body.startswith("You can be reached now")]) == 1
        account = await network.account(eva.id)
        assert account["enlisted"] and account["prekeys"]


async def test_a_stop_in_the_middle_ends_in_time_and_loses_nothing(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    chat = Exchange(network, ada, mira, await ada.start_chat(mira))
    await chat.write(IN_A_ROUND)
    code = await asyncio.to_thread(world.bridge.stop)
    await start(world)
    assert code == 0
    await chat.must_have_arrived_once()


async def test_a_bridge_with_several_people_does_not_start_as_a_personal_one(
    world: World, network: Network, ada: User
) -> None:
    async with world.user("eva") as eva:
        await eva.opt_in()
    config = world.bridge.folder / "config.yaml"
    written = config.read_text()
    await asyncio.to_thread(world.bridge.stop)
    try:
        config.write_text(written.replace("custody: operator", "custody: personal"))
        world.bridge.start(wait=False)
        assert await asyncio.to_thread(world.bridge.wait_for_end, END_S) == EXIT_OPERATOR
        assert "people have accounts here" in world.bridge.log()
    finally:
        config.write_text(written)
        await start(world)
