"""Who may do how much."""

from __future__ import annotations

import pytest

from bridge.config import Level, load
from bridge.ids import UserId
from tests.words.config_support import MINIMAL, config, refusal


def _with(permissions: str) -> str:
    return MINIMAL.replace('        "@anna:home.test": admin\n', f"        {permissions}\n").replace(
        "permissions:\n        {", "permissions: {"
    )


@pytest.mark.parametrize(
    ("user", "level"),
    [
        ("@anna:home.test", Level.ADMIN),
        ("@bea:home.test", Level.USER),
        ("@carl:home.test", Level.BLOCK),
        ("@dora:other.test", Level.RELAY),
        ("@eve:home.test:8448", Level.RELAY),
        ("@eve:HOME.test", Level.RELAY),
        ("home.test", Level.RELAY),
        ("", Level.RELAY),
    ],
)
def test_most_specific_rule_wins(user: str, level: Level) -> None:
    rules = '{"*": relay, home.test: user, "@anna:home.test": admin, "@carl:home.test": block}'
    assert config(_with(rules)).permission_of(UserId(user)) is level


@pytest.mark.parametrize(
    ("abilities", "level"),
    [
        ("{}", Level.BLOCK),
        ("{send_events: true}", Level.RELAY),
        ("{send_events: true, commands: true}", Level.COMMANDS),
        ("{send_events: true, commands: true, login: true, max_logins: 2}", Level.USER),
        ("{send_events: true, commands: true, login: true, double_puppet: true, admin: true}", Level.ADMIN),
        ("{admin: true}", Level.BLOCK),
        ("{send_events: true, commands: false, login: true}", Level.RELAY),
    ],
)
def test_ability_map_stops_at_the_first_withheld_ability(abilities: str, level: Level) -> None:
    rules = _with('{"@anna:home.test": admin, "@bea:home.test": ABILITIES}'.replace("ABILITIES", abilities))
    assert config(rules).permission_of(UserId("@bea:home.test")) is level


@pytest.mark.parametrize(
    ("permissions", "words"),
    [
        ('{"@bea:home.test": king}', "is 'king'. Write one of block, relay, commands, user, admin"),
        ('{"@bea": user}', "names no user or domain. Write *, a domain, or a user"),
        ('{"@bea:home.test": {fly: true}}', "Known are admin, commands"),
        (
            '{"@bea:home.test": {login: "yes"}}',
            "login in the map of @bea:home.test is 'yes'. Write true or false",
        ),
        ("[a]", "it is not a section. Write one line for each user"),
        ('{"@admin:example.com": admin}', "nothing but the example"),
        ('{"*": relay, example.com: user}', "nothing but the example"),
        ('{"*": relay}', "permissions (config.yaml line 4): nobody may log in"),
        ('{"*": admin}', "line 4): everybody on every homeserver"),
        ('{"@bea:home.test": 100}', "the level of @bea:home.test is 100. Write one of"),
        ("{bea: admin}", "Write '@bea:home.test' if a person is meant"),
        ('{"@bea:home.test": relay}', "nobody may log in"),
        ('{"*": admin, "@bea:home.test": admin}', "everybody on every homeserver"),
    ],
)
def test_wrong_permissions_are_refused_with_a_remedy(permissions: str, words: str) -> None:
    error = refusal(_with(permissions).replace("permissions:\n        [", "permissions: ["))
    assert error.exit_code == 11
    assert words in str(error)
    assert "config.yaml line 4" in error.where


@pytest.mark.parametrize(
    ("permissions", "is_warned"),
    [
        ('{"@anna:other.test": admin}', True),
        ('{"@anna:other.home.test": admin}', True),
        ('{"@anna:other.test": admin, "@bea:home.test": relay}', True),
        ('{"@anna:other.test": admin, "@bea:home.test": user}', False),
        ("{home.test: user}", False),
        ('{"*": user}', False),
    ],
)
def test_access_for_nobody_of_the_homeserver_is_a_warning(permissions: str, is_warned: bool) -> None:
    said = [w.what for w in load(_with(permissions)).warnings]
    assert any("nobody of home.test may log in" in what for what in said) is is_warned


def test_homeserver_name_without_a_dot_is_a_domain() -> None:
    text = _with("{synapse: user}").replace("domain: home.test", "domain: synapse")
    assert config(text).permission_of(UserId("@anna:synapse")) is Level.USER
