"""The writing connection of PostgreSQL for migrations, and the backup made before one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from bridge.ports import Row, Value
from bridge.store.columns import Columns
from bridge.store.dialect import for_postgres
from bridge.store.errors import cannot_open
from bridge.store.postgres_connections import place

BACKUP_FORM = "{schema}_before_version_{version}"
BACKUP_REMARK = "copy made by interop-bridge before a change of its tables"

_TABLES = """SELECT c.relname, a.attname FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'f', 'v', 'm')"""
_OWN_BACKUP = """SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1"""


class PostgresSession:
    """See ``bridge.store.engine.Session``. DDL is part of a transaction here as on SQLite."""

    def __init__(self, connection: Any, columns: Columns, url: str) -> None:
        self._connection = connection
        self._columns = columns
        self._where = place(url)

    async def execute(self, sql: str, parameters: Mapping[str, Value] | None = None) -> None:
        """See ``Session``."""
        prepared = for_postgres(sql, self._columns)
        values = [(parameters or {})[name] for name in prepared.names]
        status = await self._connection.execute(prepared.sql, *values)
        if sql == "COMMIT" and status != "COMMIT":
            raise cannot_open(self._where, "the change of the tables was rolled back.", "Start again.")

    async def rows(self, sql: str) -> Sequence[Row]:
        """See ``Session``."""
        found = await self._connection.fetch(for_postgres(sql, self._columns).sql)
        return [dict(record) for record in found]

    async def tables(self) -> Mapping[str, frozenset[str]]:
        """See ``Session``; views count as tables, so that a foreign one is seen."""
        found: dict[str, set[str]] = {}
        for table, column in await self._connection.fetch(_TABLES):
            found.setdefault(table, set()).add(column)
        return {table: frozenset(names) for table, names in found.items()}

    async def back_up(self, version: int) -> str:
        """Copy a snapshot of all tables into a schema beside ours, whole or not at all."""
        schema = await self._connection.fetchval("SELECT current_schema()")
        target = BACKUP_FORM.format(schema=schema, version=version)
        tables = sorted(await self.tables())
        try:
            async with self._connection.transaction(isolation="repeatable_read"):
                await self._make_room(target)
                await self._connection.execute(f'CREATE SCHEMA "{target}"')
                await self._connection.execute(f"COMMENT ON SCHEMA \"{target}\" IS '{BACKUP_REMARK}'")
                for table in tables:
                    await self._connection.execute(
                        f'CREATE TABLE "{target}"."{table}" AS TABLE "{schema}"."{table}"'
                    )
        except asyncpg.PostgresError as error:
            raise cannot_open(
                self._where,
                f"the copy of the tables into the schema {target} failed ({error}).",
                "Give the role the right to create a schema and room for it; or make a dump with"
                " pg_dump and start once with database.backup: false.",
            ) from error
        return f"{self._where}, schema {target}"

    async def _make_room(self, target: str) -> None:
        """Remove our own older copy of that name, and nothing else."""
        if await self._connection.fetchval(_OWN_BACKUP, target) == BACKUP_REMARK:
            await self._connection.execute(f'DROP SCHEMA "{target}" CASCADE')
