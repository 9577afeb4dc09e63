"""Reading a stanza's attributes: read all, collect every fault, check once.

Faults name attributes, never their values: values may be identifiers.
"""

from __future__ import annotations

import re
from typing import Literal, TypeVar

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.codec.jid import read_text
from bridge.wire.stanza import AttributeValue, Stanza

Direction = Literal["to", "from"]
"""Which attribute names the other person: clients write ``to``, the server ``from``.

It is never guessed from the stanza: a client could add a ``from`` of its own."""

MAX_TEXT_CHARACTERS = 1_024
"""Ids have some 30 characters, names and identifiers up to 254 (an e-mail address).
What is longer would be stored and compared for nothing."""

_NUMBER = re.compile("[0-9]{1,15}")
"""Fifteen digits stay exact everywhere, and leave seconds until the year 30 million."""
_Value = TypeVar("_Value")
_NOBODY = Jid("", "")


class Reading:
    """The attributes of one node. Call ``done`` before any value is used."""

    def __init__(self, stanza: Stanza, tag: str) -> None:
        self._tag = tag
        self._attributes = stanza.attributes
        self._faults = [] if stanza.tag == tag else [f"is not <{tag}>"]

    def text(self, name: str) -> str:
        """A required text that is not empty."""
        return self.optional_text(name) or self._missing(name, "")

    def optional_text(self, name: str) -> str | None:
        """A text or None; an identifier gives its printed form."""
        value = self._attributes.get(name)
        if value is None:
            return None
        text = str(value)
        if len(text) > MAX_TEXT_CHARACTERS:
            self._faults.append(f"{name} is too long")
        return text

    def shortened_text(self, name: str) -> str | None:
        """A text or None, cut where ``optional_text`` rejects: for what its stanza can do without."""
        value = self._attributes.get(name)
        return None if value is None else str(value)[:MAX_TEXT_CHARACTERS]

    def jid(self, name: str) -> Jid:
        """A required identifier, as a token or printed."""
        return self.optional_jid(name) or self._missing(name, _NOBODY)

    def optional_jid(self, name: str) -> Jid | None:
        value = self._attributes.get(name)
        return None if value is None else self._as_jid(name, value)

    def number(self, name: str) -> int:
        """A required decimal number, from 0."""
        value = self.optional_number(name)
        return self._missing(name, 0) if value is None else value

    def optional_number(self, name: str) -> int | None:
        value = self._attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            self._faults.append(f"{name} is no number")
            return 0
        return int(value)

    def fault(self, what: str) -> None:
        """Add a fault that the caller found."""
        self._faults.append(what)

    def done(self) -> None:
        """RemoteProtocolError with all faults."""
        if self._faults:
            raise RemoteProtocolError(f"<{self._tag}>: {'; '.join(self._faults)}")

    def _as_jid(self, name: str, value: AttributeValue) -> Jid:
        if isinstance(value, Jid):
            return value
        jid = read_text(value)  # An identifier that we cannot write could not be answered.
        if jid is None:
            self._faults.append(f"{name} is no identifier")
        return jid or _NOBODY

    def _missing(self, name: str, placeholder: _Value) -> _Value:
        self._faults.append(f"{name} is missing")
        return placeholder


def attributes(**values: AttributeValue | int | None) -> dict[str, AttributeValue]:
    """Attributes for a stanza: None is omitted, numbers are printed.

    A trailing ``_`` is dropped and another ``_`` becomes ``-``, for ``from``, ``class``
    and ``decrypt-fail``.
    """
    found: dict[str, AttributeValue] = {}
    for name, value in values.items():
        if value is not None:
            written = name.removesuffix("_").replace("_", "-")
            found[written] = str(value) if isinstance(value, int) else value
    return found
