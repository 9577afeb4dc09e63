"""Opening a message, in slices that an event loop can afford.

A forged message can make the search as long as the longest honest one, so an opening can be paused::

    opening = Opening(record, own, kind, ciphertext, prekeys, rng, now)
    try:
        while (opened := opening.step()) is None:
            await ...           # give the event loop back
    except RemoteProtocolError:
        charge(contact, opening.units)

- One ``step()`` does about UNITS_PER_SLICE of work; a message that is not far ahead needs one.
- ``opening.units`` is the work so far (bridge/e2ee/work.py), also after an error. One message costs at most
  UNITS_PER_MESSAGE until its MAC is found right; all sessions that are tried share them.
- Nothing outside an Opening changes. An error leaves the record given as the valid one, and an Opening that
  is abandoned leaves nothing behind. Randomness is drawn only after the MAC held.
- The result belongs to the record that the Opening was made with. Between two steps either keep other
  writers away from that record, or compare its version when the result is committed.
- ``session.open`` does all steps at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bridge.curve import KeyPair
from bridge.e2ee.errors import BadMessage, NoSession, UnknownPreKey
from bridge.e2ee.keys import OwnKeys, Rng
from bridge.e2ee.message import PreKeyMessage, SignalMessage, read_message, read_prekey_message
from bridge.e2ee.record import Record
from bridge.e2ee.state import Kind, Session
from bridge.e2ee.work import AGREEMENT_UNITS, UNITS_PER_MESSAGE, UNITS_PER_SLICE, Work, check_units
from bridge.errors import LocalProtocolError


@dataclass(frozen=True)
class Opened:
    """An opened message: commit all of it together.

    ``spent_prekey`` is the id of the one-time prekey to delete. ``identity`` is that of
    the session it came in; ``identity_changed`` says that the record had another before.
    """

    record: Record
    plaintext: bytes = field(repr=False)
    spent_prekey: int | None
    identity: bytes
    identity_changed: bool


class PreKeys(Protocol):
    """Our own prekeys by id; None for one that we do not have."""

    def one_time(self, id: int) -> KeyPair | None:
        """An unspent one-time prekey."""

    def signed(self, id: int) -> KeyPair | None:
        """A signed prekey, kept for at least 30 days after its successor was published."""


class Opening:
    """A message that is being opened. ``units`` is the work done so far."""

    def __init__(
        self,
        record: Record | None,
        own: OwnKeys,
        kind: Kind,
        ciphertext: bytes,
        prekeys: PreKeys,
        rng: Rng,
        now: float,
    ) -> None:
        """Do nothing yet. The caller has judged the identity of a prekey message (``session.glimpse``)."""
        self.units = 0
        self._own, self._rng, self._now = own, rng, now
        self._work = self._open(record, kind, ciphertext, prekeys)

    def step(self, units: int = UNITS_PER_SLICE) -> Opened | None:
        """Do the next slice: the result, or None when there is more to do.

        A slice ends after the piece of work that reaches ``units``. The errors are KeyGone,
        NoSession, UnknownPreKey and BadMessage. They end the opening, and so does the result;
        after that, LocalProtocolError.
        """
        limit = self.units + units
        while self.units < limit:
            try:
                self.units += next(self._work)
            except StopIteration as end:
                if end.value is None:
                    raise LocalProtocolError("this opening has ended") from None
                opened: Opened = end.value
                return opened
        return None

    def _open(self, record: Record | None, kind: Kind, ciphertext: bytes, prekeys: PreKeys) -> Work[Opened]:
        if kind == "pkmsg":
            return (yield from self._prekey_message(record, read_prekey_message(ciphertext), prekeys))
        message = read_message(ciphertext)
        if record is None or not record.sessions:
            raise NoSession("there is no session with this peer")
        return (yield from self._message(record, message))

    def _prekey_message(
        self, record: Record | None, message: PreKeyMessage, prekeys: PreKeys
    ) -> Work[Opened]:
        before = record or Record(message.identity)
        known = before.with_base_key(message.base_key)
        if known is not None:
            # A repetition until our answer arrives: the prekeys may be gone and are not looked for.
            if known.identity != message.identity:
                raise BadMessage("the identity is not that of the session")
            session, plaintext = yield from self._in_session(known, message.message)
            return self._opened(before.with_moved_session(known, session), before, session, plaintext)
        if message.base_key in before.retired:
            raise NoSession("the session of this message was dropped")
        session = yield from self._respond(message, prekeys)
        session, plaintext = yield from self._in_session(session, message.message)
        return self._opened(before.with_new_session(session), before, session, plaintext, message.prekey_id)

    def _respond(self, message: PreKeyMessage, prekeys: PreKeys) -> Work[Session]:
        signed = prekeys.signed(message.signed_prekey_id)
        if signed is None:
            raise UnknownPreKey("the signed prekey is unknown")
        one_time = None
        if message.prekey_id is not None:
            one_time = prekeys.one_time(message.prekey_id)
            if one_time is None:
                raise UnknownPreKey("the one-time prekey is unknown or spent")
        return (yield from Session.respond(self._own, message, signed, one_time, self._now))

    def _message(self, record: Record, message: SignalMessage) -> Work[Opened]:
        """Open it in the session that has a chain for its ratchet key, or else try a turn in each.

        A ratchet key belongs to one session only, so what that session says is final: a counter
        used there is readable nowhere else. Turns cost the same in all sessions; as many are
        tried, the newest first, as one message may cost.
        """
        candidates = tuple(each for each in record.sessions if each.ratchet.chain(message.ratchet_key))[:1]
        if not candidates:
            price = AGREEMENT_UNITS + message.counter + check_units(len(message.covered))
            candidates = record.sessions[: UNITS_PER_MESSAGE // price]
        for session in candidates:
            try:
                moved, plaintext = yield from self._in_session(session, message)
            except BadMessage:
                continue
            return self._opened(record.with_moved_session(session, moved), record, moved, plaintext)
        raise BadMessage("the message fits no session")

    def _in_session(self, session: Session, message: SignalMessage) -> Work[tuple[Session, bytes]]:
        return session.open(self._own, message, self._rng, self._now)

    def _opened(
        self, record: Record, before: Record, session: Session, plaintext: bytes, spent: int | None = None
    ) -> Opened:
        changed = record.identity != before.identity
        return Opened(record.pruned(self._now), plaintext, spent, session.identity, changed)
