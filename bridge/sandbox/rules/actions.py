"""What happens to an account at once, on demand: the other half of the faults (dossier 12.9)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.ids import Jid
from bridge.sandbox.rules.accounts import push
from bridge.sandbox.rules.accounts.push import Forgery
from bridge.sandbox.rules.accounts.registry import Account
from bridge.sandbox.rules.chat import delivery, queries
from bridge.sandbox.rules.faults import Parameter
from bridge.sandbox.rules.outputs import Close, Cut, Send, SendBytes
from bridge.sandbox.rules.reasons import Ending
from bridge.sandbox.rules.state import State
from bridge.wire.codec.compression import COMPRESSED
from bridge.wire.stanza import AttributeValue, Stanza
from bridge.wire.vocabulary.message import Message

BOMB_BYTES = 64 * 1024 * 1024
NESTING = 5_000
LIST_OF_TWO = bytes([0xF8, 2])
"""Token stream: a list of two, a tag and its content (dossier 4.4)."""
TAG_IQ = bytes([0xFC, 2]) + b"iq"
MALFORMED = bytes([0, 0xF8, 0xFF, 0x13])

Parameters = Mapping[str, Parameter]


@dataclass(frozen=True)
class Doing:
    """An act that is asked for: on whom, when, with which parameters."""

    state: State
    account: Account
    now: float
    given: Parameters

    @property
    def connection(self) -> int:
        """The account's connection; ActRefused when there is none."""
        return self.need_connection()

    def need_connection(self) -> int:
        """The same, for acts that do not use the number."""
        if self.account.connection is None:
            raise ActRefused("the account is not connected")
        return self.account.connection


Act = Callable[[Doing], None]


class ActRefused(Exception):
    """It cannot be done now; the text says why."""


def disconnect(doing: Doing) -> None:
    """End the connection without a word."""
    doing.state.outputs.append(Close(doing.connection))


def cut(doing: Doing) -> None:
    """Break the connection off after [after_bytes] more bytes of the server's."""
    doing.state.outputs.append(Cut(doing.connection, int(doing.given.get("after_bytes", 0))))


def end(doing: Doing) -> None:
    """End the connection with a stream error [why: restart, replaced, token_expired, ended]."""
    doing.need_connection()
    delivery.end(
        doing.state, doing.account, Ending(str(doing.given.get("why", Ending.RESTART.value))), doing.now
    )


def unknown_stanza(doing: Doing) -> None:
    """Send a stanza of no family in use."""
    stanza = Stanza("surprise", {"id": doing.state.new_id(), "from": doing.state.server}, (Stanza("inside"),))
    doing.state.outputs.append(Send(doing.connection, stanza))


def malformed_message(doing: Doing) -> None:
    """Send a ``<message>`` without anything encrypted in it, from [sender]."""
    sender = Jid.parse(str(doing.given.get("sender", "1@" + doing.state.server.server)))
    outer: dict[str, AttributeValue] = {
        "id": doing.state.new_id(),
        "from": sender,
        "type": "text",
        "t": str(int(doing.now)),
    }
    doing.state.outputs.append(Send(doing.connection, Stanza("message", outer)))


def malformed_bytes(doing: Doing) -> None:
    """Send a frame that is no stanza."""
    doing.state.outputs.append(SendBytes(doing.connection, MALFORMED))


def zip_bomb(doing: Doing) -> None:
    """Send a small frame that inflates to 64 MiB."""
    bomb = bytes([COMPRESSED]) + zlib.compress(bytes(BOMB_BYTES), 9)
    doing.state.outputs.append(SendBytes(doing.connection, bomb))


def deep_nesting(doing: Doing) -> None:
    """Send a stanza nested 5,000 deep."""
    inside = (LIST_OF_TWO + TAG_IQ + bytes([0xF8, 1])) * NESTING
    doing.state.outputs.append(SendBytes(doing.connection, b"\0" + inside + bytes([0xF8, 1]) + TAG_IQ))


def replay(doing: Doing) -> None:
    """Send the last message for the account once more, as a new stanza [new_id: false]."""
    found = [each for each in doing.state.log.n_in if each.account == str(doing.account.jid)]
    if not found:
        raise ActRefused("no message was delivered to this account")
    last = found[-1]
    carried = Message(
        id=doing.state.new_id() if doing.given.get("new_id") else last.id,
        peer=Jid.parse(last.sender),
        kind="pkmsg" if last.kind == "pkmsg" else "msg",
        ciphertext=bytes.fromhex(last.ciphertext),
        count=last.count,
        t=int(doing.now),
    )
    delivery.message(doing.state, doing.account.jid, carried, doing.now)


def un_enlist(doing: Doing) -> None:
    """The network no longer knows the doing.account."""
    delivery.un_enlist(doing.state, doing.account, doing.now)


def delete(doing: Doing) -> None:
    """Remove the account wholly, as its own request would."""
    queries.delete(doing.state, doing.account.jid, doing.now)


def ban(doing: Doing) -> None:
    """Ban for [seconds: 3600]; 0 lifts it."""
    doing.account.banned_until = doing.now + float(doing.given.get("seconds", 3600.0))
    delivery.end(doing.state, doing.account, Ending.ENDED, doing.now)


def lock(doing: Doing) -> None:
    """Lock or unlock [on: true]."""
    doing.account.locked = bool(doing.given.get("on", True))
    if doing.account.locked:
        delivery.end(doing.state, doing.account, Ending.ENDED, doing.now)


def restrict(doing: Doing) -> None:
    """Forbid new chats or allow them again [on: true]."""
    doing.account.restricted = bool(doing.given.get("on", True))


def wake(doing: Doing) -> None:
    """Send a wake-up although nothing waits."""
    push.send(doing.state, doing.account, push.claims(doing.state, doing.account, doing.now))


def forged_push(doing: Doing) -> None:
    """Send a wake-up that must be refused [how: bad_signature]."""
    push.forge(
        doing.state,
        doing.account,
        Forgery(str(doing.given.get("how", Forgery.BAD_SIGNATURE.value))),
        doing.now,
    )


ACTS: Mapping[str, Act] = {
    act.__name__: act
    for act in (
        disconnect,
        cut,
        end,
        unknown_stanza,
        malformed_message,
        malformed_bytes,
        zip_bomb,
        deep_nesting,
        replay,
        un_enlist,
        delete,
        ban,
        lock,
        restrict,
        wake,
        forged_push,
    )
}


def remove_partner(state: State, integrator: int, registered: bool, now: float) -> None:
    """Take a partner off the registry, or put it back; the connections of its users end."""
    state.registry.integrators[integrator].registered = registered
    if not registered:
        for account in state.registry.accounts.values():
            if account.integrator == integrator:
                delivery.end(state, account, Ending.ENDED, now)
