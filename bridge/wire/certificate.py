"""The certificates in the server's hello: who may be the chat server.

A chain of two. The pinned root signs the intermediate's details, the intermediate
signs the leaf's, and the leaf's key must be the server's Noise static key. Signatures
are XEdDSA over the raw bytes of the details.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from bridge import curve
from bridge.curve import KEY_BYTES, SIGNATURE_BYTES, SIGNING_RANDOM_BYTES, KeyPair
from bridge.errors import RemoteProtocolError
from bridge.wire.proto import handshake_pb2 as proto

Rng = Callable[[int], bytes]
"""n -> n random bytes."""

ROOT_SERIAL = 0
"""The root has no certificate; the intermediate names serial 0 as its issuer."""

MAX_SERIAL = 2**32 - 1
DAY_SECONDS = 24 * 60 * 60

MADE_VALID_BEFORE_SECONDS = DAY_SECONDS
"""A client whose clock is behind by up to a day still connects."""
MADE_VALID_FOR_SECONDS = 365 * DAY_SECONDS


@dataclass(frozen=True)
class Details:
    """What one certificate states. Times are unix seconds; both bounds are included."""

    serial: int
    issuer_serial: int
    key: bytes
    not_before: int
    not_after: int

    def to_bytes(self) -> bytes:
        return proto.CertificateDetails(
            serial=self.serial,
            issuer_serial=self.issuer_serial,
            key=self.key,
            not_before=self.not_before,
            not_after=self.not_after,
        ).SerializeToString(deterministic=True)

    @staticmethod
    def from_bytes(data: bytes) -> Details:
        try:
            found = proto.CertificateDetails.FromString(data)
        except DecodeError as error:
            raise RemoteProtocolError("a certificate's details cannot be read") from error
        return Details(found.serial, found.issuer_serial, found.key, found.not_before, found.not_after)


@dataclass(frozen=True)
class Signed:
    """Raw details and the issuer's signature of 64 bytes over them."""

    details: bytes
    signature: bytes


@dataclass(frozen=True)
class Chain:
    """The intermediate's certificate and the leaf's."""

    intermediate: Signed
    leaf: Signed

    def to_bytes(self) -> bytes:
        return proto.CertChain(
            leaf=proto.Certificate(details=self.leaf.details, signature=self.leaf.signature),
            intermediate=proto.Certificate(
                details=self.intermediate.details, signature=self.intermediate.signature
            ),
        ).SerializeToString(deterministic=True)

    @staticmethod
    def from_bytes(data: bytes) -> Chain:
        try:
            found = proto.CertChain.FromString(data)
        except DecodeError as error:
            raise RemoteProtocolError("the certificates cannot be read") from error
        return Chain(
            intermediate=Signed(found.intermediate.details, found.intermediate.signature),
            leaf=Signed(found.leaf.details, found.leaf.signature),
        )


def sign(issuer: KeyPair, details: Details, rng: Rng) -> Signed:
    """``details`` in bytes, signed by ``issuer``."""
    raw = details.to_bytes()
    return Signed(raw, curve.sign(issuer.private, raw, rng(SIGNING_RANDOM_BYTES)))


def verify(chain: bytes, root_key: bytes, static: bytes, now: float) -> None:
    """Raise RemoteProtocolError unless ``chain`` makes ``static`` the chat server's key.

    ``root_key`` is the pinned root (32 bytes), ``now`` unix seconds.
    """
    certificates = Chain.from_bytes(chain)
    intermediate = _checked(certificates.intermediate, root_key, ROOT_SERIAL, now)
    leaf = _checked(certificates.leaf, intermediate.key, intermediate.serial, now)
    if not hmac.compare_digest(leaf.key, static):
        raise RemoteProtocolError("the certificate is for another key than the server's")


def _checked(certificate: Signed, issuer_key: bytes, issuer_serial: int, now: float) -> Details:
    if len(certificate.signature) != SIGNATURE_BYTES:
        raise RemoteProtocolError("a certificate's signature is not 64 bytes")
    if not curve.verify(issuer_key, certificate.details, certificate.signature):
        raise RemoteProtocolError("a certificate is not signed by its issuer")
    details = Details.from_bytes(certificate.details)
    if details.issuer_serial != issuer_serial:
        raise RemoteProtocolError("a certificate names another issuer")
    if len(details.key) != KEY_BYTES:
        raise RemoteProtocolError("a certificate's key is not 32 bytes")
    if not details.not_before <= now <= details.not_after:
        raise RemoteProtocolError("a certificate is not valid at this time")
    return details


def make_chain(root: KeyPair, intermediate: KeyPair, server_static: bytes, now: float, rng: Rng) -> bytes:
    """Make a valid chain for the sandbox's server; about 260 bytes."""
    start, end = int(now) - MADE_VALID_BEFORE_SECONDS, int(now) + MADE_VALID_FOR_SECONDS
    intermediate_serial, leaf_serial = _new_serial(rng), _new_serial(rng)
    upper = Details(intermediate_serial, ROOT_SERIAL, intermediate.public, max(start, 0), end)
    lower = Details(leaf_serial, intermediate_serial, server_static, max(start, 0), end)
    return Chain(intermediate=sign(root, upper, rng), leaf=sign(intermediate, lower, rng)).to_bytes()


def _new_serial(rng: Rng) -> int:
    """From 1 to 2^32 - 1: 0 is the root's."""
    return int.from_bytes(rng(4), "big") % MAX_SERIAL + 1
