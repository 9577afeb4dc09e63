"""A ghost whose profile cannot be set, or that exists already: its messages arrive, its name follows."""

from __future__ import annotations

import pytest

from bridge.errors import TryAgain
from bridge.ports import Step
from tests.sim.homeserver import Asked, nothing_refused
from tests.sim.whole import Whole


def away(asked: Asked) -> None:
    """The rule of a homeserver whose profiles cannot be written."""
    if asked.step is Step.PROFILE:
        raise TryAgain("profiles are away")


@pytest.mark.fault("F48")
async def test_profile_that_cannot_be_set_is_set_later(enlisted: Whole) -> None:
    enlisted.home.refuse = away
    await enlisted.hears("first words")
    await enlisted.passes(60.0)
    enlisted.home.refuse = nothing_refused
    await enlisted.passes(600.0)
    assert enlisted.home.texts(enlisted.portal) == ["first words"]
    assert enlisted.home.names[enlisted.home.ghost(enlisted.portal)].startswith("Anna")


@pytest.mark.fault("F48")
async def test_profile_that_cannot_be_set_holds_up_no_message(enlisted: Whole) -> None:
    enlisted.home.refuse = away
    await enlisted.hears("first words")
    await enlisted.passes(60.0)
    assert enlisted.home.texts(enlisted.portal) == ["first words"]
