"""Login: the token is checked at every connection; success, preview and the mailbox follow.

The older of two connections of an account ends with ``conflict replaced`` (dossier 12.3).
"""

from __future__ import annotations

from bridge.errors import RemoteProtocolError
from bridge.sandbox.rules.accounts.registry import Account
from bridge.sandbox.rules.accounts.tokens import Owner, Proof, TokenFault, check
from bridge.sandbox.rules.chat import delivery
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.outputs import Close, FetchKeys, Send
from bridge.sandbox.rules.reasons import EndReason, LoginRefusal
from bridge.sandbox.rules.state import State
from bridge.wire.login import ClientPayload
from bridge.wire.vocabulary import ack, info, login

BAN_CODE_TOO_MANY_PEOPLE = "101"
"""Public code of a temporary ban, sent with ``expire`` in seconds (dossier 4.5)."""

_BY_FAULT = {
    TokenFault.BAD: LoginRefusal.BAD_TOKEN,
    TokenFault.EXPIRED: LoginRefusal.TOKEN_EXPIRED,
    TokenFault.UNKNOWN_ISSUER: LoginRefusal.PARTNER_REMOVED,
    TokenFault.NO_KEYS: LoginRefusal.UNAVAILABLE,
}


def log_in(
    state: State, connection: int, auth_key: bytes, payload: bytes, now: float, *, may_fetch: bool
) -> FetchKeys | None:
    """Accept or refuse a login. ``FetchKeys``: fetch the partner's keys, then call again with
    ``may_fetch=False``."""
    outcome = _judge(state, auth_key, payload, now, may_fetch=may_fetch)
    if isinstance(outcome, FetchKeys):
        return outcome
    if isinstance(outcome, LoginRefusal):
        _refuse(state, connection, auth_key, outcome, now)
    else:
        _welcome(state, connection, *outcome, now)
    return None


def _judge(
    state: State, auth_key: bytes, payload: bytes, now: float, *, may_fetch: bool
) -> tuple[Account, ClientPayload] | LoginRefusal | FetchKeys:
    try:
        login_ = ClientPayload.from_bytes(payload)
    except RemoteProtocolError:
        return LoginRefusal.BAD_TOKEN
    if login_.version < max(state.minimum_version, state.profile.chat.protocol_version):
        return LoginRefusal.OUTDATED
    account = state.registry.account_numbered(login_.account_id)
    if account is not None:
        delivery.expire(state, account, now)
    known = None if account is None else account.jid
    fault = None if not may_fetch else state.faults.take(Kind.REFUSE_LOGIN, known)
    if fault is not None:
        return LoginRefusal(fault.text("condition", LoginRefusal.UNAVAILABLE.value))
    if account is None or not account.enlisted:
        return LoginRefusal.UNKNOWN_ACCOUNT
    if account.auth_key != auth_key:
        return LoginRefusal.BAD_TOKEN
    if not state.partner_of(account).registered:
        return LoginRefusal.PARTNER_REMOVED
    identity = state.directory.held[account.jid].identity
    token = login_.token.decode("ascii", "replace")
    proof = Proof(token, auth_key, identity)
    owner = check(state.tokens, state.registry, state.profile.token, proof, now, may_fetch=may_fetch)
    if isinstance(owner, FetchKeys):
        return owner
    if isinstance(owner, TokenFault):
        return _BY_FAULT[owner]
    return _admit(state, account, owner, now) or (account, login_)


def _admit(state: State, account: Account, owner: Owner, now: float) -> LoginRefusal | None:
    if (owner.integrator, owner.identifier) != (account.integrator, account.identifier):
        return LoginRefusal.BAD_TOKEN
    if account.locked:
        return LoginRefusal.LOCKED
    if account.banned_until > now:
        return LoginRefusal.BANNED_FOR_NOW
    state.tokens.note_shown(owner, now)
    account.name = owner.name
    return None


def _refuse(state: State, connection: int, auth_key: bytes, why: LoginRefusal, now: float) -> None:
    details: dict[str, str] = {}
    accounts = state.registry.accounts.values()
    account = next((each for each in accounts if each.auth_key == auth_key), None)
    if why is LoginRefusal.BANNED_FOR_NOW and account is not None:
        left = max(1, int(account.banned_until - now))
        details = {"code": BAN_CODE_TOO_MANY_PEOPLE, "expire": str(left)}
    _note(state, connection, account, now, why.value)
    failure = login.LoginFailure(state.variant.login[why].word, details)
    state.outputs += [Send(connection, failure.to_stanza()), Close(connection)]


def _welcome(state: State, connection: int, account: Account, payload: ClientPayload, now: float) -> None:
    delivery.end_connection(state, account, EndReason.REPLACED, now)
    account.connection, account.last_seen = connection, now
    account.read_receipts = payload.read_receipts
    state.connections[connection] = account.jid
    mailbox = state.mailbox(account.jid)
    mailbox.begin()
    _note(state, connection, account, now, None, payload.connect_reason)
    state.outputs.append(Send(connection, login.Success(int(now)).to_stanza()))
    kinds = [entry.key.cls for entry in mailbox.entries]
    preview = info.OfflinePreview(
        len(kinds), kinds.count(ack.MESSAGE), kinds.count(ack.RECEIPT), kinds.count(ack.NOTIFICATION)
    )
    state.outputs.append(Send(connection, preview.to_stanza()))
    delivery.drain(state, account, now)


def _note(
    state: State, connection: int, account: Account | None, now: float, refused: str | None, reason: int = 0
) -> None:
    state.log.logins.append(
        {
            "order": state.log.next(),
            "at": now,
            "connection": connection,
            "account": None if account is None else str(account.jid),
            "refused": refused,
            "connect_reason": reason,
        }
    )
