"""A sandbox network as a process, and its control API."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from ruamel.yaml import YAML

READY = b"sandbox ready"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
WAIT_SECONDS = 60.0
POLL_SECONDS = 10
"""Duration of one long poll."""


@dataclass(frozen=True)
class Access:
    """URL and token of the control API."""

    url: str
    token: str = field(repr=False)


class SandboxProcess:
    """One sandbox with its files in ``folder``; stopping keeps its keys and ports."""

    def __init__(self, folder: Path, *, partner: str, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.profile = folder / "profile.yaml"
        self.control_file = folder / "control.yaml"
        self._command = [
            *(sys.executable, "-m", "bridge", "sandbox"),
            *("--dir", str(folder), "--partner", partner),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "sandbox.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = os.read(self._process.stdout.fileno(), 4096) if ready else b""
        if READY not in line:
            self.stop()
            log_text = (self.folder / "sandbox.log").read_text(errors="replace")
            raise RuntimeError(f"the sandbox did not start:\n{log_text}")

    def stop(self) -> None:
        """Stop the process; does nothing when it is not running."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    @property
    def control(self) -> Access:
        """The control API of the running sandbox."""
        values = YAML(typ="safe").load(self.control_file)
        return Access(values["url"], values["token"])


class Sandbox:
    """A client of the control API. Use as ``async with``."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._access.token}"})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call; ``RuntimeError`` with the answer when it is refused."""
        assert self._session is not None
        async with self._session.request(method, self._access.url + path, json=body) as answer:
            values: dict[str, Any] = await answer.json()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {values.get('error')}")
        return values

    async def person(self, member: str) -> dict[str, Any]:
        """A person with keys and history."""
        return await self.call("GET", f"/people/{quote(member, safe='')}")

    async def write(self, member: str, to: str, text: str) -> str:
        """Make a person write to an address; the message id."""
        path = f"/people/{quote(member, safe='')}/write"
        answer = await self.call("POST", path, {"to": to, "text": text})
        return str(answer["ids"][0])

    async def received(self, member: str, text: str) -> str | None:
        """Wait until a person has received a message with ``text``; the whole text, None after the limit."""
        change = 0
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    held = [each["text"] or "" for each in (await self.person(member))["received"]]
                    found = next((each for each in held if text in each), None)
                    if found is not None:
                        return found
                    news = await self.call("GET", f"/changes?after={change}&timeout={POLL_SECONDS}")
                    change = int(news["change"])
        except TimeoutError:
            return None
