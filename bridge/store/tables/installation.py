"""What belongs to the installation itself: wrapped keys and small facts, by name."""

from __future__ import annotations

from bridge.ports import Statement, Store

KEEP = Statement(
    "INSERT INTO installation (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING", merge_by=("name",)
)


async def is_new(store: Store) -> bool:
    """Whether nothing was kept yet: no start came so far, so nothing is sealed."""
    return not await store.read("SELECT name FROM installation LIMIT 1")


async def value(store: Store, name: str) -> bytes | None:
    """The value kept under ``name``."""
    rows = await store.read("SELECT value FROM installation WHERE name = :name", name=name)
    if not rows:
        return None
    kept = rows[0]["value"]
    assert isinstance(kept, bytes)
    return kept
