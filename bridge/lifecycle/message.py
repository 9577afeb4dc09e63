"""The life of a message, one table for each direction, and the key that names a message.

A message begins as an entry of the journal (``QUEUED``, ``ARRIVED``) and has a row from its first
commit on, whose ``state`` is the value here.
"""

from __future__ import annotations

from enum import Enum

from bridge.ids import ContactId, StanzaId, derive
from bridge.lifecycle.machine import IGNORED, Machine, to


class Direction(Enum):
    """Which way a message goes; the value is the column's and part of the key."""

    OUT = "out"
    IN = "in"


def message_key(
    account_key: bytes, contact_id: ContactId, direction: Direction, stanza_id: StanzaId
) -> bytes:
    """The key of a message: 16 bytes, from its stanza id within the account, the chat and the direction."""
    return derive(account_key, "message", contact_id, direction.value, stanza_id)


class OutState(Enum):
    """Where a message from Matrix to the network stands, in an order that is never walked backwards."""

    QUEUED = "queued"
    """An entry of the journal; nothing is sealed. Has no row."""
    SEALED = "sealed"
    """Its ciphertext is stored; it may have left, and the same bytes are sent until the network answers."""
    FAILED = "failed"
    """It was not sent, and its sender was told. Older rows may also mean unsure or withdrawn."""
    UNSURE = "unsure"
    """It is not tried again and may have arrived; its sender was told so."""
    WITHDRAWN = "withdrawn"
    """Its sender removed it before it left."""
    ACCEPTED = "accepted"
    """The network has it."""
    DELIVERED = "delivered"
    """A device of the contact has it."""
    READ = "read"
    """The contact has read it."""
    GONE = "gone"
    """The account left; the row is deleted and every chat was told."""


class OutEvent(Enum):
    """What can happen to a message on its way out."""

    SEALED = "sealed"
    """The session moved on and the ciphertext is stored."""
    NOT_SENT = "given up before it left"
    """Policy, its kind or size, the contact or the account forbids it; no byte of it has left."""
    NACKED = "refused by the network"
    """The acknowledgement carries an error that will be the same next time."""
    GIVEN_UP = "given up after it may have left"
    """It may not be sent any more, and an earlier attempt had no answer."""
    WITHDRAWN = "removed before it left"
    """Its sender redacted it."""
    ACKED = "accepted by the network"
    """The acknowledgement without an error."""
    DELIVERED = "delivery receipt"
    """The contact's word that a device has it; may be quicker than the acknowledgement."""
    READ = "read receipt"
    """The contact's word that it was read or played."""
    RETRY_ASKED = "retry receipt"
    """The contact could not open it, and may be answered once more."""
    ACCOUNT_LEFT = "account left"
    """The user opted out; the keys are destroyed."""


class OutEffect(Enum):
    """What is owed because of it."""

    TELL_NOT_SENT = "tell the sender it was not sent"
    """A notice that replies to the message, and the status of a failure."""
    TELL_MAY_HAVE_ARRIVED = "tell the sender it may have arrived"
    """The same, with the doubt."""
    STATUS_ACCEPTED = "status: sent"
    """For clients that show it, where the admin wants it."""
    SHOW_DELIVERED = "show it as delivered"
    """The bot's read receipt, where the admin wants it, and the status."""
    SHOW_READ = "show it as read"
    """The ghost's read receipt and the status."""
    SEAL_AGAIN = "seal it again"
    """The kept plaintext under a new key, with the same stanza id."""


_O, _E, _F = OutState, OutEvent, OutEffect

