"""The registrations, and what is wrong with one that somebody else wrote (threats S1, S32)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.ids import opaque_localpart
from bridge.matrix.registration import (
    MIN_SECRET_CHARACTERS,
    OwnNames,
    clashes,
    faults,
    main_document,
    new_registration,
    puppet_document,
)
from tests.matrix.conftest import fixed_bytes

SERVER = "hs.test"
MAIN = new_registration("interop", "http://bridge:29340", fixed_bytes("r"))


def document(**changes: Any) -> dict[str, Any]:
    return {**main_document(MAIN, server=SERVER, bot_localpart="interopbot"), **changes}


def wrong(**changes: Any) -> list[tuple[str, str]]:
    found = faults(document(**changes), server=SERVER, bot_localpart="interopbot")
    return [(fault.where, fault.sentence.key) for fault in found]


def with_users(*entries: dict[str, Any]) -> list[tuple[str, str]]:
    namespaces = document()["namespaces"]
    return wrong(namespaces={**namespaces, "users": [*namespaces["users"], *entries]})


def test_a_new_registration_carries_all_that_later_versions_need() -> None:
    fields = document()
    assert fields["rate_limited"] is False
    for switch in (
        "receive_ephemeral",
        "de.sorunome.msc2409.push_ephemeral",
        "org.matrix.msc3202",
        "io.element.msc4190",
    ):
        assert fields[switch] is True
    assert fields["namespaces"]["rooms"] == []
    assert wrong() == []


@pytest.mark.threat("S1")
def test_secrets_are_long_different_and_not_shown() -> None:
    assert MAIN.as_token != MAIN.hs_token
    assert len(MAIN.as_token) == len(MAIN.hs_token) == 64
    assert MAIN.as_token not in repr(MAIN) and MAIN.hs_token not in repr(MAIN)


def test_the_sender_is_a_random_name_and_never_the_bot() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", MAIN.sender_localpart)
    assert wrong(sender_localpart="interopbot") == [("sender_localpart", "registration.sender")]


def matches(fields: dict[str, Any], kind: str, name: str) -> bool:
    return any(re.match(entry["regex"], name) for entry in fields["namespaces"][kind])


@pytest.mark.threat("S32")
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("@interopbot:hs.test", True),
        (f"@{opaque_localpart(b'k', 'ghost')}:hs.test", True),
        ("@interopbot2:hs.test", False),
        ("@anna:hs.test", False),
        ("@ib_x:evil.example", False),
        ("@ib_x:hs.test.evil.example", False),
        ("@ib_x:hsXtest", False),
        ("@ib_x:evil.hs.test", False),
        ("@ib_x:evil.example:hs.test", False),
        ("x@ib_x:hs.test", False),
    ],
)
def test_the_namespace_holds_the_bot_and_the_ghosts_of_this_server_only(name: str, ours: bool) -> None:
    assert matches(document(), "users", name) == ours


def test_every_alias_of_ours_is_in_the_namespace() -> None:
    assert matches(document(), "aliases", f"#{opaque_localpart(b'k', 'room')}:hs.test")
    assert not matches(document(), "aliases", "#ib_x:hsXtest")


def test_the_registration_for_double_puppets_is_nobodys_alone_and_pushes_nothing() -> None:
    puppets = new_registration("interop-puppets", None, fixed_bytes("p"))
    fields = puppet_document(puppets, server=SERVER)
    assert fields["url"] is None and "url" in fields
    (entry,) = fields["namespaces"]["users"]
    assert entry["exclusive"] is False
    assert re.match(entry["regex"], "@anna:hs.test") and not re.match(entry["regex"], "@anna:hsXtest")
    assert not re.match(entry["regex"], "@anna:evil.example")


@pytest.mark.threat("S32")
@pytest.mark.parametrize(
    ("regex", "key"),
    [
        (r"@ib_.*", "registration.too_wide"),
        (r"@ib_.*:hs.test", "registration.too_wide"),
        (r"@ib_.*:hs\.test", "registration.too_wide"),
        (r".*@ib_[a-z]+:.*", "registration.too_wide"),
        (r"@.*:hs\.test$", "registration.too_wide"),
        (r"^@ib_.*:hs\.test$", ""),
        (r"@ib_[a-z2-7]{26}:hs\.test$", ""),
        (r"@(", "registration.regex_broken"),
        (7, "registration.regex_missing"),
    ],
)
def test_a_namespace_that_reaches_beyond_our_names_is_found(regex: Any, key: str) -> None:
    expected = [("namespaces.users[2]", key)] if key else []
    assert with_users({"exclusive": True, "regex": regex}) == expected


def test_a_namespace_that_others_may_use_is_found() -> None:
    found = with_users({"exclusive": False, "regex": r"^@ib_[a-z]+:hs\.test$"})
    assert found == [("namespaces.users[2]", "registration.not_exclusive")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"namespaces": None}, [("namespaces", "registration.namespaces_missing")]),
        (
            {"namespaces": {"users": [], "aliases": document()["namespaces"]["aliases"]}},
            [("namespaces.users", "registration.uncovered")] * 2,
        ),
        (
            {"namespaces": {"users": document()["namespaces"]["users"]}},
            [("namespaces.aliases", "registration.uncovered")],
        ),
        ({"rate_limited": True}, [("rate_limited", "registration.rate_limited")]),
        ({"receive_ephemeral": False}, [("receive_ephemeral", "registration.switch")]),
        ({"io.element.msc4190": None}, [("io.element.msc4190", "registration.switch")]),
        ({"as_token": None}, [("as_token", "registration.token_short")]),
        (
            {"hs_token": "x" * (MIN_SECRET_CHARACTERS - 1)},
            [("hs_token", "registration.token_short")],
        ),
        ({"hs_token": "x" * MIN_SECRET_CHARACTERS}, []),
        ({"hs_token": MAIN.as_token}, [("hs_token", "registration.tokens_equal")]),
        ({"sender_localpart": None}, [("sender_localpart", "registration.sender")]),
    ],
)
def test_what_is_wrong_is_named_with_its_field(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert wrong(**changes) == expected


def test_any_document_is_judged_without_an_error() -> None:
    odd: dict[str, Any]
    for odd in ({}, {"namespaces": {"users": 7, "aliases": [7]}}, {"namespaces": {"users": [{}]}}):
        assert faults(odd, server=SERVER, bot_localpart="interopbot")


def test_another_ghost_prefix_moves_users_and_aliases() -> None:
    moved = main_document(MAIN, server="hs.test", bot_localpart="interopbot", ghost_prefix="x.y_")
    assert faults(moved, server="hs.test", bot_localpart="interopbot", ghost_prefix="x.y_") == ()
    for kind, sigil in (("users", "@"), ("aliases", "#")):
        assert matches(moved, kind, f"{sigil}{opaque_localpart(b'k', 'ghost', prefix='x.y_')}:hs.test")
        assert not matches(moved, kind, f"{sigil}{opaque_localpart(b'k', 'ghost')}:hs.test")
        assert not matches(moved, kind, f"{sigil}xzy_{'a' * 26}:hs.test")
    assert {fault.sentence.key for fault in faults(moved, server="hs.test", bot_localpart="interopbot")} == {
        "registration.uncovered"
    }


NAMES = OwnNames("hs.test", "interopbot")


def clashing(**changes: object) -> list[tuple[str, str]]:
    """What another bridge's registration is said to clash in; by itself it fits beside ours."""
    other = new_registration("other", "http://localhost:2", fixed_bytes("other"))
    its = main_document(other, server="hs.test", bot_localpart="otherbot", ghost_prefix="other_")
    found = clashes(document(), {**its, **changes}, NAMES)
    return [(fault.where, fault.sentence.key) for fault in found]


