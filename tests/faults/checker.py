"""Decides the promises P1 to P4 (and the receipts owed) over the four logs. Pure; knows no product code.

A chat is (account, contact) in the network's names. Texts are unique in a conversation: they join the
two ends of a message, since no id of one side appears on the other. ``settled``: all faults are off
and everything had its time; before that only what must *never* be seen is looked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tests.faults.ciphertext import message_key

Chat = tuple[str, str]
"""An account and a contact."""


class Says(Enum):
    """What an event of the bridge is."""

    WORDS = "a message"
    WAITING = "takes long"
    """No last word: in the end it is gone, or has become another."""
    FAILED = "not sent"
    UNSURE = "given up, may have arrived"
    UNREADABLE = "could not be decrypted"
    OTHER = "another notice"


@dataclass(frozen=True)
class Asked:
    """H_in: an event of a user for a contact. ``answered``: a transaction with it got its 200."""

    event_id: str
    chat: Chat
    text: str
    answered: bool = True


@dataclass(frozen=True)
class Shown:
    """H_out: an event that the bridge made in a chat, as it stands there after its last edit.

    ``about`` is the event that a notice replies to.
    """

    event_id: str
    chat: Chat
    text: str
    says: Says = Says.WORDS
    about: str | None = None
    marker: str | None = None
    redacted: bool = False


@dataclass(frozen=True)
class Given:
    """N_in: a message the network had for an account, in the order of its acceptance there."""

    chat: Chat
    stanza_id: str
    text: str
    ciphertext: bytes = b""
    acked: bool = True


@dataclass(frozen=True)
class Taken:
    """N_out: bytes the network got. ``text`` is what the contact read under that stanza id, if it could.

    ``count`` is above 0 in the answer to a retry receipt.
    """

    chat: Chat
    stanza_id: str
    kind: str
    ciphertext: bytes
    text: str | None
    count: int = 0


@dataclass(frozen=True)
class Logs:
    """The four logs, each in its own order, and the receipts (chat, stanza id, type) the network got."""

    asked: Sequence[Asked]
    shown: Sequence[Shown]
    given: Sequence[Given]
    taken: Sequence[Taken]
    receipts: Sequence[tuple[Chat, str, str | None]] = field(default=())


@dataclass(frozen=True)
class Violation:
    """A promise that was broken."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


def violations(logs: Logs, *, settled: bool = True) -> list[Violation]:
    """Everything that is wrong, in the order of the promises."""
    found = [
        *(Violation("P1", what) for what in sent_once(logs, settled=settled)),
        *(Violation("P1", what) for what in notices_once(logs, settled=settled)),
        *(Violation("P2", what) for what in shown_once(logs, settled=settled)),
        *(Violation("P3", what) for what in out_of_order(logs)),
        *(Violation("P4", what) for what in sealed_twice(logs)),
    ]
    if settled:
        found += [Violation("R", what) for what in receipts_missing(logs)]
    return found


def sent_once(logs: Logs, *, settled: bool) -> Iterator[str]:
    """P1: an event of an answered transaction is delivered once, or its sender is told why.

    Never both, unless the notice says that it may have arrived.
    """
    ids: Mapping[tuple[Chat, str], set[str]] = defaultdict(set)
    for taken in logs.taken:
        if taken.text is not None:
            ids[taken.chat, taken.text].add(taken.stanza_id)
    stands = [shown for shown in logs.shown if not shown.redacted]
    failed = Counter(shown.about for shown in stands if shown.says is Says.FAILED)
    unsure = Counter(shown.about for shown in stands if shown.says is Says.UNSURE)
    wanted = {(event.chat, event.text) for event in logs.asked}
    for event in {event.event_id: event for event in logs.asked if event.answered}.values():
        delivered = len(ids[event.chat, event.text])
        told = failed[event.event_id] + unsure[event.event_id]
        if delivered > 1 or told > 1 or (delivered and failed[event.event_id]):
            yield f"{event.text!r} was delivered {delivered} times and refused {told} times"
        elif settled and delivered + told == 0:
            yield f"{event.text!r} was neither delivered nor refused"
    for chat, text in sorted(ids.keys() - wanted):
        if ids[chat, text]:
            yield f"{text!r} was delivered to {chat[1]}, but nobody of {chat[0]} wrote it there"
    if settled:
        read = {(t.chat, t.stanza_id) for t in logs.taken if t.text is not None}
        for unread in sorted({(t.chat, t.stanza_id) for t in logs.taken} - read):
            yield f"{unread[1]} reached the network and was never readable"


def notices_once(logs: Logs, *, settled: bool) -> Iterator[str]:
    """P1: a notice is sent once like any message, and one that says "wait" does not outlast the wait."""
    notices = [shown for shown in logs.shown if shown.says is not Says.WORDS and not shown.redacted]
    for (_, about, text, _), times in Counter((n.chat, n.about, n.text, n.marker) for n in notices).items():
        if times > 1:
            yield f"the notice {text!r} about {about} stands {times} times"
    for chat, times in Counter(n.chat for n in notices if n.says is Says.WAITING).items():
        if times > 1:
            yield f"{chat} is marked as waiting {times} times"
        if settled:
            yield f"{chat} is still marked as waiting"


