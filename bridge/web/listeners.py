"""Opening and closing the listeners: one for the homeserver, one for the public, one for the admin."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from aiohttp import web

from bridge.errors import Misconfigured
from bridge.ports import Clock
from bridge.web.routes import Listener
from bridge.web.server_log import ServerLog

PORT_EXIT_CODE = 23
"""Exit code: a listener cannot be opened."""
CLOSE_SECONDS = 3.0
"""How long running requests may take to end; the whole bridge stops within eight seconds."""
MAX_WAITING_CONNECTIONS = 128


class Listeners:
    """The open ones. ``start`` opens all or none."""

    def __init__(self, listeners: Sequence[Listener], clock: Clock) -> None:
        self._log = ServerLog(clock)
        self._listeners = listeners
        self._runners: dict[str, web.AppRunner] = {}

    async def start(self) -> None:
        """Open every listener; ``Misconfigured`` (exit code 23) when one cannot be, and none stays open."""
        for listener in self._listeners:
            runner = _runner(listener, self._log)
            self._runners[listener.name] = runner
            await runner.setup()
            site = web.TCPSite(runner, listener.host, listener.port, backlog=MAX_WAITING_CONNECTIONS)
            try:
                await site.start()
            except OSError as error:
                await self.stop()
                raise _misconfigured(listener, error) from error

    async def stop(self) -> None:
        """Close every listener; running requests get a moment to end. Harmless when closed."""
        while self._runners:
            _, runner = self._runners.popitem()
            await runner.cleanup()

    def address(self, name: str) -> tuple[str, int]:
        """Where a listener is open: host and port. KeyError when it is not."""
        host, port = self._runners[name].addresses[0][:2]
        return host, port


def _runner(listener: Listener, log: ServerLog) -> web.AppRunner:
    # No middlewares: the route table says what each route asks of its caller.
    app = web.Application()
    app.on_response_prepare.append(_without_server_name)
    for route in listener.routes:
        app.router.add_route(route.method, route.path, route.handler)
    return web.AppRunner(
        app,
        logger=log,
        access_log=None,  # paths hold transaction and room ids
        auto_decompress=False,
        handle_signals=False,
        shutdown_timeout=CLOSE_SECONDS,
    )


async def _without_server_name(_request: web.Request, response: web.StreamResponse) -> None:
    """The versions of our parts are nobody's business."""
    response.headers["Server"] = "interop-bridge"


def _misconfigured(listener: Listener, error: OSError) -> Misconfigured:
    where = f"listener {listener.name}"
    if error.errno == errno.EADDRINUSE:
        what = f"port {listener.port} on {listener.host} is in use by another program."
        remedy = (
            f"Stop that program (ss -ltnp 'sport = :{listener.port}' names it), "
            "or choose another port in the config."
        )
    elif error.errno == errno.EACCES:
        what = f"port {listener.port} may not be opened by this user."
        remedy = "Choose a port from 1024 on in the config, and a reverse proxy before it."
    else:
        what = f"{listener.host} port {listener.port} cannot be opened ({error.strerror or 'unknown host'})."
        remedy = "Write an address of this machine as the hostname in the config; 127.0.0.1 is always one."
    return Misconfigured(where, what, remedy, exit_code=PORT_EXIT_CODE)
