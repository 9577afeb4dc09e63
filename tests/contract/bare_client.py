"""A partner's user without the bridge: wire and cryptography only."""

from __future__ import annotations

import asyncio
import base64
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from bridge.curve import KeyPair, key_pair
from bridge.e2ee import session
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import PreKey, new_own_keys, new_prekeys, new_signed_prekey
from bridge.e2ee.session import Record
from bridge.ids import Jid
from bridge.wire import payload
from bridge.wire.connection import (
    ClientConnection,
    ConnectionEnded,
    HandshakeCompleted,
    StanzaReceived,
    StanzaUnreadable,
)
from bridge.wire.login import ClientPayload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import PeopleNames, iq, people, prekeys
from bridge.wire.vocabulary import parse as parse_stanza
from bridge.wire.vocabulary.ack import MESSAGE, NOTIFICATION, RECEIPT, Ack
from bridge.wire.vocabulary.iq import Failure, Result
from bridge.wire.vocabulary.keys import PublicBundle, PublicPreKey, PublicSignedPreKey, UploadedKeys
from bridge.wire.vocabulary.login import LoginFailure, StreamError, Success
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.notification import Notification, type_of
from bridge.wire.vocabulary.receipt import RETRY, Receipt, RetryReceipt
from tests.contract.support import PATIENCE_S, Partner

Found = TypeVar("Found")
NOBODY = Jid("", "")


class Ended(Exception):
    """The server ended the connection, cleanly or not."""


