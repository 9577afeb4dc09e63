"""What the kill tests of both engines share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.ports import Fault, Report
from tests.faults.world import play, world

Database = Mapping[str, Any]


def sqlite() -> Database:
    """A database in the bridge's own folder, as it comes."""
    return {}


def postgres(uri: str) -> Database:
    return {"type": "postgres", "uri": uri}


async def unharmed(folder: Path, database: Database, **options: Any) -> Report:
    """The conversation without a fault: what it passes."""
    async with world(folder, database, **options) as made:
        await play(made, ())
        assert made.driver.deaths == 0
        assert made.mistakes() == []
        return made.report


async def survives(
    folder: Path, database: Database, faults: Sequence[Fault], *, forgetful: bool = False, **options: Any
) -> None:
    """The conversation with these faults: each came to pass, and every promise was kept.

    A notice has no marker: a ``forgetful`` homeserver may show it twice.
    """
    async with world(folder, database, forgetful=forgetful, **options) as made:
        await play(made, faults)
        missed = {str(fault) for fault in faults} - set(made.report.fired)
        assert not missed, f"failpoints that were not hit: {sorted(missed)}"
        assert made.driver.deaths == sum(fault.action == "kill" for fault in faults)
        assert made.mistakes() == []
        if not forgetful:
            assert await made.conversation.said_too_often() == []
