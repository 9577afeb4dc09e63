"""A simulated person's keys: identity, signed prekeys, one-time prekeys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.curve import KeyPair
from bridge.e2ee.keys import OwnKeys, SignedPreKey, new_own_keys, new_prekeys, new_signed_prekey
from bridge.wire.vocabulary.keys import PublicBundle, PublicPreKey, PublicSignedPreKey, UploadedKeys

Rng = Callable[[int], bytes]


@dataclass
class Keyring:
    """Keys by id, as ``e2ee`` looks for them. ``signed_id`` is the published signed prekey's."""

    rng: Rng
    own: OwnKeys
    signed_id: int = 0
    next_id: int = 1
    signed_keys: dict[int, SignedPreKey] = field(default_factory=dict)
    one_time_keys: dict[int, KeyPair] = field(default_factory=dict)

    @staticmethod
    def new(rng: Rng) -> Keyring:
        """A new identity with one signed prekey and no one-time prekeys."""
        made = Keyring(rng, new_own_keys(rng))
        made.rotate(forget_old=False)
        return made

    def one_time(self, id: int) -> KeyPair | None:
        """The private key by id, for ``e2ee``."""
        return self.one_time_keys.get(id)

    def signed(self, id: int) -> KeyPair | None:
        """The private key by id, for ``e2ee``."""
        found = self.signed_keys.get(id)
        return None if found is None else found.pair

    def rotate(self, *, forget_old: bool) -> None:
        """Make a new signed prekey; keep the old ones unless ``forget_old``."""
        if forget_old:
            self.signed_keys.clear()
        self.signed_id += 1
        self.signed_keys[self.signed_id] = new_signed_prekey(self.own, self.signed_id, self.rng)

    def make(self, count: int) -> UploadedKeys:
        """Make ``count`` one-time prekeys; all public keys, for an upload."""
        fresh = new_prekeys(self.next_id, count, self.rng)
        self.next_id += count
        self.one_time_keys |= {key.id: key.pair for key in fresh}
        return UploadedKeys(
            registration_id=self.own.registration_id,
            identity=self.own.identity.public,
            signed=self.published(),
            one_time=tuple(PublicPreKey(key.id, key.pair.public) for key in fresh),
        )

    def published(self) -> PublicSignedPreKey:
        """The published signed prekey."""
        current = self.signed_keys[self.signed_id]
        return PublicSignedPreKey(current.id, current.pair.public, current.signature)

    def bundle(self) -> PublicBundle:
        """A bundle with a one-time prekey that the directory never had."""
        (fresh,) = self.make(1).one_time
        signed = self.published()
        return PublicBundle(
            registration_id=self.own.registration_id,
            identity=self.own.identity.public,
            signed_prekey_id=signed.id,
            signed_prekey=signed.public,
            signature=signed.signature,
            prekey_id=fresh.id,
            prekey=fresh.public,
        )
