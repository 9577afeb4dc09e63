"""The two registrations that the admin gives to the homeserver (pure).

The main one carries from the first day all that later versions need, since every change of it costs
a restart of the homeserver. The second lets the bridge act as the users themselves (double puppets).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.ids import GHOST_PREFIX, OPAQUE_CHARACTERS
from bridge.sentences import Sentence, say

SECRET_BYTES = 32
"""Half as many would do; hexadecimal digits of 32 bytes are the 64 characters that admins know."""
MIN_SECRET_CHARACTERS = 32
SENDER_CHARACTERS = 32
FOREIGN_SERVER = "foreign.invalid"
"""Stands for any other server when a namespace is tried out (RFC 2606)."""
_SWITCHES = ("receive_ephemeral", "org.matrix.msc3202", "io.element.msc4190")


@dataclass(frozen=True)
class Registration:
    """One registration. ``url`` is where the homeserver reaches us; None: it pushes nothing."""

    id: str
    url: str | None
    as_token: str = field(repr=False)
    hs_token: str = field(repr=False)
    sender_localpart: str


@dataclass(frozen=True)
class Fault:
    """What is wrong with a registration: the field, and what to do about it."""

    where: str
    sentence: Sentence


@dataclass(frozen=True)
class OwnNames:
    """What the bridge claims on its homeserver."""

    server: str
    bot_localpart: str
    ghost_prefix: str = GHOST_PREFIX

    def samples(self) -> Mapping[str, tuple[str, ...]]:
        """Names by the namespace (users, aliases) that has to cover them."""
        opaque = f"{self.ghost_prefix}{'a' * OPAQUE_CHARACTERS}:{self.server}"
        return {"users": (f"@{self.bot_localpart}:{self.server}", f"@{opaque}"), "aliases": (f"#{opaque}",)}


def new_registration(id_: str, url: str | None, random_bytes: Callable[[int], bytes]) -> Registration:
    """A registration with fresh secrets. Its sender is a random name and never used:
    Synapse answers 500 when the sender itself syncs, and the bot will."""
    return Registration(
        id_,
        url,
        as_token=random_bytes(SECRET_BYTES).hex(),
        hs_token=random_bytes(SECRET_BYTES).hex(),
        sender_localpart=random_bytes(SENDER_CHARACTERS // 2).hex(),
    )


def main_document(
    registration: Registration, *, server: str, bot_localpart: str, ghost_prefix: str = GHOST_PREFIX
) -> dict[str, Any]:
    """The registration of the bridge: bot, ghosts and their rooms are ours alone."""
    end, ours = re.escape(server) + "$", re.escape(ghost_prefix) + "[a-z0-9]+"
    return {
        **_common(registration),
        "namespaces": {
            "users": [
                {"exclusive": True, "regex": f"^@{re.escape(bot_localpart)}:{end}"},
                {"exclusive": True, "regex": f"^@{ours}:{end}"},
            ],
            "aliases": [{"exclusive": True, "regex": f"^#{ours}:{end}"}],
            "rooms": [],
        },
        "receive_ephemeral": True,
        "de.sorunome.msc2409.push_ephemeral": True,
        "org.matrix.msc3202": True,
        "io.element.msc4190": True,
    }


def puppet_document(registration: Registration, *, server: str) -> dict[str, Any]:
    """The registration for double puppets: any user of this server, nobody's alone, nothing pushed."""
    return {
        **_common(registration),
        "namespaces": {
            "users": [{"exclusive": False, "regex": f"^@.*:{re.escape(server)}$"}],
            "aliases": [],
            "rooms": [],
        },
    }


def faults(
    document: Mapping[str, Any], *, server: str, bot_localpart: str, ghost_prefix: str = GHOST_PREFIX
) -> tuple[Fault, ...]:
    """What is wrong with a main registration, which may be hand-written; empty when it will do."""
    names = OwnNames(server, bot_localpart, ghost_prefix)
    found = [*_secrets(document), *_namespaces(document, names)]
    if document.get("sender_localpart") in (None, "", bot_localpart):
        found.append(Fault("sender_localpart", say("registration.sender", bot=bot_localpart)))
    missing = [name for name in _SWITCHES if document.get(name) is not True]
    found += [Fault(name, say("registration.switch", name=name)) for name in missing]
    if document.get("rate_limited") is not False:
        found.append(Fault("rate_limited", say("registration.rate_limited")))
    return tuple(found)


