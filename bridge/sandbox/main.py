"""Starting the sandbox: folder, rules, listeners, and the time that passes.

Clock and HTTP client are given: the sandbox lives on one floor with their real forms. The clock must
be the one that reads ``offset_file(directory)``, so that the control API can move it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bridge.ports import Clock, Random, Web
from bridge.sandbox.connections import ServerKeys, Switchboard
from bridge.sandbox.control import api
from bridge.sandbox.control.api import Changes, Control
from bridge.sandbox.edges import folder, partner_web
from bridge.sandbox.edges.chat_server import ChatServer
from bridge.sandbox.edges.folder import Ports, offset_file
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.rules.state import PushSigner, make_state
from bridge.sandbox.rules.variant import DEFAULT, profile, profile_data

__all__ = ["LOOPBACK", "READY", "Sandbox", "offset_file", "run", "start"]

LOOPBACK = "127.0.0.1"
TICK_SECONDS = 5.0
READY = "sandbox ready"
"""What is printed, with the folder, once everything listens."""


@dataclass
class Sandbox:
    """A running sandbox; ``close`` it."""

    gatekeeper: Gatekeeper
    chat: ChatServer
    runners: tuple[web.AppRunner, ...]

    async def close(self) -> None:
        """Stop listening and end all connections."""
        await self.chat.close()
        for runner in self.runners:
            await runner.cleanup()


async def run(
    directory: Path,
    *,
    partner: str,
    random: Random,
    clock: Clock,
    client: Web,
    bind: str = LOOPBACK,
    variant: str | Path = DEFAULT,
    announce: Callable[[str], object] | None = None,
) -> int:
    """Run until cancelled. ``partner`` is the bridge's public listener; 0 at the end."""
    sandbox = await start(
        directory, partner=partner, random=random, clock=clock, client=client, bind=bind, variant=variant
    )
    try:
        (announce or _print)(f"{READY}: {directory}")
        while True:
            await clock.sleep(TICK_SECONDS)
            sandbox.gatekeeper.tick(clock.now())
            sandbox.chat.perform()
    finally:
        await sandbox.close()


async def start(
    directory: Path,
    *,
    partner: str,
    random: Random,
    clock: Clock,
    client: Web,
    bind: str = LOOPBACK,
    variant: str | Path = DEFAULT,
) -> Sandbox:
    """Everything up to the moment at which it listens and ``profile.yaml`` is written."""
    words = folder.load_variant(variant)
    keys, ports = folder.open_folder(directory, random.bytes)
    changes = Changes()

    def data(found: Ports) -> dict[str, object]:
        return profile_data(
            words,
            host=bind,
            chat_port=found.chat or 1,
            web_port=found.web,
            root_key=keys.root.public,
            partner_url=partner,
            clock_offset_file=str(offset_file(directory)),
        )

    # Ports are known once the listeners are bound; no rule reads a port of its own profile.
    signer = PushSigner(keys.push_kid, keys.push_pem)
    state = make_state(profile(data(ports)), words, random.bytes, signer, keys.seed, partner)
    gatekeeper = Gatekeeper(state)
    calls = partner_web.Partner(gatekeeper, client, clock)
    board = Switchboard(gatekeeper, ServerKeys(keys.root, keys.intermediate, keys.server))
    chat = ChatServer(board, clock, calls.call, changes.happened)
    for made in words.people:
        gatekeeper.add_person(
            made.service, made.identifier, made.name, clock.now(), answer=made.answer, opted_in=made.opted_in
        )
    web_runner = web.AppRunner(partner_web.application(gatekeeper, calls, clock, chat.perform))
    shared = Control(gatekeeper, clock, directory, changes, chat.perform)
    control_runner = web.AppRunner(api.application(shared, keys.control_token))
    found = Ports(
        await chat.listen(bind, ports.chat),
        await _listen(web_runner, bind, ports.web),
        await _listen(control_runner, LOOPBACK, ports.control),
    )
    folder.save(directory, keys, found, profile=data(found))
    return Sandbox(gatekeeper, chat, (web_runner, control_runner))


async def _listen(runner: web.AppRunner, host: str, port: int) -> int:
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return int(runner.addresses[0][1])


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