@dataclass
class BareClient:
    """One identity, one device. ``seen``: everything received on the current connection, parsed."""

    partner: Partner
    identifier: str
    name: str = "Alice"
    prekey_count: int = 20
    jid: Jid = NOBODY
    version: tuple[int, int, int] | None = None
    read_receipts: bool = True
    records: dict[Jid, Record] = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)
    _unread: deque[Any] = field(default_factory=deque)
    _ids: int = 0
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _connection: ClientConnection | None = None

    def __post_init__(self) -> None:
        self.new_keys()
        words = self.partner.profile.stanzas
        self.names = PeopleNames(words.namespace, words.resolve, words.reach, words.delete)

    def new_keys(self) -> None:
        self.static: KeyPair = key_pair(os.urandom(32))
        self.own = new_own_keys(os.urandom)
        self.signed_prekey = new_signed_prekey(self.own, 1, os.urandom)
        self.unspent: dict[int, PreKey] = {}
        self.next_prekey = 1

    # keys, as e2ee looks for them

    def one_time(self, id: int) -> KeyPair | None:
        found = self.unspent.get(id)
        return None if found is None else found.pair

    def signed(self, id: int) -> KeyPair | None:
        return self.signed_prekey.pair if id == self.signed_prekey.id else None

    # enlisting

    def form(self, **overrides: Any) -> dict[str, str]:
        fields = {
            "authkey": self.static.public,
            "e_keytype": b"\x05",
            "e_regid": self.own.registration_id.to_bytes(4, "big"),
            "e_ident": self.own.identity.public,
            "e_skey_id": self.signed_prekey.id.to_bytes(3, "big"),
            "e_skey_val": self.signed_prekey.pair.public,
            "e_skey_sig": self.signed_prekey.signature,
        }
        made: dict[str, Any] = {name: base64url(value) for name, value in fields.items()}
        made["token"] = self.token()
        made |= overrides
        return {name: value for name, value in made.items() if value is not None}

    def token(self, **changes: Any) -> str:
        return self.partner.sign(self.claims() | changes)

    def claims(self) -> dict[str, Any]:
        """The claims of a valid token for this client."""
        return self.partner.claims(self.identifier, self.name, self.static.public, self.own.identity.public)

    def expect(self, **chat: Any) -> None:
        """Override values of the profile's ``chat`` for later connections."""
        profile = self.partner.profile
        self.partner.profile = profile.model_copy(update={"chat": profile.chat.model_copy(update=chat)})

    async def post(self, form: dict[str, str]) -> Any:
        """The answer to an enlistment call."""
        async with (
            aiohttp.ClientSession() as web,
            web.post(self.partner.profile.enlist.url, data=form) as answer,
        ):
            assert answer.status == 200
            return await answer.json()

    async def enlist(self) -> Jid:
        answer = await self.post(self.form())
        assert answer["status"] == "ok", answer
        self.jid = Jid.parse(answer["login"])
        return self.jid

    # connecting

    async def open(self, **login: Any) -> None:
        """Connect and finish the handshake; the login's outcome is not read yet."""
        profile = self.partner.profile
        values: dict[str, Any] = {
            "account_id": int(self.jid.user),
            "token": self.token().encode(),
            "read_receipts": self.read_receipts,
            "version": self.version or profile.chat.protocol_version,
        }
        self._connection = ClientConnection(
            static=self.static,
            ephemeral=key_pair(os.urandom(32)),
            header=profile.chat.header,
            prologue=profile.chat.prologue,
            mix_empty_payload=profile.chat.mix_empty_payload,
            root_key=profile.chat.root_key,
            login=ClientPayload(**(values | login)).to_bytes(),
            now=self.partner.clock.now(),
        )
        await self.close()
        self.seen, self._unread = [], deque()
        self._reader, self._writer = await asyncio.open_connection(profile.chat.host, profile.chat.port)
        await self.flush()
        await self.next(HandshakeCompleted)

    async def log_in(self, **login: Any) -> Success | LoginFailure:
        await self.open(**login)
        found = await self.first(lambda word: isinstance(word, Success | LoginFailure))
        assert isinstance(found, Success | LoginFailure)
        return found

    async def connect(self) -> None:
        """Connect and log in; the first time, upload prekeys."""
        assert isinstance(await self.log_in(), Success)
        if not self.unspent:
            await self.upload(self.prekey_count)

    async def start(self) -> None:
        """Enlist and connect."""
        await self.enlist()
        await self.connect()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
            self._writer = None

    # stanzas

    async def send(self, stanza: Stanza) -> None:
        assert self._connection is not None
        self._connection.send(stanza)
        await self.flush()

    async def flush(self) -> None:
        assert self._connection is not None
        await self.send_bytes(self._connection.data_to_send())

    async def send_bytes(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    async def next(self, kind: type[Found]) -> Found:
        """The next item of that type; others are skipped, but stay in ``seen``."""
        found = await self.first(lambda word: isinstance(word, kind))
        assert isinstance(found, kind)
        return found

    async def first(self, wanted: Callable[[Any], bool]) -> Any:
        """The next matching item; Ended when the connection ends before."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                word = await self._next()
                if wanted(word):
                    return word

    async def _next(self) -> Any:
        assert self._reader is not None and self._connection is not None
        while not self._unread:
            try:
                data = await self._reader.read(65_536)
            except ConnectionError:
                raise Ended from None
            if not data:
                raise Ended
            for event in self._connection.receive(data):
                if isinstance(event, StanzaReceived):
                    self._unread.append(parse_stanza(event.stanza, "from", self.names))
                elif isinstance(event, StanzaUnreadable):
                    raise event.error
                elif not isinstance(event, ConnectionEnded):
                    self._unread.append(event)
            await self.flush()
        word = self._unread.popleft()
        self.seen.append(word)
        return word

    async def ended(self) -> StreamError | None:
        """Wait for the end of the connection; the stream error, if there was one."""
        with suppress(Ended):
            await self.first(lambda word: False)
        return next((word for word in self.seen if isinstance(word, StreamError)), None)

    def new_id(self) -> str:
        self._ids += 1
        return f"{self.identifier}-{self._ids}"

    async def ask(self, question: Callable[[str], Stanza]) -> Result | Failure:
        id = self.new_id()
        await self.send(question(id))
        found = await self.first(lambda word: isinstance(word, Result | Failure) and word.id == id)
        assert isinstance(found, Result | Failure)
        return found

    # keys in the directory

    def keys(self, count: int) -> UploadedKeys:
        fresh = new_prekeys(self.next_prekey, count, os.urandom)
        self.next_prekey += count
        self.unspent |= {key.id: key for key in fresh}
        signed = self.signed_prekey
        return UploadedKeys(
            self.own.registration_id,
            self.own.identity.public,
            PublicSignedPreKey(signed.id, signed.pair.public, signed.signature),
            tuple(PublicPreKey(key.id, key.pair.public) for key in fresh),
        )

    async def upload(self, count: int) -> Result | Failure:
        made = self.keys(count)
        return await self.ask(lambda id: prekeys.upload(id, made))

    async def count(self) -> int:
        found = await self.ask(prekeys.count)
        assert isinstance(found, Result)
        return prekeys.parse_count(found)

    async def fetch(self, jid: Jid) -> PublicBundle | iq.IqError:
        found = await self.ask(lambda id: prekeys.fetch(id, [jid]))
        assert isinstance(found, Result)
        return prekeys.parse_fetch(found)[jid]

    async def resolve(self, service: str, identifier: str) -> people.Person | None:
        asked = people.ResolveIdentifier(service, identifier)
        found = await self.ask(lambda id: people.request(id, asked, self.names))
        return people.parse_person(found) if isinstance(found, Result) else None

    # messages

    async def begin(self, jid: Jid) -> None:
        """Start a session with keys from the directory."""
        found = await self.fetch(jid)
        assert isinstance(found, PublicBundle), found
        self.begin_from(jid, found)

    def begin_from(self, jid: Jid, found: PublicBundle) -> None:
        bundle = PreKeyBundle(**vars(found))
        now = self.partner.clock.now()
        self.records[jid] = session.start(self.records.get(jid), self.own, bundle, os.urandom, now)

    def seal(self, to: Jid, text: str, *, id: str | None = None, count: int = 0) -> Message:
        plaintext = payload.pad(payload.TextPayload(text).to_bytes(), os.urandom)
        now = self.partner.clock.now()
        sealed = session.seal(self.records[to], self.own, plaintext, os.urandom, now)
        self.records[to] = sealed.record
        return Message(id or self.new_id(), to, sealed.kind, sealed.ciphertext, count=count)

    async def write(self, to: Jid, text: str) -> Ack:
        """Seal and send a text; the server's ack."""
        if to not in self.records:
            await self.begin(to)
        message = self.seal(to, text)
        await self.send(message.to_stanza("to"))
        return await self.acked(message.id)

    async def acked(self, id: str) -> Ack:
        found = await self.first(lambda word: isinstance(word, Ack) and (word.cls, word.id) == (MESSAGE, id))
        assert isinstance(found, Ack)
        return found

    def open_message(self, message: Message) -> str:
        """The text of a message; raises e2ee's errors."""
        now = self.partner.clock.now()
        record = self.records.get(message.peer)
        opened = session.open(record, self.own, message.kind, message.ciphertext, self, os.urandom, now)
        self.records[message.peer] = opened.record
        if opened.spent_prekey is not None:
            del self.unspent[opened.spent_prekey]
        content = payload.parse(payload.unpad(opened.plaintext))
        assert isinstance(content, payload.TextPayload)
        return content.text

    async def read(self) -> tuple[Message, str]:
        """Open and acknowledge the next message and send its delivery receipt."""
        message = await self.next(Message)
        text = self.open_message(message)
        await self.acknowledge(message)
        await self.send(Receipt((message.id,), message.peer).to_stanza("to"))
        return message, text

    async def acknowledge(self, word: Message | Receipt | RetryReceipt | Notification) -> None:
        if isinstance(word, Message):
            made = Ack(MESSAGE, word.id, word.peer)
        elif isinstance(word, RetryReceipt):
            made = Ack(RECEIPT, word.id, word.peer, RETRY)
        elif isinstance(word, Receipt):
            made = Ack(RECEIPT, word.ids[0], word.peer, word.type)
        else:
            made = Ack(NOTIFICATION, word.id, word.peer, type_of(word, self.names))
        await self.send(made.to_stanza("to"))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
