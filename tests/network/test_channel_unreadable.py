"""A stanza that cannot be read is refused as far as it says what it is, and ends nothing."""

from __future__ import annotations

import asyncio

import pytest

from bridge.errors import TryAgain
from bridge.ids import Jid
from bridge.network.backoff import End, Why
from bridge.wire.stanza import Stanza, encode
from bridge.wire.vocabulary import ack, iq
from tests.network.support import (
    CONTACT,
    CREDENTIALS,
    Both,
    Inbox,
    connected,
    interop,
    message,
    profile,
    serving,
)

NOT_UTF_8 = b"\xf8\x01\xfc\x02\xc3\x28"
DEVICE_NOBODY_HAS = b"\xf8\x03\x13\x08\xfa\xfc\x05" + b"1:300\x03"


def around(head: Stanza, inside: bytes) -> bytes:
    """The bytes of ``head`` with one node in it, which is no node."""
    whole = encode(Stanza(head.tag, head.attributes, (Stanza("x"),)))
    return whole.removesuffix(encode(Stanza("x"))[1:]) + inside


async def poison(both: Both, plaintext: bytes) -> None:
    """What cannot be read, between two messages that can, in one piece."""
    data = both.peer.encrypted(message("before"))
    data += both.peer.encrypted_bytes(plaintext)
    await both.peer.send_raw(data + both.peer.encrypted(message("behind")))


@pytest.mark.threat("S19", "S20")
@pytest.mark.parametrize("inside", [NOT_UTF_8, DEVICE_NOBODY_HAS, b"\xf8\x02\x13\xfe\xff\xff\xff\xff"])
@pytest.mark.parametrize("tag", ["message", "receipt", "notification", "news"])
async def test_unreadable_stanza_is_refused_so_that_it_does_not_return(tag: str, inside: bytes) -> None:
    async with connected() as both:
        head = Stanza(tag, {"from": CONTACT, "id": "3EB0A1"})
        await poison(both, around(head, inside))
        assert [(await both.inbox.next()).attributes["id"] for _ in range(2)] == ["before", "behind"]
        refused = ack.parse(await both.peer.receive(), "to")
        assert refused == ack.Ack(tag, "3EB0A1", CONTACT, error=ack.PARSING_ERROR)
        assert both.link.end is None


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\0\xf8\xff\x13",
        around(Stanza("message", {"id": "3EB0A1"}), NOT_UTF_8),
        around(Stanza("message", {"from": CONTACT}), NOT_UTF_8),
        around(Stanza("ack", {"from": CONTACT, "id": "3EB0A1", "class": "message"}), NOT_UTF_8),
        around(Stanza("ib", {"from": Jid("", "s.whatsapp.net"), "id": "1"}), NOT_UTF_8),
    ],
)
async def test_unreadable_stanza_without_an_id_is_skipped(plaintext: bytes) -> None:
    async with connected() as both:
        await poison(both, plaintext)
        assert [(await both.inbox.next()).attributes["id"] for _ in range(2)] == ["before", "behind"]
        await both.peer.send(iq.ping("now"))
        assert iq.parse(await both.peer.receive()) == iq.Result("now")
        assert both.link.end is None


async def test_unreadable_answer_fails_only_its_request() -> None:
    async with connected() as both:
        first, second = (asyncio.create_task(both.link.prekey_count()) for _ in range(2))
        asked = [str((await both.peer.receive()).attributes["id"]) for _ in range(2)]
        head = Stanza("iq", {"id": asked[0], "type": "result"})
        await both.peer.send_raw(both.peer.encrypted_bytes(around(head, NOT_UTF_8)))
        with pytest.raises(TryAgain, match="cannot be read"):
            await first
        assert not second.done()
        second.cancel()
        assert both.link.end is None


@pytest.mark.parametrize("tag", ["stream:error", "failure"])
async def test_stream_error_counts_whatever_follows(tag: str) -> None:
    async with connected() as both:
        await both.peer.send_raw(both.peer.encrypted_bytes(around(Stanza(tag), NOT_UTF_8)))
        assert await both.link.ended() == End(Why.DISMISSED)


async def test_unreadable_login_answer_raises_try_again() -> None:
    async with serving() as server:
        connecting = asyncio.create_task(interop(profile(server.port)).connect(CREDENTIALS, Inbox()))
        peer = await server.peer()
        await peer.login()
        await peer.send_raw(peer.encrypted_bytes(b"\0\xf8\xff\x13"))
        with pytest.raises(TryAgain, match="cannot be read"):
            await connecting