@pytest.mark.parametrize(
    ("kind", "regex", "found"),
    [
        ("users", "^@interopbot:.*", True),
        ("users", "@ib_.*", True),
        ("users", "@.*:hs.test", True),
        ("aliases", "#ib_[a-z0-9]+:hs.test", True),
        ("users", "@ib:hs.test", False),
        ("users", "(", False),
    ],
)
def test_exclusive_namespace_of_another_bridge_is_a_clash(kind: str, regex: str, found: bool) -> None:
    entries = {"users": [], "aliases": [], kind: [{"exclusive": True, "regex": regex}]}
    wanted = [(f"namespaces.{kind}[0]", "registration.clash")] if found else []
    assert clashing(namespaces=entries) == wanted
    shared = {"users": [], "aliases": [], kind: [{"exclusive": False, "regex": regex}]}
    assert clashing(namespaces=shared) == []


def test_same_id_token_or_bot_of_another_bridge_is_a_clash() -> None:
    assert clashing() == []
    assert clashing(id=document()["id"]) == [("id", "registration.same")]
    assert clashing(as_token=document()["as_token"]) == [("as_token", "registration.same")]
    sender = f"ib_{'a' * 26}"
    assert clashing(sender_localpart=sender) == [("sender_localpart", "registration.clash_sender")]
