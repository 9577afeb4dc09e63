"""``make demo``: a real homeserver, a sandbox network and the bridge, and a conversation through all of them.

``ONCE=1`` ends after the scripted part, with 0 only if every message arrived and the bridge kept running,
logged no error and stopped when asked. ``BIND=`` opens the homeserver to other machines.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from demo.bridge import BridgeProcess
from demo.client import Client
from demo.sandbox import Sandbox, SandboxProcess
from demo.script import Missing, Watcher, be_written_to, opt_in, write_first
from demo.synapse import Synapse, free_port, install

SERVER_NAME = "demo.localhost"
USER, SHOWN_NAME = "ada", "Ada Lovelace"
USER_ID, BOT = f"@{USER}:{SERVER_NAME}", f"@interopbot:{SERVER_NAME}"
WRITER = "+491510000002"
"""A person of the sandbox who has not written yet."""
LOOPBACK = "127.0.0.1"
LOOK_EVERY_S = 1.0
"""How often the bridge process is checked."""


def tell(line: str) -> None:
    """Print one line of the demo."""
    print(f"  {line}", flush=True)


def main() -> int:
    """Run the demo; the exit code."""
    once, bind = os.environ.get("ONCE") == "1", os.environ.get("BIND") or LOOPBACK
    if bind != LOOPBACK:
        print(
            f"WARNING: the homeserver listens on {bind}. Anyone who can reach this address can try to log in,"
            " and the connection isn't encrypted. Stop the demo when you are done.",
            flush=True,
        )
    with tempfile.TemporaryDirectory(prefix="interop-demo-") as folder:
        try:
            return asyncio.run(_demo(Path(folder), bind, once=once))
        except asyncio.CancelledError:
            print("Interrupted before every message arrived.", file=sys.stderr, flush=True)
            return 1


async def _demo(folder: Path, bind: str, *, once: bool) -> int:
    _when_told_to_end(asyncio.current_task())
    synapse = Synapse(folder / "synapse", python=install(), server_name=SERVER_NAME, bind=bind)
    public_port = free_port()
    sandbox = SandboxProcess(folder / "sandbox", partner=f"http://{LOOPBACK}:{public_port}")
    bridge = BridgeProcess(
        folder / "bridge",
        homeserver_url=synapse.url,
        server_name=SERVER_NAME,
        profile=sandbox.profile,
        admin=USER_ID,
        public_port=public_port,
        settings={"bridge": {"permissions": {USER_ID: "admin"}}},  # one person, as personal custody wants
    )
    password = secrets.token_urlsafe(9)
    print(
        "Starting a homeserver (Synapse), a sandbox network and the bridge, each its own process ...",
        flush=True,
    )
    starting = asyncio.create_task(asyncio.to_thread(_start, synapse, sandbox, bridge, password))
    try:
        await asyncio.shield(starting)
        tell(f"homeserver {synapse.url}   sandbox {sandbox.folder}   bridge ready")
        arrived = await _converse(synapse, sandbox, bridge, password)
        if once:
            return 0 if _is_sound(bridge) and arrived else 1
        _invite(synapse, sandbox, password)
        return 0 if await _until_interrupted(bridge) and arrived else 1
    finally:
        await asyncio.gather(
            starting, return_exceptions=True
        )  # a process that is still starting must be stopped too
        bridge.stop()
        sandbox.stop()
        synapse.stop()


def _when_told_to_end(task: asyncio.Task[int] | None) -> None:
    """Let Ctrl-C and SIGTERM end the demo and the processes it started."""
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _start(synapse: Synapse, sandbox: SandboxProcess, bridge: BridgeProcess, password: str) -> None:
    sandbox.start()
    synapse.configure(bridge.set_up())
    synapse.start()
    synapse.register(USER, password)
    bridge.start()


async def _converse(synapse: Synapse, sandbox: SandboxProcess, bridge: BridgeProcess, password: str) -> bool:
    """Run the scripted part; whether every message arrived."""
    print("\nA conversation, as seen in Matrix and by the contacts:", flush=True)
    async with await Client.login(synapse.url, USER, password) as client, Sandbox(sandbox.control) as control:
        watcher = Watcher(client)
        try:
            room = await opt_in(client, watcher, BOT, SHOWN_NAME, tell)
            await write_first(client, watcher, control, room, tell)
            await be_written_to(client, watcher, control, client.user_id, tell)
        except Missing as missing:
            _failed(str(missing), bridge.log())
            return False
        finally:
            await watcher.stop()
    print("\nEvery message arrived.", flush=True)
    return True


def _is_sound(bridge: BridgeProcess) -> bool:
    """Whether the bridge was running, stopped when asked, and logged no error."""
    lived, code, errors = bridge.is_running, bridge.stop(), bridge.errors()
    if not lived or code != 0:
        _failed(f"the bridge ended {'when asked' if lived else 'by itself'} with {code}", bridge.log())
    if errors:
        _failed("the bridge logged errors", "\n".join(errors))
    return lived and code == 0 and not errors


def _failed(what: str, log: str) -> None:
    print(f"\nFAILED: {what}\n--- the bridge's log:\n{log}", file=sys.stderr, flush=True)


def _invite(synapse: Synapse, sandbox: SandboxProcess, password: str) -> None:
    here = "this machine" if synapse.is_local else "this machine and those that can reach it"
    print(
        f"""
Now you. Any Matrix client on {here} can log in:

    homeserver   {synapse.public_url}
    user         {USER}
    password     {password}

Element Desktop and nheko take this address. A web client must be served over plain http or from
localhost. A phone needs BIND= with an address it can reach. Send `help` to the bot in its room.
Contacts answer. To make a contact write first, run this in another terminal on this machine:

{write_first_line(sandbox)}

The address and token of the sandbox's control API are in {sandbox.control_file};
docs/guide/sandbox.md describes what else it can do. Ctrl-C stops everything and deletes it.
""",
        flush=True,
    )


def write_first_line(sandbox: SandboxProcess) -> str:
    """A command that makes a contact write. It reads the token from its file."""
    token = f"$(sed -n 's/^token: //p' {shlex.quote(str(sandbox.control_file))})"
    return f"""curl -sS --noproxy '*' -H "Authorization: Bearer {token}" \\
    {sandbox.control.url}/people/{WRITER}/write -d '{{"to": "{USER_ID}", "text": "Hello Ada, Mira here."}}'"""


async def _until_interrupted(bridge: BridgeProcess) -> bool:
    """Wait for Ctrl-C; False when the bridge ended first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        if not bridge.is_running:
            _failed(f"the bridge ended by itself with {bridge.stop()}; the demo ends too", bridge.log())
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
    return True


if __name__ == "__main__":
    sys.exit(main())