OUTGOING: Machine[OutState, OutEvent, OutEffect] = Machine(
    "an outgoing message",
    OutState.QUEUED,
    OutEvent,
    {
        _O.QUEUED: {
            _E.SEALED: to(_O.SEALED),
            _E.NOT_SENT: to(_O.FAILED, _F.TELL_NOT_SENT),
            _E.ACCOUNT_LEFT: to(_O.FAILED, _F.TELL_NOT_SENT),
            # Nobody but us knows its stanza id yet: such a receipt is made up.
            _E.DELIVERED: IGNORED,
            _E.READ: IGNORED,
            _E.RETRY_ASKED: IGNORED,
        },
        _O.SEALED: {
            _E.NOT_SENT: to(_O.FAILED, _F.TELL_NOT_SENT),
            _E.NACKED: to(_O.FAILED, _F.TELL_NOT_SENT),
            _E.GIVEN_UP: to(_O.UNSURE, _F.TELL_MAY_HAVE_ARRIVED),
            _E.WITHDRAWN: to(_O.WITHDRAWN),
            _E.ACKED: to(_O.ACCEPTED, _F.STATUS_ACCEPTED),
            # A receipt that is quicker than the acknowledgement says more than it.
            _E.DELIVERED: to(_O.DELIVERED, _F.SHOW_DELIVERED),
            _E.READ: to(_O.READ, _F.SHOW_READ),
            _E.RETRY_ASKED: to(_O.SEALED, _F.SEAL_AGAIN),
            _E.ACCOUNT_LEFT: to(_O.UNSURE, _F.TELL_MAY_HAVE_ARRIVED),
        },
        _O.FAILED: {
            # The contact's own word counts more than what we made of the network's.
            _E.DELIVERED: to(_O.DELIVERED, _F.SHOW_DELIVERED),
            _E.READ: to(_O.READ, _F.SHOW_READ),
            _E.RETRY_ASKED: IGNORED,
            _E.ACCOUNT_LEFT: to(_O.GONE),
        },
        _O.UNSURE: {
            _E.DELIVERED: to(_O.DELIVERED, _F.SHOW_DELIVERED),
            _E.READ: to(_O.READ, _F.SHOW_READ),
            _E.RETRY_ASKED: IGNORED,
            _E.ACCOUNT_LEFT: to(_O.GONE),
        },
        _O.WITHDRAWN: {
            # It certainly never left: whoever confirms it or asks for it never had it.
            _E.DELIVERED: IGNORED,
            _E.READ: IGNORED,
            _E.RETRY_ASKED: IGNORED,
            _E.ACCOUNT_LEFT: to(_O.GONE),
        },
        _O.ACCEPTED: {
            _E.ACKED: IGNORED,
            _E.DELIVERED: to(_O.DELIVERED, _F.SHOW_DELIVERED),
            _E.READ: to(_O.READ, _F.SHOW_READ),
            _E.RETRY_ASKED: to(_O.ACCEPTED, _F.SEAL_AGAIN),
            _E.ACCOUNT_LEFT: to(_O.GONE),
        },
        _O.DELIVERED: {
            _E.NOT_SENT: IGNORED,  # the receipt was quicker than the reason to give up
            _E.NACKED: IGNORED,
            _E.GIVEN_UP: IGNORED,
            _E.WITHDRAWN: IGNORED,
            _E.ACKED: IGNORED,
            _E.DELIVERED: IGNORED,
            _E.READ: to(_O.READ, _F.SHOW_READ),
            # Nobody needs it again, and whoever asks with new keys would get what they were never sent.
            _E.RETRY_ASKED: IGNORED,
            _E.ACCOUNT_LEFT: to(_O.GONE),
        },
        _O.READ: {
            _E.NOT_SENT: IGNORED,
            _E.NACKED: IGNORED,
            _E.GIVEN_UP: IGNORED,
            _E.WITHDRAWN: IGNORED,
            _E.ACKED: IGNORED,
            _E.DELIVERED: IGNORED,
            _E.READ: IGNORED,
            _E.RETRY_ASKED: IGNORED,
            _E.ACCOUNT_LEFT: to(_O.GONE),
        },
        _O.GONE: {
            _E.ACKED: IGNORED,
            _E.DELIVERED: IGNORED,
            _E.READ: IGNORED,
            _E.RETRY_ASKED: IGNORED,
            _E.ACCOUNT_LEFT: IGNORED,
        },
    },
)


NOT_THERE = frozenset({OutState.FAILED, OutState.UNSURE, OutState.WITHDRAWN})
"""States in which the contact does not have a message, as far as we know: nothing refers to it."""


class InState(Enum):
    """Where a message from the network to Matrix stands, in an order that is never walked backwards."""

    ARRIVED = "arrived"
    """An entry of the journal, as it came. Has no row."""
    DROPPED = "dropped"
    """Policy refused it or it was seen before; nobody is told, because a refusal may reveal nothing."""
    AWAITING = "awaiting"
    """It could not be opened; its sender is asked for it again."""
    OPENED = "opened"
    """Its plaintext is stored."""
    UNREADABLE = "unreadable"
    """Something stands in its place, or the user was told that it is lost; the words may still come."""
    SHOWN = "shown"
    """Its words stand in Matrix."""
    SEEN = "seen"
    """The user has read it, and its sender is told."""
    GONE = "gone"
    """The account left; the row is deleted."""


class InEvent(Enum):
    """What can happen to a message on its way in."""

    REFUSED = "refused by policy"
    """The account, the service or the contact may not be let in now."""
    DUPLICATE = "seen before"
    """The session has opened this ciphertext already."""
    UNOPENED = "cannot be opened"
    """No session, an unknown prekey or a bad message; its sender may be asked again."""
    UNOPENED_AGAIN = "cannot be opened again"
    """The same, after the last retry receipt that a message may have."""
    OPENED = "opened"
    """The session moved on and the plaintext is stored."""
    SHOWN = "shown"
    """All its words stand in the portal."""
    REPLACED = "placeholder shown"
    """The homeserver refuses its words; a notice stands for them."""
    NO_ROOM = "no room took it for days"
    """The portal refuses everything, mended or not, for as long as a message waits."""
    DEADLINE = "deadline"
    """The answer to a retry receipt did not come in time."""
    DEADLINE_HIDDEN = "hidden deadline"
    """The same for a message whose sender asked not to say so."""
    READ = "read in Matrix"
    """The owner of the chat read up to it or beyond."""
    ACCOUNT_LEFT = "account left"
    """The user opted out; the keys are destroyed."""


