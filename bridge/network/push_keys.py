"""The keys that sign push wake-ups: fetched from one pinned address, bounded, and cached (S10).

An unknown ``kid`` may mean a rotation, so it triggers a fetch. Anyone can invent one, so fetches are at least
a minute apart. A set that cannot be fetched or has no usable key leaves the last good one in place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bridge.errors import TryAgain
from bridge.ports import Clock, Step, Web

ALGORITHM = "RS256"
MAX_SET_BYTES = 64 * 1024
"""Ten keys of 8192 bits with their certificates are under 40 kB."""
MAX_KEYS = 10
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""Beyond it a single verification takes milliseconds, which a stranger could ask for again and again."""
MAX_EXPONENT = 2**32
MAX_KID_CHARACTERS = 256
FETCH_SECONDS = 10.0
BETWEEN_FETCHES_SECONDS = 60.0
STALE_SECONDS = 24 * 3600.0
"""After a day the set is fetched again even when every ``kid`` is known: a key may have been withdrawn."""

_log = structlog.get_logger(__name__)


class PushKeys:
    """The last usable key set."""

    def __init__(self, url: str, web: Web, clock: Clock) -> None:
        self._url = url
        self._web = web
        self._clock = clock
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def key(self, kid: str) -> RSAPublicKey | None:
        """The key of that name; None when the network has none."""
        if kid not in self._keys or self._is_stale():
            await self._refresh(kid)
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        if not self._may_fetch():
            return
        async with self._fetching:
            if not self._may_fetch() or (kid in self._keys and not self._is_stale()):
                return  # another caller just fetched
            self._tried_at = self._clock.monotonic()
            try:
                answer = await self._web.request(
                    "GET",
                    self._url,
                    step=Step.LOOK_UP,
                    max_bytes=MAX_SET_BYTES,
                    timeout=FETCH_SECONDS,
                )
            except TryAgain as error:
                _log.warning("push keys not fetched", error=type(error.__cause__ or error).__name__)
                return
            keys = read_set(answer.body) if answer.status == 200 else {}
            if not keys:
                _log.warning("push keys not usable", status=answer.status)
                return
            self._keys, self._fetched_at = keys, self._clock.monotonic()

    def _may_fetch(self) -> bool:
        if self._fetching.locked():
            return True  # wait for that fetch; checked again inside the lock
        last = self._tried_at
        return last is None or self._clock.monotonic() - last >= BETWEEN_FETCHES_SECONDS

    def _is_stale(self) -> bool:
        return self._fetched_at is not None and self._clock.monotonic() - self._fetched_at > STALE_SECONDS


def read_set(document: bytes) -> Mapping[str, RSAPublicKey]:
    """The usable keys of a JWK set by ``kid``; nothing when the document is none, or has too many keys.

    Usable: RSA of 2048 to 8192 bits, for signatures, for RS256, with a name of its own.
    """
    try:
        value = json.loads(document.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    listed = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        return {}
    found: dict[str, RSAPublicKey] = {}
    for entry in listed:
        key = _read_key(entry) if isinstance(entry, dict) else None
        if key is not None:
            if entry["kid"] in found:
                return {}
            found[entry["kid"]] = key
    return found


def _read_key(entry: Mapping[str, Any]) -> RSAPublicKey | None:
    kid = entry.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARACTERS:
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", ALGORITHM) != ALGORITHM:
        return None
    try:
        key = jwt.PyJWK(dict(entry), algorithm=ALGORITHM).key
    except (jwt.PyJWTError, TypeError, ValueError):
        return None
    if not isinstance(key, RSAPublicKey) or not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return None
    numbers = key.public_numbers()
    return key if numbers.e < MAX_EXPONENT and numbers.n % 2 else None
