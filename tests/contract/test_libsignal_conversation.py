"""Whole conversations between the bridge and the official libsignal, over the wire: what the simulated
people, who seal with our own code, cannot show."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from bridge.e2ee.bundle import PreKeyBundle
from bridge.wire import payload
from tests.e2ee.peer import libsignal
from tests.e2ee.peer.libsignal import Ciphertext, Kind, Program
from tests.matrix.world import BOT, Contact, Network, User, World, running_world

pytestmark = [pytest.mark.deep, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

ONE_TIME_PREKEYS = 20
Stanza = Mapping[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with libsignal.running() as program:
        yield program


@pytest_asyncio.fixture(loop_scope="module")
async def network(world: World) -> AsyncIterator[Network]:
    async with world.network() as network:
        yield network


@pytest_asyncio.fixture(loop_scope="module")
async def ada(world: World) -> AsyncIterator[User]:
    async with world.user("ada") as user:
        await user.opt_in()
        yield user


class Someone:
    """A person whose client is libsignal; the sandbox passes its messages on unchanged."""

    def __init__(self, network: Network, program: Program, contact: Contact) -> None:
        self._network, self.contact = network, contact
        self.signal = program.person(contact.jid)
        self._ids = (f"3EB0{number:018X}" for number in itertools.count(1))
        self._came: list[Stanza] = []

    async def publish(self) -> None:
        """Upload keys to the directory."""
        signed = await asyncio.to_thread(self.signal.signed_prekey)
        one_time = [await asyncio.to_thread(self.signal.prekey) for _ in range(ONE_TIME_PREKEYS)]
        answer = await self._do(
            "keys",
            registration_id=self.signal.registration_id,
            identity=self.signal.identity.hex(),
            signed={"id": signed.id, "public": signed.public.hex(), "signature": signed.signature.hex()},
            one_time=[{"id": each.id, "public": each.public.hex()} for each in one_time],
        )
        assert answer["error"] is None

    async def begin(self, user: User) -> None:
        """Start a session with the bridge's published keys."""
        found = await self._do("bundle", of=user.id)
        await self._start(user, read_bundle(found))

    async def begin_from(self, user: User, keys: Mapping[str, Any]) -> None:
        """Start a session with the keys of a retry receipt."""
        await self._start(user, read_bundle(keys))

    async def seal(self, user: User, text: str) -> Ciphertext:
        plaintext = payload.pad(payload.TextPayload(text).to_bytes(), os.urandom)
        return await asyncio.to_thread(self.signal.encrypt, user.id, plaintext)

    async def send(self, user: User, sealed: Ciphertext, *, id: str | None = None, count: int = 0) -> str:
        """Send a ciphertext; the message id."""
        used = id or next(self._ids)
        answer = await self._do(
            "send", to=user.id, id=used, kind=sealed.kind, ciphertext=sealed.ciphertext.hex(), count=count
        )
        assert answer["error"] is None
        return used

    async def write(self, user: User, text: str) -> str:
        return await self.send(user, await self.seal(user, text))

    async def open(self, user: User, came: Stanza) -> str:
        """The text of a message."""
        kind: Kind = came["kind"]
        opened = await asyncio.to_thread(
            self.signal.decrypt, user.id, kind, bytes.fromhex(came["ciphertext"])
        )
        read = payload.parse(payload.unpad(opened))
        assert isinstance(read, payload.TextPayload)
        return read.text

    async def next(self, fits: Callable[[Stanza], bool]) -> Stanza:
        """The first matching stanza, removed from the inbox."""

        async def found() -> Stanza | None:
            self._came += (await self._do("inbox"))["stanzas"]
            return next((each for each in self._came if fits(each)), None)

        stanza: Stanza = await self._network.until(found)
        self._came.remove(stanza)
        return stanza

    async def message(self) -> Stanza:
        """The next message."""
        return await self.next(lambda came: came["tag"] == "message")

    async def confirm(self, user: User, came: Stanza, type_: str | None = None) -> None:
        """Send a receipt: delivered, or of another type."""
        await self._do("receipt", to=user.id, ids=[came["id"]], type=type_)

    async def ask_again(self, user: User, came: Stanza, count: int, *, with_keys: bool) -> None:
        """Send a retry receipt, with keys from the second one on."""
        keys = await asyncio.to_thread(self.signal.bundle) if with_keys else None
        await self._do(
            "retry",
            to=user.id,
            id=came["id"],
            count=count,
            t=came["t"],
            registration_id=self.signal.registration_id,
            keys=None if keys is None else bundle_json(keys),
        )

    async def _start(self, user: User, bundle: PreKeyBundle) -> None:
        await asyncio.to_thread(self.signal.start, user.id, bundle)

    async def _do(self, what: str, **values: Any) -> Any:
        return await self._network.do(self.contact.jid, what, **values)


