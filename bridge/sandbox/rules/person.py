"""A person as the network knows them: names, settings, queued stanzas.

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
    """A person; used as it is for external people. ``inbox``: stanzas their program has not fetched yet."""

    jid: Jid
    service: str
    identifier: str
    name: str
    names: PeopleNames
    out: deque[tuple[Jid, bytes]] = field(repr=False)
    """The queue of stanzas to the server, shared by all people, in order."""
    opted_in: bool = True
    answers_pings: bool = False
    online: bool = True
    pings: int = 0
    blocked: set[Jid] = field(default_factory=set)
    inbox: list[Stanza] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    """Received while the person was offline."""

    def receive(self, data: bytes, now: float) -> None:
        """Take a stanza from the server; it is queued while the person is offline."""
        if self.online:
            self._take(decode(data), now)
        else:
            self.waiting.append(data)

    def come_online(self, now: float) -> None:
        """Go online and take what was queued."""
        self.online = True
        waiting, self.waiting = self.waiting, []
        for data in waiting:
            self.receive(data, now)

    def send(self, stanza: Stanza) -> None:
        """Queue a stanza to the server."""
        self.out.append((self.jid, encode(stanza)))

    def rotate(self, *, forget_old: bool) -> None:
        """Does nothing: an external program manages its own keys."""

    def reinstall(self) -> None:
        """Does nothing: an external program manages its own keys."""

    def ask_again_often(self, times: int) -> None:
        """Does nothing: an external program sends its own retry receipts."""

    def _take(self, stanza: Stanza, now: float) -> None:  # noqa: ARG002 - simulated people need it
        self.inbox.append(stanza)
