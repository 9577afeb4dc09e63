"""Somebody on the network who reads and writes with real keys."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from bridge.curve import KeyPair
from bridge.e2ee import session as signal
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.errors import BadMessage, KeyGone, NoSession, UnknownPreKey
from bridge.e2ee.keys import OwnKeys, Rng, SignedPreKey, new_own_keys, new_signed_prekey
from bridge.e2ee.record import Record
from bridge.ids import Jid
from bridge.ports import Clock
from bridge.wire import payload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.message import Message, parse
from bridge.wire.vocabulary.receipt import RetryReceipt

NUMBER = "4915112345678"
NAME = "Anna"


def bundle_of(own: OwnKeys, signed: SignedPreKey) -> PreKeyBundle:
    """What a directory hands out of these keys."""
    keys = own.registration_id, own.identity.public, signed.id, signed.pair.public, signed.signature
    return PreKeyBundle(*keys, None, None)


def damaged(stanza: Stanza) -> Stanza:
    """A message with one bit of its MAC flipped."""
    arrived = parse(stanza, "from")
    ciphertext = arrived.ciphertext[:-1] + bytes([arrived.ciphertext[-1] ^ 1])
    return replace(arrived, ciphertext=ciphertext).to_stanza("from")


class SimulatedContact:
    """Somebody on the network with real keys; ``received`` is what they could read."""

    jid = Jid.parse(f"{NUMBER}@s.whatsapp.net")

    def __init__(self, rng: Rng, clock: Clock) -> None:
        self._rng, self._clock = rng, clock
        self._own = new_own_keys(rng)
        self._signed = new_signed_prekey(self._own, 1, rng)
        self._record: Record | None = None
        self.name = NAME
        """What they call themselves."""
        self.received: list[str] = []
        self.replies: list[str | None] = []
        """What each of them answers: a stanza id, or None."""
        self.ids: list[str] = []
        """The stanza ids of what was received, for receipts."""
        self.answers = False
        """Whether they seal again what could not be read."""
        self.written: dict[str, str] = {}
        """What they wrote, by stanza id."""

    def bundle(self) -> PreKeyBundle:
        """What others start a session with."""
        return bundle_of(self._own, self._signed)

    def one_time(self, id: int) -> KeyPair | None:
        """None: this contact has no one-time prekeys."""

    def signed(self, id: int) -> KeyPair | None:
        """The one signed prekey."""
        return self._signed.pair if id == self._signed.id else None

    def read(self, arrived: Message) -> None:
        """Open a message; one that was read before changes nothing."""
        now = self._clock.now()
        with suppress(KeyGone, BadMessage, NoSession, UnknownPreKey):
            opened = signal.open(
                self._record, self._own, arrived.kind, arrived.ciphertext, self, self._rng, now
            )
            self._record = opened.record
            text = payload.parse(payload.unpad(opened.plaintext))
            assert isinstance(text, payload.TextPayload)
            self.received.append(text.text)
            self.replies.append(text.reply_id)
            self.ids.append(arrived.id)

    def write(self, stanza_id: str, text: str, bundle: PreKeyBundle) -> Stanza:
        """A message as the network hands it over; ``bundle`` begins a session where there is none."""
        now = self._clock.now()
        if not signal.can_seal(self._record, now):
            self._record = signal.start(self._record, self._own, bundle, self._rng, now)
        self.written[stanza_id] = text
        return self._sealed(stanza_id)

    def write_again(self, asked: RetryReceipt) -> Stanza:
        """Seal a text anew under its id; keys that came with the question begin a session."""
        if asked.keys is not None:
            keys = asked.keys
            bundle = PreKeyBundle(
                keys.registration_id,
                keys.identity,
                keys.signed_prekey_id,
                keys.signed_prekey,
                keys.signature,
                keys.prekey_id,
                keys.prekey,
            )
            self._record = signal.start(self._record, self._own, bundle, self._rng, self._clock.now())
        return self._sealed(asked.id)

    def ask_again(self, stanza_id: str, count: int) -> Stanza:
        """Ask for a message once more, with keys for a new session from the second time on."""
        own, signed = self._own, self._signed
        keys = PublicBundle(
            own.registration_id, own.identity.public, signed.id, signed.pair.public, signed.signature
        )
        asked = RetryReceipt(stanza_id, self.jid, count, own.registration_id, keys if count > 1 else None)
        return asked.to_stanza("from")

    def forget_sessions(self) -> None:
        """Lose every session, as after a restored backup."""
        self._record = None

    def _sealed(self, stanza_id: str) -> Stanza:
        now = self._clock.now()
        padded = payload.pad(payload.TextPayload(self.written[stanza_id]).to_bytes(), self._rng)
        sealed = signal.seal(self._record, self._own, padded, self._rng, now)
        self._record = sealed.record
        message = Message(stanza_id, self.jid, sealed.kind, sealed.ciphertext, t=int(now), notify=self.name)
        return message.to_stanza("from")
