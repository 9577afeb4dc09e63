"""The first words with the homeserver: is it there, does it know us, can it reach us?"""

from __future__ import annotations

import structlog

from bridge.config import Config
from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.flow.parts import Parts
from bridge.ids import UserId

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


async def meet_homeserver(parts: Parts, config: Config) -> None:
    """Wait for the homeserver, check that it knows us, and have it call us back."""
    home, domain = parts.homeserver, config.homeserver.domain
    me = await _known_as(parts, config)
    if not me.endswith(f":{domain}"):
        raise Misconfigured(
            "homeserver.domain",
            "the homeserver serves another domain than the config says.",
            "Write the homeserver's server_name.",
            exit_code=EXIT_WRONG_USER,
        )
    await home.set_display_name(parts.settings.bot, config.appservice.bot.displayname)
    try:
        await _be_called_back(parts)
    except (TryAgain, GiveUp) as error:
        raise Misconfigured(
            "appservice.address",
            "the homeserver cannot reach this bridge there.",
            "Write an address at which the homeserver can reach it, also as url in the registration.",
            exit_code=EXIT_UNREACHABLE,
        ) from error


async def _be_called_back(parts: Parts) -> None:
    """Have the homeserver call us; ``TryAgain`` or ``GiveUp`` when it cannot."""
    for _ in range(PING_TRIES - 1):
        try:
            await parts.homeserver.ping(parts.random.bytes(8).hex())
        except TryAgain:
            LOG.info("no call of the homeserver yet")
            await parts.clock.sleep(PING_RETRY_S)
        else:
            return
    await parts.homeserver.ping(parts.random.bytes(8).hex())


async def _known_as(parts: Parts, config: Config) -> UserId:
    """Who the homeserver says we are; waits for one that is not up yet."""
    home = parts.homeserver
    while True:
        try:
            await home.versions()
            await home.register(config.appservice.bot.username)
            return await home.whoami()
        except TryAgain:
            LOG.warning("homeserver not reachable yet")
            await parts.clock.sleep(HOMESERVER_RETRY_S)
        except GiveUp as error:
            raise _not_installed(config) from error


def _not_installed(config: Config) -> Misconfigured:
    return Misconfigured(
        "appservice.as_token",
        "the homeserver does not accept this bridge's token.",
        "Install the registration file in the homeserver (app_service_config_files) and restart it;"
        f" the registration and the config must hold the same tokens (id {config.appservice.id}).",
        exit_code=EXIT_REFUSED,
    )
