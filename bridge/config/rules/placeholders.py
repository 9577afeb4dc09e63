"""What the examples say, ours and the ecosystem's: refused, so that nobody runs with what nobody chose."""

from __future__ import annotations

from urllib.parse import urlsplit

PLACEHOLDER_ADDRESSES = frozenset({"http://example.localhost:8008", "https://example.com"})
PLACEHOLDER_DOMAINS = frozenset({"example.com"})
PLACEHOLDER_DATABASE = "postgres://user:password@host/database"
PLACEHOLDER_TOKENS = frozenset({"This value is generated when generating the registration"})
PLACEHOLDER_PROFILE = "/path/to/profile.yaml"

MIN_SECRET_CHARACTERS = 16
"""Shorter secrets can be guessed; the tokens we make have 64."""


def is_address(text: str) -> bool:
    """Whether ``text`` is an address of the web."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
