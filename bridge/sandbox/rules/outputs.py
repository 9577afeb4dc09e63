"""What the rules ask the edges to do."""

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
    """Send a frame with these bytes instead of a stanza (a fault)."""

    connection: int
    plaintext: bytes = field(repr=False)


@dataclass(frozen=True)
class Close:
    """Close a connection after earlier output is sent."""

    connection: int


@dataclass(frozen=True)
class Cut:
    """Cut a connection after the server has sent ``after_bytes`` more bytes (a fault)."""

    connection: int
    after_bytes: int = 0


@dataclass(frozen=True)
class Hold:
    """Delay all further output of a connection until its client has closed its side (a fault)."""

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
    """``GET`` the partner's key set, pass it to ``Gatekeeper.keys_fetched``, and call the rule again."""

    integrator: int
    url: str


Output = Send | SendBytes | Close | Cut | Hold | WakeUp
