"""Which sentence of the catalogue a body is, whatever fills its blanks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from bridge.sentences.english import ENGLISH
from tests.faults.checker import Says

_BLANK = re.compile(r"\{[^{}]*\}")
_WORTH: Mapping[str, Says] = {
    "outbound.waiting": Says.WAITING,
    "outbound.not_sent": Says.FAILED,
    "inbound.unreadable": Says.UNREADABLE,
}
"""What the checker calls the notices that it knows."""


@cache
def pattern(key: str) -> re.Pattern[str]:
    """What matches the whole body of a sentence."""
    return re.compile(".*".join(map(re.escape, _BLANK.split(ENGLISH[key]))), re.DOTALL)


def is_said(key: str, body: str) -> bool:
    """Whether a body is this sentence."""
    return pattern(key).fullmatch(body) is not None


def worth(body: str) -> Says:
    """What a notice is for the checker. A failure of which nobody knows whether it is one says so inside."""
    found = next((says for key, says in _WORTH.items() if is_said(key, body)), Says.OTHER)
    unsure = ENGLISH["outbound.unsure"].partition("{")[0]
    return Says.UNSURE if found is Says.FAILED and unsure in body else found