def read_bundle(found: Mapping[str, Any]) -> PreKeyBundle:
    assert "error" not in found
    binary = {"identity", "signed_prekey", "signature", "prekey"}
    values: dict[str, Any] = {
        name: bytes.fromhex(value) if name in binary and value is not None else value
        for name, value in found.items()
    }
    return PreKeyBundle(**values)


def bundle_json(bundle: PreKeyBundle) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in vars(bundle).items()}


def spoiled(sealed: Ciphertext) -> Ciphertext:
    data = sealed.ciphertext
    return Ciphertext(sealed.kind, data[:-1] + bytes([data[-1] ^ 1]))


@pytest_asyncio.fixture(loop_scope="module")
async def someone(world: World, network: Network, program: Program) -> Someone:
    made = Someone(network, program, await world.contact(network, external=True))
    await made.publish()
    return made


async def known_by(user: User, someone: Someone) -> str:
    """Exchange one text each way; the portal."""
    portal = await user.start_chat(someone.contact)
    await user.client.send_text(portal, f"Hello {someone.contact.name}")
    came = await someone.message()
    assert await someone.open(user, came) == f"Hello {someone.contact.name}"
    await someone.confirm(user, came)
    await someone.write(user, f"{someone.contact.name} here")
    await user.text(f"{someone.contact.name} here", room=portal)
    return portal


async def test_bridge_writes_first_and_both_read(someone: Someone, ada: User) -> None:
    portal = await ada.start_chat(someone.contact)
    event = await ada.client.send_text(portal, "Hello from Matrix, żółw 🐢")
    came = await someone.message()
    assert came["kind"] == "pkmsg"
    assert await someone.open(ada, came) == "Hello from Matrix, żółw 🐢"
    await someone.confirm(ada, came)
    await ada.receipt(BOT, event)
    await someone.confirm(ada, came, "read")
    await ada.receipt(await ada.ghost_of(portal), event)
    for number in range(5):
        sealed = await someone.seal(ada, f"answer {number}")
        assert sealed.kind == "msg"
        id = await someone.send(ada, sealed)
        seen = await ada.text(f"answer {number}", room=portal)
        await someone.next(lambda came: came["tag"] == "receipt" and came["type"] is None)
        await ada.client.read(portal, str(seen.event["event_id"]))
        read = await someone.next(lambda came: came["tag"] == "receipt" and came["type"] == "read")
        assert read["ids"] == [id]
        await ada.client.send_text(portal, f"question {number}")
        came = await someone.message()
        assert (came["kind"], await someone.open(ada, came)) == ("msg", f"question {number}")


async def test_libsignal_writes_first_to_two_separate_accounts(
    world: World, someone: Someone, ada: User
) -> None:
    async with world.user("bob") as bob:
        await bob.opt_in()
        rooms = []
        for user in (ada, bob):
            await someone.begin(user)
            sealed = await someone.seal(user, f"Hello {user.id}")
            assert sealed.kind == "pkmsg"
            await someone.send(user, sealed)
            rooms.append((await user.text(f"Hello {user.id}")).room)
        for user, room in zip((ada, bob), rooms, strict=True):
            await user.client.send_text(room, f"I am {user.id}")
            came = await someone.message()
            assert (came["kind"], await someone.open(user, came)) == ("msg", f"I am {user.id}")
        known = {someone.signal.known_identity(user.id) for user in (ada, bob)}
        assert len(known) == 2 and None not in known


