"""A bridge's database as after years of use, written through the store's own units."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridge.adapters.clock import RealClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.app.bridge import Bridge, Ports
from bridge.cli.running import load_config
from bridge.config import read_profile
from bridge.curve import KeyPair, key_pair
from bridge.flow.contacts.contacts import People, Person
from bridge.flow.contacts.identity import identity_noted
from bridge.flow.contacts.sessions import Held, Sessions
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Keys, Unlocked
from bridge.ids import AccountId, Jid, NetworkId, RoomId, UserId
from bridge.matrix.limiter import Limiter
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.database import open_database
from bridge.store.tables.accounts import Account
from tests.bench.gatekeeper import INTEGRATOR, PEOPLE_SERVER, SERVICE
from tests.bench.homeserver import SERVER
from tests.bench.people import NAME, NOW, Chat, acquainted, somebody

AT_ONCE = 200
"""Units under way at a time: a batch of the writer."""
FIRST_LOGIN = 10_000_000_000
Value = TypeVar("Value")


@dataclass(frozen=True)
class Plan:
    """How many accounts, and in each how many chats. ``alike``: all sessions are copies of one."""

    accounts: int
    chats: int
    alike: bool = False


async def prepare(folder: Path, plan: Plan) -> list[Chat]:
    """Fill the database of the bridge set up in ``folder``; the chats, ready to be used."""
    config = load_config(str(folder / "config.yaml"), {})
    profile = read_profile(config.network.profile, lambda path: Path(path).read_text(encoding="utf-8"))
    web = WebClient()
    ports = Ports(RealClock(), OperatingSystemRandom(), TcpDialer(), web)
    bridge = Bridge(config, profile, ports, lambda sentence: None)
    database = await open_database(
        config.database.url, profile_id=profile.id, clock=ports.clock, random=ports.random
    )
    homeserver = bridge._homeserver("unused", Limiter(ports.clock), registers=False)
    try:
        return await _Filler(await bridge._parts(database, homeserver, None)).fill(plan)
    finally:
        await homeserver.close()
        await web.close()
        await database.close()


class _Filler:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keyring, self._people, self._sessions = Keyring(parts), People(parts), Sessions(parts)
        self._template = acquainted(somebody(), somebody())[0]

    async def fill(self, plan: Plan) -> list[Chat]:
        unlocked = [self._unlocked(number) for number in range(plan.accounts)]
        for some in batches(unlocked):
            await asyncio.gather(*(self._open(each.account) for each in some))
        everybody = list(itertools.product(unlocked, range(plan.chats)))
        chats: list[Chat] = []
        for batch in batches(everybody):
            chats += await asyncio.gather(*(self._meet(one, number, plan) for one, number in batch))
        return chats

    def _unlocked(self, number: int) -> Unlocked:
        random, vault = self._parts.random, self._parts.vault
        account_id = AccountId(random.bytes(16))
        data_key = vault.new_account_key(account_id, random)
        keys = Keys(somebody(), _key())
        sealed = vault.for_account(data_key, account_id).seal(
            "account.own_keys", account_id, keys.to_bytes(), random
        )
        user = UserId(f"@user{number}:{SERVER}")
        account = Account(
            account_id,
            user,
            NetworkId(self._parts.profile.id),
            AccountState.ENLISTED,
            identifier=user,
            shown_name=f"User {number}",
            room_id=RoomId(f"!management{number}:{SERVER}"),
            data_key=data_key,
            own_keys=sealed,
            login=Jid(str(FIRST_LOGIN + number), "interop", INTEGRATOR),
            owner=self._parts.owner,
            epoch=1,
            next_prekey_id=1,
            last_connected_at=self._parts.clock.now(),
            state_changed_at=float(NOW),
        )
        return self._keyring.open(account)

    async def _open(self, account: Account) -> None:
        await self._parts.store.commit(kinds.unit(kinds.AGREE, open=[account.to_row()]))

    async def _meet(self, unlocked: Unlocked, number: int, plan: Plan) -> Chat:
        account = unlocked.account
        assert account.login is not None
        jid = Jid(f"49151{int(account.login.user) - FIRST_LOGIN:05}{number:05}", PEOPLE_SERVER)
        service = self._parts.profile.service(SERVICE)
        assert service is not None
        contact = await self._people.meet(unlocked, Person(jid, service, f"+{jid.user}", NAME))
        room = RoomId(f"!{contact.row.alias}:{SERVER}")
        await self._parts.store.commit(
            kinds.unit(
                kinds.PORTAL,
                fence=[account.fence],
                room=[{"contact_id": contact.contact_id, "room_id": room, "owner_absent": 0}],
            )
        )
        person = somebody()
        ours, theirs = (self._template,) * 2 if plan.alike else acquainted(unlocked.own, person)
        held = Held(contact.contact_id, 0, None, None)
        begun = self._sessions.moved(unlocked, held, ours)
        noted = identity_noted(self._parts, contact, held, ours)
        await self._parts.store.commit(kinds.unit(kinds.SEAL, fence=[account.fence], **begun, **noted))
        return Chat(int(account.login.user), account.user_id, jid, room, person, theirs)


def batches(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """``values`` in pieces of ``AT_ONCE``."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _key() -> KeyPair:
    return key_pair(OperatingSystemRandom().bytes(32))
