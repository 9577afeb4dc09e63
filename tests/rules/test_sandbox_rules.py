"""The sandbox's rate limits, mailbox, identifiers, prekey directory and faults."""

from __future__ import annotations

import pytest

from bridge.e2ee.message import read_message, read_prekey_message
from bridge.ids import Jid
from bridge.sandbox.people.keyring import Keyring
from bridge.sandbox.rules.accounts.registry import normalised
from bridge.sandbox.rules.chat.mailbox import Entry, Key, Mailbox
from bridge.sandbox.rules.chat.prekeys import Directory
from bridge.sandbox.rules.faults import Faults, Kind, corrupt_mac
from bridge.sandbox.rules.rate_limit import Buckets
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.iq import IqError
from bridge.wire.vocabulary.keys import PublicBundle
from tests.e2ee.support import End
from tests.rules.sandbox_support import NOW, dice, make_world

ALICE, MIRA, ANNA = Jid("8589934592", "interop", 7), Jid("49151", "s.whatsapp.net"), Jid("9", "interop", 2)


def test_bucket_allows_a_burst_then_one_per_refill() -> None:
    buckets = Buckets(burst=2, refill_s=60)
    assert [buckets.take("a", NOW) for _ in range(3)] == [0, 0, 60]
    assert buckets.take("b", NOW) == 0
    assert buckets.take("a", NOW + 59) == 1
    assert buckets.take("a", NOW + 60) == 0
    assert buckets.take("a", NOW + 60) == 60


def test_bucket_is_capped_and_tolerates_a_clock_going_back() -> None:
    buckets = Buckets(burst=1, refill_s=60)
    assert buckets.take("a", NOW) == 0
    assert buckets.take("a", NOW - 1000) > 0
    assert [buckets.take("a", NOW + 10_000) for _ in range(2)] == [0, 60]


def entry(id: str, peer: Jid = MIRA, cls: str = "message", type_: str | None = "text") -> Entry:
    return Entry(Key(cls, id, type_, peer), Stanza(cls, {"id": id, "from": peer}), NOW)


def test_ack_removes_one_sent_entry() -> None:
    mailbox = Mailbox()
    mailbox.entries.extend([entry("1"), entry("1"), entry("2")])
    key = Key("message", "1", None, MIRA)
    assert mailbox.acknowledge(key) is None
    first, second = mailbox.batch(2)
    assert mailbox.acknowledge(key) is first
    assert mailbox.acknowledge(key) is second
    assert mailbox.acknowledge(key) is None
    assert [each.key.id for each in mailbox.entries] == ["2"]


@pytest.mark.parametrize(
    "key",
    [
        Key("message", "1", None, ANNA),
        Key("message", "2", None, MIRA),
        Key("receipt", "1", None, MIRA),
        Key("message", "1", "media", MIRA),
    ],
)
def test_ack_must_match_class_id_type_and_sender(key: Key) -> None:
    mailbox = Mailbox()
    mailbox.entries.append(entry("1"))
    mailbox.batch(1)
    assert mailbox.acknowledge(key) is None


def test_receipts_are_matched_by_type() -> None:
    mailbox = Mailbox()
    mailbox.entries.extend([entry("1", cls="receipt", type_=None), entry("1", cls="receipt", type_="read")])
    delivered, read = mailbox.batch(2)
    assert mailbox.acknowledge(Key("receipt", "1", "read", MIRA)) is read
    assert mailbox.acknowledge(Key("receipt", "1", None, MIRA)) is delivered


def test_new_connection_resends_everything() -> None:
    mailbox = Mailbox()
    mailbox.entries.extend([entry("1"), entry("2")])
    assert len(mailbox.batch(5)) == 2
    assert mailbox.batch(5) == []
    mailbox.begin()
    assert [each.key.id for each in mailbox.batch(1)] == ["1"]
    assert mailbox.under_way() and mailbox.drained == 1


def test_entry_at_the_age_limit_is_kept() -> None:
    mailbox = Mailbox()
    mailbox.entries.append(entry("1"))
    assert mailbox.expire(NOW) == []
    assert len(mailbox.expire(NOW + 0.001)) == 1


