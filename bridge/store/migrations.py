"""The schema and its versions: forward only, one transaction per step (F12).

A step is a file ``schema/NNNN-name.sql``, its first line a sentence. A line ``-- compat: N`` says
that code which knows only version N can still use the database after the step; without it only
code that knows the step can. Applied steps stand in ``schema_version``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.ports import Clock, Row
from bridge.store.columns import Columns
from bridge.store.dialect import statements
from bridge.store.engine import Session
from bridge.store.errors import wrong_database

SCHEMA_FOLDER = Path(__file__).with_name("schema")
VERSION_TABLE = "schema_version"
CREATE_VERSION_TABLE = """CREATE TABLE schema_version (
    version INTEGER NOT NULL PRIMARY KEY,
    compat INTEGER NOT NULL,
    profile_id TEXT NOT NULL,
    step_name TEXT NOT NULL,
    applied_at REAL NOT NULL
)"""
CREATE_LEASE_TABLE = """CREATE TABLE store_lease (
    lease_id INTEGER NOT NULL PRIMARY KEY,
    lease_epoch INTEGER NOT NULL
)"""
_FIRST_STATEMENTS = (
    CREATE_VERSION_TABLE,
    CREATE_LEASE_TABLE,
    "INSERT INTO store_lease (lease_id, lease_epoch) VALUES (1, 0)",
)
_VERSION_COLUMNS = frozenset({"version", "compat", "profile_id", "step_name", "applied_at"})
_ADD_VERSION = (
    "INSERT INTO schema_version (version, compat, profile_id, step_name, applied_at)"
    " VALUES (:version, :compat, :profile_id, :step_name, :applied_at)"
)
_LAST_VERSION = (
    "SELECT version, compat, profile_id FROM schema_version"
    " WHERE version = (SELECT MAX(version) FROM schema_version)"
)
_FILE = re.compile(r"(?P<version>\d{4})-(?P<name>[a-z0-9-]+)\.sql")
_COMPAT = re.compile(r"^-- compat: (?P<compat>\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One schema file: version ``version - 1`` becomes ``version``."""

    version: int
    name: str
    compat: int
    script: str


@dataclass(frozen=True)
class Schema:
    """All steps in order, and the columns they declare."""

    steps: Sequence[Step]
    columns: Columns

    @property
    def version(self) -> int:
        """The version of this code."""
        return len(self.steps)


def load_schema(folder: Path = SCHEMA_FOLDER) -> Schema:
    """Read the steps of ``folder``.

    ``ValueError`` when they are not numbered 1, 2, 3 .. or one starts without a sentence.
    """
    steps: list[Step] = []
    for path in sorted(folder.glob("*.sql")):
        found = _FILE.fullmatch(path.name)
        if found is None or int(found["version"]) != len(steps) + 1:
            raise ValueError(f"{path.name} is not the schema file number {len(steps) + 1}")
        script = path.read_text(encoding="utf-8")
        first = script.partition("\n")[0]
        if not (first.startswith("-- ") and first.endswith(".")):
            raise ValueError(f"the first line of {path.name} is not a sentence in a comment")
        compat = _COMPAT.search(script)
        version = len(steps) + 1
        steps.append(Step(version, found["name"], int(compat["compat"]) if compat else version, script))
    if not steps:
        raise ValueError(f"no schema files in {folder}")
    declared = [statement for step in steps for statement in statements(step.script)]
    return Schema(tuple(steps), Columns([CREATE_VERSION_TABLE, CREATE_LEASE_TABLE, *declared]))


async def migrate(
    session: Session, schema: Schema, *, where: str, profile_id: str, clock: Clock, backup: bool = True
) -> str | None:
    """Migrate the database to ``schema``; return where the backup is, if one was made.

    Raises ``Misconfigured`` (code 15) for a database that is not ours, is newer than this code, or
    was made under another profile. A kill at any moment leaves the version before or after a step.
    """
    at = await checked_version(session, schema, where, profile_id)
    kept = None
    if at and at < schema.version and backup:
        kept = await session.back_up(at)
    for step in schema.steps[at:]:
        await session.execute("BEGIN")
        first = _FIRST_STATEMENTS if step.version == 1 else ()
        for statement in (*first, *statements(step.script)):
            await session.execute(statement)
        await session.execute(
            _ADD_VERSION,
            {
                "version": step.version,
                "compat": step.compat,
                "profile_id": profile_id,
                "step_name": step.name,
                "applied_at": clock.now(),
            },
        )
        await session.execute("COMMIT")
    return kept


async def checked_version(session: Session, schema: Schema, where: str, profile_id: str | None) -> int:
    """The version the database has, 0 when it is empty; ``Misconfigured`` (15) when it is not ours to use.

    ``profile_id`` None: which profile it was made under is not compared.
    """
    tables = await session.tables()
    if not tables:
        return 0
    if _VERSION_COLUMNS - tables.get(VERSION_TABLE, frozenset()):
        raise wrong_database(
            where,
            "holds tables that are not the bridge's.",
            "Give the bridge an empty database of its own.",
        )
    rows = await session.rows(_LAST_VERSION)
    at, compat, profile = _last(rows)
    if profile_id is not None and profile != profile_id:
        raise wrong_database(
            where,
            f"was made under the profile {profile!r}, and this is {profile_id!r}.",
            "Name that profile in the config, or give this one a database of its own.",
        )
    if at > schema.version and compat > schema.version:
        raise wrong_database(
            where,
            f"has version {at}, and this release knows {schema.version}.",
            "Install the newer release again, or restore the backup that was made before its first start.",
        )
    foreign = sorted(tables.keys() - schema.columns.tables.keys()) if at <= schema.version else []
    if foreign:
        raise wrong_database(
            where,
            f"holds tables that are not the bridge's ({', '.join(foreign[:3])}).",
            "Move them to another database or schema: the bridge wants one of its own.",
        )
    return at


def _last(rows: Sequence[Row]) -> tuple[int, int, str]:
    row = rows[0] if rows else {}
    return int(row.get("version") or 0), int(row.get("compat") or 0), str(row.get("profile_id") or "")
