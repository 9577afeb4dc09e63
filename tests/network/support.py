"""A profile, a connector, and a chat server that does what a test tells it, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.e2ee.keys import OwnKeys, SignedPreKey, new_own_keys, new_signed_prekey
from bridge.ids import Jid
from bridge.network.connector import Credentials, OnStanzas
from bridge.network.interop.connector import Interop
from bridge.network.interop.link import InteropLink
from bridge.network.reachability import Reachability
from bridge.network.signing_keys import SigningKey, SigningKeys, new_signing_key
from bridge.network.tokens import IdentityTokens
from bridge.ports import Clock, Dialer, Random, Step, Stream, Web
from bridge.profile import Profile
from bridge.wire import frame
from bridge.wire.certificate import make_chain
from bridge.wire.connection import HandshakeCompleted, ServerConnection, StanzaReceived
from bridge.wire.login import ClientPayload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.login import Success
from tests.network.clock import ManualClock
from tests.wire.support import dice, key

NOW = 1_790_000_000.0
HEADER = b"hello"
PROLOGUE = b"a prologue of our own"
LOGIN = Jid("10853634039893", "interop", 7)
SERVER = Jid("", "s.whatsapp.net")
CONTACT = Jid("4915112345678", "s.whatsapp.net")

OWN: OwnKeys = new_own_keys(dice("own"))
SIGNED: SignedPreKey = new_signed_prekey(OWN, 3, dice("signed"))
CREDENTIALS = Credentials(LOGIN, key("client"), OWN.identity.public, "@alice:matrix.example", "Alice")


class Dice:
    """The ``Random`` port, the same in every run."""

    def __init__(self, seed: str = "random") -> None:
        self._draw = dice(seed)

    def bytes(self, count: int, /) -> bytes:
        return self._draw(count)


@cache
def signing_keys() -> SigningKeys:
    return SigningKeys(new_signing_key())


@cache
def another_signing_key() -> SigningKey:
    return new_signing_key()


def profile(
    chat_port: int = 1, enlist_url: str = "http://127.0.0.1:1/3p/interop_reg", **changes: Any
) -> Profile:
    """A network with words of its own."""
    values: dict[str, Any] = {
        "id": "test",
        "label": "Test",
        "self": {"integrator": 7, "iss": "our-name"},
        "enlist": {
            "url": enlist_url,
            "reasons": {
                "bad_integrator": {"state": "suspended", "sentence": "network.bad_integrator"},
                "too_many": {"state": "retry", "sentence": "network.too_many"},
            },
        },
        "token": {
            "aud": "the-gatekeeper",
            "ttl_s": 120,
            "claims": {"name": "shown", "confirmation": "bound", "auth_key": "noise", "identity": "signal"},
        },
        "chat": {
            "host": "127.0.0.1",
            "port": chat_port,
            "header": HEADER.hex(),
            "prologue": PROLOGUE.hex(),
            "root_key": key("root").public.hex(),
            "protocol_version": [2, 4, 1],
        },
        "login_failures": {
            "401": {"state": "reauthenticate", "sentence": "network.bad_token"},
            "gone": {"state": "enlist-again", "sentence": "network.unknown_account"},
            "402": {"state": "suspended", "sentence": "network.banned"},
        },
        "ack_errors": {},
        "services": [
            {
                "id": "whatsapp",
                "label": "WhatsApp",
                "jid_server": "s.whatsapp.net",
                "identifier_kind": "phone",
            }
        ],
        "stanzas": {"namespace": "x:third", "resolve": "whois", "reach": "knock", "delete": "forget"},
        "push": {
            "path": "/hooks/wake",
            "iss": "NET",
            "aud": "https://us.example",
            "jwks": "http://127.0.0.1:1/",
        },
    }
    return Profile.model_validate(values | changes)


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seed: str) -> None:
        self.reader, self.writer = reader, writer
        chain = make_chain(key("root"), key("intermediate"), key("server").public, NOW, dice("chain"))
        self.connection = ServerConnection(
            static=key("server"),
            ephemeral=key(seed),
            header=HEADER,
            prologue=PROLOGUE,
            certificates=chain,
        )
        self._stanzas: list[Stanza] = []
        self._payload: bytes | None = None

    async def login(self) -> ClientPayload:
        """The handshake; nothing is said about the login yet."""
        while self._payload is None:
            await self._more()
        return ClientPayload.from_bytes(self._payload)

    async def accept(self) -> ClientPayload:
        """The handshake, and success."""
        payload = await self.login()
        await self.send(Success(int(NOW)).to_stanza())
        return payload

    async def receive(self) -> Stanza:
        """The next stanza the client sends."""
        while not self._stanzas:
            await self._more()
        return self._stanzas.pop(0)

    async def send(self, *stanzas: Stanza) -> None:
        """Send stanzas in one piece."""
        await self.send_raw(self.encrypted(*stanzas))

    def encrypted(self, *stanzas: Stanza) -> bytes:
        for stanza in stanzas:
            self.connection.send(stanza)
        return self.connection.data_to_send()

    def encrypted_bytes(self, plaintext: bytes) -> bytes:
        """A genuine frame around what may be no stanza."""
        assert self.connection._transport is not None
        return frame.encode(self.connection._transport.sending.encrypt(plaintext))

    async def send_raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ends(self) -> None:
        """Return when the client has closed."""
        while await self.reader.read(65536):
            pass

    def hang_up(self) -> None:
        self.writer.close()

    async def _more(self) -> None:
        data = await self.reader.read(65536)
        if not data:
            raise ConnectionError("the client is gone")
        for event in self.connection.receive(data):
            if isinstance(event, HandshakeCompleted):
                self._payload = event.payload
            elif isinstance(event, StanzaReceived):
                self._stanzas.append(event.stanza)
        await self.send_raw(self.connection.data_to_send())


class Server:
    """Listens; every connection becomes a ``Peer``."""

    def __init__(self) -> None:
        self.port = 0
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.count = 0

    async def peer(self) -> Peer:
        """The next connection."""
        return await self.peers.get()

    async def accepted(self) -> Peer:
        """The next connection, logged in."""
        peer = await self.peer()
        await peer.accept()
        return peer

    def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        self.peers.put_nowait(Peer(reader, writer, f"server ephemeral {self.count}"))


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    writers: list[asyncio.StreamWriter] = []

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        server._on_connection(reader, writer)

    listening = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


class NoWeb:
    """The ``Web`` port where nothing is asked."""

    async def request(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing was to be asked")


def interop(
    network: Profile,
    *,
    clock: Clock | None = None,
    dialer: Dialer | None = None,
    web: Web | None = None,
    random: Random | None = None,
) -> Interop:
    """A connector under ``network``."""
    clock = clock or ManualClock(NOW)
    random = random or Dice()
    tokens = IdentityTokens(network, signing_keys(), clock, random)
    reachability = Reachability(network.chat.host, network.chat.port, clock)
    return Interop(network, tokens, dialer or TcpDialer(), web or NoWeb(), clock, random, reachability)


class Inbox:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.stanzas: asyncio.Queue[Stanza] = asyncio.Queue()

    async def __call__(self, stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
        for stanza in stanzas:
            self.stanzas.put_nowait(stanza)
        return ()

    async def next(self) -> Stanza:
        return await self.stanzas.get()


def each(handler: Callable[[Stanza], Awaitable[Stanza | None]]) -> OnStanzas:
    """A handler that looks at one stanza at a time."""

    async def on_stanzas(stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
        answers = [await handler(stanza) for stanza in stanzas]
        return [answer for answer in answers if answer is not None]

    return on_stanzas


class Both:
    """A live link, its server's end, and what arrived."""

    def __init__(self, link: InteropLink, peer: Peer, inbox: Inbox, clock: ManualClock) -> None:
        self.link, self.peer, self.inbox, self.clock = link, peer, inbox, clock


