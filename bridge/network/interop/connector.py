"""The published framework's network as a ``Connector``."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import TryAgain
from bridge.network.connector import Credentials, Enlisted, Enlistment, EnlistRefused, OnStanzas
from bridge.network.errors import LoginRefused
from bridge.network.interop.channel import Channel
from bridge.network.interop.enlistment import enlist
from bridge.network.interop.link import InteropLink
from bridge.network.interop.login import Opener
from bridge.network.reachability import Reachability
from bridge.network.tokens import IdentityTokens
from bridge.ports import Clock, Dialer, Random, Web
from bridge.profile import Profile, Stanzas
from bridge.wire.login import REASON_USER_ACTIVATED
from bridge.wire.vocabulary.people import PeopleNames


@dataclass(frozen=True)
class Interop:
    """Everything a connection or an enlistment takes beside the account's own."""

    profile: Profile
    tokens: IdentityTokens
    dialer: Dialer
    web: Web
    clock: Clock
    random: Random
    reachability: Reachability

    async def enlist(self, enlistment: Enlistment) -> Enlisted | EnlistRefused:
        """Make the account known; ``TryAgain`` when no answer came (it may have happened)."""
        return await enlist(enlistment, profile=self.profile, tokens=self.tokens, web=self.web)

    async def connect(
        self, credentials: Credentials, on_stanzas: OnStanzas, *, reason: int = REASON_USER_ACTIVATED
    ) -> InteropLink:
        """Log in; ``LoginRefused`` when the network says no, ``TryAgain`` for everything else.

        Stanzas reach ``on_stanzas`` from the moment this returns, or a moment before.
        """
        opener = Opener(self.profile, self.tokens, self.dialer, self.clock, self.random)
        try:
            opened = await opener.open(credentials, reason)
        except TryAgain as error:
            self.reachability.failed(error)
            raise
        except LoginRefused:
            self.reachability.reached()
            raise
        self.reachability.reached()
        channel = Channel(
            opened.stream,
            opened.connection,
            on_stanzas=on_stanzas,
            clock=self.clock,
            random=self.random,
            timers=self.profile.timers,
        )
        channel.begin(opened.waiting)
        return InteropLink(channel, people_names(self.profile.stanzas), opened.server_time)


def people_names(stanzas: Stanzas) -> PeopleNames:
    """The profile's words for ``wire.vocabulary``."""
    return PeopleNames(stanzas.namespace, stanzas.resolve, stanzas.reach, stanzas.delete)