def shown_once(logs: Logs, *, settled: bool) -> Iterator[str]:
    """P2: an acknowledged stanza appears exactly once in Matrix: it, or a notice that it cannot be read."""
    stands = [shown for shown in logs.shown if not shown.redacted]
    places = Counter((s.chat, s.text) for s in stands if s.marker is not None)
    missing: Counter[Chat] = Counter()
    unsettled: Counter[Chat] = Counter()
    for chat, text in sorted({(given.chat, given.text) for given in logs.given}):
        times = places[chat, text]
        acked = any(g.acked for g in logs.given if (g.chat, g.text) == (chat, text))
        if times > 1:
            yield f"{text!r} stands in Matrix {times} times"
        elif times == 0:
            (missing if acked else unsettled)[chat] += 1
    unreadable = Counter(shown.chat for shown in stands if shown.says is Says.UNREADABLE)
    for chat in missing.keys() | unreadable.keys() if settled else ():
        if missing[chat] > unreadable[chat]:
            yield f"{missing[chat]} acknowledged messages do not stand in Matrix in {chat}"
        elif missing[chat] + unsettled[chat] < unreadable[chat]:
            yield f"{unreadable[chat]} are said to be unreadable in {chat}, but {missing[chat]} are missing"
    markers = Counter(s.marker for s in stands if s.marker is not None and (settled or s.says is Says.WORDS))
    for marker, times in markers.items():
        if times > 1:
            yield f"marker {marker} is on {times} events"
    known = {(given.chat, given.text) for given in logs.given}
    for shown in stands:
        if shown.marker is not None and shown.says is Says.WORDS and (shown.chat, shown.text) not in known:
            yield f"{shown.text!r} stands in Matrix, but the network never had it for {shown.chat[0]}"


def out_of_order(logs: Logs) -> Iterator[str]:
    """P3: each chat keeps its order both ways, apart from what failed or had to be sent again."""
    asked = _first((event.chat, event.text) for event in logs.asked)
    taken = _first((t.chat, t.text) for t in logs.taken if t.text is not None)
    yield from _differing("the network got", asked, taken, set())
    bytes_of = defaultdict(set)
    for given in logs.given:
        bytes_of[given.chat, given.text].add(given.ciphertext)
    again = {item for item, versions in bytes_of.items() if len(versions) > 1}
    given_order = _first((given.chat, given.text) for given in logs.given)
    shown = _first((s.chat, s.text) for s in logs.shown if s.marker is not None and not s.redacted)
    yield from _differing("Matrix shows", given_order, shown, again)


def sealed_twice(logs: Logs) -> Iterator[str]:
    """P4: one ciphertext for each message key, over all restarts; and after a doubt the very same bytes."""
    seen: dict[tuple[bytes, int], bytes] = {}
    sent: dict[tuple[Chat, str, int], bytes] = {}
    for taken in logs.taken:
        if sent.setdefault((taken.chat, taken.stanza_id, taken.count), taken.ciphertext) != taken.ciphertext:
            yield f"{taken.stanza_id} was sealed anew although nobody asked for it again"
        key, body = message_key(taken.kind, taken.ciphertext)
        if seen.setdefault(key, body) != body:
            yield f"ratchet key {key[0].hex()[:16]}, counter {key[1]} sealed two messages to {taken.chat[1]}"


def receipts_missing(logs: Logs) -> Iterator[str]:
    """What stands in Matrix was reported delivered to the contact."""
    told = {(chat, stanza_id) for chat, stanza_id, type_ in logs.receipts if type_ is None}
    stands = {(s.chat, s.text) for s in logs.shown if s.marker is not None and s.says is Says.WORDS}
    for given in logs.given:
        if (given.chat, given.text) in stands and (given.chat, given.stanza_id) not in told:
            yield f"no delivery receipt for {given.text!r}"


def _first(items: Iterator[tuple[Chat, str]]) -> Mapping[Chat, list[str]]:
    """The texts of each chat in the order of their first appearance."""
    order: dict[Chat, dict[str, None]] = defaultdict(dict)
    for chat, text in items:
        order[chat].setdefault(text)
    return {chat: list(texts) for chat, texts in order.items()}


def _differing(
    where: str,
    before: Mapping[Chat, list[str]],
    after: Mapping[Chat, list[str]],
    again: set[tuple[Chat, str]],
) -> Iterator[str]:
    for chat in before.keys() & after.keys():
        arrived = [text for text in after[chat] if (chat, text) not in again and text in before[chat]]
        due = [text for text in before[chat] if text in arrived]
        if arrived != due:
            yield f"{where} {arrived} in {chat}, written were {due}"
