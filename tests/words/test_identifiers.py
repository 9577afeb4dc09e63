"""Identifiers as people type them, and the ones a user may call their own."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.commands.identifiers import MAX_IDENTIFIER_CHARACTERS, find_service, normalise, own_choices
from bridge.ids import INTEROP_SERVER, ServiceId, UserId
from bridge.profile import Service

QUICK = settings(max_examples=100, derandomize=True, deadline=None)


def service(name: str, kind: Literal["phone", "email", "handle"], integrator: int) -> Service:
    return Service(
        id=ServiceId(name.lower()),
        label=name,
        jid_server=INTEROP_SERVER,
        integrator=integrator,
        identifier_kind=kind,
    )


WHATSAPP = service("WhatsApp", "phone", 1)
BIRDYCHAT = service("BirdyChat", "email", 2)
HAIKET = service("Haiket", "handle", 3)
SERVICES = (WHATSAPP, BIRDYCHAT, HAIKET)
SECOND_PHONE = service("Elsewhere", "phone", 4)


@pytest.mark.parametrize(
    "text",
    [
        "+4915112345678",
        "+49 151 1234 5678",
        "  +49 (151) 1234-5678 ",
        "+49 (0)151 12345678",
        "+49/151/12345678",
        "+49.151.12345678",
        "004915112345678",
        "0049 151 12345678",
        "tel:+4915112345678",
        "+49\u00a0151\u00a012345678",
    ],
)
def test_number_formats_normalise_to_one(text: str) -> None:
    assert normalise(WHATSAPP, text) == "+4915112345678"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "015112345678",  # which country?
        "4915112345678",
        "+0915112345678",
        "+49151abc",
        "+\u0664\u0669\u0661\u0665\u0661\u0661\u0662\u0663\u0664",
        "++4915112345678",
        "+49 151 12345678 ext 3",
        "anna@firm.example",
    ],
)
def test_non_international_number_is_refused(text: str) -> None:
    assert normalise(WHATSAPP, text) is None


@pytest.mark.parametrize(("digits", "fits"), [(6, False), (7, True), (15, True), (16, False)])
def test_number_has_seven_to_fifteen_digits(digits: int, fits: bool) -> None:
    number = "+" + "1" * digits
    assert normalise(WHATSAPP, number) == (number if fits else None)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("anna@firm.example", "anna@firm.example"),
        (" Anna.Berg+x@Firm.Example ", "anna.berg+x@firm.example"),
        ("mailto:anna@firm.example", "anna@firm.example"),
        ("anna@firm", None),
        ("anna", None),
        ("@firm.example", None),
        ("anna@b@firm.example", None),
        ("anna berg@firm.example", None),
        ("a" * 64 + "@firm.example", "a" * 64 + "@firm.example"),
        ("a" * 65 + "@firm.example", None),
    ],
)
def test_invalid_address_is_refused(text: str, address: str | None) -> None:
    assert normalise(BIRDYCHAT, text) == address


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("tom", "tom"),
        ("@Tom", "tom"),
        ("t.o_m-1", "t.o_m-1"),
        ("t", None),
        ("@", None),
        (".tom", None),
        ("@@tom", None),
        ("tom tom", None),
        ("@tom:matrix.example", None),
        ("t" * 64, "t" * 64),
        ("t" * 65, None),
    ],
)
def test_invalid_handle_is_refused(text: str, handle: str | None) -> None:
    assert normalise(HAIKET, text) == handle


def test_identifier_length_is_limited() -> None:
    longest = "a@" + "b" * (MAX_IDENTIFIER_CHARACTERS - 10) + ".example"
    assert len(longest) == MAX_IDENTIFIER_CHARACTERS
    assert normalise(BIRDYCHAT, longest) == longest
    assert normalise(BIRDYCHAT, "a" + longest) is None


@QUICK
@given(st.sampled_from(SERVICES), st.text("+0123456789 ().-/@abcxyz_:", max_size=30))
def test_normal_form_is_idempotent(each: Service, text: str) -> None:
    normal = normalise(each, text)
    assert normal is None or normalise(each, normal) == normal


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("whatsapp +49 151 1234567", (WHATSAPP, "+49 151 1234567")),
        ("WhatsApp   +49 151 1234567 ", (WHATSAPP, "+49 151 1234567")),
        ("haiket\t@tom", (HAIKET, "@tom")),
        ("whatsapp", (WHATSAPP, "")),
        ("whatsapp nonsense", (WHATSAPP, "nonsense")),
        ("+49 151 1234567", (WHATSAPP, "+49 151 1234567")),
        ("anna@firm.example", (BIRDYCHAT, "anna@firm.example")),
        ("tom", None),  # a word fits everywhere, so it is a guess
        ("@tom", None),
        ("signal +49 151 1234567", None),
        ("", None),
    ],
)
def test_service_is_named_or_inferred(text: str, found: tuple[Service, str] | None) -> None:
    assert find_service(SERVICES, text) == found


def test_ambiguous_number_needs_a_service() -> None:
    services = (*SERVICES, SECOND_PHONE)
    assert find_service(services, "+49 151 1234567") is None
    assert find_service(services, "elsewhere +49 151 1234567") == (SECOND_PHONE, "+49 151 1234567")


@pytest.mark.parametrize(
    ("user", "choices"),
    [
        ("@alice:matrix.example", ("@alice:matrix.example", "alice@matrix.example")),
        ("@alice:matrix.example:8448", ("@alice:matrix.example:8448", "alice@matrix.example:8448")),
    ],
)
def test_user_may_use_identifiers_the_homeserver_proves(user: str, choices: tuple[str, ...]) -> None:
    assert own_choices(UserId(user)) == choices
