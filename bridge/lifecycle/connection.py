"""The life of an account's connection. What a state does is told in its description; it ends with an event.

That a connection is wanted is not a state: the wish is kept beside it, and is looked at in the
states that can fulfil it (``IDLE``, ``REFUSED``). It outlives a connection and a wait.
"""

from __future__ import annotations

from enum import Enum

from bridge.lifecycle.machine import IGNORED, Machine, to


class ConnectionState(Enum):
    """What a connection is doing."""

    IDLE = "idle"
    """Nothing, until it is wanted."""
    CONNECTING = "connecting"
    """Dial and log in."""
    OPEN = "open"
    """Serve, until the link ends or is of no more use."""
    CLOSING = "closing"
    """Hand over what is under way and close; what arrives now comes again."""
    BACKING_OFF = "backing off"
    """Wait, longer after each failure in a row."""
    CONFLICT = "conflict"
    """Wait much longer: two programs with the same keys would disconnect each other for ever."""
    REFUSED = "refused"
    """Nothing, until it is wanted again; whoever waited was told why."""
    FORGOTTEN = "forgotten"
    """The account left or the process stops. The end."""


class ConnectionEvent(Enum):
    """What can happen to a connection."""

    WANTED = "wanted"
    """A push, something to send, or a wish that was kept."""
    OPENED = "opened"
    """The login was accepted."""
    UNREACHABLE = "unreachable"
    """The network or our store does not answer now."""
    TRY_LATER = "refused for now"
    """A reason that may pass, or a token that may have been stale."""
    LOGIN_REFUSED = "login refused"
    """A reason that the same login will meet again."""
    NOT_ENLISTED = "not enlisted"
    """The account has no keys or no login to connect with."""
    UNUSED = "of no more use"
    """The mailbox is drained, nobody uses it and it has lingered."""
    CLOSED = "closed by us"
    """We closed it."""
    LOST = "lost"
    """The other end, or the network between, ended it."""
    SILENT = "silent"
    """A keep-alive was not answered in time."""
    REPLACED = "replaced"
    """Another connection of the same account took over."""
    REPLACED_TOO_OFTEN = "replaced too often"
    """The same, more often in a row than may be chance."""
    FAULT = "unexpected error"
    """A mistake of ours; what was not acknowledged comes again."""
    WAIT_OVER = "wait over"
    """The time to wait has passed."""
    ENLISTED = "enlisted again"
    """The network may take the account now."""
    FORGET = "forget"
    """The account left or the process stops."""


class ConnectionEffect(Enum):
    """What is done because of it, before the new state does its own."""

    NOTE_CONNECTED = "note the time"
    """The network counts the days without a connection from here."""
    RELEASE_WAITERS = "release whoever waits"
    """They get the open link."""
    DROP_LINK = "drop the link"
    """Close it, if there is one; what was not acknowledged is in doubt and sent again."""
    WANT_AGAIN = "want it again"
    """What was under way is in the mailbox again, and nobody wakes us for it."""
    REFUSE_WAITERS = "refuse whoever waits"
    """They read the reason; the wish is dropped."""
    MARK_ACCOUNT = "change the account"
    """The account's state follows the reason of the network."""
    TELL_USER = "tell the user"
    """A sentence where they talk to the bot."""
    FORGET_REFUSAL = "forget the refusal"
    """Who waits from now on waits for a link again."""


_S, _E, _F = ConnectionState, ConnectionEvent, ConnectionEffect

