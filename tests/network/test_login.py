"""Opening a connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import jwt
import pytest

from bridge.errors import LONGEST_ASKED_SECONDS, TryAgain
from bridge.ids import Jid
from bridge.network.errors import LoginRefused
from bridge.network.interop.login import LOGIN_SECONDS, LONGEST_BAN_SECONDS, account_id
from bridge.ports import Step, Stream
from bridge.profile import Refusal
from bridge.wire.login import REASON_PUSH
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.login import LoginFailure, StreamError, Success
from tests.network.clock import ManualClock
from tests.network.support import (
    CREDENTIALS,
    LOGIN,
    NOW,
    Around,
    Dice,
    Inbox,
    Peer,
    Server,
    Through,
    interop,
    profile,
    serving,
)
from tests.wire.support import key


async def test_login_names_account_version_and_reason() -> None:
    async with serving() as server:
        connector = interop(profile(server.port))
        connecting = asyncio.create_task(connector.connect(CREDENTIALS, Inbox(), reason=REASON_PUSH))
        peer = await server.peer()
        payload = await peer.accept()
        link = await connecting
        assert payload.account_id == int(LOGIN.user)
        assert payload.version == (2, 4, 1)
        assert payload.connect_reason == REASON_PUSH
        assert payload.read_receipts
        assert link.server_time == int(NOW)
        assert link.end is None
        await link.close()


async def test_each_connection_has_a_fresh_token_and_ephemeral_key() -> None:
    async with serving() as server:
        connector = interop(profile(server.port))
        seen = []
        for _ in range(2):
            connecting = asyncio.create_task(connector.connect(CREDENTIALS, Inbox()))
            peer = await server.peer()
            payload = await peer.accept()
            claims = jwt.decode(payload.token, options={"verify_signature": False})
            seen.append(claims["jti"])
            await (await connecting).close()
        assert seen[0] != seen[1]


async def _refused_with(word: Stanza) -> Exception:
    async with serving() as server:
        connecting = asyncio.create_task(interop(profile(server.port)).connect(CREDENTIALS, Inbox()))
        peer = await server.peer()
        await peer.login()
        await peer.send(word)
        await asyncio.wait([connecting])
        await peer.ends()
        error = connecting.exception()
        assert isinstance(error, Exception)
        return error


@pytest.mark.parametrize(
    ("code", "state", "sentence"),
    [
        ("401", Refusal.REAUTHENTICATE, "network.bad_token"),
        ("gone", Refusal.ENLIST_AGAIN, "network.unknown_account"),
        ("402", Refusal.SUSPENDED, "network.banned"),
        ("418", Refusal.SUSPENDED, "login.unknown_reason"),
    ],
)
@pytest.mark.fault("F40")
async def test_refused_login_carries_the_profile_reason(code: str, state: Refusal, sentence: str) -> None:
    error = await _refused_with(LoginFailure(code).to_stanza())
    assert isinstance(error, LoginRefused)
    assert (error.code, error.reason.state, error.reason.sentence) == (code, state, sentence)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("name", "value", "after"),
    [
        ("expire", "86400", 86_400.0),
        ("expire", "86401", LONGEST_BAN_SECONDS),
        ("expire", "9" * 20, LONGEST_BAN_SECONDS),
        ("expire", "9" * 400, LONGEST_BAN_SECONDS),
        ("expire", "soon", None),
        ("expire", "-1", None),
        ("expire", "1e9", None),
        ("expire", "٣", None),
        ("retry_after", "3600", 3600.0),
        ("retry_after", "3601", LONGEST_ASKED_SECONDS),
    ],
)
async def test_refusal_duration_is_bounded(name: str, value: str, after: float | None) -> None:
    error = await _refused_with(LoginFailure("402", {"code": "101", name: value}).to_stanza())
    assert isinstance(error, LoginRefused)
    assert error.retry_after == after


@pytest.mark.parametrize(
    "word",
    [
        StreamError("503").to_stanza(),
        Stanza("message", {"id": "1"}),
        Stanza("failure"),
        Stanza("success", {"t": "yesterday"}),
    ],
)
async def test_unexpected_login_answer_raises_try_again(word: Stanza) -> None:
    assert isinstance(await _refused_with(word), TryAgain)


@pytest.mark.threat("S39")
async def test_untrusted_server_learns_no_token() -> None:
    async with serving() as server:
        network = profile(server.port)
        network = network.model_copy(
            update={"chat": network.chat.model_copy(update={"root_key": key("other root").public})}
        )
        connecting = asyncio.create_task(interop(network).connect(CREDENTIALS, Inbox()))
        peer = await server.peer()
        with pytest.raises(ConnectionError):
            await peer.login()
        with pytest.raises(TryAgain, match="not signed by its issuer"):
            await connecting


async def test_missing_server_raises_try_again() -> None:
    async with serving() as server:
        port = server.port
    with pytest.raises(TryAgain):
        await interop(profile(port)).connect(CREDENTIALS, Inbox())


async def test_silent_server_times_out() -> None:
    async with serving() as server:
        clock = ManualClock(NOW)
        connector = interop(profile(server.port), clock=clock)
        connecting = asyncio.create_task(connector.connect(CREDENTIALS, Inbox()))
        peer = await server.peer()
        await clock.waited_for(LOGIN_SECONDS)
        await clock.advance(LOGIN_SECONDS)
        with pytest.raises(TryAgain, match="no answer"):
            await connecting
        await peer.ends()


async def test_stanzas_received_with_the_acceptance_are_kept() -> None:
    async with serving() as server:
        inbox = Inbox()
        connecting = asyncio.create_task(interop(profile(server.port)).connect(CREDENTIALS, inbox))
        peer = await server.peer()
        await peer.login()
        await peer.send(
            Success().to_stanza(), Stanza("ib", {}, (Stanza("offline", {"count": "0"}),)), Stanza("x")
        )
        link = await connecting
        assert [(await inbox.next()).tag for _ in range(2)] == ["ib", "x"]
        await link.close()


class _ByteByByte(Around):
    """Delivers what arrives in pieces of one byte."""

    def __init__(self, inner: Stream) -> None:
        super().__init__(inner)
        self._left = b""

    async def receive(self) -> bytes:
        if not self._left:
            self._left = await self.inner.receive()
        first, self._left = self._left[:1], self._left[1:]
        return first


class _Cut(Around):
    """Ends after so many bytes from the server."""

    def __init__(self, inner: Stream, left: int) -> None:
        super().__init__(inner)
        self.left = left
        self.sent = b""

    async def receive(self) -> bytes:
        data = (await self.inner.receive())[: self.left] if self.left else b""
        self.left -= len(data)
        return data

    async def send(self, data: bytes, *, step: Step) -> None:
        self.sent += data
        await super().send(data, step=step)


@pytest.mark.fault("F31")
async def test_login_works_byte_by_byte() -> None:
    async with serving() as server:
        inbox = Inbox()
        connector = interop(profile(server.port), dialer=Through(_ByteByByte))
        link, peer = await asyncio.gather(connector.connect(CREDENTIALS, inbox), server.accepted())
        await peer.send(Stanza("message", {"id": "1"}), Stanza("message", {"id": "2"}))
        assert [(await inbox.next()).attributes["id"] for _ in range(2)] == ["1", "2"]
        await link.close()


async def _greet(server: Server) -> None:
    """Accept every connection that gets so far."""

    async def one(peer: Peer) -> None:
        with suppress(ConnectionError):
            await peer.accept()
        peer.hang_up()

    while True:
        await one(await server.peer())


@pytest.mark.fault("F31")
async def test_login_cut_at_any_byte_ends_and_repeats_no_key() -> None:
    random = Dice()
    async with serving() as server:
        greeting = asyncio.create_task(_greet(server))
        whole = await _length_of_a_login(server, random)
        hellos = set()
        for cut in range(whole):
            streams: list[_Cut] = []

            def wrap(inner: Stream, cut: int = cut, streams: list[_Cut] = streams) -> Stream:
                streams.append(_Cut(inner, cut))
                return streams[0]

            connector = interop(profile(server.port), dialer=Through(wrap), random=random)
            with pytest.raises(TryAgain):
                await connector.connect(CREDENTIALS, Inbox())
            hellos.add(streams[0].sent[:48])
        assert len(hellos) == whole
        greeting.cancel()


async def _length_of_a_login(server: Server, random: Dice) -> int:
    """How many bytes the server sends until a login is accepted."""
    streams: list[_Cut] = []

    def wrap(inner: Stream) -> Stream:
        streams.append(_Cut(inner, 10**6))
        return streams[0]

    link = await interop(profile(server.port), dialer=Through(wrap), random=random).connect(
        CREDENTIALS, Inbox()
    )
    await link.ended()
    await link.close()
    return 10**6 - streams[0].left


async def test_failed_login_leaves_no_connection() -> None:
    async with serving() as server:
        closed: list[bool] = []

        class Watched(Around):
            async def close(self) -> None:
                closed.append(True)
                await super().close()

        connecting = asyncio.create_task(
            interop(profile(server.port), dialer=Through(Watched)).connect(CREDENTIALS, Inbox())
        )
        await (await server.peer()).login()
        connecting.cancel()
        await asyncio.wait([connecting])
        assert closed == [True]


@pytest.mark.parametrize("user", ["", "alice", "-5", "٣", str(2**64)])
def test_identifier_without_an_account_number_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="account number"):
        account_id(Jid(user, "interop", 7))


def test_account_numbers_have_64_bits() -> None:
    assert account_id(replace(LOGIN, user=str(2**64 - 1))) == 2**64 - 1


def test_credentials_show_no_secrets() -> None:
    shown = repr(CREDENTIALS)
    assert CREDENTIALS.identifier not in shown
    assert repr(CREDENTIALS.static.private) not in shown
