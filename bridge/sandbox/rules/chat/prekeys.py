"""The prekey directory: bundles for starting sessions (dossier 4.6, 12.4).

A one-time prekey is handed out once. Uploading a known id again changes nothing, and a spent id is never
offered again. Fetches are rate-limited per asker and target, so that nobody can drain another's keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.curve import verify
from bridge.ids import Jid
from bridge.sandbox.rules.rate_limit import Buckets
from bridge.sandbox.rules.reasons import IqCode
from bridge.wire.vocabulary.iq import IqError
from bridge.wire.vocabulary.keys import KEY_TYPE_CURVE25519, PublicBundle, PublicSignedPreKey, UploadedKeys
from bridge.wire.vocabulary.prekeys import KeyDigest


@dataclass
class StoredKeys:
    """One member's published keys; ``one_time`` in the order of upload."""

    registration_id: int
    identity: bytes
    signed: PublicSignedPreKey
    one_time: dict[int, bytes] = field(default_factory=dict)
    known_ids: set[int] = field(default_factory=set)
    told_low: bool = False

    def digest(self) -> KeyDigest:
        """The ids of the one-time keys, and everything else."""
        return KeyDigest(self.registration_id, self.identity, self.signed, tuple(self.one_time))


@dataclass
class Directory:
    """All bundles. ``max_upload`` bounds the one-time keys in one upload."""

    fetches: Buckets
    max_upload: int
    held: dict[Jid, StoredKeys] = field(default_factory=dict)

    def upload(self, member: Jid, uploaded: UploadedKeys, *, may_change_identity: bool) -> IqError | None:
        """Store keys; None on success. A new identity drops the old one's keys."""
        if len(uploaded.one_time) > self.max_upload or not is_signed(uploaded.identity, uploaded.signed):
            return IqError(IqCode.NOT_ACCEPTABLE)
        before = self.held.get(member)
        if before is None or before.identity != uploaded.identity:
            if not may_change_identity:
                return IqError(IqCode.NOT_ACCEPTABLE)
            before = StoredKeys(uploaded.registration_id, uploaded.identity, uploaded.signed)
            self.held[member] = before
        elif before.registration_id != uploaded.registration_id:
            return IqError(IqCode.NOT_ACCEPTABLE)
        before.signed = uploaded.signed
        for key in uploaded.one_time:
            if key.id not in before.known_ids:
                before.known_ids.add(key.id)
                before.one_time[key.id] = key.public
                before.told_low = False
        return None

    def rotate(self, member: Jid, signed: PublicSignedPreKey) -> IqError | None:
        """Store a new signed prekey; None on success."""
        held = self.held.get(member)
        if held is None or not is_signed(held.identity, signed):
            return IqError(IqCode.NOT_ACCEPTABLE)
        held.signed = signed
        return None

    def fetch(self, asker: Jid, target: Jid, now: float, *, one_time: bool = True) -> PublicBundle | IqError:
        """A bundle, with a one-time prekey while there is one."""
        held = self.held.get(target)
        if held is None:
            return IqError(IqCode.NOT_FOUND)
        if self.fetches.take((asker, target), now):
            return IqError(IqCode.TOO_MANY)
        prekey_id = next(iter(held.one_time), None) if one_time else None
        prekey = None if prekey_id is None else held.one_time.pop(prekey_id)
        return PublicBundle(
            registration_id=held.registration_id,
            identity=held.identity,
            signed_prekey_id=held.signed.id,
            signed_prekey=held.signed.public,
            signature=held.signed.signature,
            prekey_id=prekey_id,
            prekey=prekey,
        )

    def to_tell_low(self, member: Jid, low: int) -> int | None:
        """The number left when it is below ``low`` and was not reported since the last upload, else None."""
        held = self.held.get(member)
        if held is None or held.told_low or len(held.one_time) >= low:
            return None
        held.told_low = True
        return len(held.one_time)


def is_signed(identity: bytes, signed: PublicSignedPreKey) -> bool:
    """Whether ``identity`` signed the typed key, 33 bytes."""
    return verify(identity, KEY_TYPE_CURVE25519 + signed.public, signed.signature)
