"""What the config may say. Everything but five fields has a default; ``config.example.yaml`` explains each.

The model knows types, choices and ranges; ``rules`` check whether values fit together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from bridge.config.permissions import parse_permissions, permission_of
from bridge.ids import GHOST_PREFIX, UserId
from bridge.states import Custody, Level

OPERATOR_ACKNOWLEDGEMENT = (
    "I run this bridge for other people. My server can read their messages, and they are told so."
)
"""What an operator writes in ``network.operator_acknowledgement``, word for word."""

USERNAME_BLANK = "{{.}}"
"""The place of a ghost's opaque id in ``appservice.username_template``."""


def _no_truth(value: Any) -> Any:
    """The model would take true for 1."""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a whole number.", "Write a whole number.")
    return value


Number = Annotated[int, BeforeValidator(_no_truth)]
Port = Annotated[Number, Field(ge=1, le=65535)]
_SQLITE_URI = re.compile(r"(?:file:)?(?P<path>[^?]+)(?:\?.*)?")


class _Section(BaseModel):
    """Unknown keys are found by ``schema`` (a warning), so the model lets them pass."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class _Listener(_Section):
    hostname: str = "127.0.0.1"
    port: Port

    @property
    def at(self) -> tuple[str, int]:
        """Where to listen."""
        return self.hostname, self.port


class Network(_Section):
    """Which network, and in whose custody the keys are."""

    profile: str = ""
    """Path of the profile."""
    custody: Custody = Custody.PERSONAL
    operator_acknowledgement: str = ""
    connection: Literal["on-demand", "always"] = "on-demand"
    signing_key_file: str = "signing-key.pem"


class Bridge(_Section):
    """Who may do what, and the master key."""

    permissions: Annotated[Mapping[str, Level], BeforeValidator(parse_permissions)] = Field(
        default_factory=dict
    )
    command_prefix: Annotated[str, Field(min_length=1, max_length=32)] = "!interop"
    master_key_file: str = "master.key"
    master_key: SecretStr | None = None
    """The master key itself, from the environment: 64 hexadecimal digits. Rules over the file."""


class Database(_Section):
    """Where everything is kept."""

    type: Literal["sqlite3-fk-wal", "postgres"] = "sqlite3-fk-wal"
    uri: SecretStr = SecretStr("file:bridge.db?_txlock=immediate")
    max_open_conns: Annotated[Number, Field(ge=1, le=100)] = 5
    """Connections to PostgreSQL at most; three are the least that serve."""
    backup: bool = True
    """Whether a migration first copies what it changes."""

    @property
    def url(self) -> str:
        """What ``open_database`` takes: ``sqlite3-fk-wal:<path>`` or ``postgres://...``. Holds a password."""
        uri = self.uri.get_secret_value()
        if self.type == "postgres":
            return uri
        match = _SQLITE_URI.fullmatch(uri)
        return f"sqlite3-fk-wal:{match['path'] if match else uri}"


class Homeserver(_Section):
    """The homeserver this bridge serves."""

    address: str = ""
    domain: str = ""


class Bot(_Section):
    """The bridge's bot."""

    username: str = "interopbot"
    displayname: str = "Interop bridge"


class Appservice(_Listener):
    """How the homeserver reaches us, and the names we use there."""

    port: Port = 29317
    address: str = ""
    id: Annotated[str, Field(min_length=1, max_length=64)] = "interop"
    bot: Bot = Bot()
    username_template: str = GHOST_PREFIX + USERNAME_BLANK
    as_token: SecretStr = SecretStr("")
    hs_token: SecretStr = SecretStr("")

    @property
    def ghost_prefix(self) -> str:
        """What localparts of ghosts and portal aliases begin with."""
        return self.username_template.partition(USERNAME_BLANK)[0]


class Public(_Listener):
    """The listener the network can reach: our key set and the push wake-up."""

    port: Port = 29318
    address: str = ""
    """Its address as the network sees it."""

    @property
    def url(self) -> str:
        """The address without a slash at its end; the listener's own when none is configured."""
        return (self.address or f"http://{self.hostname}:{self.port}").rstrip("/")


class Admin(_Listener):
    """The listener for the admin: health and metrics."""

    port: Port = 29319


class Matrix(_Section):
    """How chats look in Matrix."""

    message_status_events: bool = False
    delivery_receipts: bool = True
    room_version: str = "11"


class DoublePuppet(_Section):
    """Acting as a user in their own name, by a second registration: domain -> ``as_token:...``."""

    secrets: Mapping[str, SecretStr] = Field(default_factory=dict)

    def token_for(self, domain: str) -> str | None:
        """The token for users of ``domain``."""
        secret = self.secrets.get(domain)
        return secret.get_secret_value().removeprefix("as_token:") if secret is not None else None


class Encryption(_Section):
    """Encryption on the Matrix side. Not there yet: what is asked for here is refused, not ignored."""

    allow: bool = False
    default: bool = False
    require: bool = False


class Writer(_Section):
    """One way of writing the log."""

    type: str = "stdout"
    format: Literal["pretty", "pretty-colored", "json"] = "pretty"


class Logging(_Section):
    """What is logged, and how."""

    min_level: Literal["trace", "debug", "info", "warn", "warning", "error"] = "info"
    writers: tuple[Writer, ...] = (Writer(),)


class Config(_Section):
    """The whole configuration, checked."""

    network: Network = Network()
    bridge: Bridge = Bridge()
    database: Database = Database()
    homeserver: Homeserver = Homeserver()
    appservice: Appservice = Appservice()
    public: Public = Public()
    admin: Admin = Admin()
    matrix: Matrix = Matrix()
    double_puppet: DoublePuppet = DoublePuppet()
    encryption: Encryption = Encryption()
    env_config_prefix: str = ""
    logging: Logging = Logging()

    # Sections of other bridges, and of an API that is not there yet: accepted, so that a shared file works,
    # and named in one warning.
    analytics: Mapping[str, Any] = Field(default_factory=dict)
    public_media: Mapping[str, Any] = Field(default_factory=dict)
    direct_media: Mapping[str, Any] = Field(default_factory=dict)
    backfill: Mapping[str, Any] = Field(default_factory=dict)
    provisioning: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def bot_user(self) -> UserId:
        """The bot's Matrix id."""
        return UserId(f"@{self.appservice.bot.username}:{self.homeserver.domain}")

    def permission_of(self, user: UserId) -> Level:
        """What ``user`` may do: the most specific of user, domain and ``*`` rules."""
        return permission_of(self.bridge.permissions, user)
