"""What is owed to people: stored and read back unchanged, once for each thing it stands for."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.flow.outbox import (
    ENLIST,
    NOTICE,
    RECEIPT_OUT,
    STATUS,
    Notice,
    ReceiptOut,
    Status,
    task,
    values_of,
)
from bridge.ids import AccountId, ContactId, EventId, RoomId, StanzaId, UserId
from bridge.sentences import say

QUICK = settings(max_examples=50, derandomize=True, deadline=None)
ROOM = RoomId("!room:matrix.example")
EVENT = EventId("$event")
ALICE = UserId("@alice:matrix.example")
ACCOUNT = AccountId(b"a" * 16)
CONTACT = ContactId(b"c" * 16)
OTHER = ContactId(b"d" * 16)
WHY = say("outbound.not_sent", reason=say("outbound.too_long", length=2, limit=1))

ids = st.text(min_size=1, max_size=20)


@QUICK
@given(st.none() | ids.map(EventId), st.none() | ids.map(UserId), st.text(max_size=20))
def test_a_notice_is_read_as_it_was_stored(event: EventId | None, user: UserId | None, name: str) -> None:
    notice = Notice(ROOM, say("inbound.unreadable", name=name), event, user)
    assert Notice.from_bytes(notice.owed("key").body) == notice


def test_a_notice_in_a_notice_survives() -> None:
    notice = Notice(ROOM, WHY, EVENT, ALICE)
    assert Notice.from_bytes(notice.owed("key").body) == notice


@QUICK
@given(
    st.none() | st.just("m.foreign_network_error"),
    st.none() | st.just(WHY),
    st.none() | st.lists(ids.map(UserId), max_size=2).map(tuple),
)
def test_a_status_is_read_as_it_was_stored(
    reason: str | None, sentence: object, delivered_to: tuple[UserId, ...] | None
) -> None:
    shown = None if sentence is None else WHY
    status = Status(ROOM, EVENT, "SUCCESS", reason, shown, delivered_to)
    assert Status.from_bytes(status.owed().body) == status


@QUICK
@given(
    st.lists(ids.map(StanzaId), min_size=1, max_size=3).map(tuple),
    st.none() | st.just("read"),
    st.floats(0, 1e10),
)
def test_a_receipt_is_read_as_it_was_stored(
    stanzas: tuple[StanzaId, ...], kind: str | None, at: float
) -> None:
    receipt = ReceiptOut(ACCOUNT, "4915112345678@s.whatsapp.net", stanzas, kind, at)
    assert ReceiptOut.from_bytes(ACCOUNT, receipt.owed(CONTACT).body) == receipt


def test_a_task_is_read_as_it_was_stored() -> None:
    owed = task(ENLIST, ACCOUNT, "key", reason="again", attempt=2, nothing=None)
    assert (owed.kind, owed.account_id, owed.key) == (ENLIST, ACCOUNT, "key")
    assert values_of(owed.body) == {"reason": "again", "attempt": 2, "nothing": None}


def test_a_task_runs_in_the_lane_of_its_account_unless_another_is_named() -> None:
    assert task(ENLIST, ACCOUNT, "key").lane == f"account:{ACCOUNT.hex()}"
    assert task(ENLIST, ACCOUNT, "key", lane="elsewhere").lane == "elsewhere"


def test_what_is_said_in_a_room_keeps_its_order() -> None:
    notice = Notice(ROOM, WHY).owed("key")
    status = Status(ROOM, EVENT, "SUCCESS").owed()
    assert (notice.kind, status.kind) == (NOTICE, STATUS)
    assert notice.lane == status.lane
    assert notice.lane != Notice(RoomId("!other:matrix.example"), WHY).owed("key").lane


def test_the_same_status_of_an_event_is_owed_once_and_each_step_for_itself() -> None:
    steps = [
        Status(ROOM, EVENT, "PENDING"),
        Status(ROOM, EVENT, "SUCCESS"),
        Status(ROOM, EVENT, "SUCCESS", delivered_to=(ALICE,)),
        Status(ROOM, EventId("$other"), "SUCCESS"),
    ]
    assert len({status.owed().key for status in steps}) == len(steps)
    assert Status(ROOM, EVENT, "SUCCESS").owed().key == Status(ROOM, EVENT, "SUCCESS").owed().key


def test_receipts_of_two_kinds_chats_or_messages_are_two() -> None:
    one, two = StanzaId("ONE"), StanzaId("TWO")
    delivered = ReceiptOut(ACCOUNT, "jid", (one,), None, 1.0)
    read = ReceiptOut(ACCOUNT, "jid", (one,), "read", 1.0)
    another = ReceiptOut(ACCOUNT, "jid", (two,), None, 1.0)
    later = ReceiptOut(ACCOUNT, "jid", (one,), None, 2.0)
    keys = {delivered.owed(CONTACT).key, read.owed(CONTACT).key, another.owed(CONTACT).key}
    assert len(keys | {delivered.owed(OTHER).key}) == 4
    assert later.owed(CONTACT).key == delivered.owed(CONTACT).key
    assert {receipt.owed(CONTACT).kind for receipt in (delivered, read)} == {RECEIPT_OUT}
    assert delivered.owed(CONTACT).lane == read.owed(CONTACT).lane != delivered.owed(OTHER).lane


def test_nothing_private_shows_in_a_repr() -> None:
    secret = "Anna"
    notice = Notice(ROOM, say("inbound.unreadable", name=secret))
    receipt = ReceiptOut(ACCOUNT, secret, (StanzaId("ONE"),), None, 1.0)
    for each in (notice, receipt, notice.owed("key"), receipt.owed(CONTACT)):
        assert secret not in repr(each)
