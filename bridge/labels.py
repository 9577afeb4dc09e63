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
_BRACKETS = str.maketrans({"(": "[", ")": "]"})


def clean_name(name: str) -> str:
    """A remote name without characters that hide, reorder or imitate our label; may be empty."""
    visible = "".join(
        c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) not in _INVISIBLE
    )
    plain = visible.replace(LABEL_SEPARATOR, " ").translate(_BRACKETS)
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
