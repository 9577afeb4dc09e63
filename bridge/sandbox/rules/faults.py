"""Faults on demand, as data: kind, account, number of times, parameters.

An armed fault is used up where the rules check for it. What happens at once (a disconnect, a ban, a
replay) is in ``actions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bridge.e2ee.message import read_message, read_prekey_message
from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.vocabulary.message import Kind as MessageKind

Parameter = str | int | float | bool


class Kind(Enum):
    """Every fault that can be armed (dossier 12.9); parameters in brackets."""

    DUPLICATE_ACK = "duplicate_ack"
    """A message of the account is acknowledged twice."""
    MISSING_ACK = "missing_ack"
    """A message is accepted and passed on, but not acknowledged."""
    SWALLOW_MESSAGE = "swallow_message"
    """A message is dropped: neither passed on nor acknowledged."""
    ACK_ERROR = "ack_error"
    """A message is refused [condition: restricted]."""
    CLOSE_ON_MESSAGE = "close_on_message"
    """The connection is cut when a message arrives: it is accepted, its ack is lost."""
    REORDER = "reorder"
    """A message for the account is held back until the next one was sent."""
    DUPLICATE_STANZA = "duplicate_stanza"
    """A message for the account is sent twice."""
    UNDER_WAY = "under_way"
    """A message for the account, and all after it, arrives only when the client has closed its side."""
    BAD_MAC = "bad_mac"
    """A message for the account arrives with one bit of its MAC flipped."""
    CUT_OUTGOING = "cut_outgoing"
    """The next connection is cut after the server has sent [after_bytes]."""
    CUT_INCOMING = "cut_incoming"
    """The next connection is cut after the client has sent [after_bytes]."""
    REFUSE_LOGIN = "refuse_login"
    """A login is refused [condition: unavailable]."""
    REFUSE_ENLISTMENT = "refuse_enlistment"
    """An enlistment is refused [condition: unavailable, retry_after]."""
    JWKS_OUTAGE = "jwks_outage"
    """The partner's keys are forgotten and cannot be fetched."""
    UNKNOWN_KID = "unknown_kid"
    """The fetched key set lacks the signing key."""
    PREKEYS_EXHAUSTED = "prekeys_exhausted"
    """A bundle comes without a one-time prekey."""
    ROTATE_AFTER_FETCH = "rotate_after_fetch"
    """After a bundle was fetched, the person rotates the signed prekey and forgets the old one."""
    REINSTALL_AFTER_FETCH = "reinstall_after_fetch"
    """The person reinstalls after a bundle was fetched."""
    RETRY_STORM = "retry_storm"
    """The recipient of a message sends [count: 12] retry receipts."""
    SILENT = "silent"
    """A keep-alive is not answered."""
    MISSING_PUSH = "missing_push"
    """A wake-up is not sent."""
    DUPLICATE_PUSH = "duplicate_push"
    """A wake-up is sent twice."""


@dataclass
class Fault:
    """``account`` None: for anybody. ``times`` is how often it can still happen."""

    number: int
    kind: Kind
    account: Jid | None
    times: int
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def whole(self, name: str, default: int) -> int:
        """A parameter that is a whole number."""
        value = self.parameters.get(name, default)
        return int(value)

    def text(self, name: str, default: str) -> str:
        """A parameter that is a word."""
        return str(self.parameters.get(name, default))


@dataclass
class Faults:
    """Armed faults, and how often each kind happened."""

    armed: list[Fault] = field(default_factory=list)
    happened: dict[str, int] = field(default_factory=dict)
    _number: int = 0

    def arm(
        self,
        kind: Kind,
        account: Jid | None = None,
        times: int = 1,
        parameters: Mapping[str, Parameter] | None = None,
    ) -> Fault:
        """Arm a fault for ``times`` times."""
        self._number += 1
        fault = Fault(self._number, kind, account, times, dict(parameters or {}))
        self.armed.append(fault)
        return fault

    def take(self, kind: Kind, account: Jid | None = None) -> Fault | None:
        """Use up one matching fault; None when none is armed.

        Without an ``account`` (not known yet) only faults for anybody match.
        """
        for fault in self.armed:
            if fault.kind is kind and (fault.account is None or fault.account == account):
                fault.times -= 1
                if fault.times <= 0:
                    self.armed.remove(fault)
                self.happened[kind.value] = self.happened.get(kind.value, 0) + 1
                return fault
        return None

    def clear(self, number: int | None = None) -> None:
        """Disarm one fault, or all."""
        self.armed = [] if number is None else [each for each in self.armed if each.number != number]


def corrupt_mac(kind: MessageKind, ciphertext: bytes) -> bytes:
    """``ciphertext`` with one bit of its MAC flipped; of its last byte when it cannot be read."""
    try:
        mac = (read_prekey_message(ciphertext).message if kind == "pkmsg" else read_message(ciphertext)).mac
    except RemoteProtocolError:
        mac = ciphertext[-1:]
    at = ciphertext.rindex(mac)
    flipped = mac[:-1] + bytes([mac[-1] ^ 1])
    return ciphertext[:at] + flipped + ciphertext[at + len(mac) :]
