"""What a config says when it is wrong: file, line, value seen, what to write, exit code."""

from __future__ import annotations

import pytest

from bridge.config import OPERATOR_ACKNOWLEDGEMENT, Purpose, Severity, example_text, load
from bridge.errors import Misconfigured
from tests.words.config_support import MINIMAL, OTHER, TOKEN, config, refusal, seen

SECRET = "hush-hush"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("network: [\n", 2),
        ("network:\n\tprofile: x\n", 2),
        ("network:\n    profile: a\n    profile: b\n", 3),
        ("- a\n", 1),
        ("just text\n", 1),
        ("network:\n    profile: 'open\n", 3),
        ("[" * 3_000, 0),
        ("a: " + "{a: " * 3_000, 0),
        ("network: !!python/object:os.system {}\n", 1),
    ],
)
def test_invalid_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    error = refusal(text)
    assert error.exit_code == 10
    assert error.where.startswith(f"config.yaml line {line}" if line else "config.yaml")


@pytest.mark.parametrize(
    "text",
    [
        f"appservice:\n    as_token: {SECRET}\n    as_token: {SECRET}2\n",
        f"appservice:\n    as_token: *{SECRET}\n",
        f"appservice:\n    as_token: !{SECRET} x\n",
        f"appservice:\n    as_token: @{SECRET}\n",
        f"appservice:\n    as_token: [{SECRET}\n",
        f"appservice: {{as_token: {SECRET}: x}}\n",
        f"appservice:\n    as_token: [{SECRET}]\n",
        f"appservice:\n    as_token: {{a: {SECRET}}}\n",
        f"appservice: {SECRET}\n",
        f"database: {SECRET}\n",
        f"double_puppet: {{secrets: {{home.test: {SECRET}}}}}\n",
        f"double_puppet: {{secrets: [{SECRET}]}}\n",
        f"provisioning: {{shared_secret: {SECRET}}}\n",
        f"provisioning: {SECRET}\n",
        f"bridge: {{master_key: {SECRET}}}\n",
        f"database: {{type: postgres, uri: 'mysql://u:{SECRET}@h/d'}}\n",
        f"database: {{uri: 'postgres://u:{SECRET}@h/d'}}\n",
        f"homeserver: {{address: 'http://u:{SECRET}@:x'}}\n",
    ],
)
def test_no_message_shows_a_secret(text: str) -> None:
    try:
        said = " ".join(f.sentence for f in seen(text).findings)
    except Misconfigured as error:
        said = str(error)
    assert said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("domain: home.test", "domain: https://home.test", "homeserver.domain@8", "name only"),
        ("http://localhost:8008", "http://a b", "homeserver.address@7", "'http://a b' is not an address"),
        ("http://localhost:8008", "http://a:8008/_matrix", "homeserver.address@7", "Write http://a:8008:"),
        ("http://localhost:8008", "http://a/?x", "homeserver.address@7", "Write http://a:"),
        ("permissions", "command_prefix: a b\n    permissions", "bridge.command_prefix@4", "a single word"),
        ("    as_token", "    port: true\n    as_token", "appservice.port@11", "true is not a whole number"),
        ("http://localhost:8008", "localhost:8008", "homeserver.address@7", "http://host:port"),
        ("http://localhost:29317", "''", "appservice.address@10", "it is not set"),
        ("profile: profile.yaml", "profile: ''", "network.profile@2", "it is not set"),
        ("profile: profile.yaml", "custody: shared", "network.custody@2", "'shared' is not a known value"),
        ("profile: profile.yaml", "connection: 5", "network.connection@2", "on-demand or always"),
        ("    as_token", "    port: http\n    as_token", "appservice.port@11", "'http'"),
        ("    as_token", "    port: 0\n    as_token", "appservice.port@11", "at least 1"),
        ("    as_token", "    port: 65536\n    as_token", "appservice.port@11", "at most 65535"),
        ("    as_token", "    bot: x\n    as_token", "appservice.bot@11", "Write its keys below"),
        ("    as_token", "    bot: {username: ib_b}\n    as_token", "appservice.bot.username", "of a ghost"),
        ("    as_token", "    bot: {username: Bot}\n    as_token", "appservice.bot.username", "a user name"),
        ("    as_token", "    username_template: x\n    as_token", "appservice.username_template", "ib_{{"),
        (f"hs_token: {OTHER}", f"hs_token: {TOKEN}", "appservice.hs_token@12", "the same"),
        (f"hs_token: {OTHER}", "hs_token: short", "appservice.hs_token@12", "too short"),
        (f"hs_token: {OTHER}", "hs_token: ääääääääääääääääääää", "appservice.hs_token", "unusual characters"),
        ("    hs_token", "    no_token", "appservice.hs_token@9", "interop-bridge -g"),
    ],
)  # fmt: skip
def test_wrong_value_is_named_with_line_and_remedy(old: str, new: str, where: str, words: str) -> None:
    assert MINIMAL.count(old) == 1
    error = refusal(MINIMAL.replace(old, new))
    assert error.exit_code == 11
    path, _, line = where.partition("@")
    assert error.where.startswith(f"{path} (config.yaml line {line}")
    assert words in str(error)


