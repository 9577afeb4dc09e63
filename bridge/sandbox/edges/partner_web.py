"""HTTP: the enlistment call, the network's key set, and calls to the partner."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

from bridge.errors import TryAgain
from bridge.ports import Clock, Step, Web
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.rules.accounts import push
from bridge.sandbox.rules.accounts.partner_keys import MAX_JWKS_BYTES
from bridge.sandbox.rules.outputs import FetchKeys, WakeUp

MAX_FORM_BYTES = 16 * 1024
"""A token of 4 kB, some 500 bytes of keys, and field names."""
MAX_ANSWER_BYTES = 64 * 1024
CALL_SECONDS = 10.0


class Partner:
    """Calls to the partner's listener: key set and wake-ups."""

    def __init__(self, gatekeeper: Gatekeeper, client: Web, clock: Clock) -> None:
        self._gatekeeper, self._client, self._clock = gatekeeper, client, clock

    async def call(self, output: FetchKeys | WakeUp) -> None:
        """Make the call; a missing answer is noted."""
        if isinstance(output, FetchKeys):
            await self._fetch(output)
        else:
            await self._wake(output)

    async def _fetch(self, output: FetchKeys) -> None:
        document: bytes | None = None
        try:
            answer = await self._client.request(
                "GET", output.url, step=Step.FETCH_KEYS, max_bytes=MAX_JWKS_BYTES, timeout=CALL_SECONDS
            )
            document = answer.body if answer.status == 200 else None
        except TryAgain:
            document = None
        self._gatekeeper.keys_fetched(output.integrator, document, self._clock.now())

    async def _wake(self, output: WakeUp) -> None:
        status: int | None = None
        headers = {"Content-Type": "application/json"}
        if output.token:
            headers["Authorization"] = f"Bearer {output.token}"
        try:
            answer = await self._client.request(
                "POST",
                output.url,
                step=Step.SEND,
                headers=headers,
                body=output.body,
                max_bytes=MAX_ANSWER_BYTES,
                timeout=CALL_SECONDS,
            )
            status = answer.status
        except TryAgain:
            status = 0
        for entry in reversed(self._gatekeeper.state.log.pushes):
            if entry["order"] == output.number:
                entry["status"] = status
                break


def application(
    gatekeeper: Gatekeeper, partner: Partner, clock: Clock, perform: Callable[[], None]
) -> web.Application:
    """The routes that a partner calls, at the paths of the profile.

    ``perform`` carries out the rules' outputs.
    """

    async def enlist(request: web.Request) -> web.Response:
        form = await request.post()
        arguments = {name: [str(value) for value in form.getall(name)] for name in form}
        reply = gatekeeper.enlist(arguments, clock.now(), may_fetch=True)
        if isinstance(reply, FetchKeys):
            await partner.call(reply)
            reply = gatekeeper.enlist(arguments, clock.now(), may_fetch=False)
        perform()
        return web.json_response(reply)

    async def key_set(_request: web.Request) -> web.Response:
        body = json.dumps(push.key_set(gatekeeper.state.push))
        return web.Response(text=body, content_type="application/json")

    made = web.Application(client_max_size=MAX_FORM_BYTES)
    made.router.add_post(urlsplit(gatekeeper.state.profile.enlist.url).path, enlist)
    made.router.add_get(urlsplit(gatekeeper.state.profile.push.jwks).path, key_set)
    return made
