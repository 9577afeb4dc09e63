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


async def test_a_committed_unit_is_read_back(database: Database) -> None:
    await database.commit(put(1))
    rows = await database.read("SELECT * FROM thing WHERE thing_id = :thing_id", thing_id=b"\0\0\0\1")
    assert [dict(row) for row in rows] == [thing(1)]


async def test_every_kind_of_value_comes_back_as_it_was(database: Database) -> None:
    row: Row = {
        "thing_id": b"\0\xff",
        "name": "ä'\":name ; --",
        "version": -(2**63),
        "weight": 0.1,
        "body": None,
    }
    await database.commit(unit(THING, put=[row]))
    assert [dict(found) for found in await database.read("SELECT * FROM thing")] == [row]


async def test_a_unit_that_fails_at_its_end_leaves_nothing(database: Database) -> None:
    row: Row = {"thing_id": b"\0\0\0\1", "version": 9, "old_version": 9, "body": None}
    kind = Kind("both", {"put": THING.statements["put"], "move": CHANGE.statements["move"]})
    with pytest.raises(Stale):
        await database.commit(unit(kind, put=[thing(1)], move=[row]))
    assert await versions(database) == {}


async def test_a_stale_unit_does_not_concern_its_neighbours(database: Database) -> None:
    await database.commit(put(1, 5))
    results = await asyncio.gather(
        database.commit(put(2)),
        database.commit(move(1, 4, 6)),
        database.commit(put(3)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), Stale, type(None)]
    assert await versions(database) == {1: 5, 2: 1, 3: 1}


async def test_among_many_units_of_one_kind_only_the_stale_one_fails(database: Database) -> None:
    await asyncio.gather(*(database.commit(put(key)) for key in range(20)))
    moves = [move(key, 1 if key != 7 else 3, 2) for key in range(20)]
    results = await asyncio.gather(*(database.commit(each) for each in moves), return_exceptions=True)
    assert [key for key, result in enumerate(results) if isinstance(result, Stale)] == [7]
    assert await versions(database) == {key: 1 if key == 7 else 2 for key in range(20)}


async def test_a_key_that_is_there_already_is_told(database: Database) -> None:
    await database.commit(put(1))
    with pytest.raises(AlreadyThere):
        await database.commit(put(1, 2))
    assert await versions(database) == {1: 1}


async def test_a_unique_violation_is_already_there(database: Database) -> None:
    await database.commit(unit(PLAIN, put=[thing(1)]))
    with pytest.raises(AlreadyThere):
        await database.commit(unit(PLAIN, put=[thing(1, 2)]))
    with pytest.raises(AlreadyThere):
        await database.commit(unit(PLAIN, put=[thing(2, name="thing 1")]))


