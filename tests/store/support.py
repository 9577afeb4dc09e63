"""A clock, randomness, and the kinds of unit that the tests of the store use."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bridge.ports import Clock, Kind, Row, Statement, Unit, Value
from bridge.store.database import Database, open_database
from bridge.store.errors import AlreadyThere, Fenced, Stale
from bridge.store.postgres_connections import CONNECTIONS

SCHEMA = Path(__file__).with_name("schema")
NEXT_SCHEMA = Path(__file__).with_name("schema-next")
PROFILE = "sandbox"


class StillClock:
    """A clock that stands: nothing here may depend on time."""

    def now(self) -> float:
        return 1_700_000_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"the store slept {seconds} s")

    @contextlib.asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[object]:
        assert seconds > 0
        yield None


class CountedRandom:
    """Bytes that never repeat and are the same in each run."""

    def __init__(self) -> None:
        self.calls = 0

    def bytes(self, count: int, /) -> bytes:
        self.calls += 1
        return self.calls.to_bytes(count, "big")


RANDOM = CountedRandom()
"""Of all databases of a process, whose names differ as those of two processes do."""
FENCE = Statement(
    "SELECT name FROM owner WHERE name = :name AND epoch = :epoch", expect=1, error=Fenced, merge_by=()
)
PUT = Statement(
    "INSERT INTO thing (thing_id, name, version, weight, body)"
    " VALUES (:thing_id, :name, :version, :weight, :body) ON CONFLICT DO NOTHING",
    expect=1,
    error=AlreadyThere,
    merge_by=("thing_id",),
)
PUT_PLAIN = Statement(
    "INSERT INTO thing (thing_id, name, version, weight, body)"
    " VALUES (:thing_id, :name, :version, :weight, :body)",
    merge_by=("thing_id",),
)
PUT_UNSEEN = Statement(
    """INSERT INTO thing (thing_id, name, version, weight, body)
       SELECT :thing_id, :name, :version, :weight, :body
       WHERE NOT EXISTS (SELECT 1 FROM seen WHERE thing_id = :thing_id)""",
    merge_by=("thing_id",),
)
REMEMBER = Statement(
    "INSERT INTO seen (thing_id) VALUES (:thing_id) ON CONFLICT DO NOTHING", merge_by=("thing_id",)
)
MOVE = Statement(
    "UPDATE thing SET version = :version, body = :body WHERE thing_id = :thing_id AND version = :old_version",
    expect=1,
    error=Stale,
    merge_by=("thing_id",),
)
WEIGH = Statement("UPDATE thing SET weight = :weight WHERE thing_id = :thing_id", merge_by=("thing_id",))
RENAME = Statement("UPDATE thing SET name = :new_name WHERE name = :name")
DROP = Statement(
    "DELETE FROM thing WHERE thing_id = :thing_id", expect=1, error=Stale, merge_by=("thing_id",)
)
ABSENT = Statement(
    "SELECT thing_id FROM thing WHERE thing_id = :thing_id",
    expect=0,
    error=AlreadyThere,
    merge_by=("thing_id",),
)
OWN = Statement("INSERT INTO owner (name, epoch) VALUES (:name, :epoch)", merge_by=("name",))
RAISE_EPOCH = Statement(
    "UPDATE owner SET epoch = epoch + 1 WHERE name = :name", expect=1, error=Stale, merge_by=("name",)
)

THING = Kind("thing", {"put": PUT})
PLAIN = Kind("plain", {"put": PUT_PLAIN})
INTAKE = Kind("intake", {"put": PUT_UNSEEN, "remember": REMEMBER})
CHANGE = Kind("change", {"fence": FENCE, "move": MOVE, "put": PUT, "drop": DROP})
WEIGHED = Kind("weighed", {"weigh": WEIGH})
RENAMED = Kind("renamed", {"rename": RENAME})
ONLY_NEW = Kind("only-new", {"absent": ABSENT, "put": PUT_PLAIN})
OWNER = Kind("owner", {"own": OWN})
TAKE_OVER = Kind("take-over", {"raise": RAISE_EPOCH})
WAKES = frozenset({"intake"})


def thing(key: int, version: int = 1, *, name: str | None = None, body: bytes | None = b"body") -> Row:
    """A row of the table ``thing``."""
    return {
        "thing_id": key.to_bytes(4, "big"),
        "name": f"thing {key}" if name is None else name,
        "version": version,
        "weight": key / 2,
        "body": body,
    }


def unit(kind: Kind, **rows: Sequence[Row]) -> Unit:
    """A unit whose arguments are the rows of its statements."""
    return Unit(kind, rows)


def put(key: int, version: int = 1, *, name: str | None = None) -> Unit:
    """A unit that stores one thing, which must be new."""
    return unit(THING, put=[thing(key, version, name=name)])


def move(key: int, old: int, new: int) -> Unit:
    """A unit that moves a thing from one version to another, ``Stale`` when it has another one."""
    row: dict[str, Value] = {
        "thing_id": key.to_bytes(4, "big"),
        "version": new,
        "old_version": old,
        "body": b"moved",
    }
    return unit(CHANGE, move=[row])


async def versions(database: Database) -> dict[int, int]:
    """All things and their versions, read back."""
    rows = await database.read("SELECT thing_id, version FROM thing ORDER BY thing_id")
    found = {}
    for row in rows:
        assert isinstance(row["thing_id"], bytes) and isinstance(row["version"], int)
        found[int.from_bytes(row["thing_id"], "big")] = row["version"]
    return found


async def open_at(
    url: str,
    *,
    schema: Path = SCHEMA,
    profile_id: str = PROFILE,
    backup: bool = True,
    connections: int = CONNECTIONS,
    clock: Clock | None = None,
) -> Database:
    """Open a database with the tests' own schema."""
    return await open_database(
        url,
        profile_id=profile_id,
        clock=clock or StillClock(),
        random=RANDOM,
        backup=backup,
        wakes=WAKES,
        schema_folder=schema,
        connections=connections,
    )
