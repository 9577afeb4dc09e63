"""Why the network refuses or disconnects. The variant has the word on the wire for each."""

from __future__ import annotations

from enum import Enum


class EnlistRefusal(Enum):
    """Why an enlistment is refused (dossier 12.2)."""

    BAD_INTEGRATOR = "bad_integrator"
    BAD_TOKEN = "bad_token"  # noqa: S105 - a reason, not a secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    IDENTIFIER_MISMATCH = "identifier_mismatch"
    MISSING_PARAM = "missing_param"
    BAD_PARAM = "bad_param"
    BAD_KEY = "bad_key"
    BAD_SIGNATURE = "bad_signature"
    OLD_VERSION = "old_version"
    NOT_ELIGIBLE = "not_eligible"
    BLOCKED = "blocked"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class LoginRefusal(Enum):
    """Why a login is refused (dossier 4.5, 12.3)."""

    BAD_TOKEN = "bad_token"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    UNKNOWN_ACCOUNT = "unknown_account"
    """Never enlisted, un-enlisted, or deleted."""
    OUTDATED = "outdated"
    BANNED_FOR_NOW = "banned_for_now"
    LOCKED = "locked"
    PARTNER_REMOVED = "partner_removed"
    UNAVAILABLE = "unavailable"


class SendRefusal(Enum):
    """Why a message is refused, in its acknowledgement."""

    NOT_REACHABLE = "not_reachable"
    """Unknown, not opted in or blocked: one code for all, so that it reveals nothing."""
    RESTRICTED = "restricted"
    """The account may not start new chats."""
    MALFORMED = "malformed"


class EndReason(Enum):
    """Why the server ends a connection."""

    REPLACED = "replaced"
    RESTART = "restart"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    ENDED = "ended"
    """The account was deleted, un-enlisted or suspended."""


class IqCode:
    """Error codes of ``<iq>`` answers, which are public (dossier 4.5)."""

    BAD_REQUEST = 400
    NOT_FOUND = 404
    NOT_ACCEPTABLE = 406
    TOO_MANY = 429
    NOT_IMPLEMENTED = 501
