"""The services of compose.yaml, started as an admin starts them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.sandbox import Sandbox
from demo.synapse import free_port
from tests.docker.daemon import Docker
from tests.docker.images import BRIDGE, POSTGRES, SYNAPSE
from tests.house.source import ROOT
from tests.peers.presence import report_missing

COMPOSE_FILE = ROOT / "docker" / "compose.yaml"
SERVER_NAME = "compose.test"
ADMIN = f"@ada:{SERVER_NAME}"


class Stack:
    """One project of compose, with its data in ``data``."""

    def __init__(self, docker: Docker, data: Path) -> None:
        self.docker, self.data = docker, data
        port = free_port()
        self.homeserver_url = f"http://127.0.0.1:{port}"
        self.values = {
            "SERVER_NAME": SERVER_NAME,
            "ADMIN": ADMIN,
            "COMPOSE_PROFILES": "sandbox",
            "COMPOSE_PROJECT_NAME": f"interop-bridge-test-{port}",
            "DATA": str(data),
            "BRIDGE_IMAGE": BRIDGE,
            "SYNAPSE_IMAGE": SYNAPSE,
            "POSTGRES_IMAGE": POSTGRES,
            "SYNAPSE_LISTEN": f"127.0.0.1:{port}",
            "BRIDGE_LISTEN": f"127.0.0.1:{free_port()}",
        }
        self._program = _compose(docker)

    def compose(self, *arguments: str) -> str:
        """What a command of compose prints; AssertionError with its errors when it fails."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"compose {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(
        self, *arguments: str, values: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command of compose that may fail; with other ``values`` than those of the stack."""
        return subprocess.run(
            [*self._program, "--file", COMPOSE_FILE, *arguments],
            env={**self.docker.environment, **(self.values if values is None else values)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def execute(self, service: str, *command: str) -> str:
        """What a command in a running container prints."""
        return self.compose("exec", "-T", service, *command)

    def inspect(self, service: str) -> Mapping[str, Any]:
        """Docker's whole description of a service's container, running or not."""
        name = f"{self.values['COMPOSE_PROJECT_NAME']}[-_]{service}[-_]1"
        found = self.docker.run("ps", "--all", "--format", "{{.Names}}").split()
        [container] = [each for each in found if re.fullmatch(name, each)]
        [described] = json.loads(self.docker.run("inspect", container))
        return dict(described)

    def logs(self) -> str:
        """All that the containers have printed."""
        return self.compose("logs", "--no-color")


class SandboxInside(Sandbox):
    """The sandbox's control API, which listens inside its container only."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call, by the program that the image has for it."""
        given = [] if body is None else [json.dumps(body)]
        command = ("sandbox-control", "-X", method, path, *given)
        answer: dict[str, Any] = json.loads(await asyncio.to_thread(self._stack.execute, "sandbox", *command))
        return answer


def _compose(docker: Docker) -> tuple[str, ...]:
    if docker.answers("compose", "version"):
        return (docker.client, "compose")
    program = shutil.which("docker-compose")
    if program is None:
        report_missing("docker-compose", "apt install docker-compose")
    return (program,)
