"""Make the golden databases of this version of the bridge: ``python -m tests.store.golden.make v2``."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from bridge.ports import Row
from bridge.store import kinds
from tests.sim.whole import Whole
from tests.store.golden.scenes import SCENES, Scene
from tests.store.golden.world import FOLDER, save


def _installation(bridge: Whole) -> list[Row]:
    """The wrapped keys as a start of the product keeps them."""
    deriving = bridge._vault.seal("deriving-key", bridge.journal._key, bridge._random)
    return [
        {"name": "keeper-key", "value": bridge._keeper_key},
        {"name": "deriving-key", "value": deriving},
    ]


async def _make(scene: Scene, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bridge = Whole(Path(folder), status_events=True)
        await bridge.start()
        await bridge.database.commit(kinds.unit(kinds.INSTALL, install=_installation(bridge)))
        expected = await scene(bridge)
        await save(bridge, expected, target)


def main() -> None:
    """Write every scene into the folder of a version, which must be new: what was made stays as it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="the name of the folder to make, such as v2")
    folder = FOLDER / parser.parse_args().version
    folder.mkdir()
    for name, scene in SCENES.items():
        asyncio.run(_make(scene, folder / name))


if __name__ == "__main__":
    main()
