"""A network as data: everything about it that its published framework leaves open.

Hosts, the prologue, claim names, stanza names, reasons and limits stand here and nowhere else, so
that the documents a partner receives with an agreement change data, not code. Keys are listed in
``docs/reference/profile.md``. A profile is checked when it is read; an unknown key is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.ids import INTEROP_SERVER, Jid, NetworkId, ServiceId


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _from_hex(value: Any) -> Any:
    return bytes.fromhex(value) if isinstance(value, str) else value


class Refusal(Enum):
    """What becomes of an account when the network refuses an enlistment or a login."""

    REFUSED = "refused"
    """This enlistment ends; the user may start another."""
    RETRY = "retry"
    """The same again later."""
    REAUTHENTICATE = "reauthenticate"
    """A new token is needed; try once with one."""
    ENLIST_AGAIN = "enlist-again"
    """The network no longer knows the account."""
    SUSPENDED = "suspended"
    """Nothing is sent until the admin or the network changes something."""
    OUTDATED = "outdated"
    """This program is too old for the network."""


class Reason(_Table):
    """One reason of the network: what it means for the account, and the sentence people read."""

    state: Refusal
    sentence: str


class AckError(_Table):
    """One error code in an acknowledgement of a message."""

    retry: bool = False
    sentence: str


class Own(_Table):
    """Who we are to the network."""

    integrator: Annotated[int, Field(ge=1, le=0xFFFF)]
    iss: str


class Enlist(_Table):
    """The enlistment call (POST, form-encoded) and its reasons."""

    url: str
    reasons: Mapping[str, Reason]
    timeout_s: float = 30.0


class Claims(_Table):
    """Names of the token's claims that no standard fixes."""

    name: str = "name"
    confirmation: str = "cnf"
    auth_key: str = "authkey"
    identity: str = "ident"


class Token(_Table):
    """The identity token: RS256, one for each use."""

    aud: str
    ttl_s: Annotated[int, Field(ge=30, le=600)] = 300
    claims: Claims = Claims()


class Chat(_Table):
    """The chat server: where it is, how a connection begins, and whom it must prove to be."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    header: bytes
    prologue: bytes
    root_key: Annotated[bytes, Field(min_length=32, max_length=32)]
    protocol_version: tuple[int, int, int] = (1, 0, 3)

    _hex = field_validator("header", "prologue", "root_key", mode="before")(_from_hex)


class Service(_Table):
    """A service of the network and how its people are addressed."""

    id: ServiceId
    label: str
    jid_server: str
    integrator: int = 0
    identifier_kind: Literal["phone", "email", "handle"]
    simulated: bool = False
    """Set where the behaviour is our assumption, and shown wherever the service is."""

    def owns(self, jid: Jid) -> bool:
        """Whether ``jid`` is a person of this service."""
        return jid.server == self.jid_server and jid.integrator == self.integrator


class Stanzas(_Table):
    """Names of the stanzas that are not public."""

    namespace: str = "interop"
    resolve: str = "resolve"
    reach: str = "reach"
    delete: str = "delete"


class Push(_Table):
    """How the network wakes us: path on our public listener, and who must have signed."""

    path: str = "/push"
    iss: str
    aud: str
    jwks: str


class Limits(_Table):
    """Numbers of the network."""

    text_characters: int = 65_536
    prekeys_uploaded: int = 100
    prekeys_low: int = 10
    retry_asks: int = 4
    retry_answers: int = 10


class Timers(_Table):
    """Times of the network, in seconds where nothing else is said."""

    keep_alive_s: float = 25.0
    keep_alive_deadline_s: float = 10.0
    iq_timeout_s: float = 75.0
    linger_s: float = 30.0
    unenlisted_after_days: int = 30
    mailbox_days: int = 30
    new_session_s: float = 3600.0


class Profile(_Table):
    """One network."""

    id: NetworkId
    label: str
    version: int = 1
    own: Own = Field(alias="self")
    enlist: Enlist
    token: Token
    chat: Chat
    login_failures: Mapping[str, Reason]
    ack_errors: Mapping[str, AckError]
    services: tuple[Service, ...]
    stanzas: Stanzas = Stanzas()
    push: Push
    limits: Limits = Limits()
    timers: Timers = Timers()
    client_address: Literal["none", "PROXY-v2"] = "none"
    """How the address of the user's client is passed on when a connection opens."""
    connection: Literal["on-demand", "always", "either"] = "either"
    """Which lives of a connection the agreement allows."""
    partner_to_partner: bool = False
    clock_offset_file: str | None = None
    """Only a sandbox has one: the shared clock's offset in seconds, re-read as it changes."""

    @model_validator(mode="after")
    def _services_differ(self) -> Profile:
        seen = {(s.jid_server, s.integrator) for s in self.services}
        if len(seen) != len(self.services) or len({s.id for s in self.services}) != len(self.services):
            raise ValueError("two services share an id or a JID server and integrator")
        return self

    def service(self, service_id: str) -> Service | None:
        """The service of that id."""
        return next((s for s in self.services if s.id == service_id), None)

    def service_of(self, jid: Jid) -> Service | None:
        """The service a person belongs to; None for one the profile does not list."""
        return next((s for s in self.services if s.owns(jid)), None)

    def is_ours(self, jid: Jid) -> bool:
        """Whether ``jid`` is one of this partner's own users."""
        return jid.server == INTEROP_SERVER and jid.integrator == self.own.integrator

    @property
    def is_sandbox(self) -> bool:
        """Whether everything under this profile is labelled SANDBOX."""
        return self.clock_offset_file is not None
