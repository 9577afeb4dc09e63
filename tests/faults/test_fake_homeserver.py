"""The fake homeserver behaves as the real one did where it was measured, and misbehaves when told to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.content import Text
from bridge.errors import TryAgain
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix.errors import AliasTaken, Rejected
from bridge.matrix.events import text_content
from bridge.matrix.homeserver import PAGE_EVENTS, HttpHomeserver
from bridge.matrix.limiter import Limiter
from bridge.matrix.registration import main_document, new_registration, puppet_document
from bridge.matrix.rooms import portal_room
from demo.synapse import free_port
from tests.faults.homeserver.control import Control, here, process
from tests.faults.homeserver.mischief import Fault
from tests.matrix.conftest import BOT, SERVER, fixed_bytes
from tests.matrix.support import RealClock, Shelf, endpoint
from tests.matrix.test_homeserver import ANNA, ghost, portal, room_of, text

PUPPETS = new_registration("puppets", None, fixed_bytes("fake puppets"))


@dataclass
class Setting:
    """A fake homeserver and a bridge that is only its endpoint and its port."""

    fake: Control
    port: HttpHomeserver
    puppets: HttpHomeserver
    shelf: Shelf
    listens_at: int
    hs_token: str


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    listens_at, clock = free_port(), RealClock()
    main = new_registration("interop", f"http://127.0.0.1:{listens_at}", fixed_bytes("fake main"))
    documents = [
        main_document(main, server=SERVER, bot_localpart="interopbot"),
        puppet_document(PUPPETS, server=SERVER),
    ]
    async with here(documents) as fake:
        limiter = Limiter(clock)
        port = HttpHomeserver(
            url=fake.url, token=main.as_token, appservice_id="interop", clock=clock, limiter=limiter
        )
        puppets = HttpHomeserver(
            url=fake.url,
            token=PUPPETS.as_token,
            appservice_id="puppets",
            clock=clock,
            limiter=limiter,
            registers=False,
        )
        try:
            await fake.person(ANNA)
            await port.register("interopbot")
            yield Setting(fake, port, puppets, Shelf(), listens_at, main.hs_token)
        finally:
            await port.close()
            await puppets.close()


@pytest.fixture
async def up(setting: Setting) -> AsyncIterator[Setting]:
    """The same with the endpoint listening."""
    async with endpoint(setting.shelf, RealClock(), token=setting.hs_token, port=setting.listens_at):
        await setting.port.ping("start")
        yield setting


async def test_a_room_is_made_once_and_adopted_by_its_alias(setting: Setting) -> None:
    room, its_ghost = await room_of(setting.port, "one")
    with pytest.raises(AliasTaken):
        await setting.port.create_room(BOT, portal_room(portal("one")))
    assert await setting.port.resolve_alias("#ib_one:hs.test") == room
    assert await setting.port.members(BOT, room) == {BOT: "join", ANNA: "join", its_ghost: "join"}
    assert await setting.port.state(BOT, room, "m.room.topic", "") == {"topic": "Who can read along"}
    await setting.port.invite(BOT, room, ANNA)
    await setting.port.leave(its_ghost, room)
    await setting.port.leave(its_ghost, room)
    with pytest.raises(Rejected):
        await text(setting.port, its_ghost, room, "gone", id_="t1")


async def test_an_unregistered_ghost_is_refused_until_it_is_registered(setting: Setting) -> None:
    await setting.port.set_display_name(ghost("new"), "New")
    await setting.port.register("ib_new")
    with pytest.raises(Rejected):
        await setting.port.register("carla")


async def test_a_repeated_transaction_id_gives_the_old_event_until_it_is_forgotten(setting: Setting) -> None:
    room, its_ghost = await room_of(setting.port, "txn")
    first = await text(setting.port, its_ghost, room, "hallo", id_="t1", at=1_700_000_000_000)
    assert await text(setting.port, its_ghost, room, "other words", id_="t1") == first
    await setting.fake.forget_transactions()
    assert await text(setting.port, its_ghost, room, "hallo", id_="t1") != first
    newest = [event async for event in setting.port.history(BOT, room, limit=2)]
    assert [event["content"]["body"] for event in newest] == ["hallo", "hallo"]
    assert newest[1]["origin_server_ts"] == 1_700_000_000_000


async def test_history_goes_on_over_pages(setting: Setting) -> None:
    room, its_ghost = await room_of(setting.port, "pages")
    sent = [
        await text(setting.port, its_ghost, room, str(n), id_=f"t{n}") for n in range(2 * PAGE_EVENTS + 1)
    ]
    found = [event["event_id"] async for event in setting.port.history(BOT, room, limit=len(sent))]
    assert found == list(reversed(sent))
    everything = [event async for event in setting.port.history(BOT, room, limit=10_000)]
    assert everything[-1]["type"] == "m.room.create"


async def test_a_double_puppet_writes_and_keeps_account_data(setting: Setting) -> None:
    room, _ = await room_of(setting.port, "puppet")
    await text(setting.puppets, ANNA, room, "mine", id_="t1")
    assert await setting.puppets.account_data(ANNA, "m.direct") == {}
    await setting.puppets.set_account_data(ANNA, "m.direct", {"@a:b": ["!c"]})
    assert await setting.puppets.account_data(ANNA, "m.direct") == {"@a:b": ["!c"]}
    with pytest.raises(Rejected):
        await setting.port.account_data(ANNA, "m.direct")


async def test_a_redacted_event_is_empty_and_a_receipt_is_logged(setting: Setting) -> None:
    room, its_ghost = await room_of(setting.port, "redact")
    event = await text(setting.port, its_ghost, room, "wait", id_="t1")
    await setting.port.redact(its_ghost, room, event, transaction_id="r1")
    await setting.port.mark_read(its_ghost, room, event)
    shown = [e async for e in setting.port.history(BOT, room, limit=2)]
    assert shown[1]["content"] == {} and "redacted_because" in shown[1]["unsigned"]
    await setting.fake.wait_for("receipt", user=its_ghost, event_id=event)


async def test_a_users_message_is_pushed_and_its_answer_logged(up: Setting) -> None:
    room, _ = await room_of(up.port, "push")
    event = await up.fake.say(ANNA, room, "hallo")
    assert (await up.shelf.wait_for(event)).lane == room
    await up.fake.settled()
    pushes = [entry for entry in await up.fake.log() if entry["kind"] == "push"]
    assert all(entry["answer"] == 200 for entry in pushes)
    assert event in [e["event_id"] for entry in pushes for e in entry["events"]]


async def test_what_is_written_before_the_bot_joined_is_only_in_the_history(up: Setting) -> None:
    room = RoomId(await up.fake.make_room(ANNA, [BOT]))
    early = await up.fake.say(ANNA, room, "are you there?")
    await up.port.join(BOT, room)
    late = await up.fake.say(ANNA, room, "ah")
    await up.shelf.wait_for(late)
    assert early not in up.shelf.stored()
    assert early in [event["event_id"] async for event in up.port.history(BOT, room, limit=50)]


async def test_after_a_failed_push_the_same_transaction_comes_again_at_once_after_a_ping(up: Setting) -> None:
    room, _ = await room_of(up.port, "again")
    await up.fake.settled()
    up.shelf.failure = RuntimeError("disk full")
    event = await up.fake.say(ANNA, room, "hallo")
    failed = await up.fake.wait_for("push", answer=503)
    assert event in [e["event_id"] for e in failed["events"]]
    up.shelf.failure = None
    await up.port.ping("recovered")
    await up.shelf.wait_for(event)
    again = await up.fake.wait_for("push", after=failed["n"] + 1, answer=200)
    assert again["txn"] == failed["txn"]


async def test_receipts_do_not_survive_a_failed_push(setting: Setting) -> None:
    room, its_ghost = await room_of(setting.port, "lost")
    event = await text(setting.port, its_ghost, room, "hallo", id_="t1")
    await setting.fake.read(ANNA, room, event)
    await setting.fake.wait_for("push", answer=None)
    async with endpoint(setting.shelf, RealClock(), token=setting.hs_token, port=setting.listens_at):
        await setting.port.ping("up")
        await setting.shelf.wait_for(event)
        await setting.fake.settled()
        assert setting.shelf.stored("receipt") == []
        await setting.fake.read(ANNA, room, event)
        await setting.shelf.wait_until(lambda part: part.kind == "receipt")


@pytest.mark.fault("F18")
@pytest.mark.fault("F19")
@pytest.mark.parametrize("how", ["same", "other", "reordered"])
async def test_transactions_are_repeated_on_demand_and_the_endpoint_stores_nothing_new(
    up: Setting, how: str
) -> None:
    room, _ = await room_of(up.port, "double")
    await up.shelf.wait_for(await up.fake.say(ANNA, room, "hallo"))
    await up.fake.settled()
    before, log = up.shelf.stored(), await up.fake.log()
    await up.fake.push_again(how)
    again = await up.fake.wait_for("push", after=len(log))
    await up.fake.settled()
    last = [entry for entry in log if entry["kind"] == "push"][-1]
    assert (again["txn"] == last["txn"]) == (how == "same")
    assert up.shelf.stored() == before


async def test_a_held_queue_pushes_nothing_until_it_is_released(up: Setting) -> None:
    room, _ = await room_of(up.port, "held")
    await up.fake.settled()
    await up.fake.hold(True)
    events = [await up.fake.say(ANNA, room, str(n)) for n in range(3)]
    assert not set(events) & set(up.shelf.stored())
    await up.fake.hold(False)
    await up.shelf.wait_for(events[-1])
    assert [key for key in up.shelf.stored() if key in events] == events


async def test_a_person_reads_by_itself_what_a_ghost_writes(up: Setting) -> None:
    await up.fake.person(ANNA, reads=True)
    room, its_ghost = await room_of(up.port, "reads")
    event = await text(up.port, its_ghost, room, "hallo", id_="t1")
    receipt = await up.shelf.wait_until(lambda part: part.kind == "receipt")
    assert json.loads(receipt.body)["event_id"] == event


async def test_faults_come_after_as_many_good_calls_as_asked_and_unused_ones_are_told(
    setting: Setting,
) -> None:
    await setting.fake.faults(Fault("versions", "status", skip=1), Fault("leave", "status"))
    assert await setting.port.versions()
    with pytest.raises(TryAgain):
        await setting.port.versions()
    assert [fault["call"] for fault in await setting.fake.faults()] == ["leave"]


async def test_a_lost_answer_leaves_its_event_behind(setting: Setting) -> None:
    room, its_ghost = await room_of(setting.port, "lose")
    content = text_content(Text("hallo"), marker="m")
    await setting.fake.faults(Fault("send", "lose", count=2))
    with pytest.raises(TryAgain):
        await setting.port.send(its_ghost, room, "m.room.message", content, transaction_id="t1")
    stored = await setting.fake.wait_for("out", txn="t1")
    assert stored["event"]["content"] == content


async def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    main = new_registration("interop", "http://127.0.0.1:9", fixed_bytes("own process"))
    path = tmp_path / "registration.yaml"
    path.write_text(json.dumps(main_document(main, server=SERVER, bot_localpart="interopbot")))
    clock = RealClock()
    async with process([path]) as fake:
        port = HttpHomeserver(
            url=fake.url, token=main.as_token, appservice_id="interop", clock=clock, limiter=Limiter(clock)
        )
        try:
            await fake.person(UserId("@anna:hs.test"))
            await port.register("interopbot")
            room, its_ghost = await room_of(port, "own")
            event = await text(port, its_ghost, room, "hallo", id_="t1")
            found = await fake.wait_for("out", txn="t1")
            assert EventId(found["event"]["event_id"]) == event
            assert len(await fake.rooms()) == 1
        finally:
            await port.close()
