"""What protoc makes of our descriptions is in step with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path("bridge/wire/proto")
DESCRIPTIONS = sorted((ROOT / FOLDER).glob("*.proto"))


def test_proto_files_are_complete() -> None:
    assert [path.name for path in DESCRIPTIONS] == ["handshake.proto", "message.proto"]


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda path: path.name)
def test_generated_files_are_current(description: Path, tmp_path: Path) -> None:
    # The command of bridge/wire/proto/__init__.py, into another folder.
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I.",
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            str(FOLDER / description.name),
        ],
        cwd=ROOT,
        check=True,
    )
    made = sorted((tmp_path / FOLDER).iterdir())
    assert [path.name for path in made] == [f"{description.stem}_pb2.py", f"{description.stem}_pb2.pyi"]
    for path in made:
        assert path.read_bytes() == (ROOT / FOLDER / path.name).read_bytes()
