"""The image alone, as somebody starts it who has a homeserver already."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bridge.config.findings import NO_DOMAIN, NOT_CONFIGURED
from tests.docker.daemon import Docker
from tests.docker.images import build_bridge

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1_200)]  # a base and an image from nothing: three minutes

HARDENED = (
    "--rm",
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--network",
    "none",
)


@pytest.fixture(scope="module")
def image(docker: Docker) -> str:
    return build_bridge(docker)


def test_version_is_printed(docker: Docker, image: str) -> None:
    assert docker.run("run", *HARDENED, image, "--version").startswith("interop-bridge ")


def test_first_starts_lead_from_an_example_to_a_running_bridge(
    docker: Docker, image: str, tmp_path: Path
) -> None:
    def start(expected: int) -> str:
        done = docker.attempt("run", *HARDENED, "--volume", f"{tmp_path}:/data", image)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "cannot write" in start(1)
    os.chown(tmp_path, 1337, 1337)
    assert "five values" in start(0)
    config = tmp_path / "config.yaml"
    assert "homeserver.domain" in start(NO_DOMAIN)
    config.write_text(re.sub("domain: example.com", "domain: home.test", config.read_text()))
    assert "Wrote /data/registration.yaml" in start(0)
    assert "network.profile" in start(NOT_CONFIGURED)
    for name in ("config.yaml", "registration.yaml"):
        status = (tmp_path / name).stat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o600, 1337)


def test_image_holds_no_secret_of_the_build_and_no_pip(docker: Docker, image: str) -> None:
    look = "test ! -e /run/secrets && test ! -e /etc/pip.conf && ls /opt/bridge/bin"
    assert "pip" not in docker.run("run", *HARDENED, "--entrypoint", "sh", image, "-c", look)
