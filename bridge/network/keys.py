"""Key material between its three homes: ``e2ee`` makes it, ``wire`` carries it, the enlistment shows it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.wire.vocabulary.keys import PublicBundle, PublicPreKey, PublicSignedPreKey, UploadedKeys


def to_upload(own: OwnKeys, signed: SignedPreKey, one_time: Sequence[PreKey]) -> UploadedKeys:
    """The public halves of what the prekey directory is given."""
    return UploadedKeys(
        registration_id=own.registration_id,
        identity=own.identity.public,
        signed=PublicSignedPreKey(signed.id, signed.pair.public, signed.signature),
        one_time=tuple(PublicPreKey(key.id, key.pair.public) for key in one_time),
    )


def to_public_bundle(own: OwnKeys, signed: SignedPreKey, one_time: PreKey | None) -> PublicBundle:
    """Our own bundle, as a retry receipt carries it."""
    return PublicBundle(
        registration_id=own.registration_id,
        identity=own.identity.public,
        signed_prekey_id=signed.id,
        signed_prekey=signed.pair.public,
        signature=signed.signature,
        prekey_id=None if one_time is None else one_time.id,
        prekey=None if one_time is None else one_time.pair.public,
    )


def to_prekey_bundle(bundle: PublicBundle) -> PreKeyBundle:
    """What a session is started from; its signature is checked there."""
    return PreKeyBundle(
        registration_id=bundle.registration_id,
        identity=bundle.identity,
        signed_prekey_id=bundle.signed_prekey_id,
        signed_prekey=bundle.signed_prekey,
        signature=bundle.signature,
        prekey_id=bundle.prekey_id,
        prekey=bundle.prekey,
    )
