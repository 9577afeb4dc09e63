"""HTTP calls to the network's servers: no redirects, no proxies from the environment, bounded answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from bridge.errors import TryAgain
from bridge.http_bodies import AnswerRefused, read_answer
from bridge.ports import Step, WebAnswer


class WebClient:
    """The real form of the ``Web`` port. Make it inside the running loop; ``close`` it at the end."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={"Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        step: Step,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int,
        timeout: float,
    ) -> WebAnswer:
        """One call; ``TryAgain`` when no whole answer of at most ``max_bytes`` came in ``timeout`` seconds.

        The names of the answer's headers are in lower case; a redirect is an answer like any other.
        """
        try:
            async with (
                asyncio.timeout(timeout),
                self._session.request(
                    method, url, headers=headers, data=body, allow_redirects=False
                ) as answer,
            ):
                names = {name.lower(): value for name, value in answer.headers.items()}
                return WebAnswer(answer.status, names, await read_answer(answer, max_bytes))
        except AnswerRefused as error:
            raise TryAgain(f"{step.value}: {error}") from None
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise TryAgain(f"{step.value}: {type(error).__name__}") from error
