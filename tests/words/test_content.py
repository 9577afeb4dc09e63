"""A message is never empty and never from nobody."""

from __future__ import annotations

import dataclasses

import pytest

from bridge.content import Content, Provenance, Text


def test_message_has_at_least_one_part() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        Content("id", "sender", 0, ())


@pytest.mark.parametrize(("id", "sender"), [("", "sender"), ("id", "")])
def test_message_has_an_id_and_a_sender(id: str, sender: str) -> None:
    with pytest.raises(ValueError, match="an id and a sender"):
        Content(id, sender, 0, (Text("hello"),))


def test_message_is_immutable() -> None:
    message = Content("id", "sender", 0, (Text("hello"),))
    assert message.provenance is Provenance.ORIGINAL
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.sent_at = 1  # type: ignore[misc]
