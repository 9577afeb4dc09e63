"""Delivery from the server to a member: directly to people, through the mailbox to accounts.

A stanza for an account is sent at once when a connection is open and its mailbox is drained, and stays in
the mailbox until it is acknowledged. The completion marker follows once nothing is unsent.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.ids import Jid
from bridge.sandbox.rules.accounts import push
from bridge.sandbox.rules.accounts.registry import DAY_S, Account
from bridge.sandbox.rules.chat.mailbox import Entry, Key
from bridge.sandbox.rules.faults import Kind, corrupt_mac
from bridge.sandbox.rules.log import Transmission
from bridge.sandbox.rules.outputs import Close, Hold, Send
from bridge.sandbox.rules.reasons import EndReason
from bridge.sandbox.rules.state import State
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack, info, login, notification
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.notification import Notification
from bridge.wire.vocabulary.receipt import RETRY, Receipt, RetryReceipt


def reply(state: State, member: Jid, stanza: Stanza) -> None:
    """Send a stanza to a member who is online; otherwise it is lost."""
    account = state.registry.accounts.get(member)
    if account is None:
        state.post(member, stanza)
    elif account.connection is not None:
        state.outputs.append(Send(account.connection, stanza))


def message(state: State, to: Jid, carried: Message, now: float) -> None:
    """Deliver a message."""
    if to not in state.registry.accounts:
        state.post(to, carried.to_stanza("from"))
        return
    if state.faults.take(Kind.BAD_MAC, to):
        carried = replace(carried, ciphertext=corrupt_mac(carried.kind, carried.ciphertext))
    delivery = state.log.delivery(to, carried, now)
    key = Key(ack.MESSAGE, carried.id, carried.type, carried.peer)
    queue(state, to, Entry(key, carried.to_stanza("from"), now, delivery.number), now)


def receipt(state: State, to: Jid, carried: Receipt | RetryReceipt, now: float) -> None:
    """Deliver a receipt; ``peer`` is who received the messages."""
    stanza = carried.to_stanza("from")
    if to not in state.registry.accounts:
        state.post(to, stanza)
        return
    if isinstance(carried, RetryReceipt):
        key = Key(ack.RECEIPT, carried.id, RETRY, carried.peer)
    else:
        key = Key(ack.RECEIPT, carried.ids[0], carried.type, carried.peer)
    queue(state, to, Entry(key, stanza, now), now)


def notify(state: State, to: Jid, what: Notification, now: float) -> None:
    """Deliver a notification."""
    stanza = (
        what.to_stanza(state.names)
        if isinstance(what, notification.Reachability)
        else what.to_stanza()
        if not isinstance(what, notification.OtherNotification)
        else Stanza("notification", {"id": what.id, "from": what.peer, "type": what.type})
    )
    if to not in state.registry.accounts:
        state.post(to, stanza)
        return
    key = Key(ack.NOTIFICATION, what.id, notification.type_of(what, state.names), what.peer)
    queue(state, to, Entry(key, stanza, now), now)


def announce_identity(state: State, member: Jid, now: float) -> None:
    """Notify everybody who knew the member's old identity of the new one."""
    for other in sorted(state.registry.known_by.get(member, ())):
        what = notification.IdentityChanged(state.new_id(), member, int(now))
        notify(state, other, what, now)


def queue(state: State, to: Jid, entry: Entry, now: float) -> None:
    """Add an entry to an account's mailbox; send it when connected, else send a wake-up."""
    account = state.registry.accounts[to]
    if not account.enlisted:
        return
    mailbox = state.mailbox(to)
    mailbox.entries.append(entry)
    if account.connection is None:
        if entry.delivery is not None:
            push.wake(state, account, now)
    elif mailbox.draining:
        drain(state, account, now)
    else:
        entry.sent = True
        _send_live(state, account, account.connection, entry, now)


def drain(state: State, account: Account, now: float, *, asked: bool = False) -> None:
    """Send the next batch once the last one is acknowledged, or when more was ``asked`` for."""
    mailbox = state.mailbox(account.jid)
    if account.connection is None or not mailbox.draining:
        return
    if mailbox.under_way() and not asked:
        return
    for entry in mailbox.batch(state.variant.allowances.offline_batch):
        _note_sent(state, entry, account.connection, now, offline=True)
        state.outputs.append(Send(account.connection, entry.offline()))
    if next(mailbox.unsent(), None) is None:
        mailbox.draining = False
        done = info.OfflineDone(mailbox.drained)
        state.outputs.append(Send(account.connection, done.to_stanza()))


def end_connection(state: State, account: Account, why: EndReason, now: float) -> None:
    """End an account's connection with a stream error."""
    if account.connection is None:
        return
    conflict = login.CONFLICT_REPLACED if why is EndReason.REPLACED else None
    word = login.StreamError(state.variant.endings[why], conflict)
    state.outputs.append(Send(account.connection, word.to_stanza()))
    state.outputs.append(Close(account.connection))
    unbind(state, account, now)


def unbind(state: State, account: Account, now: float) -> None:
    """Note that the account has no connection any more."""
    if account.connection is not None:
        state.connections.pop(account.connection, None)
    account.connection, account.last_seen = None, now
    state.mailbox(account.jid).draining = False
    state.held_back.pop(account.jid, None)


def expire(state: State, account: Account, now: float) -> None:
    """Expire old mailbox entries, and un-enlist an account that has not connected for too long."""
    timers = state.profile.timers
    for entry in state.mailbox(account.jid).expire(now - timers.mailbox_days * DAY_S):
        if entry.delivery is not None:
            state.log.n_in[entry.delivery].expired = True
    idle = now - account.last_seen
    if account.enlisted and account.connection is None and idle >= timers.unenlisted_after_days * DAY_S:
        un_enlist(state, account, now)


def un_enlist(state: State, account: Account, now: float) -> None:
    """Un-enlist an account and drop its mailbox."""
    end_connection(state, account, EndReason.ENDED, now)
    account.enlisted = False
    for entry in state.mailboxes.pop(account.jid).entries if account.jid in state.mailboxes else ():
        if entry.delivery is not None:
            state.log.n_in[entry.delivery].expired = True


def _send_live(state: State, account: Account, connection: int, entry: Entry, now: float) -> None:
    if entry.delivery is None:
        state.outputs.append(Send(connection, entry.stanza))
        return
    held_back = state.held_back.pop(account.jid, None)
    if held_back is None and state.faults.take(Kind.REORDER, account.jid):
        state.held_back[account.jid] = entry
        return
    if state.faults.take(Kind.UNDER_WAY, account.jid):
        state.outputs.append(Hold(connection))
    times = 2 if state.faults.take(Kind.DUPLICATE_STANZA, account.jid) else 1
    for each in [entry] * times + ([held_back] if held_back is not None else []):
        _note_sent(state, each, connection, now, offline=False)
        state.outputs.append(Send(connection, each.stanza))


def _note_sent(state: State, entry: Entry, connection: int, now: float, *, offline: bool) -> None:
    if entry.delivery is not None:
        sending = Transmission(state.log.next(), now, connection, offline)
        state.log.n_in[entry.delivery].sent.append(sending)
