"""A person as the network knows them: names, switches, and what is on its way to them.

A simulated person has a client of its own (``people``). An external person has the same place in the
network, but its client is a program at the control API.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bridge.ids import Jid
from bridge.wire.stanza import Stanza, decode, encode
from bridge.wire.vocabulary.people import PeopleNames


@dataclass
class Person:
    """What the network knows of a person, and their switches; ``receive`` does nothing here but keep.

    This is the external person as it stands: ``inbox`` is what its program has not fetched yet.
    """

    jid: Jid
    service: str
    identifier: str
    name: str
    names: PeopleNames
    out: deque[tuple[Jid, bytes]] = field(repr=False)
    """Stanzas on their way to the server, of everybody, in the order they were sent."""
    opted_in: bool = True
    answers_pings: bool = False
    online: bool = True
    pings: int = 0
    blocked: set[Jid] = field(default_factory=set)
    inbox: list[Stanza] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    """What came while the person was offline."""

    def receive(self, data: bytes, now: float) -> None:
        """Take a stanza from the server; one that cannot be kept waits."""
        if self.online:
            self._take(decode(data), now)
        else:
            self.waiting.append(data)

    def come_online(self, now: float) -> None:
        """Take what waited."""
        self.online = True
        waiting, self.waiting = self.waiting, []
        for data in waiting:
            self.receive(data, now)

    def send(self, stanza: Stanza) -> None:
        """Put a stanza on its way to the server."""
        self.out.append((self.jid, encode(stanza)))

    def rotate(self, *, forget_old: bool) -> None:
        """Keys of an external person are its program's affair."""

    def reinstall(self) -> None:
        """Keys of an external person are its program's affair."""

    def ask_again_often(self, times: int) -> None:
        """Asking for messages again is an external program's affair."""

    def _take(self, stanza: Stanza, now: float) -> None:  # noqa: ARG002 - simulated people need it
        self.inbox.append(stanza)
