"""Random batches of units, good and bad, do on each engine what a dictionary does."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bridge.ports import Kind, Row, Statement, Unit, Value
from bridge.store.database import Database
from bridge.store.errors import AlreadyThere, Stale
from tests.store.support import CHANGE, INTAKE, PLAIN, THING, WEIGHED, open_at, thing, unit

KEYS = st.integers(0, 4)
VERSIONS = st.integers(0, 2)
CLEAR = Kind(
    "clear",
    {
        "things": Statement("DELETE FROM thing WHERE version >= :version"),
        "seen": Statement("DELETE FROM seen"),
    },
)


def key_of(key: int) -> bytes:
    return key.to_bytes(4, "big")


def change(moves: list[tuple[int, int, int]], puts: list[int], drops: list[int]) -> Unit:
    rows: list[Row] = [
        {"thing_id": key_of(key), "old_version": old, "version": new, "body": None} for key, old, new in moves
    ]
    return unit(
        CHANGE,
        move=rows,
        put=[thing(key, 0) for key in puts],
        drop=[{"thing_id": key_of(key)} for key in drops],
    )


def intake(keys: list[int]) -> Unit:
    return unit(
        INTAKE, put=[thing(key, 0) for key in keys], remember=[{"thing_id": key_of(key)} for key in keys]
    )


def weigh(weights: list[tuple[int, float]]) -> Unit:
    rows: list[Row] = [{"thing_id": key_of(key), "weight": weight} for key, weight in weights]
    return unit(WEIGHED, weigh=rows)


UNITS = st.one_of(
    st.builds(
        change,
        st.lists(st.tuples(KEYS, VERSIONS, VERSIONS), max_size=2),
        st.lists(KEYS, max_size=2),
        st.lists(KEYS, max_size=2),
    ),
    st.builds(lambda keys: unit(THING, put=[thing(key, 0) for key in keys]), st.lists(KEYS, max_size=2)),
    st.builds(lambda keys: unit(PLAIN, put=[thing(key, 0) for key in keys]), st.lists(KEYS, max_size=2)),
    st.builds(weigh, st.lists(st.tuples(KEYS, st.floats(0, 9)), max_size=3)),
    st.builds(intake, st.lists(KEYS, max_size=2)),
)


class Model:
    """The things by key, with version and weight, and the keys that were ever taken in."""

    def __init__(self) -> None:
        self.things: dict[bytes, tuple[Value, Value]] = {}
        self.seen: set[bytes] = set()

    def run(self, given: Unit) -> type[Exception] | None:
        """Do the unit, or nothing of it; the error it must have met."""
        things, seen = dict(self.things), set(self.seen)
        for name in given.kind.statements:
            for row in given.rows.get(name, ()):
                error = self._step(given.kind, name, row, things, seen)
                if error is not None:
                    return error
        self.things, self.seen = things, seen
        return None

    def _step(
        self, kind: Kind, name: str, row: Row, things: dict[bytes, tuple[Value, Value]], seen: set[bytes]
    ) -> type[Exception] | None:
        key = row["thing_id"]
        assert isinstance(key, bytes)
        if name == "remember":
            seen.add(key)
        elif name == "put":
            if kind is INTAKE and key in seen:
                return None
            if key in things:
                return AlreadyThere
            things[key] = 0, row["weight"]
        elif name == "move":
            if key not in things or things[key][0] != row["old_version"]:
                return Stale
            things[key] = row["version"], things[key][1]
        elif name == "weigh":
            if key in things:
                things[key] = things[key][0], row["weight"]
        elif things.pop(key, None) is None:
            return Stale
        return None


def machine(database: Database, runner: asyncio.Runner) -> type[RuleBasedStateMachine]:
    """The machine over an open database, which each run empties first."""

    class Batches(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            runner.run(database.commit(unit(CLEAR, things=[{"version": 0}], seen=[{}])))
            self.model = Model()

        @rule(batch=st.lists(UNITS, min_size=1, max_size=6))
        def commit_together(self, batch: list[Unit]) -> None:
            async def together() -> list[object]:
                return list(await asyncio.gather(*map(database.commit, batch), return_exceptions=True))

            expected = [self.model.run(each) for each in batch]
            results = runner.run(together())
            assert [None if result is None else type(result) for result in results] == expected

        @rule(each=UNITS)
        def commit_alone(self, each: Unit) -> None:
            self.commit_together([each])

        @invariant()
        def the_database_is_the_model(self) -> None:
            rows = runner.run(database.read("SELECT thing_id, version, weight FROM thing"))
            assert {row["thing_id"]: (row["version"], row["weight"]) for row in rows} == self.model.things
            rows = runner.run(database.read("SELECT thing_id FROM seen"))
            assert {row["thing_id"] for row in rows} == self.model.seen

    return Batches


def test_both_engines_behave_like_the_model(url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(open_at(url))
        try:
            run_state_machine_as_test(
                machine(database, runner),
                settings=settings(
                    max_examples=40,
                    stateful_step_count=8,
                    deadline=None,
                    derandomize=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())
