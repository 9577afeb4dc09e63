"""External people: with our own cryptography and with libsignal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.session import Kind
from bridge.ids import Jid
from bridge.wire import payload
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.receipt import READ, Receipt, RetryReceipt
from tests.contract.bare_client import BareClient
from tests.contract.support import SandboxControl
from tests.e2ee.peer.libsignal import Person as SignalPerson
from tests.e2ee.peer.libsignal import Program
from tests.e2ee.peer.libsignal import running as libsignal_running
from tests.e2ee.support import End

Sealed = tuple[Kind, bytes]


class Client(Protocol):
    """The cryptography of an external program."""

    def bundle(self) -> PreKeyBundle: ...
    def start(self, peer: str, bundle: PreKeyBundle) -> None: ...
    def seal(self, peer: str, plaintext: bytes) -> Sealed: ...
    def open(self, peer: str, kind: Kind, ciphertext: bytes) -> bytes: ...


@dataclass
class OurClient:
    """Our own cryptography."""

    end: End = field(default_factory=lambda: End("outside"))

    def bundle(self) -> PreKeyBundle:
        return self.end.bundle()

    def start(self, peer: str, bundle: PreKeyBundle) -> None:
        self.end.start(bundle)

    def seal(self, peer: str, plaintext: bytes) -> Sealed:
        return self.end.seal(plaintext)

    def open(self, peer: str, kind: Kind, ciphertext: bytes) -> bytes:
        return self.end.read((kind, ciphertext))


@dataclass
class SignalClient:
    """The official libsignal."""

    person: SignalPerson

    def bundle(self) -> PreKeyBundle:
        return self.person.bundle()

    def start(self, peer: str, bundle: PreKeyBundle) -> None:
        self.person.start(peer, bundle)

    def seal(self, peer: str, plaintext: bytes) -> Sealed:
        sealed = self.person.encrypt(peer, plaintext)
        return sealed.kind, sealed.ciphertext

    def open(self, peer: str, kind: Kind, ciphertext: bytes) -> bytes:
        return self.person.decrypt(peer, kind, ciphertext)


@pytest.fixture(scope="module")
def libsignal() -> Iterator[Program]:
    with libsignal_running() as found:
        yield found


@pytest.fixture(params=["ours", pytest.param("libsignal", marks=pytest.mark.deep)])
def outside(request: pytest.FixtureRequest) -> Client:
    if request.param == "ours":
        return OurClient()
    found: Program = request.getfixturevalue("libsignal")
    return SignalClient(found.person("outside"))


@dataclass
class Outsider:
    """The external program at the control API."""

    client: Client
    control: SandboxControl
    jid: str = ""

    async def join(self, identifier: str) -> None:
        made = await self.control.add_person("birdychat", identifier, "Outsider", external=True)
        self.jid = made["jid"]
        bundle = self.client.bundle()
        signed = {
            "id": bundle.signed_prekey_id,
            "public": bundle.signed_prekey.hex(),
            "signature": bundle.signature.hex(),
        }
        assert bundle.prekey is not None
        answer = await self.control.do(
            self.jid,
            "keys",
            registration_id=bundle.registration_id,
            identity=bundle.identity.hex(),
            signed=signed,
            one_time=[{"id": bundle.prekey_id, "public": bundle.prekey.hex()}],
        )
        assert answer == {"error": None}

    async def begin(self, other: Jid) -> None:
        found = await self.control.do(self.jid, "bundle", of=str(other))
        self.client.start(str(other), PreKeyBundle(**from_hex(found)))

    async def write(self, to: Jid, text: str, *, id: str, count: int = 0) -> None:
        plaintext = payload.pad(payload.TextPayload(text).to_bytes(), os.urandom)
        kind, ciphertext = self.client.seal(str(to), plaintext)
        answer = await self.control.do(
            self.jid, "send", to=str(to), id=id, kind=kind, ciphertext=ciphertext.hex(), count=count
        )
        assert answer == {"error": None}

    async def inbox(self) -> list[Any]:
        return list((await self.control.do(self.jid, "inbox"))["stanzas"])

    async def read(self) -> tuple[Any, str]:
        (message,) = [each for each in await self.inbox() if each["tag"] == "message"]
        return message, self.text(message)

    def text(self, message: Any) -> str:
        opened = self.client.open(message["from"], message["kind"], bytes.fromhex(message["ciphertext"]))
        content = payload.parse(payload.unpad(opened))
        assert isinstance(content, payload.TextPayload)
        return content.text


def from_hex(found: dict[str, Any]) -> dict[str, Any]:
    return {name: bytes.fromhex(value) if isinstance(value, str) else value for name, value in found.items()}


@pytest.fixture
async def outsider(outside: Client, control: SandboxControl, alice: BareClient) -> Outsider:
    made = Outsider(outside, control)
    await made.join(f"{alice.jid.user}@outside.example")
    return made


async def test_external_program_holds_a_conversation(
    alice: BareClient, outsider: Outsider, control: SandboxControl
) -> None:
    jid = Jid.parse(outsider.jid)
    accepted = await alice.write(jid, "are you real?")
    message, text = await outsider.read()
    assert (message["id"], message["name"], text) == (accepted.id, "Alice", "are you real?")
    for type_ in (None, READ):
        await control.do(outsider.jid, "receipt", to=str(alice.jid), ids=[accepted.id], type=type_)
        assert (await alice.next(Receipt)).type == type_
    await outsider.write(alice.jid, "quite real", id="OUT1")
    answer, text = await alice.read()
    assert (answer.id, answer.kind, text) == ("OUT1", "msg", "quite real")
    for number in range(5):
        await alice.write(jid, f"text {number}")
        assert (await outsider.read())[1] == f"text {number}"
        await outsider.write(alice.jid, f"answer {number}", id=f"OUT{number + 2}")
        assert (await alice.read())[1] == f"answer {number}"


async def test_external_program_writes_first(alice: BareClient, outsider: Outsider) -> None:
    await outsider.begin(alice.jid)
    await outsider.write(alice.jid, "hello from outside", id="OUT1")
    message, text = await alice.read()
    assert (message.kind, text) == ("pkmsg", "hello from outside")
    await alice.write(Jid.parse(outsider.jid), "hello")
    assert (await outsider.read())[1] == "hello"


async def test_retry_receipts_pass_both_ways(
    alice: BareClient, outsider: Outsider, control: SandboxControl
) -> None:
    jid = Jid.parse(outsider.jid)
    accepted = await alice.write(jid, "say again?")
    fresh = outsider.client.bundle()
    keys = {name: value.hex() if isinstance(value, bytes) else value for name, value in vars(fresh).items()}
    asked = {"to": str(alice.jid), "id": accepted.id, "count": 1, "registration_id": fresh.registration_id}
    await control.do(outsider.jid, "retry", **asked, keys=keys)
    retry = await alice.next(RetryReceipt)
    assert (retry.id, retry.count) == (accepted.id, 1) and retry.keys is not None
    alice.begin_from(jid, retry.keys)
    await alice.send(alice.seal(jid, "say again?", id=retry.id, count=1).to_stanza("to"))
    await alice.acked(retry.id)
    *_, again = [each for each in await outsider.inbox() if each["tag"] == "message"]
    assert (again["id"], again["count"], outsider.text(again)) == (accepted.id, 1, "say again?")
    own = alice.keys(1)
    bundle = PublicBundle(
        own.registration_id,
        own.identity,
        own.signed.id,
        own.signed.public,
        own.signed.signature,
        own.one_time[0].id,
        own.one_time[0].public,
    )
    word = RetryReceipt("OUT1", jid, 2, own.registration_id, bundle)
    await alice.send(word.to_stanza("to"))
    await alice.count()
    (came,) = [each for each in await outsider.inbox() if each.get("type") == "retry"]
    outsider.client.start(str(alice.jid), PreKeyBundle(**from_hex(came["keys"])))
    await outsider.write(alice.jid, "once more", id="OUT1", count=2)
    message, text = await alice.read()
    assert (message.id, message.count, text) == ("OUT1", 2, "once more")
