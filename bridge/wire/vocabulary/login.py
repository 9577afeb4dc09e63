"""The server's answer to a login, and the error that ends a connection.

    <success t/>
    <failure reason .../>
    <stream:error code>[<conflict type/>]</stream:error>

The profile gives the meaning of reasons and codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bridge.errors import RemoteProtocolError
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.reading import Reading, attributes

CONFLICT_REPLACED: Final = "replaced"
"""Another connection of the same account took over."""


@dataclass(frozen=True)
class Success:
    """The login was accepted; ``t`` is the server's time in unix seconds."""

    t: int | None = None

    def to_stanza(self) -> Stanza:
        return Stanza("success", attributes(t=self.t))


@dataclass(frozen=True)
class LoginFailure:
    """The login was refused; ``details`` are the other attributes (``code``, ``expire`` ...)."""

    reason: str
    details: Mapping[str, str] = field(default_factory=dict)

    def to_stanza(self) -> Stanza:
        return Stanza("failure", {"reason": self.reason, **self.details})


@dataclass(frozen=True)
class StreamError:
    """The server ends the connection."""

    code: str | None = None
    conflict: str | None = None

    def to_stanza(self) -> Stanza:
        content = None if self.conflict is None else (Stanza("conflict", {"type": self.conflict}),)
        return Stanza("stream:error", attributes(code=self.code), content)


LoginWord = Success | LoginFailure | StreamError


def parse(stanza: Stanza) -> LoginWord:
    """Read one of the three."""
    reading = Reading(stanza, stanza.tag)
    word: LoginWord
    if stanza.tag == "success":
        word = Success(reading.optional_number("t"))
    elif stanza.tag == "failure":
        details = {name: str(value) for name, value in stanza.attributes.items() if name != "reason"}
        word = LoginFailure(reading.text("reason"), details)
    elif stanza.tag == "stream:error":
        word = StreamError(reading.optional_text("code"), _conflict(stanza))
    else:
        raise RemoteProtocolError("not a word on a login")
    reading.done()
    return word


def _conflict(stanza: Stanza) -> str | None:
    found = stanza.child("conflict")
    if found is None:
        return None
    reading = Reading(found, "conflict")
    type_ = reading.text("type")
    reading.done()
    return type_
