"""The enlistment call: form in, reply out, with every reason of dossier 12.2.

Arguments and sizes are the documented ones; binary values are base64url without padding. The reply
is JSON with HTTP status 200 either way: ``{"login", "status": "ok"}`` or ``{"reason", "status":
"fail"[, "retry_after"]}``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.curve import agree
from bridge.sandbox.rules.accounts.registry import Account
from bridge.sandbox.rules.accounts.tokens import Owner, Proof, TokenFault, check
from bridge.sandbox.rules.chat import delivery
from bridge.sandbox.rules.chat.prekeys import StoredKeys, is_signed
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.outputs import FetchKeys
from bridge.sandbox.rules.reasons import EndReason, EnlistRefusal
from bridge.sandbox.rules.state import State
from bridge.wire.vocabulary.keys import (
    KEY_TYPE_CURVE25519,
    MAX_ID,
    MAX_REGISTRATION_ID,
    PublicSignedPreKey,
)

SIZES: Mapping[str, int] = {
    "authkey": 32,
    "e_keytype": 1,
    "e_regid": 4,
    "e_ident": 32,
    "e_skey_id": 3,
    "e_skey_val": 32,
    "e_skey_sig": 64,
}
TOKEN_ARGUMENT = "token"  # noqa: S105 - the argument's name
MAX_TOKEN_CHARACTERS = 4096
VERSION_ARGUMENT = "version"
"""Not in the public table, although a version is checked: optional here."""
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", re.ASCII)

_BY_FAULT = {
    TokenFault.BAD: EnlistRefusal.BAD_TOKEN,
    TokenFault.EXPIRED: EnlistRefusal.TOKEN_EXPIRED,
    TokenFault.UNKNOWN_ISSUER: EnlistRefusal.BAD_INTEGRATOR,
    TokenFault.NO_KEYS: EnlistRefusal.UNAVAILABLE,
}
# Any private scalar shows whether a point is of low order.
_PROBE = bytes(range(1, 33))


@dataclass(frozen=True)
class Form:
    """A well-formed enlistment."""

    auth_key: bytes
    registration_id: int
    identity: bytes
    signed: PublicSignedPreKey
    token: str = field(repr=False)
    version: tuple[int, int, int] | None
    """None when it was not given."""


@dataclass(frozen=True)
class Refused:
    """A refusal; ``retry_after`` in seconds where known."""

    why: EnlistRefusal
    retry_after: int | None = None


Arguments = Mapping[str, Sequence[str]]


def enlist(state: State, arguments: Arguments, now: float, *, may_fetch: bool) -> dict[str, Any] | FetchKeys:
    """The reply as JSON data. ``FetchKeys``: fetch the partner's keys, then call again with
    ``may_fetch=False``."""
    outcome = _enlist(state, arguments, now, may_fetch=may_fetch)
    if isinstance(outcome, FetchKeys):
        return outcome
    reply: dict[str, Any]
    if isinstance(outcome, Account):
        reply = {"login": str(outcome.jid), "status": "ok"}
    else:
        reply = {"reason": state.variant.enlist[outcome.why].word, "status": "fail"}
        if outcome.retry_after is not None:
            reply["retry_after"] = outcome.retry_after
    why = None if isinstance(outcome, Account) else outcome.why.value
    state.log.enlistments.append({"order": state.log.next(), "at": now, "refused": why})
    return reply


def _enlist(
    state: State, arguments: Arguments, now: float, *, may_fetch: bool
) -> Account | Refused | FetchKeys:
    form = read(arguments)
    if isinstance(form, EnlistRefusal):
        return Refused(form)
    proof = Proof(form.token, form.auth_key, form.identity)
    if may_fetch:
        fault = state.faults.take(Kind.REFUSE_ENLISTMENT)
        if fault is not None:
            after = fault.whole("retry_after", 0) or None
            return Refused(EnlistRefusal(fault.text("condition", EnlistRefusal.UNAVAILABLE.value)), after)
    owner = check(state.tokens, state.registry, state.profile.token, proof, now, may_fetch=may_fetch)
    if isinstance(owner, FetchKeys):
        return owner
    if isinstance(owner, TokenFault):
        return Refused(_BY_FAULT[owner])
    return _admit(state, form, owner, now)


def read(arguments: Arguments) -> Form | EnlistRefusal:
    """The form's values, or why they are invalid."""
    if any(not any(arguments.get(name, ())) for name in (*SIZES, TOKEN_ARGUMENT)):
        return EnlistRefusal.MISSING_PARAM
    if any(len(arguments[name]) != 1 for name in (*SIZES, TOKEN_ARGUMENT)):
        return EnlistRefusal.BAD_PARAM
    token = arguments[TOKEN_ARGUMENT][0]
    values = {name: _decode(arguments[name][0], size) for name, size in SIZES.items()}
    found = {name: value for name, value in values.items() if value is not None}
    if len(found) < len(SIZES) or len(token) > MAX_TOKEN_CHARACTERS:
        return EnlistRefusal.BAD_PARAM
    registration_id = int.from_bytes(found["e_regid"], "big")
    signed_id = int.from_bytes(found["e_skey_id"], "big")
    if not 1 <= registration_id <= MAX_REGISTRATION_ID or not 0 <= signed_id <= MAX_ID:
        return EnlistRefusal.BAD_PARAM
    keys = (found["authkey"], found["e_ident"], found["e_skey_val"])
    if found["e_keytype"] != KEY_TYPE_CURVE25519 or not all(_is_usable(key) for key in keys):
        return EnlistRefusal.BAD_KEY
    signed = PublicSignedPreKey(signed_id, found["e_skey_val"], found["e_skey_sig"])
    version = _read_version(arguments)
    if isinstance(version, EnlistRefusal):
        return version
    return Form(found["authkey"], registration_id, found["e_ident"], signed, token, version)


