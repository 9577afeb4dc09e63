"""A profile is checked when it is read: what is unknown, missing or impossible is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.ids import Jid
from bridge.profile import Refusal
from tests.network.support import profile

CHAT = {
    "host": "chat.example",
    "port": 443,
    "header": "57410603",
    "prologue": "5741",
    "root_key": "00" * 32,
}
PHONES = {"id": "phones", "label": "Phones", "jid_server": "s.phones.example", "identifier_kind": "phone"}
PARTNER = {
    "id": "partner",
    "label": "Partner",
    "jid_server": "interop",
    "integrator": 2,
    "identifier_kind": "email",
}


def test_bytes_are_written_in_hexadecimal() -> None:
    chat = profile(chat=CHAT).chat
    assert (chat.header, chat.prologue, chat.root_key) == (b"WA\x06\x03", b"WA", bytes(32))


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": 1},
        {"chat": CHAT | {"surprise": 1}},
        {"chat": CHAT | {"port": 0}},
        {"chat": CHAT | {"port": 65_536}},
        {"chat": CHAT | {"header": "xy"}},
        {"chat": CHAT | {"mix_empty_payload": "perhaps"}},
        {"chat": CHAT | {"root_key": "00" * 31}},
        {"chat": CHAT | {"root_key": "00" * 33}},
        {"chat": {name: value for name, value in CHAT.items() if name != "root_key"}},
        {"self": {"integrator": 0, "iss": "us"}},
        {"self": {"integrator": 0x10000, "iss": "us"}},
        {"token": {"aud": "them", "ttl_s": 29}},
        {"token": {"aud": "them", "ttl_s": 601}},
        {"services": [PHONES | {"identifier_kind": "colour"}]},
        {"login_failures": {"401": {"state": "shrug", "sentence": "login.again"}}},
        {"client_address": "by-letter"},
        {"connection": "never"},
    ],
)
def test_unknown_missing_or_impossible_values_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        profile(**changes)


@pytest.mark.parametrize("port", [1, 65_535])
def test_every_port_can_be_named(port: int) -> None:
    assert profile(chat=CHAT | {"port": port}).chat.port == port


@pytest.mark.parametrize(
    "other",
    [
        PARTNER | {"id": "phones"},
        PARTNER | {"jid_server": "s.phones.example", "integrator": 0},
    ],
)
def test_services_must_be_distinguishable(other: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="two services share"):
        profile(services=[PHONES, other])


def test_partners_share_a_server_and_differ_by_their_integrator() -> None:
    both = profile(services=[PHONES, PARTNER, PARTNER | {"id": "third", "integrator": 3}])
    found = both.service_of(Jid("1", "interop", 3))
    assert found is not None and found.id == "third"
    assert both.service_of(Jid("1", "s.phones.example")) == both.service("phones")
    assert both.service_of(Jid("1", "interop", 4)) is None
    assert both.service_of(Jid("1", "elsewhere")) is None
    assert both.service("no such service") is None


def test_our_own_users_carry_our_integrator() -> None:
    ours = profile().own.integrator
    assert profile().is_ours(Jid("1", "interop", ours))
    assert not profile().is_ours(Jid("1", "interop", ours + 1))
    assert not profile().is_ours(Jid("1", "s.whatsapp.net"))


def test_reason_gives_the_account_state() -> None:
    reason = profile().login_failures["gone"]
    assert reason.state is Refusal.ENLIST_AGAIN


def test_sandbox_profile_needs_a_shared_clock() -> None:
    assert not profile().is_sandbox
    assert profile(clock_offset_file="offset").is_sandbox


def test_partners_are_separate_unless_the_profile_joins_them() -> None:
    assert not profile().partner_to_partner


def test_profile_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        profile().label = "another"
