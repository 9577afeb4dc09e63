"""A prekey bundle: public keys from the server, with which a session can start while their owner is offline.

X3DH section 3.2 (https://signal.org/docs/specifications/x3dh/#publishing-keys).
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.curve import KEY_BYTES, SIGNATURE_BYTES, verify
from bridge.e2ee.fields import MAX_UINT32
from bridge.e2ee.keys import MAX_PREKEY_ID, typed
from bridge.errors import RemoteProtocolError


@dataclass(frozen=True)
class PreKeyBundle:
    """Public keys of 32 bytes, a signature of 64; ``prekey_id`` and ``prekey`` are both set or both None."""

    registration_id: int
    identity: bytes
    signed_prekey_id: int
    signed_prekey: bytes
    signature: bytes
    prekey_id: int | None
    prekey: bytes | None

    def verify(self) -> None:
        """RemoteProtocolError unless the shapes are right and the identity signed the signed prekey."""
        if (self.prekey_id is None) != (self.prekey is None):
            raise RemoteProtocolError("a one-time prekey comes with its id")
        keys = [self.identity, self.signed_prekey]
        keys += [] if self.prekey is None else [self.prekey]
        if any(len(key) != KEY_BYTES for key in keys):
            raise RemoteProtocolError("a public key of the bundle does not have 32 bytes")
        if not all(0 <= id <= MAX_PREKEY_ID for id in (self.signed_prekey_id, self.prekey_id or 0)):
            raise RemoteProtocolError("a prekey id of the bundle does not have 24 bits")
        if not 0 <= self.registration_id <= MAX_UINT32:
            raise RemoteProtocolError("the registration id of the bundle does not have 32 bits")
        if len(self.signature) != SIGNATURE_BYTES:
            raise RemoteProtocolError("the signature of the bundle does not have 64 bytes")
        if not verify(self.identity, typed(self.signed_prekey), self.signature):
            raise RemoteProtocolError("the signed prekey is not signed by the identity key")
