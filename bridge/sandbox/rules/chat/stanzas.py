"""Stanzas from members (accounts and people): what the server does with each.

An unreadable stanza is refused and counted, and its connection goes on. An unknown one is counted.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.sandbox.rules.chat import delivery, queries, reachability
from bridge.sandbox.rules.chat.mailbox import Key
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.log import Submission
from bridge.sandbox.rules.outputs import Cut
from bridge.sandbox.rules.reasons import IqCode, SendRefusal
from bridge.sandbox.rules.state import State
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack, info, iq, parse
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.chatstate import ChatState
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.receipt import READ, RETRY, Receipt, RetryReceipt


def handle(state: State, sender: Jid, stanza: Stanza, now: float) -> None:
    """Handle one stanza from ``sender``."""
    try:
        word = parse(stanza, "to", state.names)
    except RemoteProtocolError:
        _malformed(state, sender, stanza)
        return
    match word:
        case Message():
            _message(state, sender, word, now)
        case Receipt() | RetryReceipt():
            _receipt(state, sender, word, now)
        case Ack():
            _acknowledged(state, sender, word, now)
        case iq.Request():
            queries.handle(state, sender, word, now)
        case ChatState():
            _chat_state(state, sender, word)
        case info.OfflineBatch():
            account = state.registry.accounts.get(sender)
            if account is not None:
                delivery.drain(state, account, now, asked=True)
        case _:
            state.log.counters[f"ignored {stanza.tag}"] += 1


def _message(state: State, sender: Jid, carried: Message, now: float) -> None:
    account = state.registry.accounts.get(sender)
    submission = None if account is None else state.log.submission(sender, account.connection, carried, now)
    if account is not None and state.faults.take(Kind.SWALLOW_MESSAGE, sender):
        _mark(submission, acked=False)
        return
    error = _refusal(state, sender, carried)
    if error is not None:
        code = state.variant.acks[error].code
        _mark(submission, error=code)
        _acknowledge(state, sender, carried, now, code)
        return
    name = account.name if account is not None else state.people[sender].name
    passed_on = replace(carried, peer=sender, t=int(now), notify=name, offline=False)
    state.registry.make_known(sender, carried.peer)
    _confirm(state, sender, carried, submission, now)
    storm = state.faults.take(Kind.RETRY_STORM, sender) if account is not None else None
    person = state.people.get(carried.peer)
    if storm is not None and person is not None:
        person.ask_again_often(storm.whole("count", 12))
    delivery.message(state, carried.peer, passed_on, now)


def _confirm(state: State, sender: Jid, carried: Message, submission: Submission | None, now: float) -> None:
    """Acknowledge an accepted message, unless a fault changes that."""
    if submission is None:
        _acknowledge(state, sender, carried, now)
        return
    connection = state.registry.accounts[sender].connection
    if connection is not None and state.faults.take(Kind.CLOSE_ON_MESSAGE, sender):
        _mark(submission, acked=False)
        state.outputs.append(Cut(connection))
        return
    if state.faults.take(Kind.MISSING_ACK, sender):
        _mark(submission, acked=False)
        return
    _acknowledge(state, sender, carried, now)
    if state.faults.take(Kind.DUPLICATE_ACK, sender):
        _acknowledge(state, sender, carried, now)


def _refusal(state: State, sender: Jid, carried: Message) -> SendRefusal | None:
    account = state.registry.accounts.get(sender)
    fault = state.faults.take(Kind.ACK_ERROR, sender) if account is not None else None
    if fault is not None:
        return SendRefusal(fault.text("condition", SendRefusal.RESTRICTED.value))
    if not reachability.may_contact(state, sender, carried.peer):
        return SendRefusal.NOT_REACHABLE
    is_new = carried.peer not in state.registry.known_by.get(sender, ())
    if account is not None and account.restricted and is_new:
        return SendRefusal.RESTRICTED
    return None


def _acknowledge(state: State, sender: Jid, carried: Message, now: float, error: int | None = None) -> None:
    word = Ack(ack.MESSAGE, carried.id, carried.peer, t=int(now), error=error)
    delivery.reply(state, sender, word.to_stanza("from"))


def _mark(submission: Submission | None, *, error: int | None = None, acked: bool = True) -> None:
    if submission is not None:
        submission.error, submission.acked = error, acked


def _receipt(state: State, sender: Jid, carried: Receipt | RetryReceipt, now: float) -> None:
    ids = [carried.id] if isinstance(carried, RetryReceipt) else list(carried.ids)
    type_ = RETRY if isinstance(carried, RetryReceipt) else carried.type
    answer = Ack(ack.RECEIPT, ids[0], carried.peer, type_)
    delivery.reply(state, sender, answer.to_stanza("from"))
    account = state.registry.accounts.get(sender)
    if account is not None:
        count = carried.count if isinstance(carried, RetryReceipt) else None
        state.log.receipts.append(
            {
                "order": state.log.next(),
                "at": now,
                "account": str(sender),
                "to": str(carried.peer),
                "ids": ids,
                "type": type_,
                "count": count,
            }
        )
    if not reachability.may_contact(state, sender, carried.peer):
        return
    if account is not None and type_ == READ and not account.read_receipts:
        # The account declared at login that it sends no read receipts.
        return
    passed_on = (
        replace(carried, peer=sender, offline=False)
        if isinstance(carried, RetryReceipt)
        else replace(carried, peer=sender, t=int(now), offline=False)
    )
    delivery.receipt(state, carried.peer, passed_on, now)


def _acknowledged(state: State, sender: Jid, word: Ack, now: float) -> None:
    account = state.registry.accounts.get(sender)
    if account is None:
        return
    entry = state.mailbox(sender).acknowledge(Key(word.cls, word.id, word.type, word.peer))
    if entry is None:
        state.log.counters["acks of nothing"] += 1
        return
    if entry.delivery is not None:
        logged = state.log.n_in[entry.delivery]
        logged.acked_order, logged.acked_at = state.log.next(), now
        logged.acked_error = word.error
    delivery.drain(state, account, now)


def _chat_state(state: State, sender: Jid, word: ChatState) -> None:
    """Pass on typing; it is never stored."""
    if reachability.may_contact(state, sender, word.peer):
        delivery.reply(state, word.peer, replace(word, peer=sender).to_stanza("from"))


def _malformed(state: State, sender: Jid, stanza: Stanza) -> None:
    state.log.counters[f"malformed {stanza.tag}"] += 1
    identifier, to = stanza.attributes.get("id"), stanza.attributes.get("to")
    if not isinstance(identifier, str) or not identifier:
        return
    if stanza.tag == "iq":
        refusal = iq.Failure(identifier, iq.IqError(IqCode.BAD_REQUEST))
        delivery.reply(state, sender, refusal.to_stanza())
    elif stanza.tag == "message" and isinstance(to, Jid):
        word = Ack(ack.MESSAGE, identifier, to, error=state.variant.acks[SendRefusal.MALFORMED].code)
        delivery.reply(state, sender, word.to_stanza("from"))
