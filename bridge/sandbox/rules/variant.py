"""The network that the sandbox simulates: its words and numbers, as data.

A variant holds all of a profile except what is made at first start (keys, ports, the partner's address),
and the word on the wire for each reason in ``reasons``. The rules use only reasons, so a second variant
with other words proves that no such word is hard-coded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bridge.profile import Limits, Profile, Refusal, Service, Stanzas, Timers, Token
from bridge.sandbox.rules.reasons import EndReason, EnlistRefusal, LoginRefusal, SendRefusal

DEFAULT = "default"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RefusalWord(_Table):
    """The word for a reason, and what the profile says about it."""

    word: str
    state: Refusal
    sentence: str


class AckErrorWord(_Table):
    """The error code for a reason, and what the profile says about it."""

    code: Annotated[int, Field(ge=1)]
    retry: bool = False
    sentence: str


class WebPaths(_Table):
    """Paths of the sandbox's own HTTP server."""

    enlist: str
    jwks: str


class ChatWords(_Table):
    """How a connection begins, as the profile has it; ``header`` and ``prologue`` in hexadecimal."""

    header: str
    prologue: str
    mix_empty_payload: bool
    protocol_version: tuple[int, int, int]


class OwnWords(_Table):
    """Who the partner is."""

    integrator: int
    iss: str


class PushWords(_Table):
    """Wake-ups: path on the partner's listener, issuer."""

    path: str
    iss: str


class Allowances(_Table):
    """Rate limits: ``burst`` at once, then one every ``refill_s`` seconds. And other limits."""

    key_fetches_burst: int = 20
    key_fetches_refill_s: float = 60.0
    enlistments_burst: int = 10
    enlistments_refill_s: float = 360.0
    offline_batch: int = 100
    token_once: bool = True
    """Whether a token is accepted only once."""


class InitialPerson(_Table):
    """A person who exists from the start."""

    service: str
    identifier: str
    name: str
    opted_in: bool = True
    answer: str | None = None
    """The answer to every text; ``{text}`` stands for that text. None: no answer."""


class Variant(_Table):
    """One network, as the sandbox simulates it."""

    id: str
    label: str
    version: int = 1
    own: OwnWords
    web: WebPaths
    token: Token
    chat: ChatWords
    push: PushWords
    enlist: Mapping[EnlistRefusal, RefusalWord]
    login: Mapping[LoginRefusal, RefusalWord]
    acks: Mapping[SendRefusal, AckErrorWord]
    endings: Mapping[EndReason, str]
    services: tuple[Service, ...]
    stanzas: Stanzas
    limits: Limits
    timers: Timers
    allowances: Allowances = Allowances()
    partner_to_partner: bool
    people: tuple[InitialPerson, ...] = ()

    def model_post_init(self, _context: Any) -> None:
        """Check that every reason has a word."""
        for conditions, table in (
            (EnlistRefusal, self.enlist),
            (LoginRefusal, self.login),
            (SendRefusal, self.acks),
            (EndReason, self.endings),
        ):
            missing = [condition.value for condition in conditions if condition not in table]
            if missing:
                raise ValueError(f"no word for {', '.join(missing)}")


def profile_data(
    variant: Variant,
    *,
    host: str,
    chat_port: int,
    web_port: int,
    root_key: bytes,
    partner_url: str,
    clock_offset_file: str,
) -> dict[str, Any]:
    """The profile as data for YAML; ``partner_url`` is the bridge's public listener."""
    base = f"http://{host}:{web_port}"
    own = variant.own.model_dump()
    return {
        "id": variant.id,
        "label": variant.label,
        "version": variant.version,
        "self": own,
        "enlist": {"url": base + variant.web.enlist, "reasons": _reasons(variant.enlist)},
        "token": variant.token.model_dump(),
        "chat": {
            "host": host,
            "port": chat_port,
            "header": variant.chat.header,
            "prologue": variant.chat.prologue,
            "mix_empty_payload": variant.chat.mix_empty_payload,
            "root_key": root_key.hex(),
            "protocol_version": list(variant.chat.protocol_version),
        },
        "login_failures": _reasons(variant.login),
        "ack_errors": {
            str(refusing.code): {"retry": refusing.retry, "sentence": refusing.sentence}
            for refusing in variant.acks.values()
        },
        "services": [service.model_dump() for service in variant.services],
        "stanzas": variant.stanzas.model_dump(),
        "push": {
            "path": variant.push.path,
            "iss": variant.push.iss,
            "aud": partner_url.rstrip("/"),
            "jwks": base + variant.web.jwks,
        },
        "limits": variant.limits.model_dump(),
        "timers": variant.timers.model_dump(),
        "client_address": "none",
        "connection": "either",
        "partner_to_partner": variant.partner_to_partner,
        "clock_offset_file": clock_offset_file,
    }


def profile(data: Mapping[str, Any]) -> Profile:
    """The validated profile."""
    return Profile.model_validate(data)


def _reasons(table: Mapping[Any, RefusalWord]) -> dict[str, Any]:
    return {
        refusing.word: {"state": refusing.state.value, "sentence": refusing.sentence}
        for refusing in table.values()
    }
