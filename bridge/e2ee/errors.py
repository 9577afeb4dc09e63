"""What can be wrong with a message; after each of them no state has moved."""

from __future__ import annotations

from bridge.errors import RemoteProtocolError


class Duplicate(RemoteProtocolError):
    """The message was opened before: acknowledge and drop it, ask for nothing."""


class NoSession(RemoteProtocolError):
    """There is no session it could belong to: ask the sender to start a new one."""


class UnknownPreKey(RemoteProtocolError):
    """It names a prekey that we do not have (any more): ask the sender to start a new session."""


class BadMessage(RemoteProtocolError):
    """Forged, truncated, of another version, or out of reach.

    One error and one text for a wrong MAC and wrong padding, so that nobody can tell them apart.
    """