async def test_a_unique_violation_among_units_committed_together_fails_the_later_one(
    database: Database,
) -> None:
    units = [unit(PLAIN, put=[thing(key, name=f"name {key % 3}")]) for key in range(5)]
    results = await asyncio.gather(*(database.commit(each) for each in units), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [AlreadyThere] * 2
    assert await versions(database) == {0: 1, 1: 1, 2: 1}


async def test_a_guard_stops_its_unit(database: Database) -> None:
    await database.commit(unit(OWNER, own=[{"name": "a", "epoch": 3}]))
    await database.commit(unit(CHANGE, fence=[{"name": "a", "epoch": 3}], put=[thing(1)]))
    await database.commit(unit(TAKE_OVER, **{"raise": [{"name": "a"}]}))
    with pytest.raises(Fenced):
        await database.commit(unit(CHANGE, fence=[{"name": "a", "epoch": 3}], put=[thing(2)]))
    assert await versions(database) == {1: 1}


async def test_a_guard_is_shared_by_units_that_are_committed_together(database: Database) -> None:
    await database.commit(unit(OWNER, own=[{"name": "a", "epoch": 3}]))
    fence: list[Row] = [{"name": "a", "epoch": 3}]
    await asyncio.gather(*(database.commit(unit(CHANGE, fence=fence, put=[thing(key)])) for key in range(9)))
    assert len(await versions(database)) == 9


async def test_a_guard_may_ask_that_nothing_is_there(database: Database) -> None:
    both = unit(ONLY_NEW, absent=[{"thing_id": b"\0\0\0\1"}], put=[thing(1)])
    await database.commit(both)
    with pytest.raises(AlreadyThere):
        await database.commit(both)


async def test_what_was_seen_is_not_taken_again(database: Database) -> None:
    for _ in range(2):
        await database.commit(unit(INTAKE, put=[thing(1)], remember=[{"thing_id": b"\0\0\0\1"}]))
        await database.commit(unit(CHANGE, drop=[{"thing_id": b"\0\0\0\1"}])) if _ == 0 else None
    assert await versions(database) == {}


async def test_the_same_entry_twice_at_the_same_moment_is_taken_once(database: Database) -> None:
    same = unit(INTAKE, put=[thing(1)], remember=[{"thing_id": b"\0\0\0\1"}])
    await asyncio.gather(database.commit(same), database.commit(same), database.commit(same))
    assert await versions(database) == {1: 1}


async def test_units_take_effect_in_the_order_in_which_they_were_given(database: Database) -> None:
    await database.commit(put(1, 0))
    await asyncio.gather(*(database.commit(move(1, step, step + 1)) for step in range(30)))
    assert await versions(database) == {1: 30}


async def test_an_uncounted_change_of_the_same_row_keeps_the_order(database: Database) -> None:
    await database.commit(put(1, name="a"))
    names = ["a", "b", "c", "d", "e"]
    steps = itertools.pairwise(names)
    await asyncio.gather(
        *(database.commit(unit(RENAMED, rename=[{"name": old, "new_name": new}])) for old, new in steps)
    )
    assert [row["name"] for row in await database.read("SELECT name FROM thing")] == ["e"]


async def test_rows_of_one_statement_that_build_on_each_other_run_one_by_one(database: Database) -> None:
    await database.commit(put(1, 0))
    rows = [
        {"thing_id": b"\0\0\0\1", "old_version": step, "version": step + 1, "body": None} for step in range(5)
    ]
    await database.commit(unit(CHANGE, move=rows))
    assert await versions(database) == {1: 5}


async def test_each_row_of_parameters_must_touch_its_own_row(database: Database) -> None:
    await database.commit(put(1, 0))
    row: Row = {"thing_id": b"\0\0\0\1", "old_version": 0, "version": 1, "body": None}
    with pytest.raises(Stale):
        await database.commit(unit(CHANGE, move=[row, {**row, "thing_id": b"\0\0\0\2"}]))
    assert await versions(database) == {1: 0}


async def test_a_count_without_an_error_of_its_own_has_a_name(database: Database) -> None:
    kind = Kind("two", {"drop": Statement("DELETE FROM thing WHERE name = :name", expect=2)})
    await database.commit(put(1))
    with pytest.raises(WrongCount, match=r"two\.drop: 1 rows instead of 2"):
        await database.commit(unit(kind, drop=[{"name": "thing 1"}]))
    assert await versions(database) == {1: 1}


async def test_a_statement_may_touch_many_rows(database: Database) -> None:
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
async def test_a_row_that_does_not_fit_the_schema_fails_alone(
    database: Database, bad: dict[str, object]
) -> None:
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
async def test_a_unit_that_cannot_be_run_is_a_mistake_and_leaves_nothing(
    database: Database, wrong: Unit
) -> None:
    results = await asyncio.gather(
        database.commit(put(2)), database.commit(wrong), database.commit(put(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), Malformed, type(None)]
    assert await versions(database) == {2: 1, 3: 1}


async def test_an_empty_unit_is_committed(database: Database) -> None:
    await database.commit(unit(THING))
    await database.commit(unit(THING, put=[]))
    assert await versions(database) == {}


async def test_a_row_may_hold_more_than_its_statement_asks_for(database: Database) -> None:
    await database.commit(unit(Kind("k", {"put": PUT_PLAIN}), put=[{**thing(1), "epoch": 4}]))
    assert await versions(database) == {1: 1}


async def test_sums_and_truths_are_numbers_on_both_engines(database: Database) -> None:
    await asyncio.gather(*(database.commit(put(key, key)) for key in (1, 2)))
    rows = await database.read(
        "SELECT SUM(version) AS sum, COUNT(*) AS count, EXISTS (SELECT 1 FROM thing) AS truth FROM thing"
    )
    assert [dict(row) for row in rows] == [{"sum": 3, "count": 2, "truth": 1}]
    assert all(type(value) is int for value in rows[0].values())


async def test_text_is_sorted_by_its_bytes(database: Database) -> None:
    names = ["b", "A", "ä", "a", "_", "Z", "🙂", "\uffee"]
    for key, name in enumerate(names):
        await database.commit(put(key, name=name))
    rows = await database.read("SELECT name FROM thing ORDER BY name")
    assert [row["name"] for row in rows] == sorted(names, key=lambda name: name.encode())


async def test_a_read_can_be_limited_by_a_parameter_that_is_no_column(database: Database) -> None:
    await asyncio.gather(*(database.commit(put(key)) for key in range(4)))
    assert len(await database.read("SELECT name FROM thing ORDER BY name LIMIT :most", most=2)) == 2


async def test_only_a_select_reads(database: Database) -> None:
    with pytest.raises(Malformed):
        await database.read("DELETE FROM thing")
    with pytest.raises(Malformed):
        await database.read("SELECT name FROM thing WHERE name = :name")
