"""A Docker for the tests: the machine's own where it runs, otherwise one that the tests start and end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.house.source import ROOT
from tests.peers.presence import report_missing

CACHE = ROOT / ".cache" / "docker"
"""Images and layers of the daemon that is started here; the next run builds only what changed."""
KEPT_LAYERS = "4GB"
"""What all images together take twice over."""
START_S, STOP_S = 60, 30
"""A daemon is ready within a second or two on an idle machine."""


class Docker:
    """The command-line client, and which daemon it speaks to."""

    def __init__(self, client: str, environment: Mapping[str, str]) -> None:
        self.client = client
        self.environment = {**os.environ, **environment}

    def run(self, *arguments: str) -> str:
        """What a command of the client prints; AssertionError with its errors when it fails."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that may fail."""
        return subprocess.run(
            [self.client, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def answers(self, *arguments: str) -> bool:
        """Whether a command succeeds."""
        return self.attempt(*arguments).returncode == 0


@contextmanager
def running_docker() -> Iterator[Docker]:
    """A Docker whose daemon answers; skip by name where that cannot be had.

    Images stay: in the machine's own daemon under their names, otherwise below ``.cache``.
    """
    # The distribution's own client first: with its builder it fits the distribution's own daemon.
    client = shutil.which("docker", path=os.defpath) or shutil.which("docker")
    if client is None:
        report_missing("Docker", "apt install docker.io")
    here = Docker(client, {})
    if os.geteuid() != 0:
        report_missing("root", "debootstrap makes the base of the images, and needs it")
    if here.answers("info"):
        yield here
        return
    daemon = shutil.which("dockerd")
    if daemon is None:
        report_missing("a Docker daemon", "apt install docker.io, or start the one that is installed")
    with tempfile.TemporaryDirectory(prefix="ib-docker-") as folder:
        yield from _own_daemon(daemon, client, Path(folder))


def _own_daemon(program: str, client: str, folder: Path) -> Iterator[Docker]:
    CACHE.mkdir(parents=True, exist_ok=True)
    address = f"unix://{folder}/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (folder / "log").open("wb") as log:
        ready.bind(f"{folder}/ready")
        process = subprocess.Popen(
            [
                *(program, "--host", address, "--data-root", CACHE),
                *("--exec-root", folder / "exec", "--pidfile", folder / "pid"),
            ],
            env={**os.environ, "NOTIFY_SOCKET": f"{folder}/ready"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C ends the containers first, then this
        )
        docker = Docker(client, {"DOCKER_HOST": address})
        try:
            if not _is_ready(ready, process):
                log_text = (folder / "log").read_text(errors="replace")
                report_missing("a Docker daemon that starts", log_text[-500:])
            _remove_containers(docker)  # of a run that was killed
            yield docker
            _remove_containers(docker)
            docker.run("image", "prune", "--force")
            docker.run("builder", "prune", "--force", "--keep-storage", KEPT_LAYERS)
        finally:
            process.terminate()
            process.wait(STOP_S)


def _is_ready(ready: socket.socket, process: subprocess.Popen[bytes]) -> bool:
    """Wait for the word that it is ready, as systemd would get it; False when it ended or never came."""
    ready.settimeout(1.0)
    for _ in range(START_S):
        try:
            if b"READY=1" in ready.recv(4096):
                return True
        except TimeoutError:
            if process.poll() is not None:
                break
    return False


def _remove_containers(docker: Docker) -> None:
    for container in docker.run("ps", "--all", "--quiet").split():
        docker.run("rm", "--force", "--volumes", container)
    docker.run("network", "prune", "--force")
