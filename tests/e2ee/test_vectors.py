"""Published vectors of the primitives, through the functions that the protocol uses.

X25519 (RFC 7748) is in tests/words/test_curve.py. X3DH, the Double Ratchet and XEdDSA
publish no vectors; the official library stands for them (test_libsignal_*.py).
"""

from __future__ import annotations

import pytest

from bridge.e2ee.cipher import MessageKeys, decrypt, encrypt, tag
from bridge.e2ee.kdf import NO_SALT, hkdf


@pytest.mark.parametrize(
    ("secret", "salt", "info", "derived"),
    [  # RFC 5869 appendix A.1 to A.3
        (
            b"\x0b" * 22,
            bytes(range(0x0D)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            b"\x0b" * 22,
            NO_SALT,
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_matches_rfc_5869(secret: bytes, salt: bytes, info: bytes, derived: str) -> None:
    assert hkdf(secret, salt=salt, info=info, size=len(derived) // 2).hex() == derived


def test_mac_matches_rfc_4231() -> None:
    # Section 4.2, test case 1: key 0x0b * 20, data "Hi There".
    keys = MessageKeys(cipher=b"", mac=b"\x0b" * 20, iv=b"")
    assert tag(keys, b"Hi", b" ", b"There").hex() == "b0344c61d8db3853"


def test_encryption_matches_nist_sp_800_38a() -> None:
    # Appendix F.2.5, CBC-AES256.Encrypt; the fifth block is the padding, which the vectors do not have.
    keys = MessageKeys(
        cipher=bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        mac=b"",
        iv=bytes(range(16)),
    )
    plaintext = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    ciphertext = encrypt(keys, plaintext)
    assert ciphertext[:64].hex() == (
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
        "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
    )
    assert len(ciphertext) == 80
    assert decrypt(keys, ciphertext) == plaintext