def _common(registration: Registration) -> dict[str, Any]:
    return {
        "id": registration.id,
        "url": registration.url,
        "as_token": registration.as_token,
        "hs_token": registration.hs_token,
        "sender_localpart": registration.sender_localpart,
        "rate_limited": False,
    }


def _secrets(document: Mapping[str, Any]) -> list[Fault]:
    names = ("as_token", "hs_token")
    found = [
        Fault(name, say("registration.token_short", name=name, characters=MIN_SECRET_CHARACTERS))
        for name in names
        if not isinstance(document.get(name), str) or len(document[name]) < MIN_SECRET_CHARACTERS
    ]
    if document.get("as_token") == document.get("hs_token"):
        found.append(Fault("hs_token", say("registration.tokens_equal")))
    return found


def _namespaces(document: Mapping[str, Any], own: OwnNames) -> list[Fault]:
    namespaces = document.get("namespaces")
    if not isinstance(namespaces, Mapping):
        return [Fault("namespaces", say("registration.namespaces_missing"))]
    found: list[Fault] = []
    for kind, names in own.samples().items():
        entries = namespaces.get(kind)
        patterns: list[re.Pattern[str]] = []
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            where = f"namespaces.{kind}[{number}]"
            pattern, fault = _pattern(where, entry, own, names[0][0])
            found += [fault] if fault else []
            patterns += [pattern] if pattern else []
        for name in names:
            if not any(pattern.match(name) for pattern in patterns):
                found.append(Fault(f"namespaces.{kind}", say("registration.uncovered", name=name)))
    return found


def _pattern(
    where: str, entry: object, own: OwnNames, sigil: str
) -> tuple[re.Pattern[str] | None, Fault | None]:
    """One namespace, and what is wrong with it: it must be ours alone, on this server, and small."""
    regex = entry.get("regex") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(regex, str):
        return None, Fault(where, say("registration.regex_missing"))
    try:
        pattern = re.compile(regex)
    except re.error:
        return None, Fault(where, say("registration.regex_broken"))
    if entry.get("exclusive") is not True:
        return pattern, Fault(where, say("registration.not_exclusive"))
    for name in _foreign_names(own, sigil):
        if pattern.match(name):
            return pattern, Fault(where, say("registration.too_wide", name=name))
    return pattern, None


def _foreign_names(own: OwnNames, sigil: str) -> list[str]:
    """Names that no namespace of ours may match: of other servers, and of this server's own people."""
    server, ghost, ordinary = (
        own.server,
        f"{sigil}{own.ghost_prefix}{'a' * OPAQUE_CHARACTERS}",
        f"{sigil}anna",
    )
    servers = [FOREIGN_SERVER, f"{server}.{FOREIGN_SERVER}", f"{FOREIGN_SERVER}.{server}"]
    if "." in server:
        servers.append(server.replace(".", "-", 1))  # what an unescaped dot would match
    return [f"{ghost}:{other}" for other in servers] + [f"{ordinary}:{server}"]


def clashes(own: Mapping[str, Any], other: Mapping[str, Any], names: OwnNames) -> tuple[Fault, ...]:
    """Where the registration ``other`` of the same homeserver gets in the way of ``own``."""
    found = [
        Fault(name, say("registration.same", name=name))
        for name in ("id", "as_token", "sender_localpart")
        if own.get(name) is not None and own.get(name) == other.get(name)
    ]
    for kind, samples in names.samples().items():
        for number, entry in enumerate(_entries(other, kind)):
            covered = next((name for name in samples if _claims(entry, name)), None)
            if covered is not None:
                where = f"namespaces.{kind}[{number}]"
                found.append(Fault(where, say("registration.clash", name=covered)))
    sender = f"@{other.get('sender_localpart')}:{names.server}"
    if any(_claims(entry, sender) for entry in _entries(own, "users")):
        found.append(Fault("sender_localpart", say("registration.clash_sender", name=sender)))
    return tuple(found)


def _entries(document: Mapping[str, Any], kind: str) -> list[Any]:
    namespaces = document.get("namespaces")
    entries = namespaces.get(kind) if isinstance(namespaces, Mapping) else None
    return entries if isinstance(entries, list) else []


def _claims(entry: object, name: str) -> bool:
    """Whether a namespace reserves ``name`` for its bridge alone."""
    if not isinstance(entry, Mapping) or entry.get("exclusive") is not True:
        return False
    try:
        return re.match(str(entry.get("regex")), name) is not None
    except re.error:
        return False