SPELLINGS = [
    ("whatsapp", "+49 (151) 00-01", "+491510001"),
    ("whatsapp", "0049", "+0049"),
    ("birdychat", " Anna@Firm.EXAMPLE", "anna@firm.example"),
    ("haiket", "Tom", "@tom"),
    ("haiket", "@Tom", "@tom"),
]


@pytest.mark.parametrize(("service", "written", "expected"), SPELLINGS)
def test_identifier_is_normalised(service: str, written: str, expected: str) -> None:
    found = make_world().profile.service(service)
    assert found is not None
    assert normalised(found, written) == expected == normalised(found, expected)


def directory(count: int = 3) -> tuple[Directory, Keyring]:
    keyring = Keyring.new(dice("keys"))
    made = Directory(Buckets(10, 60), max_upload=count)
    assert made.upload(MIRA, keyring.make(count), may_change_identity=True) is None
    return made, keyring


def test_one_time_prekeys_go_out_once_in_order() -> None:
    made, keyring = directory()
    ids = []
    for _ in range(4):
        found = made.fetch(ALICE, MIRA, NOW)
        assert isinstance(found, PublicBundle)
        ids.append(found.prekey_id)
    assert ids == [1, 2, 3, None]
    keyring.next_id = 1
    assert made.upload(MIRA, keyring.make(3), may_change_identity=False) is None
    found = made.fetch(ALICE, MIRA, NOW)
    assert isinstance(found, PublicBundle) and found.prekey_id is None


def test_fetches_are_limited_per_asker_and_target() -> None:
    made, _ = directory()
    found = [made.fetch(ALICE, MIRA, NOW) for _ in range(11)]
    assert found[10] == IqError(429)
    assert isinstance(made.fetch(ANNA, MIRA, NOW), PublicBundle)
    assert made.fetch(ALICE, ANNA, NOW) == IqError(404)


def test_low_prekeys_are_reported_once_per_upload() -> None:
    made, keyring = directory()
    assert made.to_tell_low(MIRA, 3) is None
    made.fetch(ALICE, MIRA, NOW)
    assert made.to_tell_low(MIRA, 3) == 2
    assert made.to_tell_low(MIRA, 3) is None
    assert made.upload(MIRA, keyring.make(1), may_change_identity=False) is None
    made.fetch(ALICE, MIRA, NOW)
    assert made.to_tell_low(MIRA, 3) == 2


def test_new_identity_drops_the_old_keys() -> None:
    made, _ = directory()
    other = Keyring.new(dice("other"))
    assert made.upload(MIRA, other.make(1), may_change_identity=False) == IqError(406)
    assert made.upload(MIRA, other.make(1), may_change_identity=True) is None
    found = made.fetch(ALICE, MIRA, NOW)
    assert isinstance(found, PublicBundle)
    assert (found.identity, found.prekey_id) == (other.own.identity.public, 2)


def test_fault_fires_as_often_as_armed_for_its_account() -> None:
    faults = Faults()
    faults.arm(Kind.MISSING_ACK, ALICE, times=2)
    assert faults.take(Kind.MISSING_ACK, MIRA) is None
    assert faults.take(Kind.MISSING_ACK) is None
    assert faults.take(Kind.DUPLICATE_ACK, ALICE) is None
    assert [faults.take(Kind.MISSING_ACK, ALICE) is not None for _ in range(3)] == [True, True, False]
    assert faults.happened == {"missing_ack": 2}
    faults.arm(Kind.SILENT)
    assert faults.take(Kind.SILENT, MIRA) is not None


@pytest.mark.parametrize("answered", [False, True], ids=["pkmsg", "msg"])
def test_corrupt_mac_changes_one_bit_of_the_mac(answered: bool) -> None:
    one, other = End("one"), End("other")
    one.start(other.bundle())
    if answered:
        other.read(one.seal())
        one.read(other.seal())
    kind, ciphertext = one.seal()
    spoiled = corrupt_mac(kind, ciphertext)
    before, after = [
        read_prekey_message(data).message if kind == "pkmsg" else read_message(data)
        for data in (ciphertext, spoiled)
    ]
    assert before.covered == after.covered and before.mac != after.mac
    assert sum((a ^ b).bit_count() for a, b in zip(ciphertext, spoiled, strict=True)) == 1
