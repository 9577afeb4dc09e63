"""The journal's laws: durable, in order, once for ever, and gone only with what it caused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.ids import AccountId
from bridge.ports import Row
from bridge.store import kinds
from bridge.store.database import Database
from bridge.store.errors import AlreadySealed, AlreadySettled
from bridge.store.journal import EntryState, Journal, New
from bridge.store.vault import KeeperBox, Unreadable
from tests.store.journal_support import KEEPER, bodies, load, new, open_bridge_database, rows
from tests.store.support import StillClock


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = await open_bridge_database(url)
    yield opened
    await opened.close()


@pytest.fixture
async def journal(database: Database) -> Journal:
    return await load(database)


async def heads(journal: Journal, lane: str) -> list[bytes]:
    """What a lane says as it is settled entry by entry."""
    said = []
    while (head := await journal.head(lane)) is not None:
        said.append(journal.read(head))
        await journal.settle(head)
    return said


async def test_head_of_a_lane_is_the_oldest_entry(journal: Journal) -> None:
    await journal.accept(new("a"), new("b"))
    await journal.accept(new("c"))
    assert await heads(journal, "lane") == [b"body of a", b"body of b", b"body of c"]


async def test_each_lane_has_its_own_head(journal: Journal) -> None:
    await journal.accept(new("a", "one"), new("b", "two"), new("c", "one"))
    assert await heads(journal, "two") == [b"body of b"]
    assert await heads(journal, "one") == [b"body of a", b"body of c"]
    assert await journal.head("three") is None


async def test_concurrent_entries_keep_their_order(journal: Journal) -> None:
    await asyncio.gather(*(journal.accept(new(f"{n:02}")) for n in range(40)))
    assert await heads(journal, "lane") == [f"body of {n:02}".encode() for n in range(40)]


async def test_entry_is_stored_as_given(journal: Journal) -> None:
    account = AccountId(b"a" * 16)
    await journal.accept(New("kind", "lane", b"key", b"body", account, 12.5))
    head = await journal.head("lane")
    assert head is not None
    assert (head.entry_id, head.kind, head.lane) == (journal.entry_id("kind", "key"), "kind", "lane")
    assert (head.state, head.account_id, head.not_before) == (EntryState.ACCEPTED, account, 12.5)
    assert head.accepted_at == StillClock().now()
    assert journal.read(head) == b"body"


async def test_seen_entry_is_not_accepted_again(journal: Journal) -> None:
    await journal.accept(new("a"))
    await journal.accept(new("a", "another lane"), new("b"))
    assert await bodies(journal) == [b"body of a", b"body of b"]


async def test_settled_entry_is_not_accepted_again(journal: Journal) -> None:
    await journal.accept(new("a"))
    assert await heads(journal, "lane") == [b"body of a"]
    await journal.accept(new("a"))
    await journal.owe(new("a"))
    assert await rows(journal.store) == []


async def test_seen_entry_is_known_after_a_restart(url: str) -> None:
    database = await open_bridge_database(url)
    await heads_after_accepting(await load(database))
    await database.close()
    database = await open_bridge_database(url)
    journal = await load(database)
    await journal.accept(new("a"), new("b"))
    assert await bodies(journal) == [b"body of b"]
    await database.close()


async def heads_after_accepting(journal: Journal) -> None:
    await journal.accept(new("a"))
    assert await heads(journal, "lane") == [b"body of a"]


async def test_duplicate_in_one_commit_is_stored_once(journal: Journal) -> None:
    await journal.accept(new("a"), new("a"), new("b"))
    assert await bodies(journal) == [b"body of a", b"body of b"]


async def test_duplicate_in_concurrent_commits_is_stored_once(journal: Journal) -> None:
    await asyncio.gather(journal.accept(new("a"), new("b")), journal.accept(new("a"), new("c")))
    assert sorted(await bodies(journal)) == [b"body of a", b"body of b", b"body of c"]


async def test_same_key_of_two_kinds_is_two_entries(journal: Journal) -> None:
    await journal.accept(new("a", kind="one"), new("a", kind="two"))
    assert len(await rows(journal.store)) == 2


async def test_accepting_nothing_commits_nothing(journal: Journal, database: Database) -> None:
    await journal.accept()
    assert database.writer.commits == 0


async def test_positions_continue_after_a_restart(url: str) -> None:
    database = await open_bridge_database(url)
    await (await load(database)).accept(new("a"), new("b"))
    await database.close()
    database = await open_bridge_database(url)
    journal = await load(database)
    await journal.accept(new("c"))
    assert await heads(journal, "lane") == [b"body of a", b"body of b", b"body of c"]
    await database.close()


async def test_settle_and_owe_are_one_commit(journal: Journal) -> None:
    await journal.accept(new("a"))
    head = await journal.head("lane")
    assert head is not None
    await journal.settle(head, new("owed", "people"), new("owed too", "people"))
    assert await bodies(journal) == [b"body of owed", b"body of owed too"]


async def test_failed_settle_owes_nothing(journal: Journal) -> None:
    await journal.accept(new("a"))
    head = await journal.head("lane")
    assert head is not None
    await journal.settle(head)
    with pytest.raises(AlreadySettled):
        await journal.settle(head, new("owed"))
    assert await rows(journal.store) == []
    await journal.owe(new("owed"))
    assert await bodies(journal) == [b"body of owed"], "and the failed attempt was not remembered"


async def test_second_settle_raises_already_settled(journal: Journal) -> None:
    await journal.accept(new("a"))
    head = await journal.head("lane")
    assert head is not None
    outcomes = await asyncio.gather(
        journal.settle(head, new("owed by one")),
        journal.settle(head, new("owed by the other")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), AlreadySettled]
    assert await bodies(journal) == [b"body of owed by one"]


async def test_entry_leaves_a_state_once(journal: Journal) -> None:
    await journal.accept(new("a"))
    head = await journal.head("lane")
    assert head is not None

    async def seal(ciphertext: bytes) -> None:
        assert head is not None
        row: Row = {
            "entry_id": head.entry_id,
            "old_state": EntryState.ACCEPTED.value,
            "state": EntryState.SEALED.value,
            "body": ciphertext,
        }
        await journal.store.commit(kinds.unit(kinds.SEAL, advance=[row]))

    await seal(b"ciphertext")
    with pytest.raises(AlreadySealed):
        await seal(b"another")
    moved = await journal.head("lane")
    assert moved is not None
    assert (moved.state, moved.body) == (EntryState.SEALED, b"ciphertext")


async def test_postponed_entry_stays_at_the_head(journal: Journal) -> None:
    await journal.accept(new("a"), new("b"))
    head = await journal.head("lane")
    assert head is not None
    await journal.postpone(head, 99.0)
    again = await journal.head("lane")
    assert again is not None
    assert (again.entry_id, again.not_before) == (head.entry_id, 99.0)
    await journal.settle(head)
    with pytest.raises(AlreadySettled):
        await journal.postpone(head, 100.0)


async def test_lanes_after_lists_lanes_with_newer_entries(journal: Journal) -> None:
    await journal.accept(new("a", "one"), new("b", "two"), new("c", "one"))
    everything = await journal.lanes_after(0)
    assert [lane for lane, _ in everything] == ["two", "one"]
    seen = max(position for _, position in everything)
    assert await journal.lanes_after(seen) == []
    await journal.accept(new("d", "three"), new("e", "two"))
    later = await journal.lanes_after(seen)
    assert [lane for lane, _ in later] == ["three", "two"]
    assert all(position > seen for _, position in later)


async def test_entry_body_is_sealed_in_the_database(journal: Journal) -> None:
    await journal.accept(new("a secret"))
    (row,) = await rows(journal.store)
    assert isinstance(row["body"], bytes)
    assert b"secret" not in row["body"]


async def test_intake_cannot_read_entries(database: Database) -> None:
    front = await load(database, keeper=KeeperBox(KEEPER.public))
    await front.accept(new("a"))
    head = await front.head("lane")
    assert head is not None
    with pytest.raises(Unreadable):
        front.read(head)
    assert (await load(database)).read(head) == b"body of a"


async def test_entry_repr_hides_its_body(journal: Journal) -> None:
    assert "body of" not in repr(new("a"))
    await journal.accept(new("a"))
    head = await journal.head("lane")
    assert head is not None
    assert repr(head.body) not in repr(head)
