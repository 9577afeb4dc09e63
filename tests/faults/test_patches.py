"""The harness bites: a bridge that is broken in one of the known ways does not get through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.driver import WaitedInVain
from tests.faults.kills import sqlite, survives
from tests.faults.patches import PATCHES, Patch, broken
from tests.faults.world import PromiseBroken

PATIENCE_SECONDS = 20.0
"""Several times what anything in a conversation takes."""


@pytest.mark.parametrize("patch", PATCHES, ids=str)
def test_every_patch_applies(patch: Patch, tmp_path: Path) -> None:
    folder = broken(patch, tmp_path) / "bridge"
    for edit in patch.edits:
        compile((folder / edit.file).read_text(), edit.file, "exec")
    assert patch.edits


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("patch", PATCHES, ids=str)
async def test_a_bridge_that_is_broken_on_purpose_is_caught(patch: Patch, tmp_path: Path) -> None:
    code = broken(patch, tmp_path / "code")
    with pytest.raises((PromiseBroken, WaitedInVain), match=patch.said):
        await survives(tmp_path, sqlite(), patch.faults, code=code, patience=PATIENCE_SECONDS)
