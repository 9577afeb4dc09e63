"""Values of the installation by name: wrapped keys and small facts."""

from __future__ import annotations

from bridge.ports import Statement, Store

ADD = Statement(
    "INSERT INTO installation (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING", merge_by=("name",)
)


async def is_new(store: Store) -> bool:
    """Whether no value is stored yet: no start has got so far, so nothing is sealed."""
    return not await store.read("SELECT name FROM installation LIMIT 1")


async def value(store: Store, name: str) -> bytes | None:
    """The value kept under ``name``."""
    rows = await store.read("SELECT value FROM installation WHERE name = :name", name=name)
    if not rows:
        return None
    kept = rows[0]["value"]
    assert isinstance(kept, bytes)
    return kept
