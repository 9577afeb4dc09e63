"""``check``: every finding a sentence with its remedy; unknown keys are errors here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import PROFILE, Terminal, filled_in, terminal

__all__ = ["terminal"]


@pytest.fixture
def ready(terminal: Terminal) -> Terminal:
    """A folder with a config and registration that fit."""
    filled_in()
    assert terminal("-g").code == 0
    return terminal


def _change(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def test_sound_setup_prints_ok_lines(ready: Terminal) -> None:
    ended = ready("check")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["OK"] * 6


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "words"),
    [
        ("config.yaml", "    domain:", "    adress: x\n    domain:", 11, "Did you mean homeserver.address?"),
        ("config.yaml", "port: 29317", "port: many", 11, "appservice.port (config.yaml line"),
        ("config.yaml", "bridge:", "bridge: [", 10, "config.yaml line"),
        ("config.yaml", "connection: on-demand", "connection: always", 11, "allows only on-demand"),
        ("config.yaml", str(PROFILE), "gone.yaml", 11, "gone.yaml cannot be read"),
        ("config.yaml", str(PROFILE), "passwd", 10, "Write the path of your network's profile"),
        ("config.yaml", "    id: interop", "    id: other", 11, "registration.yaml id"),
        ("registration.yaml", "rate_limited: false", "rate_limited: true", 11, "rate_limited"),
        ("registration.yaml", "@ib_", "@.*", 11, "registration.yaml namespaces"),
        ("registration.yaml", "id:", "- id:", 11, "cannot be read"),
    ],
)  # fmt: skip
def test_finding_has_a_remedy(ready: Terminal, file: str, old: str, new: str, code: int, words: str) -> None:
    Path("passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    _change(file, old, new)
    ended = ready("check")
    assert ended.code == code
    assert any(line.startswith("ERROR") and words in line for line in ended.out.splitlines())
    assert ended.err == ""


def test_open_file_modes_are_found(ready: Terminal) -> None:
    Path("config.yaml").chmod(0o644)
    Path("master.key").write_text("0" * 64)
    Path("master.key").chmod(0o640)
    ended = ready("check")
    assert ended.code == 11
    assert "chmod 600 config.yaml" in ended.out
    assert "chmod 600 master.key" in ended.out


def test_world_readable_secret_file_is_a_warning(ready: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    token = next(
        line.split('"')[1]
        for line in Path("registration.yaml").read_text().splitlines()
        if "as_token" in line
    )
    Path("token").write_text(token)
    _change("config.yaml", 'env_config_prefix: ""', "env_config_prefix: IB_")
    monkeypatch.setenv("IB_APPSERVICE__AS_TOKEN_FILE", "token")
    for mode, count in ((0o644, 1), (0o600, 0)):
        Path("token").chmod(mode)
        ended = ready("check")
        assert ended.code == 0
        assert ended.out.count("WARNING  token: IB_APPSERVICE__AS_TOKEN_FILE reads a secret") == count
        assert token not in ended.out


def test_missing_registration_is_a_warning(ready: Terminal) -> None:
    Path("registration.yaml").unlink()
    ended = ready("check")
    assert ended.code == 0
    assert "WARNING" in ended.out


def test_json_output_has_the_same_findings(ready: Terminal) -> None:
    assert json.loads(ready("check", "--json").out) == {"ok": True, "findings": []}
    _change("config.yaml", "    domain:", "    adress: x\n    domain:")
    ended = ready("check", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["ok"], len(found["findings"])) == (11, False, 1)
    assert found["findings"][0]["path"] == "homeserver.adress"
    assert found["findings"][0]["remedy"] == "Did you mean homeserver.address?"


def test_no_secret_is_shown(ready: Terminal) -> None:
    tokens = [
        line.split('"')[1] for line in Path("registration.yaml").read_text().splitlines() if "_token" in line
    ]
    _change("registration.yaml", tokens[0], tokens[1])
    for ended in (ready("check"), ready("check", "--json")):
        assert ended.code == 11
        assert not any(token in ended.out + ended.err for token in tokens)


def test_file_flags_work_before_and_after_the_verb(ready: Terminal) -> None:
    Path("config.yaml").rename("c.yaml")
    Path("registration.yaml").rename("r.yaml")
    assert ready("-c", "c.yaml", "-r", "r.yaml", "check").code == 0
    assert ready("check", "-c", "c.yaml", "-r", "r.yaml").code == 0


def test_clashing_registration_is_named(ready: Terminal) -> None:
    Path("c2.yaml").write_text(Path("config.yaml").read_text().replace("id: interop", "id: second"))
    Path("c2.yaml").chmod(0o600)
    assert ready("-c", "c2.yaml", "-r", "second.yaml", "-g").code == 0
    ended = ready("check", "registration.yaml", "second.yaml")
    assert ended.code == 11
    clashes = [line for line in ended.out.splitlines() if line.startswith("ERROR")]
    assert [line.split(":")[0] for line in clashes] == [
        "ERROR    second.yaml namespaces.users[0]",
        "ERROR    second.yaml namespaces.users[1]",
        "ERROR    second.yaml namespaces.aliases[0]",
    ]
    assert "@interopbot:home.test" in clashes[0]


def test_two_bridges_with_own_prefixes_do_not_clash(ready: Terminal) -> None:
    text = Path("config.yaml").read_text().replace("id: interop", "id: second")
    text = text.replace("username: interopbot", "username: secondbot").replace("ib_{{.}}", "ib2_{{.}}")
    Path("c2.yaml").write_text(text)
    Path("c2.yaml").chmod(0o600)
    assert ready("-c", "c2.yaml", "-r", "second.yaml", "-g").code == 0
    assert ready("check", "second.yaml").code == 0
    assert ready("-c", "c2.yaml", "-r", "second.yaml", "check", "registration.yaml").code == 0


@pytest.mark.parametrize("text", ["[]", "- 1: [", "gone"])
def test_unreadable_other_registration_is_named(ready: Terminal, text: str) -> None:
    if text != "gone":
        Path("other.yaml").write_text(text)
    ended = ready("check", "other.yaml")
    assert ended.code == 11
    assert "ERROR    other.yaml: it cannot be read" in ended.out
