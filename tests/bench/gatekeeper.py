"""The least network that a bridge can live with: it lets in, delivers what is sealed, and acknowledges.

The wire is the real one (Noise, frames, binary stanzas). It checks no token and keeps no mailbox:
the sandbox does, and would be what is measured.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from bridge.curve import KeyPair, key_pair
from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.certificate import make_chain
from bridge.wire.connection import HandshakeCompleted, ServerConnection, StanzaReceived
from bridge.wire.login import ClientPayload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack, info, iq, login, message, prekeys
from bridge.wire.vocabulary.message import Kind
from bridge.wire.vocabulary.receipt import Receipt
from tests.bench.people import NOW, Chat

HEADER = b"a bench"
PROLOGUE = b"a prologue of the bench"
INTEGRATOR = 7
SERVICE = "people"
PEOPLE_SERVER = "s.whatsapp.net"
CHUNK_BYTES = 65_536

Arrived = Callable[[int, str, tuple[Kind, bytes]], None]
Confirmed = Callable[[int, str], None]


class Gatekeeper:
    """``arrived(account, jid, sealed)`` for each message, ``confirmed(account, jid)`` for each receipt."""

    def __init__(self) -> None:
        self.arrived: Arrived = lambda account, jid, sealed: None
        self.confirmed: Confirmed = lambda account, jid: None
        self._lines: dict[int, _Line] = {}
        self._static, self.root = _new_key(), _new_key()
        self._chain = make_chain(self.root, _new_key(), self._static.public, time.time(), secrets.token_bytes)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=2048)

    async def stop(self) -> None:
        """Let nobody in, and end every connection."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def profile(self, path: Path) -> Path:
        """Write the profile of this network."""
        assert self._server is not None
        nowhere = "http://127.0.0.1:1/"
        values = {
            "id": "bench",
            "label": "Bench",
            "self": {"integrator": INTEGRATOR, "iss": "bench"},
            "enlist": {"url": nowhere, "reasons": {}},
            "token": {"aud": "bench"},
            "chat": {
                "host": "127.0.0.1",
                "port": self._server.sockets[0].getsockname()[1],
                "header": HEADER.hex(),
                "prologue": PROLOGUE.hex(),
                "root_key": self.root.public.hex(),
            },
            "login_failures": {},
            "ack_errors": {},
            "services": [
                {
                    "id": SERVICE,
                    "label": "People",
                    "jid_server": PEOPLE_SERVER,
                    "identifier_kind": "phone",
                }
            ],
            "push": {"iss": "bench", "aud": "bench", "jwks": nowhere},
        }
        path.write_text(json.dumps(values))
        return path

    @property
    def connected(self) -> int:
        """How many accounts have a connection."""
        return len(self._lines)

    def deliver(self, chat: Chat) -> None:
        """A person's next sealed message."""
        self._lines[chat.account].send(chat.next_stanza())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection = ServerConnection(
            static=self._static,
            ephemeral=_new_key(),
            header=HEADER,
            prologue=PROLOGUE,
            certificates=self._chain,
        )
        line = _Line(connection, writer)
        self._writers.add(writer)
        try:
            while data := await reader.read(CHUNK_BYTES):
                for event in connection.receive(data):
                    if isinstance(event, StanzaReceived):
                        self._answer(line, event.stanza)
                    elif isinstance(event, HandshakeCompleted):
                        self._let_in(line, event.payload)
                line.flush()
        except (ConnectionError, RemoteProtocolError):
            pass  # a bridge that was stopped
        finally:
            if self._lines.get(line.account) is line:
                del self._lines[line.account]
            self._writers.discard(writer)
            writer.close()

    def _let_in(self, line: _Line, payload: bytes) -> None:
        line.account = ClientPayload.from_bytes(payload).account_id
        self._lines[line.account] = line
        for word in (login.Success(NOW), info.OfflinePreview(0), info.OfflineDone(0)):
            line.connection.send(word.to_stanza())

    def _answer(self, line: _Line, stanza: Stanza) -> None:
        send = line.connection.send
        if stanza.tag == "message":
            found = message.parse(stanza, "to")
            send(ack.Ack(ack.MESSAGE, found.id, found.peer, t=NOW).to_stanza("from"))
            send(Receipt((found.id,), found.peer, None, NOW).to_stanza("from"))
            self.arrived(line.account, str(found.peer), (found.kind, found.ciphertext))
        elif stanza.tag == "receipt":
            identifier, peer, type_ = (stanza.attributes.get(name) for name in ("id", "to", "type"))
            assert isinstance(peer, Jid)
            answer = ack.Ack(ack.RECEIPT, str(identifier), peer, str(type_) if type_ else None)
            send(answer.to_stanza("from"))
            self.confirmed(line.account, str(peer))
        elif stanza.tag == "iq":
            asked = iq.parse(stanza)
            count = isinstance(asked, iq.Request) and asked.xmlns == prekeys.XMLNS
            send(prekeys.count_answer(asked.id, 100) if count else iq.Result(asked.id).to_stanza())


class _Line:
    """The network's end of one connection."""

    def __init__(self, connection: ServerConnection, writer: asyncio.StreamWriter) -> None:
        self.connection = connection
        self.account = 0
        self._writer = writer

    def send(self, stanza: Stanza) -> None:
        self.connection.send(stanza)
        self.flush()

    def flush(self) -> None:
        data = self.connection.data_to_send()
        if data:
            self._writer.write(data)


def _new_key() -> KeyPair:
    return key_pair(secrets.token_bytes(32))
