"""What the examples say, ours and the ecosystem's: refused, so that nobody runs with what nobody chose."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

PLACEHOLDER_ADDRESSES = frozenset({"http://example.localhost:8008", "https://example.com"})
PLACEHOLDER_DOMAINS = frozenset({"example.com"})
PLACEHOLDER_DATABASE = "postgres://user:password@host/database"
PLACEHOLDER_TOKENS = frozenset({"This value is generated when generating the registration"})
PLACEHOLDER_PROFILE = "/path/to/profile.yaml"

MIN_SECRET_CHARACTERS = 16
"""Shorter secrets can be guessed; the tokens we make have 64."""

_HOST = re.compile(r"[\w.:%-]+")
"""Letters of any language, digits, and the marks of numeric addresses."""


def shown_address(text: str) -> str:
    """An address as it may be shown: a password may stand before the @."""
    return repr(text) if "@" not in text else "its value"


def is_address(text: str) -> bool:
    """Whether ``text`` is an address of the web; one with a user or password is refused."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and _HOST.fullmatch(parts.hostname or "") is not None
            and parts.port != 0
            and "@" not in text
            and not any(each.isspace() or not each.isprintable() for each in text)
        )
    except ValueError:
        return False
