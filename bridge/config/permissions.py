"""Who may do how much: keys ``*``, a domain or a user; the most specific one rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.ids import UserId
from bridge.states import Level

EVERYBODY = "*"
_USER_KEY = re.compile(r"@[^\s:@]+:[^\s@]+")
_DOMAIN_KEY = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_LEVELS: Mapping[str, Level] = {level.name.lower(): level for level in Level}
_LADDER = (
    ("send_events", Level.RELAY),
    ("commands", Level.COMMANDS),
    ("login", Level.USER),
    ("admin", Level.ADMIN),
)
_WITHOUT_EFFECT = frozenset({"double_puppet", "manage_relay", "max_logins"})
"""Keys of the map form that say nothing here: puppeting follows ``login``, an account is one by design."""

EXAMPLE_KEYS = frozenset({EVERYBODY, "example.com", "@admin:example.com"})


def parse_permissions(value: object) -> dict[str, Level]:
    """Read ``bridge.permissions``; ValueError says what was seen and what to write instead."""
    if not isinstance(value, Mapping):
        raise ValueError(
            "it is not a section.", "Write one line for each user or domain, such as '@me:my.domain': admin."
        )
    return {_key(key): _level(str(key), level) for key, level in value.items()}


def permission_of(permissions: Mapping[str, Level], user: UserId) -> Level:
    """The level of ``user``: that of the user, else of the domain, else of ``*``, else block."""
    _, _, domain = user.partition(":")
    own = user if user.startswith("@") else EVERYBODY
    for key in (own, domain, EVERYBODY):
        if key in permissions:
            return permissions[key]
    return Level.BLOCK


def _key(key: object) -> str:
    text = str(key)
    if text != EVERYBODY and not (_USER_KEY if text.startswith("@") else _DOMAIN_KEY).fullmatch(text):
        raise ValueError(
            f"the key {text!r} names no user or domain.",
            "Write *, a domain, or a user such as '@me:my.domain'.",
        )
    return text


def _level(key: str, value: object) -> Level:
    if isinstance(value, Level):
        return value
    if isinstance(value, Mapping):
        return _from_abilities(key, value)
    level = _LEVELS.get(str(value))
    if level is None:
        raise ValueError(f"the level of {key} is {value!r}.", f"Write one of {', '.join(_LEVELS)}.")
    return level


def _from_abilities(key: str, abilities: Mapping[object, object]) -> Level:
    """The map form. Levels include the ones before them, so the first ability withheld ends the climb."""
    known = {name for name, _ in _LADDER} | _WITHOUT_EFFECT
    for name, value in abilities.items():
        if name not in known:
            raise ValueError(f"the map of {key} has {name!r}.", f"Known are {', '.join(sorted(known))}.")
        if name != "max_logins" and not isinstance(value, bool):
            raise ValueError(f"{name} in the map of {key} is {value!r}.", "Write true or false.")
    level = Level.BLOCK
    for name, reached in _LADDER:
        if abilities.get(name) is not True:
            break
        level = reached
    return level