@pytest.mark.parametrize(
    ("section", "words", "code"),
    [
        ("database: {type: sqlite3}", "sqlite3-fk-wal", 14),
        ("database: {type: mysql}", "sqlite3-fk-wal", 14),
        ("database: {uri: 'postgres://u:p@h/d'}", "this is not a file", 14),
        ("database: {uri: 'file:?x=1'}", "this is not a file", 14),
        ("database: {uri: ':memory:'}", "database in memory", 14),
        ("database: {uri: 'file::memory:?cache=shared'}", "database in memory", 14),
        ("database: {uri: 'file:b.db?mode=memory'}", "Write the name of a file: file:bridge.db", 14),
        ("database: {uri: 'file:b.db?mode=ro'}", "cannot work with mode='ro'", 14),
        ("database: {type: postgres, uri: 'postgres://u:p@h:port/d'}", "not a port from 1 to 65535", 11),
        ("database: {type: postgres, uri: 'postgres://u:p@h:65536/d'}", "not a port from 1 to 65535", 11),
        ("database: {type: postgres, uri: 'postgres://u:a/b@h/d'}", "write / as %2F", 11),
        ("database: {type: postgres, uri: 'postgres://h/d?sslmode=yes'}", "has no such sslmode", 11),
        ("database: {max_open_conns: true}", "true is not a whole number", 11),
        ("database: {type: postgres}", "not a postgres:// address", 11),
        ("database: {type: postgres, uri: 'postgres://user:password@host/database'}", "example's", 11),
        ("database: {max_open_conns: 0}", "at least 1", 11),
        ("public: {port: 29317}", "appservice.port as well", 11),
        ("admin: {port: 29318}", "public.port as well", 11),
        ("public: {address: bridge.home.test}", "is not an address", 11),
        ("bridge2: {}\nmatrix: {delivery_receipts: maybe}", "neither true nor false", 11),
        ("matrix: []", "a list is in the place of a section", 11),
        ("logging: {min_level: loud}", "'loud' is not a known value", 11),
        ("logging: {writers: stdout}", "in the place of a list", 11),
        ("encryption: {require: true}", "cannot encrypt", 11),
        ("double_puppet: {secrets: {home.test: abc}}", "as_token:", 11),
    ],
)  # fmt: skip
def test_wrong_section_is_refused(section: str, words: str, code: int) -> None:
    error = refusal(MINIMAL + section + "\n")
    assert words in str(error)
    assert error.exit_code == code


def test_all_errors_are_found_and_the_first_ends_the_start() -> None:
    text = MINIMAL.replace("home.test\n", "example.com\n").replace("profile.yaml", "''")
    assert {f.path for f in seen(text).errors} == {"network.profile", "homeserver.domain"}
    assert "1 more" in str(refusal(text))


def test_untouched_example_is_refused_for_each_placeholder() -> None:
    assert {f.path for f in seen(example_text()).errors} == {
        "network.profile", "bridge.permissions", "homeserver.address", "homeserver.domain",
        "appservice.as_token", "appservice.hs_token",
    }  # fmt: skip


def test_registration_needs_only_the_domain() -> None:
    generating = Purpose(generating=True)
    assert refusal(example_text(), purpose=generating).exit_code == 20
    filled = example_text().replace("domain: example.com", "domain: home.test")
    assert load(filled, purpose=generating).config.homeserver.domain == "home.test"


