"""The bridge's own network edges as the partner: connector and public listener."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge.adapters.clock import ControlledClock, RealClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.curve import KeyPair, key_pair
from bridge.e2ee.keys import OwnKeys, SignedPreKey, new_own_keys, new_signed_prekey
from bridge.ids import Jid
from bridge.network.connector import Credentials, Enlisted, Enlistment, OnStanzas
from bridge.network.interop.connector import Interop, people_names
from bridge.network.interop.link import InteropLink
from bridge.network.push_keys import PushKeys
from bridge.network.push_token import PushTokens
from bridge.network.reachability import Reachability
from bridge.network.tokens import IdentityTokens
from bridge.profile import Profile
from bridge.web.listeners import Listeners
from bridge.web.public import public_routes
from bridge.web.routes import Listener
from bridge.web.wakes import Wakes
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import Word, parse
from tests.contract.support import LOOPBACK, PATIENCE_S, Running
from tests.network.support import signing_keys

_numbers = itertools.count(1)


@dataclass
class User:
    """A user of ours and the stanzas received."""

    identifier: str
    name: str = "Alice"
    static: KeyPair = field(default_factory=lambda: key_pair(os.urandom(32)))
    own: OwnKeys = field(default_factory=lambda: new_own_keys(os.urandom))
    seen: asyncio.Queue[Stanza] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.signed: SignedPreKey = new_signed_prekey(self.own, 1, os.urandom)

    @property
    def enlistment(self) -> Enlistment:
        return Enlistment(self.identifier, self.name, self.static, self.own, self.signed)

    async def __call__(self, stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
        for stanza in stanzas:
            self.seen.put_nowait(stanza)
        return ()

    def credentials(self, login: Jid) -> Credentials:
        return Credentials(login, self.static, self.own.identity.public, self.identifier, self.name)


@dataclass
class Bridge:
    """The bridge's network edges, listening at the partner's address."""

    profile: Profile
    connector: Interop
    clock: ControlledClock
    woken: asyncio.Queue[str]

    def read(self, stanza: Stanza) -> Word:
        return parse(stanza, "from", people_names(self.profile.stanzas))

    async def enlisted(self, name: str = "Alice") -> tuple[User, Jid]:
        user = User(f"@{name.lower()}-{next(_numbers)}:hs.example", name)
        found = await self.connector.enlist(user.enlistment)
        assert isinstance(found, Enlisted), found
        return user, found.login

    async def first(self, user: User, wanted: Callable[[Word], bool]) -> Any:
        """The next matching item."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                word = self.read(await user.seen.get())
                if wanted(word):
                    return word


@asynccontextmanager
async def bridge_at(running: Running) -> AsyncIterator[Bridge]:
    """Run the bridge's network edges at the partner's address."""
    profile, clock, random, client = running.profile, running.clock, OperatingSystemRandom(), WebClient()
    woken: asyncio.Queue[str] = asyncio.Queue()
    wakes = Wakes(woken.put, clock)
    tokens = PushTokens(profile.push, PushKeys(profile.push.jwks, client, clock), clock)
    routes = public_routes(
        jwks=signing_keys().jwks, push_path=profile.push.path, tokens=tokens, wakes=wakes, clock=clock
    )
    listeners = Listeners([Listener("public", LOOPBACK, running.partner_port, routes)], RealClock())
    await listeners.start()
    ours = IdentityTokens(profile, signing_keys(), clock, random)
    try:
        reachability = Reachability(profile.chat.host, profile.chat.port, clock)
        connector = Interop(profile, ours, TcpDialer(), client, clock, random, reachability)
        yield Bridge(profile, connector, clock, woken)
    finally:
        await wakes.stop()
        await listeners.stop()
        await client.close()


@asynccontextmanager
async def live(
    bridge: Bridge, user: User, login: Jid, on_stanzas: OnStanzas | None = None
) -> AsyncIterator[InteropLink]:
    link = await bridge.connector.connect(user.credentials(login), on_stanzas or user)
    try:
        yield link
    finally:
        await link.close()


def is_a(kind: type[Any]) -> Callable[[Word], bool]:
    return lambda word: isinstance(word, kind)
