"""Whether a wake-up comes from the network: its token, checked by stricter rules than a library has (S8).

The published sample binds neither a person nor the body to its token, so a wake-up wakes and does nothing
else; ``Replays`` keeps one from counting twice (S9).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import jwt

from bridge.errors import BridgeError
from bridge.network.push_keys import ALGORITHM, MAX_KID_CHARACTERS, PushKeys
from bridge.ports import Clock
from bridge.profile import Push

MAX_TOKEN_BYTES = 8 * 1024
"""The published sample has 600."""
LEEWAY_SECONDS = 60.0
MAX_LIFE_SECONDS = 2 * 3600.0
"""The published sample lives one hour."""
LATEST_TIME = 2**40
"""Unix seconds; the year 36812. Keeps what follows from overflowing (and NaN out)."""
MAX_REPLAYS = 10_000
"""Two hours of a wake-up for each of thousands of accounts; 1 MB."""

KEYS_FROM_THE_TOKEN = frozenset({"jwk", "jku", "x5c", "x5u", "crit"})
"""Headers by which a token names its own key, or asks for rules we do not know. Nothing of them is used;
a token that has one was made to try us."""


class NotGenuine(BridgeError):
    """A token that does not prove what it should.

    ``why`` is one word for our log, of a form that it writes; never for the sender.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class PushTokens:
    """Verifies tokens by the pinned keys."""

    def __init__(self, push: Push, keys: PushKeys, clock: Clock) -> None:
        self._push = push
        self._keys = keys
        self._clock = clock

    async def verify(self, token: str) -> float:
        """When the token expires (unix seconds); ``NotGenuine`` when it is not the network's."""
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise NotGenuine("token-too-long")
        kid = _kid(token)
        key = await self._keys.key(kid)
        if key is None:
            raise NotGenuine("key-unknown")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._push.iss,
                audience=self._push.aud,
                options={
                    "require": ["iss", "aud", "exp", "iat"],
                    "strict_aud": True,
                    # Below, by our clock.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    # Claims of no use here, which must not make a genuine token fail.
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except (jwt.PyJWTError, RecursionError) as error:
            raise NotGenuine(type(error).__name__) from error
        return check_times(claims, self._clock.now())


def check_times(claims: Mapping[str, Any], now: float) -> float:
    """``exp``, when all times are numbers and fit each other and ``now``; ``NotGenuine`` otherwise."""
    issued, expires, begins = (_time(claims, name) for name in ("iat", "exp", "nbf"))
    if issued is None or expires is None:
        raise NotGenuine("time-missing")
    if not 0 < expires - issued <= MAX_LIFE_SECONDS:
        raise NotGenuine("life-too-long")
    if issued > now + LEEWAY_SECONDS or (begins is not None and begins > now + LEEWAY_SECONDS):
        raise NotGenuine("not-valid-yet")
    if expires <= now - LEEWAY_SECONDS:
        raise NotGenuine("expired")
    return expires


class Replays:
    """Which wake-ups came before, as digests, until their tokens expire. Bounded: the oldest go first.

    Forgetting one for lack of room costs one more wake-up of its account, nothing else.
    """

    def __init__(self, limit: int = MAX_REPLAYS) -> None:
        self._limit = limit
        self._seen: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def is_new(self, token: str, body: bytes, expires: float, now: float) -> bool:
        """Whether this token with this body is seen for the first time; it is remembered."""
        digest = hashlib.sha256(len(token).to_bytes(8, "big") + token.encode() + body).digest()
        if self._seen.get(digest, -math.inf) + LEEWAY_SECONDS > now:
            return False
        if len(self._seen) >= self._limit:
            self._make_room(now)
        self._seen[digest] = expires
        return True

    def _make_room(self, now: float) -> None:
        """Forget the expired ones, or else the tenth that came first, so that this is done rarely."""
        self._seen = {digest: end for digest, end in self._seen.items() if end + LEEWAY_SECONDS > now}
        if len(self._seen) >= self._limit:
            for digest in list(self._seen)[: max(self._limit // 10, 1)]:
                del self._seen[digest]


def _kid(token: str) -> str:
    """The name of the key, from a header that asks for nothing unusual."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError) as error:  # the latter for brackets nested a thousand deep
        raise NotGenuine("token-unreadable") from error
    if header.get("alg") != ALGORITHM:
        raise NotGenuine("other-algorithm")
    if KEYS_FROM_THE_TOKEN & header.keys():
        raise NotGenuine("own-key-or-rules")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARACTERS:
        raise NotGenuine("key-not-named")
    return kid


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST_TIME:
        raise NotGenuine("time-no-number")
    return float(value)