async def test_out_of_order_messages_are_read_both_ways(someone: Someone, ada: User) -> None:
    portal = await known_by(ada, someone)
    sealed = [await someone.seal(ada, f"shuffled {number}") for number in range(6)]
    for number in (5, 0, 3, 1, 4, 2):
        await someone.send(ada, sealed[number])
    for number in range(6):
        await ada.text(f"shuffled {number}", room=portal)
    texts = [f"mixed {number}" for number in range(6)]
    for text in texts:
        await ada.client.send_text(portal, text)
    came = [await someone.message() for _ in texts]
    for number in (4, 0, 5, 2, 1, 3):
        assert await someone.open(ada, came[number]) == texts[number]


async def test_libsignal_retry_is_answered_in_a_new_session(someone: Someone, ada: User) -> None:
    portal = await known_by(ada, someone)
    await ada.client.send_text(portal, "Say that again?")
    first = await someone.message()
    await someone.ask_again(ada, first, 1, with_keys=False)
    second = await someone.message()
    await someone.ask_again(ada, second, 2, with_keys=True)
    third = await someone.message()
    assert [each["id"] for each in (second, third)] == [first["id"]] * 2
    assert (first["kind"], second["kind"], third["kind"]) == ("msg", "msg", "pkmsg")
    assert len({each["ciphertext"] for each in (first, second, third)}) == 3
    assert await someone.open(ada, third) == "Say that again?"
    await someone.write(ada, "Now I got it")
    await ada.text("Now I got it", room=portal)
    await ada.client.send_text(portal, "Good")
    assert await someone.open(ada, await someone.message()) == "Good"


async def test_bridge_retry_is_answered_in_a_new_session(someone: Someone, ada: User) -> None:
    portal = await known_by(ada, someone)
    id = await someone.send(ada, spoiled(await someone.seal(ada, "Mumble")))

    async def asked(count: int) -> Stanza:
        return await someone.next(
            lambda came: came["tag"] == "receipt" and came["type"] == "retry" and came["count"] == count
        )

    first = await asked(1)
    assert (first["ids"], first["keys"]) == ([id], None)
    await someone.send(ada, spoiled(await someone.seal(ada, "Mumble")), id=id, count=1)
    second = await asked(2)
    assert second["ids"] == [id] and second["keys"]["prekey_id"] is None
    await someone.begin_from(ada, second["keys"])
    sealed = await someone.seal(ada, "Mumble")
    assert sealed.kind == "pkmsg"
    await someone.send(ada, sealed, id=id, count=2)
    await ada.text("Mumble", room=portal)
    assert (await ada.bodies(portal)).count("Mumble") == 1
    await ada.client.send_text(portal, "Clearly")
    assert await someone.open(ada, await someone.message()) == "Clearly"


async def test_long_shuffled_conversation_is_exactly_once(someone: Someone, ada: User) -> None:
    portal = await known_by(ada, someone)
    chance = random.Random(1)
    out: list[str] = []
    back: list[str] = []
    opened: list[str] = []
    held: list[Stanza] = []
    unsent: list[Ciphertext] = []
    for turn in range(60):
        match chance.choice(("out", "back", "read", "send")):
            case "out":
                out.append(f"long out {turn}")
                await ada.client.send_text(portal, out[-1])
                held.append(await someone.message())
            case "back":
                back.append(f"long back {turn}")
                unsent.append(await someone.seal(ada, back[-1]))
            case "read":
                chance.shuffle(held)
                opened += [await someone.open(ada, each) for each in held]
                held.clear()
            case _:
                chance.shuffle(unsent)
                for each in unsent:
                    await someone.send(ada, each)
                unsent.clear()
    for each in unsent:
        await someone.send(ada, each)
    opened += [await someone.open(ada, each) for each in held]
    assert sorted(opened) == sorted(out)
    for text in back:
        await ada.text(text, room=portal)
    shown = [body for body in await ada.bodies(portal) if body.startswith("long back")]
    assert sorted(shown) == sorted(back)
    assert not [body for body in await ada.bodies(portal) if "decrypted" in body]
