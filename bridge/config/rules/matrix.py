"""Rules about the homeserver and how we appear on it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bridge.config.findings import Finding, Findings, warning
from bridge.config.model import USERNAME_BLANK, Config
from bridge.config.rules.placeholders import (
    MIN_SECRET_CHARACTERS,
    PLACEHOLDER_ADDRESSES,
    PLACEHOLDER_DOMAINS,
    PLACEHOLDER_TOKENS,
    is_address,
    shown_address,
)
from bridge.ids import GHOST_PREFIX

ROOM_VERSIONS = tuple(str(number) for number in range(1, 13))
"""Those of the specification (section Room versions, 1.16). A homeserver may know others, so that another
one is only warned of; but where it does not, no room can be made."""

_DOMAIN = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
MAX_PREFIX_CHARACTERS = 32
"""A Matrix ID has 255 characters, of which 26 are the opaque id and the rest is for the domain."""
_USERNAME_TEMPLATE = re.compile(
    rf"[a-z0-9][a-z0-9_.\-]{{0,{MAX_PREFIX_CHARACTERS - 2}}}[_.\-]{re.escape(USERNAME_BLANK)}"
)
"""The last character, not a letter or digit, keeps names of people and of other bridges out of ours."""
_LOCALPART = re.compile(r"[a-z0-9._=/+\-]+")


def domain(config: Config) -> Findings:
    """The homeserver's name."""
    name = config.homeserver.domain
    if not name or name in PLACEHOLDER_DOMAINS:
        yield Finding(
            "homeserver.domain",
            f"it is still the example's {name}." if name else "it is not set.",
            "Write your server's name: the part after the colon in your Matrix ID.",
        )
    elif not _DOMAIN.fullmatch(name):
        yield Finding(
            "homeserver.domain",
            f"{name!r} is not a server name.",
            "Write the name only, such as my.domain, without https:// or a path.",
        )


def homeserver(config: Config) -> Findings:
    """The homeserver's address."""
    address = config.homeserver.address
    if not address or address in PLACEHOLDER_ADDRESSES:
        yield Finding(
            "homeserver.address",
            f"it is still the example's {address}." if address else "it is not set.",
            "Write the address at which this bridge reaches it, such as http://localhost:8008.",
        )
    elif not is_address(address):
        yield Finding(
            "homeserver.address",
            f"{shown_address(address)} is not an address.",
            "Write it as http://host:port or https://host.",
        )
    else:
        yield from _nothing_behind_the_host(address)


def _nothing_behind_the_host(address: str) -> Findings:
    """The bridge adds /_matrix and what follows; a reverse proxy may want a path before it."""
    parts = urlsplit(address)
    if "/_matrix" in parts.path or parts.query or parts.fragment:
        yield Finding(
            "homeserver.address",
            f"{address!r} is more than an address.",
            f"Write {parts.scheme}://{parts.netloc}: the bridge adds /_matrix and the rest by itself.",
        )
    elif parts.path.strip("/"):
        yield warning(
            "homeserver.address",
            f"{address!r} has a path, and few homeservers are below one.",
            f"Write {parts.scheme}://{parts.netloc} unless yours is.",
        )


def rooms(config: Config) -> Findings:
    """The version of the rooms that are made."""
    version = config.matrix.room_version
    if version not in ROOM_VERSIONS:
        yield warning(
            "matrix.room_version",
            f"this bridge does not know the room version {version!r}.",
            f"Write one of {', '.join(ROOM_VERSIONS)}; 11 fits every homeserver of today.",
        )


def appservice(config: Config) -> Findings:
    """How the homeserver reaches us, and the names we claim there."""
    section = config.appservice
    if not is_address(section.address):
        seen = f"{shown_address(section.address)} is not an address." if section.address else "it is not set."
        yield Finding(
            "appservice.address",
            seen,
            f"Write where the homeserver reaches this bridge, such as http://localhost:{section.port}.",
        )
    if not _USERNAME_TEMPLATE.fullmatch(section.username_template):
        yield Finding(
            "appservice.username_template",
            f"{section.username_template!r} is not a prefix with {USERNAME_BLANK} behind it.",
            f"Write small letters and digits, an underscore, and {USERNAME_BLANK}:"
            f" such as {GHOST_PREFIX}{USERNAME_BLANK}.",
        )
    if not _LOCALPART.fullmatch(section.bot.username):
        yield Finding(
            "appservice.bot.username",
            f"{section.bot.username!r} is not a user name.",
            "Write small letters and digits, without @ or the domain.",
        )
    elif section.bot.username.startswith(section.ghost_prefix):
        yield Finding(
            "appservice.bot.username",
            f"{section.bot.username} would also be the name of a ghost.",
            f"Write a name that does not begin with {section.ghost_prefix}.",
        )


def tokens(config: Config) -> Findings:
    """The two tokens shared with the homeserver."""
    values = {
        "as_token": config.appservice.as_token.get_secret_value(),
        "hs_token": config.appservice.hs_token.get_secret_value(),
    }
    for name, value in values.items():
        if not value or value in PLACEHOLDER_TOKENS:
            yield Finding(
                f"appservice.{name}",
                "the token is not set yet.",
                "Run `interop-bridge -g`, give the registration to the homeserver, and restart that.",
            )
        elif len(value) < MIN_SECRET_CHARACTERS or not value.isascii() or not value.isprintable():
            yield Finding(
                f"appservice.{name}",
                "the token is too short or has unusual characters.",
                "Run `interop-bridge -g` for new ones, and replace the homeserver's registration.",
            )
    chosen = set(values.values()) - PLACEHOLDER_TOKENS - {""}
    if len(chosen) == 1 and values["as_token"] == values["hs_token"]:
        yield Finding(
            "appservice.hs_token",
            "it is the same as as_token.",
            "Run `interop-bridge -g` for two different ones.",
        )