def test_unknown_key_is_a_warning_with_the_nearest_name() -> None:
    text = MINIMAL.replace("    domain", "    adress: x\n    domain") + "homserver: {}\npublic: {domain: x}\n"
    warnings = load(text).warnings
    assert [(w.path, w.unknown_key, w.severity) for w in warnings] == [
        ("homeserver.adress", True, Severity.WARNING),
        ("homserver", True, Severity.WARNING),
        ("public.domain", True, Severity.WARNING),
    ]
    assert [w.remedy for w in warnings] == [
        "Did you mean homeserver.address?",
        "Did you mean homeserver?",
        "Did you mean homeserver.domain?",
    ]
    assert warnings[0].where == "config.yaml line 8"


def test_operator_custody_needs_the_exact_acknowledgement() -> None:
    operator = MINIMAL.replace("    profile", "    custody: operator\n    profile")
    assert OPERATOR_ACKNOWLEDGEMENT in str(refusal(operator))
    almost = OPERATOR_ACKNOWLEDGEMENT.replace("can", "could")
    key = "    operator_acknowledgement: "
    assert refusal(operator.replace("    profile", f'{key}"{almost}"\n    profile')).exit_code == 11
    said = operator.replace("    profile", f'{key}"{OPERATOR_ACKNOWLEDGEMENT}"\n    profile')
    assert config(said).network.custody.value == "operator"


def test_example_quotes_the_acknowledgement() -> None:
    assert f'"{OPERATOR_ACKNOWLEDGEMENT}"' in example_text()


def test_several_users_under_personal_custody_are_a_warning() -> None:
    text = MINIMAL.replace("permissions:\n", "permissions:\n        home.test: user\n")
    (found,) = load(text).warnings
    assert "only the first can opt in" in found.what


@pytest.mark.parametrize(
    "uri",
    [
        "postgres://h/d",
        "postgresql://u:p@[::1]:5432/d?sslmode=verify-full",
        "postgres://u@a:1,b:65535/d",
        "postgres:///d",
    ],
)
def test_postgresql_address_may_have_all_forms(uri: str) -> None:
    assert config(MINIMAL + f"database: {{type: postgres, uri: '{uri}'}}\n").database.url == uri


@pytest.mark.parametrize("uri", ["file:b.db?mode=rwc&_txlock=immediate", "b.db", "file:/a/memory.db"])
def test_sqlite_file_may_be_named_as_other_bridges_do(uri: str) -> None:
    assert config(MINIMAL + f"database: {{uri: '{uri}'}}\n").database.url.endswith(".db")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("http://localhost:8008", "http://localhost/synapse", "Write http://localhost unless yours is."),
        ("bridge:\n", "matrix: {room_version: 99}\nbridge:\n", "Write one of 1, 2,"),
    ],
)
def test_unlikely_value_is_a_warning(old: str, new: str, words: str) -> None:
    (found,) = load(MINIMAL.replace(old, new)).warnings
    assert words in found.remedy


def test_healthcheck_needs_no_domain() -> None:
    assert load(MINIMAL, purpose=Purpose(looking=True)).config.appservice.port == 29317
    assert refusal(example_text(), purpose=Purpose(looking=True)).exit_code == 11


@pytest.mark.parametrize(
    "template", ["x{{.}}", "X_{{.}}", "x_{{.}}y", ".*_{{.}}", "_{{.}}", "x" * 32 + "_{{.}}"]
)
def test_username_template_without_a_prefix_is_refused(template: str) -> None:
    found = refusal(with_template(template))
    assert found.where.startswith("appservice.username_template")
    assert repr(template) in found.what


@pytest.mark.parametrize("prefix", ["ib2_", "interop-anna_", "x.", "a-"])
def test_username_template_gives_the_ghost_prefix(prefix: str) -> None:
    assert config(with_template(prefix + "{{.}}")).appservice.ghost_prefix == prefix


def test_bot_name_with_the_ghost_prefix_is_refused() -> None:
    text = with_template("x_{{.}}").replace("    as_token", "    bot: {username: x_bot}\n    as_token")
    assert "would also be the name of a ghost" in refusal(text).what


def with_template(template: str) -> str:
    return MINIMAL.replace("    as_token", f"    username_template: '{template}'\n    as_token")
