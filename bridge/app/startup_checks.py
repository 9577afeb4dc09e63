"""Start-up checks: the homeserver knows us and can reach us; the accounts fit the config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bridge.config import Config, Finding
from bridge.config.findings import warning
from bridge.config.model import USERNAME_BLANK
from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.ids import OPAQUE_CHARACTERS, UserId
from bridge.matrix.endpoint import RefusedCalls
from bridge.matrix.errors import Rejected
from bridge.matrix.reasons import reason_of
from bridge.ports import Clock, Homeserver, Random, Store
from bridge.states import Custody
from bridge.store.tables import accounts, contacts

LOG = structlog.get_logger()

EXIT_UNREACHABLE = 13
"""Exit code: the homeserver cannot reach the bridge."""
EXIT_REFUSED = 16
"""Exit code: the homeserver does not accept the bridge's token, id or bot."""
EXIT_WRONG_USER = 17
"""Exit code: the homeserver serves another domain."""
EXIT_OPERATOR = 41
"""Exit code: custody is personal, but several people have accounts."""

VERSIONS_LIMIT_S = 8.0
"""A homeserver answers which versions it speaks at once; another kind of server may never answer."""
HOMESERVER_RETRY_S = 10.0
"""How often a homeserver that is not up yet is asked again."""
PING_TRIES = 5
PING_RETRY_S = 1.0
"""Synapse also reports a failed ping while it is retrying transactions that it held back."""

UNKNOWN_PATH = (404, 405)
"""What a homeserver answers on a path that it does not have."""
_NAME_REFUSED = frozenset({"M_EXCLUSIVE", "M_INVALID_USERNAME"})
"""What a homeserver answers when the registration does not cover the bot's name."""
_COMPARE = "`interop-bridge check` compares the two."

Tell = Callable[[Finding], None]
"""Shows the admin a finding; it may hold what the config says, unlike the log."""


@dataclass(frozen=True)
class StartupChecks:
    """The checks and what they need. ``refused`` counts the homeserver's calls with a wrong token."""

    home: Homeserver
    clock: Clock
    random: Random
    config: Config
    tell: Tell
    refused: RefusedCalls

    async def run(self) -> None:
        """Wait for the homeserver, check that it knows us, and have it call us back."""
        me = await self._known_as()
        if not me.endswith(f":{self.config.homeserver.domain}"):
            raise Misconfigured(
                "homeserver.domain",
                "the homeserver serves another domain than the config says.",
                "Write the homeserver's server_name.",
                exit_code=EXIT_WRONG_USER,
            )
        await self._set_name()
        refused_before = self.refused.count
        try:
            await self._be_called_back()
        except Rejected as error:
            if error.status not in UNKNOWN_PATH:
                raise _unknown_id(self.config) from error
            LOG.warning("homeserver has no ping")
            self.tell(_no_ping(self.config))
        except TryAgain as error:
            if self.refused.count > refused_before:
                raise _wrong_hs_token(self.config) from error
            raise Misconfigured(
                "appservice.address",
                "the homeserver cannot reach this bridge there.",
                "Write an address at which the homeserver can reach it, also as url in the registration.",
                exit_code=EXIT_UNREACHABLE,
            ) from error

    async def _known_as(self) -> UserId:
        """Wait until the homeserver answers; the user it knows us as. Each reason is told once."""
        told = ""
        while True:
            try:
                await self._versions()
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
                raise _not_installed(self.config, error) from error

    async def _versions(self) -> None:
        """Ask for the homeserver's versions, with a shorter limit than other calls have."""
        try:
            async with self.clock.limit(VERSIONS_LIMIT_S):
                await self.home.versions()
        except TimeoutError:
            raise TryAgain(f"versions: nothing came in {VERSIONS_LIMIT_S:g} s") from None
        except Rejected as error:
            if error.status not in UNKNOWN_PATH:
                raise  # some homeservers check the token here already
            raise _no_homeserver(self.config) from error

    async def _set_name(self) -> None:
        """Set the bot's display name. Optional: some homeservers do not allow it."""
        config = self.config
        try:
            await self.home.set_display_name(config.bot_user, config.appservice.bot.displayname)
        except (TryAgain, GiveUp) as error:
            LOG.warning("bot display name not set", error=type(error).__name__)

    async def _be_called_back(self) -> None:
        """Have the homeserver call us; ``TryAgain`` or ``GiveUp`` when it cannot."""
        for _ in range(PING_TRIES - 1):
            try:
                await self.home.ping(self.random.bytes(8).hex())
            except TryAgain:
                LOG.info("homeserver ping failed")
                await self.clock.sleep(PING_RETRY_S)
            else:
                return
        await self.home.ping(self.random.bytes(8).hex())


