"""Baileys' stanza codec as a program that a test can ask.

It knows identifiers only as printed text: it reads every text with an @ as one, and
prints an interop identifier always with its device, 0 too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from tests.peers.presence import require_peer

FOLDER = Path(__file__).parent


class Refused(Exception):
    """The program could not do what it was asked."""


class Program:
    """The Node process; one request at a time."""

    def __init__(self, node: Path) -> None:
        self._process = subprocess.Popen(
            [node, FOLDER / "codec.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=FOLDER
        )

    def encode(self, stanza: Stanza) -> bytes:
        """Their bytes of ``stanza``."""
        return bytes.fromhex(self._ask({"op": "encode", "stanza": to_json(stanza)}))

    def decode(self, data: bytes) -> Any:
        """Their reading of ``data``, in the form of ``to_json``."""
        return self._ask({"op": "decode", "data": data.hex()})

    def _ask(self, request: dict[str, Any]) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the baileys program has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        """End the process."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.close()
        self._process.wait()
        stdout.close()


@contextmanager
def running() -> Iterator[Program]:
    """The program, started and ended; skips or fails by name when it is not installed."""
    program = Program(require_peer(FOLDER, "the baileys peer"))
    try:
        yield program
    finally:
        program.close()


def to_json(stanza: Stanza) -> dict[str, Any]:
    """The form in which stanzas are handed over; identifiers as Baileys prints them."""
    content: Any = None
    if isinstance(stanza.content, bytes):
        content = {"bytes": stanza.content.hex()}
    elif stanza.content is not None:
        content = [to_json(node) for node in stanza.content]
    attributes = {
        name: printed(value) if isinstance(value, Jid) else value for name, value in stanza.attributes.items()
    }
    return {"tag": stanza.tag, "attrs": attributes, "content": content}


def printed(jid: Jid) -> str:
    """An identifier as Baileys prints it."""
    if jid.server in ("interop", "msgr") and jid.user:
        integrator = f"{jid.integrator}-" if jid.server == "interop" else ""
        return f"{integrator}{jid.user}:{jid.device}@{jid.server}"
    device = f":{jid.device}" if jid.device else ""
    return f"{jid.user}{device}@{jid.server}"
