"""What sealing and opening cost beside the official libsignal: ``python -m tests.bench.e2ee_cost``.

Both do the same in one run, in turns, so that a busy machine is busy for both; the least of
several rounds counts. libsignal runs in its own Node process and is timed there, with its
stores in memory as bytes; ours is timed with loading and storing its record as bytes.
A ratio above 1 means that ours is faster.
"""

from __future__ import annotations

import gc
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from bridge.curve import KeyPair
from bridge.e2ee import session
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import new_own_keys, new_prekeys, new_signed_prekey
from bridge.e2ee.session import Kind, Record
from tests.e2ee.peer.libsignal import Program, running

TEXT = b"x" * 200
OPERATIONS = {
    "start": "start a session from a bundle",
    "accept": "open a first message",
    "seal": "seal 200 bytes",
    "open": "open 200 bytes, same chain",
    "turn": "seal and open with a turn",
}


@dataclass(frozen=True)
class Row:
    """One operation: microseconds of each, and libsignal's divided by ours."""

    what: str
    ours: float
    libsignal: float

    @property
    def ratio(self) -> float:
        return self.libsignal / self.ours


class Person:
    """An end of ours with records in memory, as bytes."""

    def __init__(self, prekeys: int) -> None:
        self.own = new_own_keys(secrets.token_bytes)
        self.signed_prekey = new_signed_prekey(self.own, 1, secrets.token_bytes)
        self.prekeys = {key.id: key.pair for key in new_prekeys(1, max(prekeys, 1), secrets.token_bytes)}
        self.records: dict[str, bytes] = {}

    def one_time(self, id: int) -> KeyPair | None:
        return self.prekeys.get(id)

    def signed(self, id: int) -> KeyPair | None:
        return self.signed_prekey.pair if id == self.signed_prekey.id else None

    def record(self, peer: str) -> Record | None:
        stored = self.records.get(peer)
        return None if stored is None else Record.from_bytes(stored)

    def bundle(self, id: int) -> PreKeyBundle:
        signed = self.signed_prekey
        return PreKeyBundle(
            self.own.registration_id,
            self.own.identity.public,
            signed.id,
            signed.pair.public,
            signed.signature,
            id,
            self.prekeys[id].public,
        )

    def start(self, peer: str, bundle: PreKeyBundle) -> None:
        made = session.start(self.record(peer), self.own, bundle, secrets.token_bytes, 0.0)
        self.records[peer] = made.to_bytes()

    def seal(self, peer: str) -> tuple[Kind, bytes]:
        sealed = session.seal(self.record(peer), self.own, TEXT, secrets.token_bytes, 0.0)
        self.records[peer] = sealed.record.to_bytes()
        return sealed.kind, sealed.ciphertext

    def open(self, peer: str, kind: Kind, ciphertext: bytes) -> None:
        opened = session.open(self.record(peer), self.own, kind, ciphertext, self, secrets.token_bytes, 0.0)
        self.records[peer] = opened.record.to_bytes()


def ours(rounds: int) -> dict[str, float]:
    """Microseconds for each operation, averaged over ``rounds``."""
    alice, bob = Person(0), Person(rounds)
    bundles = [bob.bundle(number + 1) for number in range(rounds)]
    names = [f"peer {number}" for number in range(rounds)]
    times = {"start": measure(rounds, lambda n: alice.start(names[n], bundles[n]))}
    first = [alice.seal(name) for name in names]
    times["accept"] = measure(rounds, lambda n: bob.open(names[n], *first[n]))
    alice.open(names[0], *bob.seal(names[0]))
    sealed: list[tuple[Kind, bytes]] = []
    times["seal"] = measure(rounds, lambda n: sealed.append(alice.seal(names[0])))
    times["open"] = measure(rounds, lambda n: bob.open(names[0], *sealed[n]))

    def turn(number: int) -> None:
        sender, receiver = (alice, bob) if number % 2 else (bob, alice)
        receiver.open(names[0], *sender.seal(names[0]))

    times["turn"] = measure(rounds, turn)
    return times


def measure(rounds: int, act: Callable[[int], object]) -> float:
    """Microseconds for one ``act``, averaged."""
    gc.collect()
    begin = time.perf_counter()
    for number in range(rounds):
        act(number)
    return (time.perf_counter() - begin) * 1e6 / rounds


def rows(program: Program, *, rounds: int = 200, repeats: int = 5) -> list[Row]:
    """One row an operation; the least of ``repeats`` interleaved rounds of both."""
    taken = [(ours(rounds), program.cost(rounds, TEXT)) for _ in range(repeats)]
    return [
        Row(what, min(own[name] for own, _ in taken), min(theirs[name] for _, theirs in taken))
        for name, what in OPERATIONS.items()
    ]


def main() -> int:
    """Print the table."""
    with running() as program:
        sys.stdout.write(f"{'operation':32} {'ours, us':>9} {'libsignal, us':>14} {'ratio':>6}\n")
        for row in rows(program):
            sys.stdout.write(f"{row.what:32} {row.ours:9.0f} {row.libsignal:14.0f} {row.ratio:6.2f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