async def check_accounts(store: Store, config: Config) -> None:
    """Check that accounts and contacts in the database fit the config; ``Misconfigured`` when they do not."""
    check_ghost_prefix(await contacts.any_ghost(store), config)
    living = await accounts.living(store)
    if config.network.custody is Custody.PERSONAL and len(living) > 1:
        raise Misconfigured(
            "network.custody",
            f"custody is personal, but {len(living)} people have accounts here.",
            "Set it to operator and write the acknowledgement, or run a bridge for each person.",
            exit_code=EXIT_OPERATOR,
        )


def check_ghost_prefix(ghost: str | None, config: Config) -> None:
    """Check that a ghost's localpart (None: there are no contacts) has the configured prefix."""
    prefix = config.appservice.ghost_prefix
    if ghost is not None and not ghost.startswith(prefix):
        before = ghost[:-OPAQUE_CHARACTERS] + USERNAME_BLANK
        raise Misconfigured(
            "appservice.username_template",
            f"names of contacts begin with {prefix} there, but this database has contacts under {before}.",
            f"Write {before} again: contacts and their rooms cannot be renamed. For another prefix start"
            " with an empty database.",
        )


def _unreachable(config: Config, reason: str) -> Finding:
    address = config.homeserver.address
    plain = " If it speaks no TLS, write http://." if address.startswith("https:") else ""
    return warning(
        "homeserver.address",
        f"{address} does not answer ({reason}).",
        f"The bridge asks again every {HOMESERVER_RETRY_S:g} s.{plain}",
    )


def _no_ping(config: Config) -> Finding:
    return warning(
        "appservice.address",
        "this homeserver can't be asked whether it reaches the bridge there (it has no ping).",
        f"If the bot doesn't answer, check that the homeserver can reach {config.appservice.address}.",
    )


def _no_homeserver(config: Config) -> Misconfigured:
    return Misconfigured(
        "homeserver.address",
        f"what answers at {config.homeserver.address} does not speak as a homeserver there.",
        "Write the homeserver's own address, without a path, such as http://localhost:8008.",
        exit_code=EXIT_REFUSED,
    )


def _not_installed(config: Config, error: GiveUp) -> Misconfigured:
    section = config.appservice
    if isinstance(error, Rejected) and error.errcode in _NAME_REFUSED:
        return Misconfigured(
            "appservice.bot.username",
            f"the homeserver does not let this bridge have the user {section.bot.username}.",
            "Write the name that the registration covers, or run `interop-bridge -g` for a new registration,"
            " install it and restart the homeserver. When another bridge has that name,"
            " `interop-bridge check FILE...` with the other registrations shows which.",
            exit_code=EXIT_REFUSED,
        )
    return Misconfigured(
        "appservice.as_token",
        "the homeserver does not accept this bridge's token.",
        "Install the registration file in the homeserver (app_service_config_files) and restart it;"
        f" the registration and the config must hold the same tokens (id {section.id}). {_COMPARE}",
        exit_code=EXIT_REFUSED,
    )


def _wrong_hs_token(config: Config) -> Misconfigured:
    return Misconfigured(
        "appservice.hs_token",
        "the homeserver reached this bridge, but with a token that the config does not have.",
        "Put the registration that belongs to this config into the homeserver and restart the homeserver;"
        f" both must hold the same hs_token (id {config.appservice.id}). {_COMPARE}",
        exit_code=EXIT_REFUSED,
    )


def _unknown_id(config: Config) -> Misconfigured:
    return Misconfigured(
        "appservice.id",
        f"the homeserver does not know this bridge under the id {config.appservice.id}.",
        f"Write the id that the registration has, or install the new registration and restart it. {_COMPARE}",
        exit_code=EXIT_REFUSED,
    )
