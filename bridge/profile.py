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
    """What becomes of the account."""
    sentence: str
    """Key of the sentence that is told, from docs/reference/sentences.md."""


class AckError(_Table):
    """One error code in an acknowledgement of a message."""

    retry: bool = False
    """Whether the message is sent again later; otherwise it has failed."""
    sentence: str
    """Key of the sentence that is told when it has failed."""


class Own(_Table):
    """Who we are to the network."""

    integrator: Annotated[int, Field(ge=1, le=0xFFFF)]
    """Our number among the partners; it stands in our users' internal identifiers."""
    iss: str
    """The issuer of our identity tokens, as registered with the network."""


class Enlist(_Table):
    """The enlistment call (POST, form-encoded) and its reasons."""

    url: str
    """Where the call goes."""
    reasons: Mapping[str, Reason]
    """What the network answers when it refuses, word for word, and what that means here."""
    timeout_s: float = 30.0
    """Seconds to wait for an answer."""


class Claims(_Table):
    """Names of the token's claims that no standard fixes."""

    name: str = "name"
    """The user's name as contacts see it."""
    confirmation: str = "cnf"
    """The claim with what binds the token to keys (RFC 7800)."""
    auth_key: str = "authkey"
    """In it: SHA-256 of the connection's static key, in hexadecimal."""
    identity: str = "ident"
    """In it: SHA-256 of the identity key, in hexadecimal."""


class Token(_Table):
    """The identity token: RS256, one for each use."""

    aud: str
    """The audience the network expects."""
    ttl_s: Annotated[int, Field(ge=30, le=600)] = 300
    """Seconds from issue to expiry."""
    claims: Claims = Claims()


class Chat(_Table):
    """The chat server: where it is, how a connection begins, and whom it must prove to be."""

    host: str
    """Its name or address."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its TCP port."""
    header: bytes
    """Sent before the first frame; hexadecimal."""
    prologue: bytes
    """Mixed into the handshake, and the same on both sides; hexadecimal."""
    mix_empty_payload: bool = False
    """Whether the first handshake message, which has no payload, mixes an empty one into the hash. The Noise
    specification does; the network's public clients do not."""
    root_key: Annotated[bytes, Field(min_length=32, max_length=32)]
    """The public key that certificate chains of the server lead to: 32 bytes in hexadecimal."""
    protocol_version: tuple[int, int, int] = (1, 0, 3)
    """The version we say we speak, at enlistment and login."""

    _hex = field_validator("header", "prologue", "root_key", mode="before")(_from_hex)


class Service(_Table):
    """A service of the network and how its people are addressed."""

    id: ServiceId
    """Its name in commands, lower case."""
    label: str
    """Its name as people see it."""
    jid_server: str
    """The server in its people's internal identifiers."""
    integrator: int = 0
    """The partner whose people they are; 0 for the network's own."""
    identifier_kind: Literal["phone", "email", "handle"]
    """What its people are looked up by."""
    simulated: bool = False
    """Set where the behaviour is our assumption, and shown wherever the service is."""

    def owns(self, jid: Jid) -> bool:
        """Whether ``jid`` is a person of this service."""
        return jid.server == self.jid_server and jid.integrator == self.integrator


class Stanzas(_Table):
    """Names of the stanzas that are not public."""

    namespace: str = "interop"
    """Namespace of the questions below."""
    resolve: str = "resolve"
    """Turns a visible identifier into an internal one, and back."""
    reach: str = "reach"
    """Asks whether a person may be written to."""
    delete: str = "delete"
    """Ends an account."""


class Push(_Table):
    """How the network wakes us: path on our public listener, and who must have signed."""

    path: str = "/push"
    """Path on our public listener."""
    iss: str
    """The issuer of its tokens."""
    aud: str
    """The audience they must name: us."""
    jwks: str
    """Address of the network's public keys (a JWK set)."""


class Limits(_Table):
    """Numbers of the network."""

    text_characters: int = 65_536
    """A longer text is refused before it is sealed."""
    prekeys_uploaded: int = 100
    """One-time prekeys in one upload."""
    prekeys_low: int = 10
    """When so few are left the server says so, and new ones are uploaded."""
    retry_asks: int = 4
    """How often one message that could not be read is asked for again."""
    retry_answers: int = 10
    """How often one message is sealed again for a contact who asks."""


class Timers(_Table):
    """Times of the network, in seconds where nothing else is said."""

    keep_alive_s: float = 25.0
    """A connection is pinged this often."""
    keep_alive_deadline_s: float = 10.0
    """When nothing was heard for so long after a ping, the connection ends."""
    iq_timeout_s: float = 75.0
    """A question without an answer for so long is asked again later."""
    linger_s: float = 30.0
    """An on-demand connection with nothing left to do stays open for so long."""
    unenlisted_after_days: int = 30
    """An account that was not connected for so many days is forgotten by the network."""
    mailbox_days: int = 30
    """So many days the network keeps a message, and we what a retry needs."""
    new_session_s: float = 3600.0
    """A contact whose retries need a new session gets one this often at most."""


class Profile(_Table):
    """One network."""

    id: NetworkId
    """The network's name in the database; it never changes."""
    label: str
    """Its name as people see it."""
    version: int = 1
    """Of this file, for whoever keeps it."""
    own: Own = Field(alias="self")
    enlist: Enlist
    token: Token
    chat: Chat
    login_failures: Mapping[str, Reason]
    """The reasons of a refused login, word for word, and what each means here."""
    ack_errors: Mapping[str, AckError]
    """The error codes of an acknowledgement, and what each means here."""
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
    """Whether people of other partners can be written to, too."""
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
