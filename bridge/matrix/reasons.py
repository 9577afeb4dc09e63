"""Why a homeserver does not answer, in words for the admin who wrote its address."""

from __future__ import annotations

import os

import aiohttp

from bridge.errors import TryAgain
from bridge.matrix.http import TIMEOUT_SECONDS

MAX_CHARACTERS = 80


def reason_of(error: TryAgain) -> str:
    """A few plain words; nothing of what the homeserver wrote but a Matrix error code."""
    cause = error.__cause__
    if cause is None:
        return _plain(str(error).rpartition(": ")[2])
    if isinstance(cause, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "no TLS, or none that is trusted"
    if isinstance(cause, TimeoutError):
        return f"nothing came in {TIMEOUT_SECONDS:g} s"
    words = _system_words(cause.os_error if isinstance(cause, aiohttp.ClientConnectorError) else cause)
    return _plain(words.lower()) if words else type(cause).__name__


def _system_words(error: BaseException) -> str | None:
    if not isinstance(error, OSError):
        return None
    # A number below zero is of the name's resolution, and the system's table has no word for it.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror


def _plain(words: str) -> str:
    return "".join(each for each in words if each.isascii() and each.isprintable())[:MAX_CHARACTERS]
