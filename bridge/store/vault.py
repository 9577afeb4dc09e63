"""Secrets at rest: AES-256-GCM per account, account keys wrapped by a master key (S27, S29).

A sealed cell is bound to its place (table and column, row key, account): copied to another place it
does not open. Without its wrapped key nothing of an account can be read again: to destroy that one
cell is to destroy all.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import Aead

from bridge.ids import derive
from bridge.ports import Random
from bridge.store.errors import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random nonces: NIST SP 800-38D allows 2^32 cells per key, more than an account ever has."""
TAG_BYTES = 16
FORM = b"\x01"
"""The first byte of a sealed cell: its version. Old forms stay readable."""

FROM_OUTSIDE = b"\x02"
BY_THE_KEEPER = b"\x03"
"""First byte of what only the keeper opens: who sealed it."""

_ACCOUNT_KEY = "account.data_key"
_KEEPER_KEY = "keeper.private_key"

Place = tuple[str, bytes, bytes]
"""Column (``table.column``), row key, account."""


class Unreadable(StoreError):
    """A sealed cell does not open: another key, another place, or damaged bytes."""


class AccountVault:
    """Seals and opens cells of one account."""

    def __init__(self, key: bytes, account_id: bytes) -> None:
        self._cipher = AESGCM(_checked_key(key))
        self._account_id = account_id

    def seal(self, column: str, row: bytes, plaintext: bytes, random: Random) -> bytes:
        """The bytes to store in ``column`` (``table.column``) of the row with key ``row``."""
        return _seal(self._cipher, (column, row, self._account_id), plaintext, random)

    def open(self, column: str, row: bytes, sealed: bytes) -> bytes:
        """What was sealed for exactly this place; ``Unreadable`` otherwise."""
        return _open(self._cipher, (column, row, self._account_id), sealed)


class Vault:
    """Holds the master key. Keys can be used through it but not read."""

    def __init__(self, master: bytes) -> None:
        self._cipher = AESGCM(_checked_key(master))

    def new_account_key(self, account_id: bytes, random: Random) -> bytes:
        """Make a new account key; return it wrapped, as the account's row stores it."""
        key = random.bytes(KEY_BYTES)
        return _seal(self._cipher, (_ACCOUNT_KEY, account_id, account_id), key, random)

    def for_account(self, wrapped: bytes, account_id: bytes) -> AccountVault:
        """The vault of an account by its wrapped key; ``Unreadable`` if it is not that account's."""
        key = _open(self._cipher, (_ACCOUNT_KEY, account_id, account_id), wrapped)
        return AccountVault(key, account_id)

    def seal(self, name: str, plaintext: bytes, random: Random) -> bytes:
        """Seal something of the whole installation under its name."""
        return _seal(self._cipher, (name, b"", b""), plaintext, random)

    def open(self, name: str, sealed: bytes) -> bytes:
        """What was sealed under ``name``; ``Unreadable`` otherwise."""
        return _open(self._cipher, (name, b"", b""), sealed)

    def new_keeper_key(self, random: Random) -> bytes:
        """A new private key of the keeper, wrapped: what the installation keeps."""
        return self.seal(_KEEPER_KEY, random.bytes(KEY_BYTES), random)

    def keeper(self, wrapped: bytes) -> KeeperBox:
        """The box that can open what was sealed to the keeper."""
        private = self.open(_KEEPER_KEY, wrapped)
        return KeeperBox(bytes(PrivateKey(private).public_key), private)


class KeeperBox:
    """Seals data that only the keeper can open, bound to a row (libsodium).

    From outside, by anybody with ``public``: an X25519 sealed box, so that the part that takes requests
    needs no vault. By the keeper itself: XChaCha20-Poly1305 under a key of its own, for a tenth of that
    cost. Ephemeral keys and nonces (24 bytes, so their number has no limit) are made by libsodium from the
    operating system's randomness: the ``Random`` port does not reach them.
    """

    def __init__(self, public: bytes, private: bytes | None = None) -> None:
        self.public = public
        self._sealer = SealedBox(PublicKey(public))
        self._opener = None if private is None else SealedBox(PrivateKey(private))
        self._own = None if private is None else Aead(derive(private, "the keeper's own", size=KEY_BYTES))

    def seal(self, row: bytes, plaintext: bytes) -> bytes:
        """Seal to the keeper, for the row with this key."""
        return FROM_OUTSIDE + bytes(self._sealer.encrypt(_framed(row) + plaintext))

    def keep(self, row: bytes, plaintext: bytes) -> bytes:
        """Seal as the keeper, for the row with this key; ``Unreadable`` from anybody else."""
        if self._own is None:
            raise Unreadable("only the keeper can keep this")
        return BY_THE_KEEPER + bytes(self._own.encrypt(plaintext, row))

    def open(self, row: bytes, sealed: bytes) -> bytes:
        """What was sealed for that row; ``Unreadable`` when it was for another row or key, or is damaged."""
        if self._opener is None or self._own is None:
            raise Unreadable("only the keeper can open this")
        form, body, place = sealed[: len(FORM)], sealed[len(FORM) :], _framed(row)
        try:
            if form == BY_THE_KEEPER:
                return bytes(self._own.decrypt(body, row))
            if form == FROM_OUTSIDE and (plaintext := bytes(self._opener.decrypt(body))).startswith(place):
                return plaintext[len(place) :]
        except (CryptoError, ValueError, TypeError) as error:
            raise Unreadable("a body sealed to the keeper does not open") from error
        raise Unreadable("a body was not sealed to the keeper for this row")


def _framed(row: bytes) -> bytes:
    return len(row).to_bytes(4, "big") + row


def _checked_key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return key


def _seal(cipher: AESGCM, place: Place, plaintext: bytes, random: Random) -> bytes:
    nonce = random.bytes(NONCE_BYTES)
    return FORM + nonce + cipher.encrypt(nonce, plaintext, _bound(place))


def _open(cipher: AESGCM, place: Place, sealed: bytes) -> bytes:
    if sealed[:1] != FORM or len(sealed) < len(FORM) + NONCE_BYTES + TAG_BYTES:
        raise Unreadable(f"{place[0]} holds no sealed cell")
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, ciphertext, _bound(place))
    except InvalidTag as error:
        raise Unreadable(f"a cell of {place[0]} does not open") from error


def _bound(place: Place) -> bytes:
    """The place as associated data; each part with its length, so that no two places look alike."""
    column, row, account = place
    return b"".join(len(part).to_bytes(4, "big") + part for part in (FORM, column.encode(), row, account))
