"""Which network the sandbox plays: all its words and numbers, as data.

A variant holds everything of a profile except what is made at first start (keys, ports, the
partner's address), and the word on the wire for each condition the rules know. The rules use
conditions only, so a second variant with other words tests that no word stands in the code.
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
    """The word of a condition, and what the profile says of that word."""

    word: str
    state: Refusal
    sentence: str


class AckErrorWord(_Table):
    """The error number of a condition, and what the profile says of it."""

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
    """Who the partner is here."""

    integrator: int
    iss: str


class PushWords(_Table):
    """The wake-up: path on the partner's listener, and who signs."""

    path: str
    iss: str


class Allowances(_Table):
    """What the sandbox allows in what time; a bucket of ``burst`` that refills in ``refill_s`` each."""

    key_fetches_burst: int = 20
    key_fetches_refill_s: float = 60.0
    enlistments_burst: int = 10
    enlistments_refill_s: float = 360.0
    offline_batch: int = 100
    token_once: bool = True
    """Whether a token may be shown only once."""


class InitialPerson(_Table):
    """Somebody who exists from the start."""

    service: str
    identifier: str
    name: str
    opted_in: bool = True
    answer: str | None = None
    """What they answer to every text; ``{text}`` is that text. None: nothing."""


class Variant(_Table):
    """One network, as the sandbox plays it."""

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
        """Every condition has a word."""
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
    """The profile as data, ready for YAML; ``partner_url`` is the bridge's public listener."""
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
    """The profile in ``data``, checked."""
    return Profile.model_validate(data)


def _reasons(table: Mapping[Any, RefusalWord]) -> dict[str, Any]:
    return {
        refusing.word: {"state": refusing.state.value, "sentence": refusing.sentence}
        for refusing in table.values()
    }