class InEffect(Enum):
    """What is owed because of it."""

    ASK_AGAIN = "ask for it again"
    """A retry receipt, and a deadline for its answer."""
    GIVE_UP_NOW = "deadline now"
    """The deadline is over at once."""
    SHOW = "show it"
    """The event in the portal."""
    OWE_DELIVERED = "delivery receipt"
    """To its sender, if policy allows."""
    OWE_READ = "read receipt"
    """To its sender."""
    TAKE_PLACEHOLDER_BACK = "take the placeholder back"
    """What stood in its place is redacted, or replaced."""
    TELL_UNREADABLE = "tell the user it is unreadable"
    """A notice in its place, or where the user talks to the bot."""
    TELL_LOST = "tell the user it is lost"
    """A notice where the user talks to the bot."""


_I, _N, _G = InState, InEvent, InEffect

INCOMING: Machine[InState, InEvent, InEffect] = Machine(
    "an incoming message",
    InState.ARRIVED,
    InEvent,
    {
        _I.ARRIVED: {
            _N.REFUSED: to(_I.DROPPED),
            _N.DUPLICATE: to(_I.DROPPED),
            _N.UNOPENED: to(_I.AWAITING, _G.ASK_AGAIN),
            _N.UNOPENED_AGAIN: to(_I.AWAITING, _G.GIVE_UP_NOW),
            _N.OPENED: to(_I.OPENED, _G.SHOW),
            _N.ACCOUNT_LEFT: to(_I.GONE),
        },
        _I.DROPPED: {},
        _I.AWAITING: {
            _N.REFUSED: IGNORED,
            _N.DUPLICATE: IGNORED,
            _N.UNOPENED: to(_I.AWAITING, _G.ASK_AGAIN),
            _N.UNOPENED_AGAIN: to(_I.AWAITING, _G.GIVE_UP_NOW),
            _N.OPENED: to(_I.OPENED, _G.SHOW),
            _N.DEADLINE: to(_I.UNREADABLE, _G.TELL_UNREADABLE),
            _N.DEADLINE_HIDDEN: IGNORED,
            _N.READ: IGNORED,
            _N.ACCOUNT_LEFT: to(_I.GONE),
        },
        _I.OPENED: {
            _N.REFUSED: IGNORED,
            _N.DUPLICATE: IGNORED,
            _N.UNOPENED: IGNORED,
            _N.UNOPENED_AGAIN: IGNORED,
            _N.OPENED: IGNORED,
            _N.SHOWN: to(_I.SHOWN, _G.OWE_DELIVERED),
            _N.REPLACED: to(_I.UNREADABLE),
            _N.NO_ROOM: to(_I.UNREADABLE, _G.TELL_LOST),
            _N.DEADLINE: IGNORED,
            _N.DEADLINE_HIDDEN: IGNORED,
            _N.READ: IGNORED,
            _N.ACCOUNT_LEFT: to(_I.GONE),
        },
        _I.UNREADABLE: {
            _N.REFUSED: IGNORED,
            _N.DUPLICATE: IGNORED,
            _N.UNOPENED: to(_I.UNREADABLE, _G.ASK_AGAIN),
            _N.UNOPENED_AGAIN: IGNORED,  # the user was told already
            _N.OPENED: to(_I.UNREADABLE, _G.SHOW),  # late; what stands in its place stays until it is shown
            _N.SHOWN: to(_I.SHOWN, _G.TAKE_PLACEHOLDER_BACK, _G.OWE_DELIVERED),
            _N.REPLACED: to(_I.UNREADABLE, _G.TAKE_PLACEHOLDER_BACK),
            _N.NO_ROOM: to(_I.UNREADABLE, _G.TELL_LOST),
            _N.DEADLINE: IGNORED,
            _N.DEADLINE_HIDDEN: IGNORED,
            _N.READ: IGNORED,
            _N.ACCOUNT_LEFT: to(_I.GONE),
        },
        _I.SHOWN: {
            _N.REFUSED: IGNORED,
            _N.DUPLICATE: IGNORED,
            _N.UNOPENED: IGNORED,
            _N.UNOPENED_AGAIN: IGNORED,
            _N.OPENED: IGNORED,
            _N.DEADLINE: IGNORED,
            _N.DEADLINE_HIDDEN: IGNORED,
            _N.READ: to(_I.SEEN, _G.OWE_READ),
            _N.ACCOUNT_LEFT: to(_I.GONE),
        },
        _I.SEEN: {
            _N.REFUSED: IGNORED,
            _N.DUPLICATE: IGNORED,
            _N.UNOPENED: IGNORED,
            _N.UNOPENED_AGAIN: IGNORED,
            _N.OPENED: IGNORED,
            _N.DEADLINE: IGNORED,
            _N.DEADLINE_HIDDEN: IGNORED,
            _N.READ: IGNORED,
            _N.ACCOUNT_LEFT: to(_I.GONE),
        },
        _I.GONE: {
            _N.DEADLINE: IGNORED,
            _N.DEADLINE_HIDDEN: IGNORED,
            _N.READ: IGNORED,
            _N.ACCOUNT_LEFT: IGNORED,
        },
    },
)