def _read_version(arguments: Arguments) -> tuple[int, int, int] | EnlistRefusal | None:
    written = arguments.get(VERSION_ARGUMENT)
    if not written:
        return None
    match = _VERSION.fullmatch(written[0]) if len(written) == 1 else None
    if match is None:
        return EnlistRefusal.BAD_PARAM
    primary, secondary, tertiary = map(int, match.groups())
    return primary, secondary, tertiary


def _admit(state: State, form: Form, owner: Owner, now: float) -> Account | Refused:
    registry = state.registry
    same_key = next((each for each in registry.accounts.values() if each.auth_key == form.auth_key), None)
    if same_key is not None and (same_key.integrator, same_key.identifier) != (
        owner.integrator,
        owner.identifier,
    ):
        return Refused(EnlistRefusal.IDENTIFIER_MISMATCH)
    if not is_signed(form.identity, form.signed):
        return Refused(EnlistRefusal.BAD_SIGNATURE)
    # Without a version, the profile's is assumed.
    spoken = form.version or state.profile.chat.protocol_version
    if spoken < max(state.minimum_version, state.profile.chat.protocol_version):
        return Refused(EnlistRefusal.OLD_VERSION)
    if owner.identifier in registry.blocked:
        return Refused(EnlistRefusal.BLOCKED)
    if owner.identifier in registry.not_eligible:
        return Refused(EnlistRefusal.NOT_ELIGIBLE)
    wait = state.enlistments.take((owner.integrator, owner.identifier), now)
    if wait:
        return Refused(EnlistRefusal.TOO_MANY, wait)
    state.tokens.note_shown(owner, now)
    return _record(state, form, owner, now)


def _record(state: State, form: Form, owner: Owner, now: float) -> Account:
    """Create or update the account. The same identifier keeps its JID; contacts are notified of new keys."""
    account = state.registry.account_of(owner.integrator, owner.identifier)
    if account is None:
        jid = state.registry.account_jid(owner.integrator, owner.identifier)
        account = Account(jid, owner.integrator, owner.identifier, owner.name, form.auth_key, now)
        state.registry.accounts[jid] = account
    elif account.auth_key != form.auth_key:
        delivery.end_connection(state, account, EndReason.REPLACED, now)
    account.auth_key, account.name = form.auth_key, owner.name
    account.enlisted, account.last_seen = True, now
    held = state.directory.held.get(account.jid)
    if held is None or held.identity != form.identity:
        state.directory.held[account.jid] = StoredKeys(form.registration_id, form.identity, form.signed)
        if held is not None:
            delivery.announce_identity(state, account.jid, now)
    else:
        held.signed = form.signed
    return account


def _decode(value: str, size: int) -> bytes | None:
    if not value.isascii() or "=" in value or "+" in value or "/" in value:
        return None
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == size else None


def _is_usable(key: bytes) -> bool:
    try:
        agree(_PROBE, key)
    except ValueError:
        return False
    return True
