"""Routes as data: what is served, and what a caller must prove. A test walks the whole table (S4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Authentication(Enum):
    """What the handler of a route asks of its caller before anything else."""

    NONE = "none"
    """Public on purpose: the answer is not secret, and nothing changes."""
    HOMESERVER = "homeserver"
    """The homeserver's token (``hs_token``)."""
    NETWORK = "network"
    """A token signed by the network."""
    ADMIN = "admin"
    """The admin's secret."""


@dataclass(frozen=True)
class Route:
    """One route. ``method`` is ``*`` where the handler answers all of them."""

    method: str
    path: str
    handler: Handler
    authentication: Authentication


@dataclass(frozen=True)
class Listener:
    """One address and what is served there. ``port`` 0 lets the system choose.

    The first route that matches answers.
    """

    name: str
    host: str
    port: int
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Served:
    """A row of the table."""

    listener: str
    method: str
    path: str
    authentication: Authentication


def guarded(definitions: Iterable[web.RouteDef], authentication: Authentication) -> tuple[Route, ...]:
    """Routes another room made, all with the same proof; they check it themselves."""
    return tuple(
        Route(definition.method, definition.path, _as_handler(definition), authentication)
        for definition in definitions
    )


def table(listeners: Iterable[Listener]) -> tuple[Served, ...]:
    """Which route is on which listener, and what it asks of its caller."""
    return tuple(
        Served(listener.name, route.method, route.path, route.authentication)
        for listener in listeners
        for route in listener.routes
    )


def _as_handler(definition: web.RouteDef) -> Handler:
    handler = definition.handler
    if isinstance(handler, type):
        raise TypeError("routes are functions here")
    return handler
