"""What happens to an account at once, on demand: the other half of the faults (dossier 12.9)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from bridge.ids import Jid
from bridge.sandbox import delivering, push, questions
from bridge.sandbox.conditions import Ending
from bridge.sandbox.faults import Parameter
from bridge.sandbox.outputs import Close, Cut, Send, SendBytes
from bridge.sandbox.push import Forgery
from bridge.sandbox.registry import Account
from bridge.sandbox.state import State
from bridge.wire.codec.compression import COMPRESSED
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.message import Message

BOMB_BYTES = 64 * 1024 * 1024
NESTING = 5_000
LIST_OF_TWO = bytes([0xF8, 2])
"""Token stream: a list of two, a tag and its content (dossier 4.4)."""
TAG_IQ = bytes([0xFC, 2]) + b"iq"
MALFORMED = bytes([0, 0xF8, 0xFF, 0x13])

Parameters = Mapping[str, Parameter]
Act = Callable[[State, Account, float, Parameters], None]


class ActRefused(Exception):
    """It cannot be done now; the text says why."""


def disconnect(state: State, account: Account, now: float, given: Parameters) -> None:
    """End the connection without a word."""
    state.outputs.append(Close(_connection(account)))


def cut(state: State, account: Account, now: float, given: Parameters) -> None:
    """Break the connection off after [after_bytes] more bytes of the server's."""
    state.outputs.append(Cut(_connection(account), int(given.get("after_bytes", 0))))


def end(state: State, account: Account, now: float, given: Parameters) -> None:
    """End the connection with a stream error [why: restart, replaced, token_expired, ended]."""
    _connection(account)
    delivering.end(state, account, Ending(str(given.get("why", Ending.RESTART.value))), now)


def unknown_stanza(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a stanza of no family in use."""
    stanza = Stanza("surprise", {"id": state.new_id(), "from": state.server}, (Stanza("inside"),))
    state.outputs.append(Send(_connection(account), stanza))


def malformed_message(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a ``<message>`` without anything encrypted in it, from [sender]."""
    sender = Jid.parse(str(given.get("sender", "1@" + state.server.server)))
    outer = {"id": state.new_id(), "from": sender, "type": "text", "t": str(int(now))}
    state.outputs.append(Send(_connection(account), Stanza("message", outer)))


def malformed_bytes(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a frame that is no stanza."""
    state.outputs.append(SendBytes(_connection(account), MALFORMED))


def zip_bomb(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a small frame that inflates to 64 MiB."""
    bomb = bytes([COMPRESSED]) + zlib.compress(bytes(BOMB_BYTES), 9)
    state.outputs.append(SendBytes(_connection(account), bomb))


def deep_nesting(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a stanza nested 5,000 deep."""
    inside = (LIST_OF_TWO + TAG_IQ + bytes([0xF8, 1])) * NESTING
    state.outputs.append(SendBytes(_connection(account), b"\0" + inside + bytes([0xF8, 1]) + TAG_IQ))


def replay(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send the last message for the account once more, as a new stanza [new_id: false]."""
    found = [each for each in state.log.n_in if each.account == str(account.jid)]
    if not found:
        raise ActRefused("no message was delivered to this account")
    last = found[-1]
    carried = Message(
        id=state.new_id() if given.get("new_id") else last.id,
        peer=Jid.parse(last.sender),
        kind="pkmsg" if last.kind == "pkmsg" else "msg",
        ciphertext=bytes.fromhex(last.ciphertext),
        count=last.count,
        t=int(now),
    )
    delivering.message(state, account.jid, carried, now)


def un_enlist(state: State, account: Account, now: float, given: Parameters) -> None:
    """The network no longer knows the account."""
    delivering.un_enlist(state, account, now)


def delete(state: State, account: Account, now: float, given: Parameters) -> None:
    """Remove the account wholly, as its own request would."""
    questions.delete(state, account.jid, now)


def ban(state: State, account: Account, now: float, given: Parameters) -> None:
    """Ban for [seconds: 3600]; 0 lifts it."""
    account.banned_until = now + float(given.get("seconds", 3600.0))
    delivering.end(state, account, Ending.ENDED, now)


def lock(state: State, account: Account, now: float, given: Parameters) -> None:
    """Lock or unlock [on: true]."""
    account.locked = bool(given.get("on", True))
    if account.locked:
        delivering.end(state, account, Ending.ENDED, now)


def restrict(state: State, account: Account, now: float, given: Parameters) -> None:
    """Forbid new chats or allow them again [on: true]."""
    account.restricted = bool(given.get("on", True))


def wake(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a wake-up although nothing waits."""
    push.send(state, account, push.claims(state, account, now))


def forged_push(state: State, account: Account, now: float, given: Parameters) -> None:
    """Send a wake-up that must be refused [how: bad_signature]."""
    push.forge(state, account, Forgery(str(given.get("how", Forgery.BAD_SIGNATURE.value))), now)


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
                delivering.end(state, account, Ending.ENDED, now)


def _connection(account: Account) -> int:
    if account.connection is None:
        raise ActRefused("the account is not connected")
    return account.connection


