"""Units of work: whole or not at all, counted, in order, on both engines."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from bridge.ports import Kind, Row, Statement, Unit
from bridge.store.database import Database
from bridge.store.errors import AlreadyThere, Fenced, Malformed, Stale, WrongCount
from tests.store.support import (
    CHANGE,
    INTAKE,
    ONLY_NEW,
    OWNER,
    PLAIN,
    PUT_PLAIN,
    RENAMED,
    TAKE_OVER,
    THING,
    move,
    put,
    thing,
    unit,
    versions,
)


async def test_committed_unit_can_be_read(database: Database) -> None:
    await database.commit(put(1))
    rows = await database.read("SELECT * FROM thing WHERE thing_id = :thing_id", thing_id=b"\0\0\0\1")
    assert [dict(row) for row in rows] == [thing(1)]


async def test_every_type_of_value_is_read_back_unchanged(database: Database) -> None:
    row: Row = {
        "thing_id": b"\0\xff",
        "name": "ä'\":name ; --",
        "version": -(2**63),
        "weight": 0.1,
        "body": None,
    }
    await database.commit(unit(THING, put=[row]))
    assert [dict(found) for found in await database.read("SELECT * FROM thing")] == [row]


async def test_unit_failing_at_its_end_stores_nothing(database: Database) -> None:
    row: Row = {"thing_id": b"\0\0\0\1", "version": 9, "old_version": 9, "body": None}
    kind = Kind("both", {"put": THING.statements["put"], "move": CHANGE.statements["move"]})
    with pytest.raises(Stale):
        await database.commit(unit(kind, put=[thing(1)], move=[row]))
    assert await versions(database) == {}


async def test_stale_unit_does_not_affect_others(database: Database) -> None:
    await database.commit(put(1, 5))
    results = await asyncio.gather(
        database.commit(put(2)),
        database.commit(move(1, 4, 6)),
        database.commit(put(3)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), Stale, type(None)]
    assert await versions(database) == {1: 5, 2: 1, 3: 1}


async def test_only_the_stale_unit_of_a_merged_batch_fails(database: Database) -> None:
    await asyncio.gather(*(database.commit(put(key)) for key in range(20)))
    moves = [move(key, 1 if key != 7 else 3, 2) for key in range(20)]
    results = await asyncio.gather(*(database.commit(each) for each in moves), return_exceptions=True)
    assert [key for key, result in enumerate(results) if isinstance(result, Stale)] == [7]
    assert await versions(database) == {key: 1 if key == 7 else 2 for key in range(20)}


async def test_existing_key_raises_already_there(database: Database) -> None:
    await database.commit(put(1))
    with pytest.raises(AlreadyThere):
        await database.commit(put(1, 2))
    assert await versions(database) == {1: 1}


async def test_unique_violation_raises_already_there(database: Database) -> None:
    await database.commit(unit(PLAIN, put=[thing(1)]))
    with pytest.raises(AlreadyThere):
        await database.commit(unit(PLAIN, put=[thing(1, 2)]))
    with pytest.raises(AlreadyThere):
        await database.commit(unit(PLAIN, put=[thing(2, name="thing 1")]))


async def test_unique_violation_within_a_batch_fails_the_later_unit(
    database: Database,
) -> None:
    units = [unit(PLAIN, put=[thing(key, name=f"name {key % 3}")]) for key in range(5)]
    results = await asyncio.gather(*(database.commit(each) for each in units), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [AlreadyThere] * 2
    assert await versions(database) == {0: 1, 1: 1, 2: 1}


async def test_failed_guard_stops_its_unit(database: Database) -> None:
    await database.commit(unit(OWNER, own=[{"name": "a", "epoch": 3}]))
    await database.commit(unit(CHANGE, fence=[{"name": "a", "epoch": 3}], put=[thing(1)]))
    await database.commit(unit(TAKE_OVER, **{"raise": [{"name": "a"}]}))
    with pytest.raises(Fenced):
        await database.commit(unit(CHANGE, fence=[{"name": "a", "epoch": 3}], put=[thing(2)]))
    assert await versions(database) == {1: 1}


async def test_guard_is_shared_by_units_of_a_batch(database: Database) -> None:
    await database.commit(unit(OWNER, own=[{"name": "a", "epoch": 3}]))
    fence: list[Row] = [{"name": "a", "epoch": 3}]
    await asyncio.gather(*(database.commit(unit(CHANGE, fence=fence, put=[thing(key)])) for key in range(9)))
    assert len(await versions(database)) == 9


async def test_guard_may_require_absence(database: Database) -> None:
    both = unit(ONLY_NEW, absent=[{"thing_id": b"\0\0\0\1"}], put=[thing(1)])
    await database.commit(both)
    with pytest.raises(AlreadyThere):
        await database.commit(both)


async def test_seen_row_is_not_inserted_again(database: Database) -> None:
    for _ in range(2):
        await database.commit(unit(INTAKE, put=[thing(1)], remember=[{"thing_id": b"\0\0\0\1"}]))
        await database.commit(unit(CHANGE, drop=[{"thing_id": b"\0\0\0\1"}])) if _ == 0 else None
    assert await versions(database) == {}


async def test_concurrent_duplicates_are_inserted_once(database: Database) -> None:
    same = unit(INTAKE, put=[thing(1)], remember=[{"thing_id": b"\0\0\0\1"}])
    await asyncio.gather(database.commit(same), database.commit(same), database.commit(same))
    assert await versions(database) == {1: 1}


async def test_units_take_effect_in_order(database: Database) -> None:
    await database.commit(put(1, 0))
    await asyncio.gather(*(database.commit(move(1, step, step + 1)) for step in range(30)))
    assert await versions(database) == {1: 30}


async def test_uncounted_changes_of_one_row_keep_their_order(database: Database) -> None:
    await database.commit(put(1, name="a"))
    names = ["a", "b", "c", "d", "e"]
    steps = itertools.pairwise(names)
    await asyncio.gather(
        *(database.commit(unit(RENAMED, rename=[{"name": old, "new_name": new}])) for old, new in steps)
    )
    assert [row["name"] for row in await database.read("SELECT name FROM thing")] == ["e"]


async def test_rows_of_one_statement_run_in_order(database: Database) -> None:
    await database.commit(put(1, 0))
    rows = [
        {"thing_id": b"\0\0\0\1", "old_version": step, "version": step + 1, "body": None} for step in range(5)
    ]
    await database.commit(unit(CHANGE, move=rows))
    assert await versions(database) == {1: 5}


async def test_expected_count_holds_for_each_row(database: Database) -> None:
    await database.commit(put(1, 0))
    row: Row = {"thing_id": b"\0\0\0\1", "old_version": 0, "version": 1, "body": None}
    with pytest.raises(Stale):
        await database.commit(unit(CHANGE, move=[row, {**row, "thing_id": b"\0\0\0\2"}]))
    assert await versions(database) == {1: 0}


async def test_wrong_count_names_unit_and_statement(database: Database) -> None:
    kind = Kind("two", {"drop": Statement("DELETE FROM thing WHERE name = :name", expect=2)})
    await database.commit(put(1))
    with pytest.raises(WrongCount, match=r"two\.drop: 1 rows instead of 2"):
        await database.commit(unit(kind, drop=[{"name": "thing 1"}]))
    assert await versions(database) == {1: 1}


async def test_statement_may_touch_many_rows(database: Database) -> None:
    kind = Kind("all", {"drop": Statement("DELETE FROM thing WHERE version < :version")})
    await asyncio.gather(*(database.commit(put(key, key)) for key in range(6)))
    await asyncio.gather(*(database.commit(unit(kind, drop=[{"version": limit}])) for limit in (2, 4)))
    assert await versions(database) == {4: 4, 5: 5}


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "a\0b"},
        {"name": "\ud800"},
        {"name": b"bytes"},
        {"version": 1.5},
        {"version": 2**63},
        {"version": "1"},
        {"weight": float("nan")},
        {"weight": float("inf")},
        {"body": "text"},
        {"name": None},
    ],
    ids=repr,
)
async def test_malformed_row_fails_its_unit_only(database: Database, bad: dict[str, object]) -> None:
    wrong = unit(PLAIN, put=[{**thing(1), **bad}])  # type: ignore[dict-item]
    results = await asyncio.gather(
        database.commit(put(2)), database.commit(wrong), database.commit(put(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), Malformed, type(None)]
    assert await versions(database) == {2: 1, 3: 1}


@pytest.mark.parametrize(
    "wrong",
    [
        Unit(PLAIN, {"nothing": [thing(1)]}),
        Unit(PLAIN, {"put": [{"thing_id": b"1"}]}),
        Unit(
            Kind("bad", {"put": Statement("INSERT INTO nowhere (name) VALUES (:name)")}), {"put": [thing(1)]}
        ),
        Unit(Kind("bad", {"put": Statement("SELECT name FROM owner WHERE x = :x")}), {"put": [{"x": 1}]}),
        Unit(Kind("bad", {"put": Statement("DELETE FROM thing WHERE name = $1")}), {"put": [thing(1)]}),
        Unit(OWNER, {"own": [{"name": "a", "epoch": -1}]}),
    ],
    ids=["unknown statement", "missing value", "no table", "no column", "other dialect", "check"],
)
async def test_unit_that_cannot_run_is_malformed(database: Database, wrong: Unit) -> None:
    results = await asyncio.gather(
        database.commit(put(2)), database.commit(wrong), database.commit(put(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), Malformed, type(None)]
    assert await versions(database) == {2: 1, 3: 1}


async def test_empty_unit_is_committed(database: Database) -> None:
    await database.commit(unit(THING))
    await database.commit(unit(THING, put=[]))
    assert await versions(database) == {}


async def test_extra_values_of_a_row_are_ignored(database: Database) -> None:
    await database.commit(unit(Kind("k", {"put": PUT_PLAIN}), put=[{**thing(1), "epoch": 4}]))
    assert await versions(database) == {1: 1}


async def test_sums_and_booleans_are_numbers_on_both_engines(database: Database) -> None:
    await asyncio.gather(*(database.commit(put(key, key)) for key in (1, 2)))
    rows = await database.read(
        "SELECT SUM(version) AS sum, COUNT(*) AS count, EXISTS (SELECT 1 FROM thing) AS truth FROM thing"
    )
    assert [dict(row) for row in rows] == [{"sum": 3, "count": 2, "truth": 1}]
    assert all(type(value) is int for value in rows[0].values())


async def test_text_is_sorted_by_bytes(database: Database) -> None:
    names = ["b", "A", "ä", "a", "_", "Z", "🙂", "\uffee"]
    for key, name in enumerate(names):
        await database.commit(put(key, name=name))
    rows = await database.read("SELECT name FROM thing ORDER BY name")
    assert [row["name"] for row in rows] == sorted(names, key=lambda name: name.encode())


async def test_read_limit_may_be_any_parameter(database: Database) -> None:
    await asyncio.gather(*(database.commit(put(key)) for key in range(4)))
    assert len(await database.read("SELECT name FROM thing ORDER BY name LIMIT :most", most=2)) == 2


async def test_read_accepts_select_only(database: Database) -> None:
    with pytest.raises(Malformed):
        await database.read("DELETE FROM thing")
    with pytest.raises(Malformed):
        await database.read("SELECT name FROM thing WHERE name = :name")