CONNECTION: Machine[ConnectionState, ConnectionEvent, ConnectionEffect] = Machine(
    "a connection",
    ConnectionState.IDLE,
    ConnectionEvent,
    {
        _S.IDLE: {
            _E.WANTED: to(_S.CONNECTING),
            _E.FAULT: to(_S.BACKING_OFF),
            _E.ENLISTED: to(_S.IDLE, _F.FORGET_REFUSAL),
            _E.FORGET: to(_S.FORGOTTEN, _F.REFUSE_WAITERS),
        },
        _S.CONNECTING: {
            _E.WANTED: IGNORED,
            _E.OPENED: to(_S.OPEN, _F.NOTE_CONNECTED, _F.FORGET_REFUSAL, _F.RELEASE_WAITERS),
            _E.UNREACHABLE: to(_S.BACKING_OFF, _F.DROP_LINK, _F.WANT_AGAIN),
            _E.TRY_LATER: to(_S.BACKING_OFF, _F.WANT_AGAIN),
            _E.LOGIN_REFUSED: to(_S.REFUSED, _F.MARK_ACCOUNT, _F.REFUSE_WAITERS),
            _E.NOT_ENLISTED: to(_S.REFUSED, _F.REFUSE_WAITERS),
            _E.FAULT: to(_S.BACKING_OFF, _F.DROP_LINK, _F.WANT_AGAIN),
            _E.ENLISTED: to(_S.CONNECTING, _F.FORGET_REFUSAL),
            _E.FORGET: to(_S.FORGOTTEN, _F.REFUSE_WAITERS),
        },
        _S.OPEN: {
            _E.WANTED: IGNORED,
            _E.UNUSED: to(_S.CLOSING),
            _E.UNREACHABLE: to(_S.BACKING_OFF, _F.DROP_LINK),
            _E.CLOSED: to(_S.IDLE, _F.DROP_LINK),
            _E.LOST: to(_S.BACKING_OFF, _F.DROP_LINK, _F.WANT_AGAIN),
            _E.SILENT: to(_S.IDLE, _F.DROP_LINK, _F.WANT_AGAIN),
            _E.REPLACED: to(_S.CONFLICT, _F.DROP_LINK),
            _E.REPLACED_TOO_OFTEN: to(_S.REFUSED, _F.DROP_LINK, _F.TELL_USER, _F.REFUSE_WAITERS),
            _E.FAULT: to(_S.BACKING_OFF, _F.DROP_LINK, _F.WANT_AGAIN),
            _E.ENLISTED: IGNORED,
            _E.FORGET: to(_S.FORGOTTEN, _F.DROP_LINK, _F.REFUSE_WAITERS),
        },
        _S.CLOSING: {
            _E.WANTED: IGNORED,
            _E.CLOSED: to(_S.IDLE, _F.DROP_LINK),
            _E.UNREACHABLE: to(_S.BACKING_OFF, _F.DROP_LINK),
            _E.FAULT: to(_S.BACKING_OFF, _F.DROP_LINK),
            _E.ENLISTED: IGNORED,
            _E.FORGET: to(_S.FORGOTTEN, _F.DROP_LINK, _F.REFUSE_WAITERS),
        },
        _S.BACKING_OFF: {
            _E.WANTED: IGNORED,
            _E.FAULT: to(_S.BACKING_OFF),
            _E.WAIT_OVER: to(_S.IDLE),
            _E.ENLISTED: to(_S.BACKING_OFF, _F.FORGET_REFUSAL),
            _E.FORGET: to(_S.FORGOTTEN, _F.REFUSE_WAITERS),
        },
        _S.CONFLICT: {
            _E.WANTED: IGNORED,
            _E.FAULT: to(_S.BACKING_OFF),
            _E.WAIT_OVER: to(_S.IDLE),
            _E.ENLISTED: IGNORED,
            _E.FORGET: to(_S.FORGOTTEN, _F.REFUSE_WAITERS),
        },
        _S.REFUSED: {
            _E.FAULT: to(_S.BACKING_OFF),
            _E.WANTED: to(_S.CONNECTING),
            _E.ENLISTED: to(_S.IDLE, _F.FORGET_REFUSAL),
            _E.FORGET: to(_S.FORGOTTEN, _F.REFUSE_WAITERS),
        },
        _S.FORGOTTEN: {
            _E.FORGET: IGNORED,
        },
    },
)
