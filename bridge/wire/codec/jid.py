"""Identifiers as tokens.

| token | then | for |
|---|---|---|
| JID_PAIR | user string (empty list: none), server string | all others |
| AD_JID | domain byte, device byte, user string | devices of native users |
| FB_JID | user string, 16-bit device, server string ``msgr`` | Messenger |
| INTEROP_JID | user string, 16-bit device, 16-bit integrator, ``interop`` | interop users |
"""

from __future__ import annotations

from typing import Final

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.ids import INTEROP_SERVER, Jid
from bridge.wire.codec.node import SERVER_NAME

MESSENGER_SERVER: Final = "msgr"
DOMAIN_SERVERS: Final = {0: "s.whatsapp.net", 1: "lid", 128: "hosted", 129: "hosted.lid"}
"""The first byte of an AD_JID."""
SERVER_DOMAINS: Final = {server: domain for domain, server in DOMAIN_SERVERS.items()}
MAX_AD_DEVICE: Final = 0xFF


def check_writable(jid: Jid) -> None:
    """LocalProtocolError when ``jid`` would be read as another identifier."""
    if read_text(str(jid)) != jid:
        raise LocalProtocolError("an identifier has a form that cannot be written")


def read_text(text: str) -> Jid | None:
    """Parse a printed identifier; None when it is not valid.

    The server must look like one, and be able to name the device.
    """
    try:
        jid = Jid.parse(text)
    except ValueError:
        return None
    return jid if SERVER_NAME.fullmatch(jid.server) and _names_device(jid) else None


def _names_device(jid: Jid) -> bool:
    """Whether one of the four forms can carry the device of ``jid``."""
    if not jid.device or jid.server in (INTEROP_SERVER, MESSENGER_SERVER):
        return True
    return jid.server in SERVER_DOMAINS and jid.device <= MAX_AD_DEVICE


def from_pair(user: str, server: str) -> Jid:
    """The identifier of a JID_PAIR. Its user part may contain a device or an integrator."""
    return _accept(f"{user}@{server}" if user else server)


def from_ad(domain: int, device: int, user: str) -> Jid:
    """The identifier of an AD_JID."""
    server = DOMAIN_SERVERS.get(domain)
    if server is None:
        raise RemoteProtocolError(f"an identifier names unknown domain {domain}")
    return _accept_fields(Jid(user, server, device=device))


def from_messenger(user: str, device: int, server: str) -> Jid:
    """The identifier of an FB_JID."""
    if server != MESSENGER_SERVER:
        raise RemoteProtocolError("a Messenger identifier names another server")
    return _accept_fields(Jid(user, server, device=device))


def from_interop(user: str, device: int, integrator: int, server: str) -> Jid:
    """The identifier of an INTEROP_JID."""
    if server != INTEROP_SERVER:
        raise RemoteProtocolError("an interop identifier names another server")
    return _accept_fields(Jid(user, server, integrator, device))


def _accept(text: str) -> Jid:
    jid = read_text(text)
    if jid is None:
        raise RemoteProtocolError("an identifier has a form without a meaning")
    return jid


def _accept_fields(jid: Jid) -> Jid:
    if not jid.user or read_text(str(jid)) != jid:
        raise RemoteProtocolError("an identifier has a form without a meaning")
    return jid
