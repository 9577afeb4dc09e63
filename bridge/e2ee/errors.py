"""Why a message cannot be opened, named for what the caller does next. The record is unchanged after each."""

from __future__ import annotations

from bridge.errors import RemoteProtocolError


class KeyGone(RemoteProtocolError):
    """The key of this message's counter is no longer available.

    There are three causes, and a session cannot tell them apart: the message was opened before;
    its skipped key was dropped, for number or age; or the sender was restored from a backup and
    uses its counters again. The caller knows the ciphertexts it has seen. One seen before: ignore
    it. A new one: owe a retry receipt, with keys from the first one, because the sender has to
    start a new session.
    """


class NoSession(RemoteProtocolError):
    """The record has no session for the message: ask the sender to start a new one."""


class UnknownPreKey(RemoteProtocolError):
    """The message names a prekey that we do not have: ask the sender to start a new session."""


class BadMessage(RemoteProtocolError):
    """Forged, truncated, of another version, or too far ahead.

    A wrong MAC and wrong padding give the same text, so that a sender cannot tell them apart.
    """
