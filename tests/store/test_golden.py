"""Databases of earlier versions: opened, migrated and drained by the current code."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import asyncpg  # type: ignore[import-untyped]
import pytest

from bridge.store.migrations import SCHEMA_FOLDER, load_schema
from tests.sim.contact import NUMBER
from tests.sim.homeserver import BOT, Event
from tests.sim.network import SERVICE
from tests.sim.whole import ADA, Whole
from tests.store.golden.world import DATABASE, FOLDER, Expected, load, unpack
from tests.store.support import open_at

DAYS = 4
"""Longer than any entry of the golden databases may wait."""
DAY_S = 86_400.0

SOURCES = sorted(path.with_suffix("") for path in FOLDER.glob("v*/*.json"))
KINDS = {
    "ask-retry", "come-back", "delete", "enlist", "event", "give-up-waiting", "identity-news", "message-in",
    "notice", "open-room", "read-back", "receipt", "receipt-in", "receipt-out", "rename", "renew-signed",
    "retry-in", "start-chat", "status", "top-up", "upload",
}  # fmt: skip
"""The kinds of entries at schema version 1."""
MESSAGE_STATES = {
    *(("out", state) for state in ("sealed", "accepted", "delivered", "read", "failed")),
    *(("in", state) for state in ("awaiting", "opened", "shown", "unreadable")),
}


def name_of(source: Path) -> str:
    return f"{source.parent.name}-{source.name}"


def replies_to(bridge: Whole, event_id: str) -> list[Event]:
    """What the bot said in answer to an event."""
    return [
        event
        for event in bridge.home.events
        if event.sender == BOT
        and event.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id") == event_id
        and event.event_id not in bridge.home.redacted
    ]


def words_of_contacts(bridge: Whole) -> list[list[str]]:
    """Ghost by ghost, the texts it wrote in any of its rooms, in order."""
    home = bridge.home
    ghosts = dict.fromkeys(home.ghost(room) for room in home.portals())
    return [[text for room in home.rooms for text in home.texts(room, ghost)] for ghost in ghosts]


@pytest.fixture(params=SOURCES, ids=name_of)
async def drained(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Whole, Expected]]:
    """A bridge that was started on a golden database and had a few days."""
    bridge, expected = load(request.param, tmp_path, status_events=True)
    await bridge.start()
    await bridge.passes(DAYS * DAY_S)
    yield bridge, expected
    await bridge.stop()


async def test_journal_is_drained(drained: tuple[Whole, Expected]) -> None:
    bridge, _ = drained
    assert await bridge.entries() == []


async def test_sent_messages_arrive_once_in_order_or_are_answered(drained: tuple[Whole, Expected]) -> None:
    bridge, expected = drained
    # A contact that asked for a message twice gets it twice under one id, and shows it once.
    by_id = dict(zip(bridge.contact.ids, bridge.contact.received, strict=True))
    received = [text for text in by_id.values() if text in expected.to_contact]
    assert received == [text for text in expected.to_contact if text in received]
    answered = [len(replies_to(bridge, id)) for text, id in expected.events.items() if text not in received]
    assert answered == [1] * len(answered)


async def test_received_messages_are_shown_once_in_order(drained: tuple[Whole, Expected]) -> None:
    bridge, expected = drained
    assert sorted(words_of_contacts(bridge)) == sorted(expected.to_user.values())


async def test_account_reaches_its_state_and_carries_new_messages(drained: tuple[Whole, Expected]) -> None:
    bridge, expected = drained
    (account,) = await bridge.database.read("SELECT state FROM account")
    assert account["state"] == expected.account_state
    if account["state"] == "enlisted":
        await bridge.says(f"start-chat {SERVICE} +{NUMBER}", bridge.talk)
        room = bridge.home.portals()[0]
        await bridge.member(room, ADA, "join")
        await bridge.says("A new message", room)
        await bridge.hears("A new answer")
        assert bridge.contact.received[-1] == "A new message"
        assert bridge.home.texts(room, bridge.home.ghost(room))[-1] == "A new answer"


async def copy_to_postgres(source: Path, folder: Path, url: str) -> str:
    """Make the same database on PostgreSQL, at its own version; the profile it was made under."""
    connection = apsw.Connection(str(unpack(source, folder / DATABASE)))
    version, profile = connection.execute("SELECT MAX(version), profile_id FROM schema_version").fetchall()[0]
    schema = folder / "schema"
    schema.mkdir()
    for path in sorted(SCHEMA_FOLDER.glob("*.sql"))[: int(str(version))]:
        shutil.copy(path, schema)
    await (await open_at(url, schema=schema, profile_id=str(profile))).close()
    target = await asyncpg.connect(url)
    for table in load_schema(schema).columns.tables.keys() - {"schema_version", "store_lease"}:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        if rows:
            names = [
                column for (column,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")
            ]
            await target.copy_records_to_table(table, records=rows, columns=names)
    await target.close()
    connection.close()
    return str(profile)


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
async def test_golden_entries_are_readable_on_postgresql(
    source: Path, tmp_path: Path, postgres_url: str
) -> None:
    profile = await copy_to_postgres(source, tmp_path, postgres_url)
    (tmp_path / "bridge").mkdir()
    bridge, _ = load(source, tmp_path / "bridge")
    migrated = await open_at(postgres_url, schema=SCHEMA_FOLDER, profile_id=profile)
    keeper = bridge._vault.keeper(bridge._keeper_key)
    rows = await migrated.read("SELECT entry_id, body FROM entry WHERE state <> 'opened'")
    assert rows
    for row in rows:
        assert isinstance(row["entry_id"], bytes) and isinstance(row["body"], bytes)
        assert keeper.open(row["entry_id"], row["body"])
    await migrated.close()


@pytest.mark.parametrize("version", sorted({source.parent for source in SOURCES}), ids=lambda path: path.name)
def test_golden_databases_hold_every_kind_and_state(version: Path, tmp_path: Path) -> None:
    kinds, states, messages = set(), set(), set()
    for source in (each for each in SOURCES if each.parent == version):
        connection = apsw.Connection(str(unpack(source, tmp_path / source.name)))
        kinds |= {str(kind) for (kind,) in connection.execute("SELECT kind FROM entry")}
        states |= {str(state) for (state,) in connection.execute("SELECT state FROM entry")}
        messages |= set(connection.execute("SELECT direction, state FROM message"))
        connection.close()
    assert kinds >= KINDS
    assert states >= {"accepted", "sealed", "opened"}
    assert messages >= MESSAGE_STATES
