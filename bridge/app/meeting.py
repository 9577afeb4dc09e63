"""The first words with the homeserver: is it there, does it know us, can it reach us?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bridge.config import Config, Finding
from bridge.config.findings import warning
from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.ids import UserId
from bridge.matrix.reasons import reason_of
from bridge.ports import Clock, Homeserver, Random

LOG = structlog.get_logger()

EXIT_UNREACHABLE = 13
"""Exit code: the homeserver cannot reach the bridge."""
EXIT_REFUSED = 16
"""Exit code: the homeserver does not accept the bridge's token."""
EXIT_WRONG_USER = 17
"""Exit code: the homeserver serves another domain."""

HOMESERVER_RETRY_S = 10.0
"""How often a homeserver that is not up yet is asked again."""
PING_TRIES = 5
PING_RETRY_S = 1.0
"""Synapse answers that it cannot reach us also when it is just trying by itself to send what it held back."""


Tell = Callable[[Finding], None]
"""Shows the admin a finding; it may hold what the config says, unlike the log."""


@dataclass(frozen=True)
class Meeting:
    """What the first words need."""

    home: Homeserver
    clock: Clock
    random: Random
    config: Config
    tell: Tell

    async def hold(self) -> None:
        """Wait for the homeserver, check that it knows us, and have it call us back."""
        me = await self._known_as()
        if not me.endswith(f":{self.config.homeserver.domain}"):
            raise Misconfigured(
                "homeserver.domain",
                "the homeserver serves another domain than the config says.",
                "Write the homeserver's server_name.",
                exit_code=EXIT_WRONG_USER,
            )
        await self._show_name()
        try:
            await self._be_called_back()
        except (TryAgain, GiveUp) as error:
            raise Misconfigured(
                "appservice.address",
                "the homeserver cannot reach this bridge there.",
                "Write an address at which the homeserver can reach it, also as url in the registration.",
                exit_code=EXIT_UNREACHABLE,
            ) from error

    async def _known_as(self) -> UserId:
        """Who the homeserver says we are; waits for one that is not up yet, and says why once."""
        told = ""
        while True:
            try:
                await self.home.versions()
                await self.home.register(self.config.appservice.bot.username)
                return await self.home.whoami()
            except TryAgain as error:
                LOG.warning("homeserver not reachable yet", error=type(error.__cause__ or error).__name__)
                reason = reason_of(error)
                if reason != told:
                    self.tell(_unreachable(self.config, reason))
                    told = reason
                await self.clock.sleep(HOMESERVER_RETRY_S)
            except GiveUp as error:
                raise _not_installed(self.config) from error

    async def _show_name(self) -> None:
        """Set the bot's name. A bot without one works as well, and some homeservers do not allow it."""
        config = self.config
        try:
            await self.home.set_display_name(config.bot_user, config.appservice.bot.displayname)
        except (TryAgain, GiveUp) as error:
            LOG.warning("the bot's name is not set", error=type(error).__name__)

    async def _be_called_back(self) -> None:
        """Have the homeserver call us; ``TryAgain`` or ``GiveUp`` when it cannot."""
        for _ in range(PING_TRIES - 1):
            try:
                await self.home.ping(self.random.bytes(8).hex())
            except TryAgain:
                LOG.info("no call of the homeserver yet")
                await self.clock.sleep(PING_RETRY_S)
            else:
                return
        await self.home.ping(self.random.bytes(8).hex())


def _unreachable(config: Config, reason: str) -> Finding:
    return warning(
        "homeserver.address",
        f"{config.homeserver.address} does not answer ({reason}).",
        f"The bridge asks again every {HOMESERVER_RETRY_S:g} s.",
    )


def _not_installed(config: Config) -> Misconfigured:
    return Misconfigured(
        "appservice.as_token",
        "the homeserver does not accept this bridge's token.",
        "Install the registration file in the homeserver (app_service_config_files) and restart it;"
        f" the registration and the config must hold the same tokens (id {config.appservice.id}).",
        exit_code=EXIT_REFUSED,
    )
