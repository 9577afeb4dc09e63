"""The other end of the conversation: the sandbox as a process of its own, and what its people do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from ruamel.yaml import YAML

from bridge.sandbox.main import READY
from tests.faults.homeserver.control import ROOT

START_SECONDS = 60.0


@dataclass
class Network:
    """Steers the sandbox. People go by short names, accounts by their Matrix ids."""

    profile: Path
    _session: aiohttp.ClientSession = field(repr=False)
    _url: str
    _people: dict[str, str] = field(default_factory=dict)
    """Name -> internal identifier."""
    _accounts: dict[str, str] = field(default_factory=dict)
    """Matrix id -> internal identifier; also those that were deleted, which are still in the logs."""

    async def add(self, name: str, service: str, identifier: str, shown: str) -> None:
        """Somebody new, who reads at once what comes and says so."""
        person = await self._call("POST", "people", service=service, identifier=identifier, name=shown)
        self._people[name] = str(person["jid"])
        await self._call("PATCH", f"people/{person['jid']}", reads=True)

    async def say(self, name: str, user: str, text: str) -> None:
        await self._act(name, "write", to=user, text=text)

    async def forget_sessions(self, name: str) -> None:
        """They can read nothing more of what is sent in the present sessions."""
        await self._act(name, "forget_sessions")

    async def reinstall(self, name: str) -> None:
        """They lose everything and have a new identity."""
        await self._act(name, "reinstall")

    async def spoil_next(self, user: str) -> None:
        """The next message for an account cannot be read."""
        await self._call("POST", "faults", kind="bad_mac", account=user)

    async def advance(self, seconds: float) -> None:
        """Move the shared clock on."""
        await self._call("POST", "clock", advance=seconds)

    async def has_read(self, name: str, user: str, text: str) -> bool:
        """Whether somebody has a text of a user before them."""
        jid = await self._account(user)
        held = (await self._held(name))["received"]
        return any(each["sender"] == jid and each["text"] == text for each in held)

    async def knows(self, name: str, user: str, text: str, what: str) -> bool:
        """Whether somebody's text to a user counts as ``delivered`` or ``read`` with them."""
        jid = await self._account(user)
        sent = (await self._held(name))["sent"]
        return any(each["to"] == jid and each["text"] == text and each[what] for each in sent)

    async def evidence(self) -> dict[str, Any]:
        """The logs, with names in place of internal identifiers, and with the texts that people hold."""
        log: dict[str, Any] = await self._call("GET", "log")
        names = {jid: name for name, jid in self._people.items()}
        await self._account("")
        names |= {jid: user for user, jid in self._accounts.items()}
        texts: dict[tuple[str, str, str], str | None] = {}
        for name, jid in self._people.items():
            held = await self._held(name)
            texts |= {(each["sender"], jid, each["id"]): each["text"] for each in held["received"]}
            texts |= {(jid, each["to"], each["id"]): each["text"] for each in held["sent"]}
        for entry in log["n_in"]:
            entry["text"] = texts[entry["sender"], entry["account"], entry["id"]]
            entry["sender"], entry["account"] = names[entry["sender"]], names[entry["account"]]
        for entry in log["n_out"]:
            entry["text"] = texts.get((entry["account"], entry["to"], entry["id"]))
        for entry in (*log["n_out"], *log["receipts"]):
            entry["to"], entry["account"] = names[entry["to"]], names[entry["account"]]
        return log

    async def _account(self, user: str) -> str | None:
        """An account's internal identifier."""
        shown = await self._call("GET", "")
        self._accounts |= {each["identifier"]: each["jid"] for each in shown["accounts"]}
        return self._accounts.get(user)

    async def _held(self, name: str) -> Any:
        return await self._call("GET", f"people/{self._people[name]}")

    async def _act(self, name: str, act: str, **body: Any) -> None:
        await self._call("POST", f"people/{self._people[name]}/{act}", **body)

    async def _call(self, method: str, path: str, **body: Any) -> Any:
        async with self._session.request(method, f"{self._url}/{path}", json=body) as answer:
            found = await answer.json()
            if answer.status >= 400:
                raise LookupError(f"{method} {path}: {found}")
            return found


@asynccontextmanager
async def sandbox(folder: Path, partner: str) -> AsyncIterator[Network]:
    """The sandbox as a process; ``partner`` is the bridge's public listener."""
    command = [sys.executable, "/tmp/sbx.py", str(folder), partner]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        line = await asyncio.wait_for(child.stdout.readline(), START_SECONDS)
        assert READY.encode() in line
        control = YAML(typ="safe").load(folder / "control.yaml")
        headers = {"Authorization": f"Bearer {control['token']}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Network(folder / "profile.yaml", session, control["url"].rstrip("/"))
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
