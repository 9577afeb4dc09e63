"""``make demo``: a real homeserver, a sandbox network and the bridge, and a conversation through all of them.

``ONCE=1`` ends after the scripted part, with 0 only if every line arrived. ``BIND=`` opens the
homeserver to another machine.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from demo.bridge import BridgeProcess
from demo.client import Client
from demo.sandbox import Sandbox, SandboxProcess
from demo.script import Missing, Watcher, be_written_to, opt_in, write_first
from demo.synapse import Synapse, free_port, install

SERVER_NAME = "demo.localhost"
USER, SHOWN_NAME = "ada", "Ada Lovelace"
BOT = f"@interopbot:{SERVER_NAME}"
LOOPBACK = "127.0.0.1"


def tell(line: str) -> None:
    """One line of the demo."""
    print(f"  {line}", flush=True)


def main() -> int:
    """Run the demo; the exit code."""
    once, bind = os.environ.get("ONCE") == "1", os.environ.get("BIND") or LOOPBACK
    if bind != LOOPBACK:
        print(
            f"WARNING: the homeserver listens on {bind}. Everybody who can reach this machine there can try"
            " to log in, and nothing on the way is encrypted. End the demo when you are done.",
            flush=True,
        )
    with tempfile.TemporaryDirectory(prefix="interop-demo-") as folder:
        try:
            return asyncio.run(_demo(Path(folder), bind, once=once))
        except KeyboardInterrupt:
            return 0


async def _demo(folder: Path, bind: str, *, once: bool) -> int:
    synapse = Synapse(folder / "synapse", python=install(), server_name=SERVER_NAME, bind=bind)
    public_port = free_port()
    sandbox = SandboxProcess(folder / "sandbox", partner=f"http://{LOOPBACK}:{public_port}")
    bridge = BridgeProcess(
        folder / "bridge",
        homeserver_url=synapse.url,
        server_name=SERVER_NAME,
        profile=sandbox.profile,
        admin=f"@{USER}:{SERVER_NAME}",
        public_port=public_port,
    )
    password = secrets.token_urlsafe(9)
    print(
        "Starting a homeserver (Synapse), a sandbox network and the bridge, each its own process ...",
        flush=True,
    )
    try:
        await asyncio.to_thread(_start, synapse, sandbox, bridge, password)
        tell(f"homeserver {synapse.url}   sandbox {sandbox.folder.name}   bridge ready")
        arrived = await _converse(synapse, sandbox, bridge, password)
        if once:
            return 0 if arrived else 1
        _invite(synapse, password)
        await _until_interrupted()
        return 0
    finally:
        bridge.stop()
        sandbox.stop()
        synapse.stop()


def _start(synapse: Synapse, sandbox: SandboxProcess, bridge: BridgeProcess, password: str) -> None:
    sandbox.start()
    synapse.configure(bridge.set_up())
    synapse.start()
    synapse.register(USER, password)
    bridge.start()


async def _converse(synapse: Synapse, sandbox: SandboxProcess, bridge: BridgeProcess, password: str) -> bool:
    """The scripted part; whether every line arrived."""
    print("\nA conversation, as seen in Matrix through the client API, and at the contacts' end:", flush=True)
    async with await Client.login(synapse.url, USER, password) as client, Sandbox(sandbox.control) as control:
        watcher = Watcher(client)
        try:
            room = await opt_in(client, watcher, BOT, SHOWN_NAME, tell)
            await write_first(client, watcher, control, room, tell)
            await be_written_to(client, watcher, control, client.user_id, tell)
        except Missing as missing:
            print(f"\nFAILED: {missing}\n--- the bridge's log:\n{bridge.log()}", file=sys.stderr, flush=True)
            return False
        finally:
            await watcher.stop()
    print("\nEvery line arrived.", flush=True)
    return True


def _invite(synapse: Synapse, password: str) -> None:
    here = "this machine" if synapse.is_local else "this machine and those that can reach it"
    print(
        f"""
Now you. Any Matrix client on {here} can log in:

    homeserver   {synapse.public_url}
    user         {USER}
    password     {password}

Element Desktop and nheko take that address as it is. A web client must itself be served over plain
http, or from localhost. A phone needs BIND= with an address it can reach. Say `help` to the bot in
its room; contacts answer. To see somebody write first, or to add people, use the control API (see
docs/guide/sandbox.md). Ctrl-C ends everything and removes it.
""",
        flush=True,
    )


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
