"""Fetching a key set as a verifier does."""

from __future__ import annotations

from typing import Any

import aiohttp
import jwt


async def fetch_key_set(url: str) -> dict[str, Any]:
    """The keys of the set at ``url``, by ``kid``."""
    async with aiohttp.ClientSession() as web, web.get(url) as answer:
        assert answer.status == 200
        found = await answer.json()
    assert all("d" not in key for key in found["keys"])
    return {key["kid"]: jwt.PyJWK(key).key for key in found["keys"]}
