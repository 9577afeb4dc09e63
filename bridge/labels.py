"""What people and rooms are called, and the one line that says who can read along."""

from __future__ import annotations

import unicodedata

from bridge.sentences import Sentence, say
from bridge.states import Custody

MAX_NAME_CHARACTERS = 64
"""A longer name is cut: clients show about half of it, and a wall of text can hide the label."""

LABEL_SEPARATOR = "\u00b7"
"""Stands before an address that we add; taken out of every remote name, so it cannot be imitated."""

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Counted as letters, marks or signs, but nothing is drawn for them: a name of these alone is no name
(Unicode, Default_Ignorable_Code_Point, and the braille blank)."""

_OPENING = "(\uff08\ufe59\ufe35\u207d\u208d\u2768\u276a\u27ee\u2985\u2e28\ufd3e\uff5f"
_CLOSING = ")\uff09\ufe5a\ufe36\u207e\u208e\u2769\u276b\u27ef\u2986\u2e29\ufd3f\uff60"
_BRACKETS = str.maketrans({**dict.fromkeys(_OPENING, "["), **dict.fromkeys(_CLOSING, "]")})
"""Round brackets in all their forms, since a reader sees no difference."""
_SEPARATORS = str.maketrans(dict.fromkeys(LABEL_SEPARATOR + "\u2022\u2027\u2219\u22c5\u30fb\uff65", " "))
"""The separator, and what looks like it."""


def clean_name(name: str) -> str:
    """A remote name without characters that hide, reorder or imitate our label; may be empty."""
    visible = "".join(
        c for c in name if c.isspace() or (unicodedata.category(c) not in _INVISIBLE and c not in _BLANK)
    )
    plain = unicodedata.normalize("NFC", visible).translate(_SEPARATORS).translate(_BRACKETS)
    return " ".join(plain.split())[:MAX_NAME_CHARACTERS].strip()


def service_label(label: str, sandbox: str | None) -> str:
    """A service's label; ``sandbox`` marks one of which nothing is real."""
    return f"{label}, {sandbox}" if sandbox else label


def contact_name(name: str | None, identifier: str, service: str) -> str:
    """The name a contact is shown under: ``Anna (WhatsApp)``; ``service`` is the label to append.

    Brackets in the remote part are changed, so that only we can write the label.
    """
    shown = clean_name(name or "") or clean_name(identifier) or service
    return f"{shown} ({service})"


def protection(custody: Custody, *, encrypted_portal: bool) -> Sentence:
    """Who can read along, in one line: a pure function of custody and of the portal's encryption.

    The whole way is never called end-to-end encrypted: it is so between the contact and the
    bridge, and again between the bridge and the user's devices where the portal is.
    """
    portal = "encrypted" if encrypted_portal else "plain"
    return say(f"protection.{custody.value}.{portal}")
