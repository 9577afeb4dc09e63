"""The conversation survives kills in the middle of its steps, in short, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kills import postgres, sqlite, survives
from tests.faults.ports import Fault

TIMEOUT = pytest.mark.timeout(300)


@TIMEOUT
@pytest.mark.fault("F1")
@pytest.mark.fault("F2")
@pytest.mark.fault("F5")
@pytest.mark.fault("F8")
@pytest.mark.fault("F11")
@pytest.mark.fault("F22")
async def test_the_conversation_survives_kills_on_sqlite(tmp_path: Path) -> None:
    faults = [
        Fault("store.intake", "before", hit=4),
        Fault("store.intake", "after", hit=9),
        Fault("store.intake", "before", "fail", hit=14),
        Fault("store.seal", "after", hit=2),
        Fault("store.arrive", "before", hit=2),
        Fault("homeserver.show", "after", hit=2),
    ]
    await survives(tmp_path, sqlite(), faults)


@TIMEOUT
@pytest.mark.fault("F17")
async def test_the_conversation_survives_a_homeserver_that_refuses_steps_of_it(tmp_path: Path) -> None:
    refused = [
        Fault("homeserver.profile", "before", "reject", hit=2),
        Fault("homeserver.create-room", "before", "reject", hit=1),
        Fault("homeserver.show", "before", "reject", hit=2),
        Fault("homeserver.show", "before", "reject", hit=6),
    ]
    await survives(tmp_path, sqlite(), [*refused, Fault("homeserver.show", "after", hit=9)])


@TIMEOUT
@pytest.mark.fault("F3")
@pytest.mark.fault("F4")
@pytest.mark.fault("F6")
@pytest.mark.fault("F7")
@pytest.mark.fault("F9")
@pytest.mark.fault("F10")
async def test_the_conversation_survives_kills_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    faults = [
        Fault("store.intake", "after", hit=5),
        Fault("store.seal", "before", hit=2),
        Fault("stream.send", "before", hit=3, cut=20),
        Fault("store.accepted", "after", hit=2),
        Fault("store.arrive", "after", hit=3),
        Fault("homeserver.show", "before", hit=3),
    ]
    await survives(tmp_path, postgres(postgres_url), faults)
