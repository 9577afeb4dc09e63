"""Breaking a message's proof while leaving its form whole: only its recipient can notice."""

from __future__ import annotations

from bridge.e2ee.message import read_message, read_prekey_message
from bridge.errors import RemoteProtocolError
from bridge.wire.vocabulary.message import Kind


def with_a_bad_mac(kind: Kind, ciphertext: bytes) -> bytes:
    """``ciphertext`` with one bit of its MAC flipped; of its last byte when it cannot be read."""
    try:
        mac = (read_prekey_message(ciphertext).message if kind == "pkmsg" else read_message(ciphertext)).mac
    except RemoteProtocolError:
        mac = ciphertext[-1:]
    at = ciphertext.rindex(mac)
    flipped = mac[:-1] + bytes([mac[-1] ^ 1])
    return ciphertext[:at] + flipped + ciphertext[at + len(mac) :]
