"""Starting the sandbox: folder, rules, listeners, the periodic tick.

The clock must read ``offset_file(directory)``, so that the control API can move it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from bridge.errors import Misconfigured
from bridge.ports import Clock, Random, Web
from bridge.sandbox.connections import Connections, ServerKeys
from bridge.sandbox.control import api
from bridge.sandbox.control.api import Changes, Control
from bridge.sandbox.edges import partner_web
from bridge.sandbox.edges.chat_server import ChatServer
from bridge.sandbox.edges.folder import KEYS, LOOPBACK, Folder, Ports, load_variant, offset_file
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.rules.state import PushSigner, make_state
from bridge.sandbox.rules.variant import DEFAULT, profile, profile_data

__all__ = ["LOOPBACK", "READY", "Sandbox", "offset_file", "run", "start"]

TICK_SECONDS = 5.0
READY = "sandbox ready"
"""Printed, with the folder, once everything listens."""
LISTEN_EXIT_CODE = 23
"""Exit code: the sandbox cannot listen."""


@dataclass
class Sandbox:
    """A running sandbox; ``close`` it."""

    gatekeeper: Gatekeeper
    chat: ChatServer
    resources: AsyncExitStack

    async def close(self) -> None:
        """Stop listening, end all connections, release the folder."""
        await self.resources.aclose()


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
    """Start everything; it listens and ``profile.yaml`` is written. ``Misconfigured`` when that fails."""
    words = load_variant(variant)
    async with AsyncExitStack() as resources:
        folder = Folder(directory)
        resources.callback(folder.close)
        keys, ports = folder.load(random.bytes)
        data = partial(
            profile_data,
            words,
            host=bind,
            root_key=keys.root.public,
            partner_url=partner,
            clock_offset_file=str(offset_file(directory)),
        )
        # Ports are known once the listeners are bound; no rule reads a port of its own profile.
        state = make_state(
            profile(data(chat_port=ports.chat or 1, web_port=ports.web)),
            words,
            random.bytes,
            PushSigner(keys.push_kid, keys.push_pem),
            keys.seed,
            partner,
        )
        gatekeeper = Gatekeeper(state)
        for person in words.people:
            gatekeeper.add_person(
                person.service,
                person.identifier,
                person.name,
                clock.now(),
                answer=person.answer,
                opted_in=person.opted_in,
            )
        calls, changes = partner_web.Partner(gatekeeper, client, clock), Changes()
        connections = Connections(gatekeeper, ServerKeys(keys.root, keys.intermediate, keys.server))
        chat = ChatServer(connections, clock, calls.call, changes.happened)
        control = Control(gatekeeper, clock, folder, changes, chat.perform)
        control_runner = web.AppRunner(api.application(control, keys.control_token))
        web_runner = web.AppRunner(partner_web.application(gatekeeper, calls, clock, chat.perform))
        for close in (control_runner.cleanup, web_runner.cleanup, chat.close):
            resources.push_async_callback(close)
        found = Ports(
            await _listen("chat", chat.listen, bind, ports.chat),
            await _listen("web", partial(_serve, web_runner), bind, ports.web),
            await _listen("control", partial(_serve, control_runner), LOOPBACK, ports.control),
        )
        folder.save(keys, found, profile=data(chat_port=found.chat, web_port=found.web))
        return Sandbox(gatekeeper, chat, resources.pop_all())


async def _serve(runner: web.AppRunner, host: str, port: int) -> int:
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])


async def _listen(name: str, listen: Callable[[str, int], Awaitable[int]], host: str, port: int) -> int:
    """The port that is open now; ``Misconfigured`` when it cannot be opened."""
    try:
        return await listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"port {port} on {host} is in use by another program."
            remedy = f"Stop that program, or set `{name}` to another port in {KEYS}; 0 takes a free one."
        else:
            code = error.errno or 0
            # asyncio wraps the system's reason in a sentence of its own.
            why = os.strerror(code) if code > 0 else "no such host"
            what = f"the sandbox can't listen on {host} ({why.lower()})."
            remedy = "Name an address of this machine with --bind; 127.0.0.1 is always one."
        raise Misconfigured(f"listener {name}", what, remedy, exit_code=LISTEN_EXIT_CODE) from error


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
