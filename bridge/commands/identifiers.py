"""The identifiers people type: which are theirs, and which are somebody else's (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.ids import UserId
from bridge.profile import Service

MAX_IDENTIFIER_CHARACTERS = 254
"""The longest e-mail address (RFC 5321 section 4.5.3.1.3); no other kind is longer."""

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
"""E.164: a plus sign and at most fifteen digits."""
_TRUNK = "(0)"
"""In ``+49 (0)151 ...`` the zero is for callers at home; it is no part of the number."""
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@]+")
_HANDLE = re.compile(r"@?[a-z0-9][a-z0-9._-]{1,63}")


def own_choices(user_id: UserId) -> tuple[str, ...]:
    """The identifiers a user may be reached under: those their homeserver proves to be theirs.

    The Matrix ID first (it is the default), then the same name written like an e-mail address.
    """
    localpart, _, server = user_id.removeprefix("@").partition(":")
    return (user_id, f"{localpart}@{server}")


def normalise(service: Service, text: str) -> str | None:
    """An identifier in the form its service knows it by; None when it is none of that kind."""
    found = text.strip().removeprefix("tel:").removeprefix("mailto:")
    if len(found) > MAX_IDENTIFIER_CHARACTERS:
        return None
    match service.identifier_kind:
        case "phone":
            digits = re.sub(r"[\s()./-]", "", found.replace(_TRUNK, ""))
            digits = "+" + digits[2:] if digits.startswith("00") else digits
            return digits if _PHONE.fullmatch(digits) else None
        case "email":
            return found.lower() if _EMAIL.fullmatch(found) else None
        case "handle":
            handle = found.lower()
            return handle.removeprefix("@") if _HANDLE.fullmatch(handle) else None


def find_service(services: Sequence[Service], text: str) -> tuple[Service, str] | None:
    """The service and identifier in ``<service> <identifier>``, or in an identifier only one service has."""
    word, *rest = text.split(maxsplit=1) or [""]
    for service in services:
        if word.lower() in (service.id.lower(), service.label.lower()):
            return service, "".join(rest).strip()
    fitting = [service for service in services if normalise(service, text) is not None]
    kinds = {"phone", "email"}
    certain = [service for service in fitting if service.identifier_kind in kinds]
    return (certain[0], text.strip()) if len(certain) == 1 else None
