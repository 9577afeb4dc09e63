"""Writing tokens back into a config keeps everything else as it was."""

from __future__ import annotations

import pytest

from bridge.config import example_text, write_back
from bridge.errors import Misconfigured

AS = ("appservice", "as_token")
HS = ("appservice", "hs_token")
PUPPET = ("double_puppet", "secrets", "home.test")


def test_only_the_lines_of_the_values_change() -> None:
    before = example_text()
    after = write_back(before, {AS: "A" * 64, HS: "B" * 64, PUPPET: "as_token:C"})
    changed = [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert changed == [
        f'    as_token: "{"A" * 64}"',
        f'    hs_token: "{"B" * 64}"',
        '    secrets: {home.test: "as_token:C"}',
    ]


def test_writing_twice_replaces_the_value() -> None:
    once = write_back(example_text(), {AS: "A" * 64})
    assert write_back(once, {AS: "B" * 64}) == once.replace("A" * 64, "B" * 64)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'appservice:\n    as_token: "A"\n'),
        ("b: 1", 'b: 1\nappservice:\n    as_token: "A"\n'),
        ("appservice:\nb: 1\n", 'appservice:\n    as_token: "A"\nb: 1\n'),
        ("appservice:", 'appservice:\n    as_token: "A"\n'),
        ("appservice: {id: x} # c\n", 'appservice: {as_token: "A", id: x} # c\n'),
        ("appservice:\n  # c\n  id: x # d\n", 'appservice:\n  # c\n  as_token: "A"\n  id: x # d\n'),
        ("appservice:\n  as_token: # c\n  id: x\n", 'appservice:\n  as_token: "A" # c\n  id: x\n'),
        ("appservice:\n  as_token: 'o: #' # c\n", 'appservice:\n  as_token: "A" # c\n'),
        ("appservice: {as_token: '', id: x}\n", 'appservice: {as_token: "A", id: x}\n'),
        ("# ä\nappservice:\r\n  as_token: x\r\n", '# ä\nappservice:\r\n  as_token: "A"\r\n'),
    ],
)
def test_value_is_written_in_its_place(before: str, after: str) -> None:
    assert write_back(before, {AS: "A"}) == after


def test_domain_with_a_port_is_a_key() -> None:
    text = write_back("", {("double_puppet", "secrets", "[::1]:8448"): "as_token:C"})
    assert text == 'double_puppet:\n    secrets:\n        "[::1]:8448": "as_token:C"\n'


@pytest.mark.parametrize("text", ["appservice:\n- a\n", "appservice: x\n", "x: &a {id: 1}\nappservice: *a\n"])
def test_file_that_would_change_elsewhere_is_not_written(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        write_back(text, {AS: "secret-A"})
    assert caught.value.exit_code == 22
    assert "secret-A" not in str(caught.value)
