"""The other end of the conversation: the sandbox as a process of its own, and what its people do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bridge.sandbox.edges.folder import SHIPPED
from bridge.sandbox.rules.variant import DEFAULT
from tests.contract.support import SandboxControl, control_of, sandbox_process

PREKEYS_UPLOADED, PREKEYS_LOW = 5, 4
"""So few that a conversation uses them up, and more are asked for."""


@dataclass
class Network:
    """Steers the sandbox. People go by short names, accounts by their Matrix ids."""

    profile: Path
    control: SandboxControl
    _people: dict[str, str] = field(default_factory=dict)
    """Name -> internal identifier."""
    _accounts: dict[str, str] = field(default_factory=dict)
    """Matrix id -> internal identifier; also those that were deleted, which are still in the logs."""

    async def add(self, name: str, service: str, identifier: str, shown: str) -> None:
        """Somebody new, who reads at once what comes and says so."""
        person = await self.control.add_person(service, identifier, shown)
        self._people[name] = str(person["jid"])
        await self.change(name, reads=True)

    async def change(self, who: str, /, **values: Any) -> None:
        """Change somebody's name or habits."""
        await self.control.change_person(self._people[who], **values)

    async def say(self, name: str, user: str, text: str) -> None:
        await self.control.write(self._people[name], user, text)

    async def do(self, name: str, what: str) -> None:
        """Let somebody ``reinstall`` or ``forget_sessions``."""
        await self.control.do(self._people[name], what)

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

    async def logins(self) -> int:
        """How often an account has connected so far."""
        return len((await self.control.log())["logins"])

    async def evidence(self) -> dict[str, Any]:
        """The logs, with names in place of internal identifiers, and with the texts that people hold."""
        log: dict[str, Any] = await self.control.log()
        await self._account("")
        names = {jid: name for name, jid in (self._people | self._accounts).items()}
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
        shown = await self.control.call("GET", "/")
        self._accounts |= {each["identifier"]: each["jid"] for each in shown["accounts"]}
        return self._accounts.get(user)

    async def _held(self, name: str) -> Any:
        return await self.control.person(self._people[name])


@asynccontextmanager
async def sandbox(folder: Path, partner_port: int) -> AsyncIterator[Network]:
    """The sandbox as a process; the bridge's public listener is at ``partner_port``."""
    with sandbox_process(folder, str(_variant(folder.with_suffix(".yaml"))), partner_port) as running:
        async with control_of(running) as control:
            yield Network(running.folder / "profile.yaml", control)


def _variant(file: Path) -> Path:
    """The shipped network, with few keys."""
    yaml = YAML()
    variant = yaml.load(SHIPPED / f"{DEFAULT}.yaml")
    variant["limits"] |= {"prekeys_uploaded": PREKEYS_UPLOADED, "prekeys_low": PREKEYS_LOW}
    yaml.dump(variant, file)
    return file
