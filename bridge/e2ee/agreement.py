"""The key agreement, X3DH as Signal's message version 3 does it.

https://signal.org/docs/specifications/x3dh/ sections 3.3 (initiator) and 3.4
(responder). Both ends get the first root key and the first chain key, which
belongs to the signed prekey taken as the responder's first ratchet key
(Double Ratchet section 7.1).
"""

from __future__ import annotations

from bridge.curve import KeyPair, agree
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.kdf import NO_SALT, hkdf

INFO = b"WhisperText"
# Section 2.2: F, 32 bytes of 0xFF for X25519, keeps the input apart from any XEdDSA use of the key.
_PREFIX = b"\xff" * 32


def initiate(identity: KeyPair, base: KeyPair, bundle: PreKeyBundle) -> tuple[bytes, bytes]:
    """The initiator's side: (root key, chain key) of 32 bytes each.

    The caller has verified the bundle. ValueError for a key of low order.
    """
    shared = [
        agree(identity.private, bundle.signed_prekey),
        agree(base.private, bundle.identity),
        agree(base.private, bundle.signed_prekey),
    ]
    if bundle.prekey is not None:
        shared.append(agree(base.private, bundle.prekey))
    return _derive(shared)


def respond(
    identity: KeyPair, signed: KeyPair, one_time: KeyPair | None, their_identity: bytes, their_base: bytes
) -> tuple[bytes, bytes]:
    """The responder's side: (root key, chain key); ValueError for a key of low order."""
    shared = [
        agree(signed.private, their_identity),
        agree(identity.private, their_base),
        agree(signed.private, their_base),
    ]
    if one_time is not None:
        shared.append(agree(one_time.private, their_base))
    return _derive(shared)


def _derive(shared: list[bytes]) -> tuple[bytes, bytes]:
    keys = hkdf(_PREFIX + b"".join(shared), salt=NO_SALT, info=INFO, size=64)
    return keys[:32], keys[32:]
