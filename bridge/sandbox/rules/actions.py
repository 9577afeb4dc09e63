"""Actions on an account that happen at once (dossier 12.9). Faults that wait for their moment: ``faults``."""

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
from bridge.sandbox.rules.reasons import EndReason
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
class Call:
    """A requested action: the account, the time, the parameters."""

    state: State
    account: Account
    now: float
    parameters: Parameters

    @property
    def connection(self) -> int:
        """The account's connection; ActionRefused when there is none."""
        return self.require_connection()

    def require_connection(self) -> int:
        """The same, for actions that do not need the number."""
        if self.account.connection is None:
            raise ActionRefused("the account is not connected")
        return self.account.connection


Action = Callable[[Call], None]


class ActionRefused(Exception):
    """The action is not possible now; the text says why."""


def disconnect(call: Call) -> None:
    """Close the connection without a stream error."""
    call.state.outputs.append(Close(call.connection))


def cut(call: Call) -> None:
    """Cut the connection after the server has sent [after_bytes] more bytes."""
    call.state.outputs.append(Cut(call.connection, int(call.parameters.get("after_bytes", 0))))


def end(call: Call) -> None:
    """End the connection with a stream error [why: restart, replaced, token_expired, ended]."""
    call.require_connection()
    delivery.end_connection(
        call.state,
        call.account,
        EndReason(str(call.parameters.get("why", EndReason.RESTART.value))),
        call.now,
    )


def unknown_stanza(call: Call) -> None:
    """Send a stanza with an unknown tag."""
    stanza = Stanza("surprise", {"id": call.state.new_id(), "from": call.state.server}, (Stanza("inside"),))
    call.state.outputs.append(Send(call.connection, stanza))


def malformed_message(call: Call) -> None:
    """Send a ``<message>`` without an ``<enc>`` child, from [sender]."""
    sender = Jid.parse(str(call.parameters.get("sender", "1@" + call.state.server.server)))
    outer: dict[str, AttributeValue] = {
        "id": call.state.new_id(),
        "from": sender,
        "type": "text",
        "t": str(int(call.now)),
    }
    call.state.outputs.append(Send(call.connection, Stanza("message", outer)))


def malformed_bytes(call: Call) -> None:
    """Send a frame that is not a stanza."""
    call.state.outputs.append(SendBytes(call.connection, MALFORMED))


def zip_bomb(call: Call) -> None:
    """Send a small frame that inflates to 64 MiB."""
    bomb = bytes([COMPRESSED]) + zlib.compress(bytes(BOMB_BYTES), 9)
    call.state.outputs.append(SendBytes(call.connection, bomb))


def deep_nesting(call: Call) -> None:
    """Send a stanza nested 5,000 deep."""
    inside = (LIST_OF_TWO + TAG_IQ + bytes([0xF8, 1])) * NESTING
    call.state.outputs.append(SendBytes(call.connection, b"\0" + inside + bytes([0xF8, 1]) + TAG_IQ))


def replay(call: Call) -> None:
    """Send the last message for the account once more, as a new stanza [new_id: false]."""
    found = [each for each in call.state.log.n_in if each.account == str(call.account.jid)]
    if not found:
        raise ActionRefused("no message was delivered to this account")
    last = found[-1]
    carried = Message(
        id=call.state.new_id() if call.parameters.get("new_id") else last.id,
        peer=Jid.parse(last.sender),
        kind="pkmsg" if last.kind == "pkmsg" else "msg",
        ciphertext=bytes.fromhex(last.ciphertext),
        count=last.count,
        t=int(call.now),
    )
    delivery.message(call.state, call.account.jid, carried, call.now)


def un_enlist(call: Call) -> None:
    """Un-enlist the account: the network no longer knows it."""
    delivery.un_enlist(call.state, call.account, call.now)


def delete(call: Call) -> None:
    """Delete the account, as its own request would."""
    queries.delete(call.state, call.account.jid, call.now)


def ban(call: Call) -> None:
    """Ban for [seconds: 3600]; 0 lifts it."""
    call.account.banned_until = call.now + float(call.parameters.get("seconds", 3600.0))
    delivery.end_connection(call.state, call.account, EndReason.ENDED, call.now)


def lock(call: Call) -> None:
    """Lock or unlock [on: true]."""
    call.account.locked = bool(call.parameters.get("on", True))
    if call.account.locked:
        delivery.end_connection(call.state, call.account, EndReason.ENDED, call.now)


def restrict(call: Call) -> None:
    """Forbid or allow new chats [on: true]."""
    call.account.restricted = bool(call.parameters.get("on", True))


def wake(call: Call) -> None:
    """Send a wake-up although the mailbox is empty."""
    push.send(call.state, call.account, push.claims(call.state, call.account, call.now))


def forged_push(call: Call) -> None:
    """Send a wake-up that must be refused [how: bad_signature]."""
    push.forge(
        call.state,
        call.account,
        Forgery(str(call.parameters.get("how", Forgery.BAD_SIGNATURE.value))),
        call.now,
    )


ACTIONS: Mapping[str, Action] = {
    action.__name__: action
    for action in (
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
    """Remove a partner from the registry, or restore it. Removal ends its users' connections."""
    state.registry.integrators[integrator].registered = registered
    if not registered:
        for account in state.registry.accounts.values():
            if account.integrator == integrator:
                delivery.end_connection(state, account, EndReason.ENDED, now)
