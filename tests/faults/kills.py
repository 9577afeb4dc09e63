"""What the kill tests of both engines share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.failpoints import dealt, is_certain, seed
from tests.faults.ports import Fault, Passed, Report
from tests.faults.world import play, world

Database = Mapping[str, Any]

KILLED, NOT_REACHED = "killed at", "not reached"
"""What a test notes for the summary."""


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
    folder: Path,
    database: Database,
    faults: Sequence[Fault],
    *,
    may_miss: Collection[Fault] = (),
    forgetful: bool = False,
    **options: Any,
) -> list[Fault]:
    """The conversation with these faults: each came to pass, and every promise was kept.

    Those of ``may_miss`` need not come to pass; the answer says which did not. A notice has no marker:
    a ``forgetful`` homeserver may show it twice.
    """
    async with world(folder, database, forgetful=forgetful, **options) as made:
        await play(made, faults)
        fired = set(made.report.fired)
        missed = [fault for fault in faults if str(fault) not in fired]
        due = [str(fault) for fault in missed if fault not in may_miss]
        assert not due, f"failpoints that were not hit: {sorted(due)}"
        assert made.driver.deaths == sum(fault.action == "kill" for fault in faults if fault not in missed)
        assert made.mistakes() == []
        if not forgetful:
            assert await made.conversation.said_too_often() == []
        return missed


async def survives_share(
    folder: Path,
    database: Callable[[], Awaitable[Database]],
    passed: Mapping[Passed, int],
    run: int,
    note: Callable[[str, object], None],
) -> None:
    """The conversation with this run's kills. ``note`` is told which came to pass, and which did not.

    What a dozen kills on the way kept from being reached is tried once more without the others.
    """
    chosen = dealt(passed, seed())[run]
    late = {fault for fault in chosen if not is_certain(fault, passed)}
    missed = chosen
    for attempt in ("together", "again"):
        (folder / attempt).mkdir()
        missed = await survives(folder / attempt, await database(), missed, may_miss=late)
        if not missed:
            break
    note(KILLED, [str(fault) for fault in chosen if fault not in missed])
    note(NOT_REACHED, [str(fault) for fault in missed])
