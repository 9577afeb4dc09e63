"""``<message>``: one encrypted message for one device.

<message id to|from type [t notify offline edit]>
  <enc v=2 type=pkmsg|msg [mediatype count decrypt-fail=hide]>ciphertext</enc>
</message>
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.reading import Direction, Reading, attributes

Kind = Literal["pkmsg", "msg"]
"""A message that starts a session, or one within it."""

TYPE_TEXT: Final = "text"
_ENCRYPTION_VERSION: Final = "2"


@dataclass(frozen=True)
class Message:
    """``peer`` is the recipient in direction ``to``, the sender in direction ``from``.

    ``t`` is the server's time in unix seconds; ``notify`` the sender's display name, from
    the server; ``offline`` is set when it waited in the mailbox; ``count`` is the number of
    retries; ``hide_failure`` means that a failure to read it is not shown (edits, removals,
    reactions).
    """

    id: str
    peer: Jid
    kind: Kind
    ciphertext: bytes = field(repr=False)
    type: str = TYPE_TEXT
    count: int = 0
    t: int | None = None
    notify: str | None = None
    offline: bool = False
    edit: str | None = None
    media_type: str | None = None
    hide_failure: bool = False

    def to_stanza(self, direction: Direction) -> Stanza:
        enc = attributes(
            v=_ENCRYPTION_VERSION,
            type=self.kind,
            mediatype=self.media_type,
            count=self.count or None,
            decrypt_fail="hide" if self.hide_failure else None,
        )
        outer = attributes(
            id=self.id,
            type=self.type,
            t=self.t,
            notify=self.notify,
            offline="1" if self.offline else None,
            edit=self.edit,
        )
        return Stanza("message", {direction: self.peer, **outer}, (Stanza("enc", enc, self.ciphertext),))


def parse(stanza: Stanza, direction: Direction) -> Message:
    """Read a ``<message>`` received in ``direction``.

    A display name or another side attribute that is too long is cut and never costs the message.
    """
    encrypted = stanza.children("enc")
    if len(encrypted) != 1 or not isinstance(encrypted[0].content, bytes):
        raise RemoteProtocolError("<message>: not exactly one <enc> with bytes inside")
    outer, inner = Reading(stanza, "message"), Reading(encrypted[0], "enc")
    kind = _kind(inner)
    if inner.text("v") != _ENCRYPTION_VERSION:
        inner.fault("v is unknown")
    message = Message(
        id=outer.text("id"),
        peer=outer.jid(direction),
        kind=kind,
        ciphertext=encrypted[0].content,
        type=outer.text("type"),
        count=inner.optional_number("count") or 0,
        t=outer.optional_number("t"),
        notify=outer.shortened_text("notify"),
        offline=outer.shortened_text("offline") is not None,
        edit=outer.shortened_text("edit"),
        media_type=inner.shortened_text("mediatype"),
        hide_failure=inner.optional_text("decrypt-fail") == "hide",
    )
    outer.done()
    inner.done()
    return message


def _kind(inner: Reading) -> Kind:
    kind = inner.text("type")
    if kind == "pkmsg":
        return "pkmsg"
    if kind != "msg":
        inner.fault("type is unknown")
    return "msg"
