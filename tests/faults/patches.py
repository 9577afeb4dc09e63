"""Bridges that are broken on purpose, as patches of the source, each with the fault that shows it.

reliability.md 4.7, with its numbers. A patch that no longer applies is a failure too.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.homeserver.control import ROOT
from tests.faults.ports import Fault


@dataclass(frozen=True)
class Edit:
    """A text that stands once in a file of the package, and what becomes of it."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Patch:
    """A mistake, the faults that show it, and what is then said (a pattern)."""

    name: str
    said: str
    edits: Sequence[Edit]
    faults: Sequence[Fault]

    def __str__(self) -> str:
        return self.name


OUTBOUND = "flow/outbound/pipeline.py"
_COMMIT_SEAL = """        await self._parts.store.commit(
            kinds.unit(
                kinds.SEAL,
"""
_MOVED = """                **self._sessions.moved(unlocked, held, sealed.record),
"""
_KEPT = """        return replace(entry, state=EntryState.SEALED, body=body), out
"""
_GOES_ON = """            self._may_go_on(unlocked, contact)
"""

PATCHES: Sequence[Patch] = (
    Patch(
        "1 reply 200 before commit",
        "waited in vain",
        [
            Edit(
                "matrix/endpoint.py",
                """                    await self._intake.accept(received)
""",
                """                    import asyncio
                    self._late = asyncio.ensure_future(self._intake.accept(received))
""",
            )
        ],
        # Several: what one transaction holds differs, and of some nobody misses anything.
        [Fault("store.intake", "before", "fail", hit=hit) for hit in (4, 6, 8, 10)],
    ),
    Patch(
        "2 dedupe by transaction id",
        "waited in vain|P1|P4|said 2 times",
        [
            Edit(
                "matrix/transactions.py",
                "    return parts\n",
                """    from dataclasses import replace
    return [replace(each, key=each.key + transaction_id) for each in parts]
""",
            ),
        ],
        [],
    ),
    Patch(
        "5 two commits around the ratchet",
        "P4: ratchet key",
        [
            Edit(OUTBOUND, _MOVED, ""),
            Edit(
                OUTBOUND,
                _KEPT,
                """        moved = self._sessions.moved(unlocked, held, sealed.record)
        await self._parts.store.commit(kinds.unit(kinds.IDENTITY, fence=[contact.fence], **moved))
"""
                + _KEPT,
            ),
        ],
        [Fault("store.identity", "before", hit=hit) for hit in (2, 4, 6, 8)],
    ),
    Patch(
        "6 send before commit",
        "P4: ratchet key",
        [
            Edit(
                OUTBOUND,
                _COMMIT_SEAL,
                """        awaited = (ack.MESSAGE, outgoing.id, None)
        sent = outgoing.to_stanza("to")
        await self._connections.deliver(account.account_id, sent, awaited, step=Step.SEND)
"""
                + _COMMIT_SEAL,
            )
        ],
        [Fault("store.seal", "before", hit=hit) for hit in (1, 3, 5)],
    ),
    Patch(
        "7 re-seal on retry",
        "P4: .* sealed anew",
        [
            Edit(
                OUTBOUND,
                _GOES_ON,
                _GOES_ON
                + """            id = StanzaId(str(codec.decode(sealed.stanza).attributes["id"]))
            key = message_id_out(self._parts, contact, id)
            message = await messages.by_id(self._parts.store, key)
            async with self._sessions.held(unlocked, contact.contact_id) as held:
                plain, rng = unlocked.vault.open(_BODY, key, message.body), self._parts.random.bytes
                padded, now = payload.pad(plain, rng), self._parts.clock.now()
                anew = signal.seal(held.record, unlocked.own, padded, rng, now)
                moved = self._sessions.moved(unlocked, held, anew.record)
                await self._parts.store.commit(kinds.unit(kinds.IDENTITY, fence=[contact.fence], **moved))
            stanza = Outgoing(id, contact.person.jid, anew.kind, anew.ciphertext).to_stanza("to")
            sealed = replace(sealed, stanza=codec.encode(stanza))
""",
            )
        ],
        [Fault("store.accepted", "before", hit=hit) for hit in (1, 3)],
    ),
    Patch(
        "8 ack before save",
        "P2: .* acknowledged messages do not stand",
        [
            Edit(
                "flow/inbound/receive.py",
                """            await self._store(unlocked, news)
""",
                """            import asyncio
            self._late = asyncio.ensure_future(self._store(unlocked, news))
""",
            )
        ],
        [Fault("store.arrive", "before", "fail", hit=1)],
    ),
    Patch(
        "9 random Matrix transaction id, 11 no marker scan",
        "P2: .* stands in Matrix 2 times",
        [
            Edit(
                "flow/context.py",
                "        return transaction_id(self.secret, *parts)\n",
                "        return transaction_id(self.secret, *parts, self.random.bytes(8))\n",
            ),
            Edit("flow/inbound/show.py", "            if in_doubt:\n", "            if False:\n"),
        ],
        [Fault("homeserver.show", "after", hit=2)],
    ),
)


def broken(patch: Patch, folder: Path) -> Path:
    """A folder with the patched package in it."""
    shutil.copytree(ROOT / "bridge", folder / "bridge", ignore=shutil.ignore_patterns("__pycache__"))
    for edit in patch.edits:
        file = folder / "bridge" / edit.file
        text = file.read_text()
        assert text.count(edit.old) == 1, f"{patch.name} no longer applies to {edit.file}"
        file.write_text(text.replace(edit.old, edit.new))
    return folder
