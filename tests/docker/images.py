"""The three images of compose.yaml, built on a Debian from its packages: no image registry is asked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.docker.daemon import Docker
from tests.house.source import ROOT
from tests.peers.presence import report_missing

SUITE = "trixie"
PREFIX = "interop-bridge-test"
BASE, BRIDGE, SYNAPSE, POSTGRES = (f"{PREFIX}/{name}" for name in ("base", "bridge", "synapse", "postgres"))
PACKAGES = "python3,python3-venv,ca-certificates"
HERE = Path(__file__).parent / "images"


def build_bridge(docker: Docker) -> str:
    """Build the product's image as ``make image`` does; its name."""
    _make_base(docker)
    _build(docker, BRIDGE)
    return BRIDGE


def build_neighbours(docker: Docker) -> None:
    """Build what stands for the public images of Synapse and PostgreSQL."""
    _make_base(docker)
    _build(docker, POSTGRES, "--file", str(HERE / "postgres.Dockerfile"), str(HERE))
    _build(docker, SYNAPSE, "--file", str(HERE / "synapse.Dockerfile"), str(ROOT / "requirements"))


def _build(docker: Docker, image: str, *arguments: str) -> None:
    done = subprocess.run(
        ["sh", "docker/build-image.sh", *arguments],
        cwd=ROOT,
        env={**docker.environment, "DOCKER": docker.client, "IMAGE": image, "BASE": BASE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{image}: {done.stderr[-3000:]}"


def _make_base(docker: Docker) -> None:
    if docker.answers("image", "inspect", BASE):
        return
    if shutil.which("debootstrap") is None:
        report_missing("debootstrap", "apt install debootstrap")
    with tempfile.TemporaryDirectory(prefix="ib-base-") as folder:
        root = Path(folder) / "root"
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout[-2000:]
        shutil.rmtree(root / "var/cache/apt/archives")
        (root / "var/cache/apt/archives/partial").mkdir(parents=True)
        tar = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", root, "-cf", tar, "."], check=True)
        docker.run("import", str(tar), BASE)
