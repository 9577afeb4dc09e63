"""What a config says when it is right."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bridge.config import Level, example_text, load
from bridge.ids import UserId
from bridge.states import Custody
from tests.words.config_support import MINIMAL, OTHER, TOKEN, config


def test_five_fields_and_tokens_suffice() -> None:
    loaded = load(MINIMAL)
    assert loaded.warnings == ()
    assert loaded.config.network.custody is Custody.PERSONAL
    assert loaded.config.network.connection == "on-demand"
    assert loaded.config.database.url == "sqlite3-fk-wal:bridge.db"
    assert loaded.config.matrix.room_version == "11"
    assert loaded.config.matrix.delivery_receipts is True
    assert loaded.config.bot_user == "@interopbot:home.test"


def test_filled_in_example_is_valid() -> None:
    text = example_text()
    for placeholder, value in (
        ("/path/to/profile.yaml", "profile.yaml"),
        ("@admin:example.com", "@anna:home.test"),
        ("http://example.localhost:8008", "http://localhost:8008"),
        ("domain: example.com", "domain: home.test"),
        ("as_token: This value is generated when generating the registration", f"as_token: {TOKEN}"),
        ("hs_token: This value is generated when generating the registration", f"hs_token: {OTHER}"),
    ):
        assert text.count(placeholder) == 1
        text = text.replace(placeholder, value)
    assert load(text).config.model_dump() == config().model_dump()


def test_fresh_install_admits_only_the_admin() -> None:
    text = example_text().replace("@admin:example.com", "@anna:home.test")
    permissions = text.split("permissions:")[1].split("command_prefix")[0]
    assert [line.strip() for line in permissions.splitlines() if ":" in line] == ['"@anna:home.test": admin']
    rules = config()
    assert rules.permission_of(UserId("@anna:home.test")) is Level.ADMIN
    for stranger in ("@bea:home.test", "@anna:other.test", "@:home.test", ""):
        assert rules.permission_of(UserId(stranger)) is Level.BLOCK


def test_sections_of_other_bridges_are_accepted_with_one_warning() -> None:
    text = (
        MINIMAL
        + "analytics: {token: null, url: https://x}\nbackfill: {enabled: true}\ndirect_media: {a: 1}\n"
        + "provisioning: {shared_secret: generate, debug_endpoints: true}\n"
    )
    warnings = load(text).warnings
    assert len(warnings) == 1
    assert "analytics, direct_media, backfill, provisioning" in warnings[0].what


def test_keys_of_other_bridges_are_accepted_with_the_same_warning() -> None:
    text = (
        MINIMAL.replace("    domain", "    software: standard\n    domain") + "encryption: {pickle_key: x}\n"
    )
    warnings = load(text).warnings
    assert len(warnings) == 1
    assert not warnings[0].unknown_key
    assert "homeserver.software, encryption.pickle_key" in warnings[0].what


def test_former_keys_are_accepted_with_the_same_warning() -> None:
    text = MINIMAL + "matrix: {federate_rooms: true}\n"
    text = text.replace(
        "appservice:\n", "appservice:\n    ephemeral_events: true\n    bot: {avatar: mxc://a/b}\n"
    )
    (warning,) = load(text).warnings
    assert not warning.unknown_key
    for key in ("appservice.ephemeral_events", "appservice.bot.avatar", "matrix.federate_rooms"):
        assert key in warning.what


def test_key_without_a_value_counts_as_missing() -> None:
    assert load(MINIMAL + "logging:\ndatabase:\n    uri:\n").config.model_dump() == config().model_dump()


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("{type: sqlite3-fk-wal, uri: 'file:bridge.db?_txlock=immediate'}", "sqlite3-fk-wal:bridge.db"),
        ("{uri: 'file:/data/bridge.db'}", "sqlite3-fk-wal:/data/bridge.db"),
        ("{uri: bridge.db}", "sqlite3-fk-wal:bridge.db"),
        ("{type: postgres, uri: 'postgres://u:p@db/name'}", "postgres://u:p@db/name"),
    ],
)
def test_ecosystem_database_addresses_are_understood(section: str, url: str) -> None:
    assert config(MINIMAL + f"database: {section}\n").database.url == url


def test_config_is_immutable() -> None:
    with pytest.raises(ValidationError):
        config().homeserver.domain = "other.test"


def test_config_shows_no_secret() -> None:
    text = MINIMAL + "database: {type: postgres, uri: 'postgres://u:s3cret@db/name'}\n"
    shown = repr(config(text)) + str(config(text)) + config(text).model_dump_json()
    assert "nobody-may-read" not in shown
    assert "s3cret" not in shown


def test_double_puppet_token_is_chosen_by_domain() -> None:
    puppets = config(MINIMAL + 'double_puppet: {secrets: {home.test: "as_token:abc"}}\n').double_puppet
    assert puppets.token_for("home.test") == "abc"
    assert puppets.token_for("other.test") is None


def test_public_address_has_no_trailing_slash() -> None:
    assert config().public.url == "http://127.0.0.1:29318"
    assert config(MINIMAL + "public: {address: 'https://b.home.test/'}\n").public.url == "https://b.home.test"
