"""The official libsignal 0.72.1 as people that a test can talk to.

One Node process plays any number of people, each with identity, prekeys and sessions
of their own. Bytes in, bytes out: nothing of ours runs on that side (the bundle is a
plain value), and public keys have 32 bytes as on the network. The process is
synchronous: one request at a time.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from bridge.e2ee.bundle import PreKeyBundle
from tests.peers.presence import require_peer

FOLDER = Path(__file__).parent
Kind = Literal["pkmsg", "msg"]


class Refused(Exception):
    """libsignal refused; ``name`` is its error code, such as ``DuplicatedMessage``."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


@dataclass(frozen=True)
class PublicPreKey:
    """The public half of a prekey; ``signature`` is empty for a one-time one."""

    id: int
    public: bytes
    signature: bytes = b""


@dataclass(frozen=True)
class Ciphertext:
    """What libsignal wants sent."""

    kind: Kind
    ciphertext: bytes


class Program:
    """The Node process. ``Refused`` comes out of any call that libsignal refuses."""

    def __init__(self, node: Path) -> None:
        self._process = subprocess.Popen(
            [node, FOLDER / "libsignal.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=FOLDER,
        )

    def ask(self, op: str, **arguments: Any) -> Any:
        """One request; bytes among the arguments become hexadecimal."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps({"op": op, **arguments}, default=bytes.hex) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the libsignal program has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"]["name"], answer["error"]["message"])
        return answer["ok"]

    def person(self, name: str, registration_id: int = 4711) -> Person:
        """A new person with a fresh identity; the same name again forgets the old one (a reinstall)."""
        made = self.ask("person", name=name, registration_id=registration_id)
        return Person(self, name, registration_id, bytes.fromhex(made["identity"]))

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """libsignal's verdict on an XEdDSA signature."""
        return cast(bool, self.ask("verify", public=public, message=message, signature=signature))

    def cost(self, rounds: int, plaintext: bytes) -> dict[str, float]:
        """Microseconds for one of each operation, averaged over ``rounds``."""
        return cast(dict[str, float], self.ask("cost", rounds=rounds, plaintext=plaintext))

    def close(self) -> None:
        """End the process."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.close()
        self._process.wait()
        stdout.close()


@dataclass(frozen=True)
class Person:
    """Somebody whose client is libsignal. ``peer`` is any name for the other side."""

    program: Program
    name: str
    registration_id: int
    identity: bytes

    def signed_prekey(self) -> PublicPreKey:
        """Make and keep a signed prekey."""
        made = self._ask("signed_prekey")
        return PublicPreKey(made["id"], bytes.fromhex(made["public"]), bytes.fromhex(made["signature"]))

    def prekey(self) -> PublicPreKey:
        """Make and keep a one-time prekey."""
        made = self._ask("prekey")
        return PublicPreKey(made["id"], bytes.fromhex(made["public"]))

    def has_prekey(self, id: int) -> bool:
        """True until the one-time prekey is spent."""
        return cast(bool, self._ask("has_prekey", id=id))

    def bundle(self, *, one_time: bool = True) -> PreKeyBundle:
        """A bundle from fresh prekeys."""
        signed, one = self.signed_prekey(), self.prekey() if one_time else None
        return PreKeyBundle(
            self.registration_id,
            self.identity,
            signed.id,
            signed.public,
            signed.signature,
            None if one is None else one.id,
            None if one is None else one.public,
        )

    def start(self, peer: str, bundle: PreKeyBundle, now: float | None = None) -> None:
        """A new session from a bundle."""
        self._ask("start", peer=peer, bundle=vars(bundle), **_moment(now))

    def encrypt(self, peer: str, plaintext: bytes, now: float | None = None) -> Ciphertext:
        """Seal a message."""
        made = self._ask("encrypt", peer=peer, plaintext=plaintext, **_moment(now))
        return Ciphertext(made["kind"], bytes.fromhex(made["ciphertext"]))

    def decrypt(self, peer: str, kind: Kind, ciphertext: bytes) -> bytes:
        """Open a message."""
        return bytes.fromhex(self._ask("decrypt", peer=peer, kind=kind, ciphertext=ciphertext))

    def archive(self, peer: str) -> None:
        """Put the current session aside."""
        self._ask("archive", peer=peer)

    def can_encrypt(self, peer: str, now: float | None = None) -> bool:
        """Whether there is a session to seal in."""
        return cast(bool, self._ask("can_encrypt", peer=peer, **_moment(now)))

    def known_identity(self, peer: str) -> bytes | None:
        """The identity key that libsignal saved for the peer."""
        found = self._ask("known_identity", peer=peer)
        return None if found is None else bytes.fromhex(found)

    def safety_number(self, own_id: bytes, peer_id: bytes, peer_identity: bytes) -> str:
        """Sixty digits."""
        return cast(
            str, self._ask("safety_number", own_id=own_id, peer_id=peer_id, peer_identity=peer_identity)
        )

    def sign(self, message: bytes) -> bytes:
        """An XEdDSA signature of the identity key."""
        return bytes.fromhex(self._ask("sign", message=message))

    def _ask(self, op: str, **arguments: Any) -> Any:
        return self.program.ask(op, name=self.name, **arguments)


@contextmanager
def running() -> Iterator[Program]:
    """The program, started and ended; skips or fails by name when libsignal is not installed."""
    program = Program(require_peer(FOLDER, "the libsignal peer"))
    try:
        yield program
    finally:
        program.close()


def _moment(now: float | None) -> dict[str, int]:
    return {} if now is None else {"now": int(now * 1000)}
