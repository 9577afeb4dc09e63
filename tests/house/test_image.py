"""The container image can be built, and what it starts runs."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.house.source import ROOT
from tests.peers.presence import missing

BUILD_TIMEOUT_S = 1_200
"""A base from scratch takes two to three minutes on a slow line, the image one."""


@pytest.mark.deep
@pytest.mark.timeout(BUILD_TIMEOUT_S)
def test_the_image_builds_and_its_entrypoint_leads_through_the_first_starts() -> None:
    for program in ("buildah", "debootstrap"):
        if shutil.which(program) is None:
            missing(program, f"apt install {program}")
    if os.geteuid() != 0:
        missing("root", "the base of the image is made by debootstrap, which needs it")
    done = subprocess.run(
        ["sh", "docker/build-image.sh"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "its entrypoint does what it should" in done.stdout
