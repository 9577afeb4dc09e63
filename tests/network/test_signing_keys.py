"""The file of the signing keys, and their rotation."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from bridge.adapters.private_files import PrivateFile
from bridge.errors import LocalProtocolError, Misconfigured
from bridge.network.signing_keys import SigningKeys, load_signing_keys, save_signing_keys
from tests.network.support import another_signing_key, signing_keys


def test_key_file_is_made_private_at_the_first_start(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = load_signing_keys(PrivateFile(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.current.private.key_size >= 2048
    assert [file.name for file in tmp_path.iterdir()] == ["signing.pem"]
    assert load_signing_keys(PrivateFile(path)).jwks() == made.jwks()


def test_jwks_has_public_members_only() -> None:
    key, *rest = signing_keys().jwks()["keys"]
    assert not rest
    assert set(key) == {"kid", "kty", "alg", "use", "n", "e"}
    assert (key["kty"], key["alg"], key["use"], key["e"]) == ("RSA", "RS256", "sig", "AQAB")
    modulus = base64.urlsafe_b64decode(key["n"] + "==")
    assert int.from_bytes(modulus, "big") == signing_keys().current.private.public_key().public_numbers().n


def test_kid_is_the_key_thumbprint() -> None:
    """RFC 7638 section 3."""
    key = signing_keys().current.jwk()
    canonical = json.dumps({name: key[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).digest()
    assert key["kid"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.mark.threat("S11")
def test_rotation_publishes_then_signs_then_drops_the_old_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    old, new = signing_keys().current, another_signing_key()
    steps = [signing_keys().with_next(new)]
    steps.append(steps[-1].switched())
    steps.append(steps[-1].without_other())
    seen = []
    for keys in steps:
        save_signing_keys(PrivateFile(path), keys)
        read = load_signing_keys(PrivateFile(path))
        seen.append((read.current.kid, {key["kid"] for key in read.jwks()["keys"]}))
    assert seen == [
        (old.kid, {old.kid, new.kid}),
        (new.kid, {old.kid, new.kid}),
        (new.kid, {new.kid}),
    ]


def test_second_rotation_waits_for_the_first() -> None:
    both = signing_keys().with_next(another_signing_key())
    with pytest.raises(LocalProtocolError):
        both.with_next(another_signing_key())
    with pytest.raises(LocalProtocolError):
        signing_keys().switched()


@pytest.mark.threat("S28")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_open_key_file_is_refused_with_the_chmod_command(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.pem"
    save_signing_keys(PrivateFile(path), signing_keys())
    path.chmod(mode)
    with pytest.raises(Misconfigured, match=f"chmod 600 {path}"):
        load_signing_keys(PrivateFile(path))


@pytest.mark.threat("S28")
def test_link_or_a_folder_is_refused(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    save_signing_keys(PrivateFile(target), signing_keys())
    link.symlink_to(target)
    with pytest.raises(Misconfigured, match="is a link"):
        load_signing_keys(PrivateFile(link))
    with pytest.raises(Misconfigured, match="is not a plain file"):
        load_signing_keys(PrivateFile(tmp_path))


@pytest.mark.threat("S28")
def test_writable_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    save_signing_keys(PrivateFile(folder / "signing.pem"), signing_keys())
    folder.chmod(0o777)
    with pytest.raises(Misconfigured, match="chmod 700"):
        load_signing_keys(PrivateFile(folder / "signing.pem"))


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be made"):
        load_signing_keys(PrivateFile(tmp_path / "missing" / "signing.pem"))


def _pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.filterwarnings("ignore:.*key size")
def test_invalid_key_file_is_refused_and_not_replaced(tmp_path: Path) -> None:
    good = signing_keys().to_pem()
    for data in (
        b"",
        b"nonsense",
        good[:-40],
        good * 3,
        _pem(rsa.generate_private_key(65_537, 1024)),
        _pem(ec.generate_private_key(ec.SECP256R1())),
        b"\n" * 100_000 + good,
    ):
        path = tmp_path / "signing.pem"
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(Misconfigured):
            load_signing_keys(PrivateFile(path))
        assert path.read_bytes() == data


def test_private_keys_are_hidden_in_repr() -> None:
    assert repr(signing_keys()) == "SigningKeys(current=SigningKey(), other=None)"
    assert SigningKeys(signing_keys().current).jwks() == signing_keys().jwks()