@asynccontextmanager
async def connected(
    on_stanzas: OnStanzas | None = None, *, dialer: Dialer | None = None, **changes: Any
) -> AsyncIterator[Both]:
    """Both ends after a login, closed at the end."""
    async with serving() as server:
        clock, inbox = ManualClock(NOW), Inbox()
        connector = interop(profile(server.port, **changes), clock=clock, dialer=dialer)
        link, peer = await asyncio.gather(
            connector.connect(CREDENTIALS, on_stanzas or inbox), server.accepted()
        )
        try:
            yield Both(link, peer, inbox, clock)
        finally:
            await link.close()


def message(id: str) -> Stanza:
    """A message that is nothing but its id."""
    return Stanza("message", {"id": id})


class Around:
    """A stream that passes everything on; the base of those that do not."""

    def __init__(self, inner: Stream) -> None:
        self.inner = inner

    async def receive(self) -> bytes:
        return await self.inner.receive()

    async def send(self, data: bytes, *, step: Step) -> None:
        await self.inner.send(data, step=step)

    async def finish(self, *, step: Step) -> None:
        await self.inner.finish(step=step)

    async def close(self) -> None:
        await self.inner.close()


class Stuck(Around):
    """Never finishes sending at one step."""

    def __init__(self, inner: Stream, at: Step) -> None:
        super().__init__(inner)
        self.at = at
        self.waiting = asyncio.Event()

    async def send(self, data: bytes, *, step: Step) -> None:
        if step is self.at:
            self.waiting.set()
            await asyncio.get_running_loop().create_future()
        await super().send(data, step=step)


class Through:
    """A dialer that puts something around each real stream."""

    def __init__(self, wrap: Callable[[Stream], Stream]) -> None:
        self._wrap = wrap

    async def dial(self, host: str, port: int, *, timeout: float) -> Stream:
        return self._wrap(await TcpDialer().dial(host, port, timeout=timeout))


@asynccontextmanager
async def web_client() -> AsyncIterator[WebClient]:
    client = WebClient()
    try:
        yield client
    finally:
        await client.close()
