"""Names: whatever a stranger calls themself, only we write the label."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.labels import (
    LABEL_SEPARATOR,
    MAX_NAME_CHARACTERS,
    clean_name,
    contact_name,
    protection,
    service_label,
)
from bridge.sentences import render
from bridge.states import Custody

QUICK = settings(max_examples=200, derandomize=True, deadline=None)
NASTY = st.text(
    st.one_of(
        st.characters(exclude_categories=[]),
        st.sampled_from("()\u00b7\u202e\u200d\u2066\u00ad\u0301\u3164\uff08\uff09\u2028\n\t e"),
    ),
    max_size=120,
)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("Anna", "Anna"),
        ("  Anna   Berg ", "Anna Berg"),
        ("Anna\nBerg\t!", "Anna Berg !"),
        ("Anna (WhatsApp)", "Anna [WhatsApp]"),
        ("Anna \uff08WhatsApp\uff09", "Anna [WhatsApp]"),
        ("Anna \u2768WhatsApp\u2769", "Anna [WhatsApp]"),
        ("\u202eannA", "annA"),
        ("Anna\u2066\u2069", "Anna"),
        ("An\u200bna\ufeff", "Anna"),
        ("Anna \u00b7 +49151", "Anna +49151"),
        ("Anna \u2022 +49151", "Anna +49151"),
        ("Anna\u2028Berg", "Anna Berg"),
        ("Anna\u3000Berg", "Anna Berg"),
        ("e\u200d\u0301", "\u00e9"),
        ("A\ud800nna", "Anna"),
        ("\U0001f44b Anna", "\U0001f44b Anna"),
        ("\u0410\u043d\u043d\u0430", "\u0410\u043d\u043d\u0430"),
    ],
)
def test_a_name_is_shown_without_what_deceives(hostile: str, shown: str) -> None:
    assert clean_name(hostile) == shown


@pytest.mark.parametrize(
    "nothing",
    ["", "   ", "\u200b\u200d", "\u3164", "\u2800\u2800", "\ufe0f", "\u00b7", "\u00a0", "\x00"],
)
def test_a_name_of_nothing_to_see_is_no_name(nothing: str) -> None:
    assert clean_name(nothing) == ""
    assert contact_name(nothing, "+4915112345678", "WhatsApp") == "+4915112345678 (WhatsApp)"
    assert contact_name(nothing, nothing, "WhatsApp") == "WhatsApp (WhatsApp)"


@pytest.mark.parametrize("length", [MAX_NAME_CHARACTERS - 1, MAX_NAME_CHARACTERS, MAX_NAME_CHARACTERS + 1])
def test_a_name_is_cut_where_it_is_too_long(length: int) -> None:
    assert clean_name("a" * length) == "a" * min(length, MAX_NAME_CHARACTERS)


def test_a_wall_of_spaces_does_not_push_the_label_out_of_sight() -> None:
    assert contact_name("Anna" + " " * 500 + "!", "x", "WhatsApp") == "Anna ! (WhatsApp)"


@QUICK
@given(NASTY)
def test_no_name_holds_anything_unseen_or_of_ours(name: str) -> None:
    shown = clean_name(name)
    assert len(shown) <= MAX_NAME_CHARACTERS
    assert not set(shown) & set(f"(){LABEL_SEPARATOR}")
    assert all(unicodedata.category(c)[0] != "C" for c in shown)
    assert shown == " ".join(shown.split())
    shown.encode()


@QUICK
@given(NASTY)
def test_a_clean_name_stays_as_it_is(name: str) -> None:
    assert clean_name(clean_name(name)) == clean_name(name)


@QUICK
@given(st.one_of(st.none(), NASTY), NASTY)
def test_every_contact_ends_with_one_label_which_is_ours(name: str | None, identifier: str) -> None:
    whole = contact_name(name, identifier, "WhatsApp, SANDBOX")
    assert whole.endswith(" (WhatsApp, SANDBOX)")
    assert whole.count("(") == whole.count(")") == 1
    assert whole.removesuffix(" (WhatsApp, SANDBOX)").strip()


def test_a_contact_without_a_name_is_shown_by_their_identifier() -> None:
    assert contact_name(None, "anna@firm.example", "BirdyChat") == "anna@firm.example (BirdyChat)"


def test_where_nothing_is_real_the_label_says_so() -> None:
    assert service_label("WhatsApp", None) == "WhatsApp"
    assert contact_name("Anna", "", service_label("WhatsApp", "SANDBOX")) == "Anna (WhatsApp, SANDBOX)"


@pytest.mark.parametrize("custody", Custody)
@pytest.mark.parametrize("encrypted", [False, True])
def test_the_protection_line_tells_who_can_read_along(custody: Custody, *, encrypted: bool) -> None:
    text = render(protection(custody, encrypted_portal=encrypted))
    assert "end-to-end" not in text.lower()
    assert ("homeserver can read" in text) == (not encrypted)
    assert ("read along" in text) == (custody is Custody.OPERATOR)


def test_every_way_of_protection_has_its_own_line() -> None:
    lines = {
        render(protection(custody, encrypted_portal=encrypted))
        for custody in Custody
        for encrypted in (False, True)
    }
    assert len(lines) == 4
