"""What the rules ask the edges to do. Nothing here has happened yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.wire.stanza import Stanza


@dataclass(frozen=True)
class Send:
    """Send ``stanza`` on a connection."""

    connection: int
    stanza: Stanza


@dataclass(frozen=True)
class SendBytes:
    """Send a frame with these bytes in place of a stanza's (a fault)."""

    connection: int
    plaintext: bytes = field(repr=False)


@dataclass(frozen=True)
class Close:
    """Close a connection after what was sent before."""

    connection: int


@dataclass(frozen=True)
class Cut:
    """Break a connection off after ``after_bytes`` more bytes of the server's (a fault)."""

    connection: int
    after_bytes: int = 0


@dataclass(frozen=True)
class Hold:
    """Whatever is sent on a connection from now on arrives only after its client's last word (a fault)."""

    connection: int


@dataclass(frozen=True)
class WakeUp:
    """``POST`` to the partner: ``body`` is JSON, ``token`` the bearer token."""

    number: int
    url: str
    token: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class FetchKeys:
    """``GET`` the partner's key set, tell ``Gatekeeper.keys_fetched``, and ask the rule again."""

    integrator: int
    url: str


Output = Send | SendBytes | Close | Cut | Hold | WakeUp
