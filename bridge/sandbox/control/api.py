"""The control API for tests and demos: loopback, one bearer token, JSON.

    GET    /                         time, accounts, people, armed faults
    GET    /changes?after=N&timeout=S   waits for a change after number N: {"change"}
    GET    /log[?after=N]            the logs (see ``rules.log``)
    POST   /clock                    {"advance"} or {"offset"} in seconds -> {"offset", "now"}
    PATCH  /registry                 {"blocked", "not_eligible", "minimum_version", "partner_registered"}
    GET    /faults, POST /faults     {"kind", "account"?, "times"?, "parameters"?} -> {"number"}
    DELETE /faults, /faults/{number}
    POST   /accounts/{member}/actions/{action}   parameters of ``rules.actions``
    ...    /people...                see ``people`` and ``external_people``

Members are named by JID, or by their identifier when it is unique. Errors are
``{"error"}`` with 400, 401, 404 or 409.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from bridge.ports import Clock
from bridge.sandbox.control import external_people, people
from bridge.sandbox.control.request import member, read_body, refuse
from bridge.sandbox.edges.folder import Folder
from bridge.sandbox.gatekeeper import Gatekeeper, UnknownPerson
from bridge.sandbox.rules import actions
from bridge.sandbox.rules.accounts.partner_keys import PartnerKeys
from bridge.sandbox.rules.accounts.registry import Account
from bridge.sandbox.rules.faults import Fault, Kind
from bridge.sandbox.rules.state import State

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_WAIT_SECONDS = 30.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Changes:
    """A counter of changes that a test can wait on instead of sleeping."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def happened(self) -> None:
        """Count a change and wake those who wait."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, after: int) -> None:
        """Return as soon as ``count`` is above ``after``."""
        while self.count <= after:
            await self._event.wait()


@dataclass(frozen=True)
class Control:
    """What the handlers share. ``perform`` carries out the rules' outputs."""

    gatekeeper: Gatekeeper
    clock: Clock
    folder: Folder
    changes: Changes
    perform: Callable[[], None]

    @property
    def state(self) -> State:
        """The network's state."""
        return self.gatekeeper.state

    def settle(self) -> float:
        """Finish what a handler started; the time."""
        now = self.clock.now()
        self.gatekeeper.settle(now)
        self.perform()
        return now


def application(control: Control, token: str) -> web.Application:
    """All routes behind the token."""
    made = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guard(token)])
    routes = made.router
    routes.add_get("/", _bound(control, _show))
    routes.add_get("/changes", _bound(control, _changes))
    routes.add_get("/log", _bound(control, _log))
    routes.add_post("/clock", _bound(control, _clock))
    routes.add_patch("/registry", _bound(control, _registry))
    routes.add_get("/faults", _bound(control, _faults))
    routes.add_post("/faults", _bound(control, _arm))
    routes.add_delete("/faults", _bound(control, _clear))
    routes.add_delete("/faults/{number}", _bound(control, _clear))
    routes.add_post("/accounts/{member}/actions/{action}", _bound(control, _action))
    people.add_routes(routes, control.gatekeeper, control.clock, control.settle)
    external_people.add_routes(routes, control.gatekeeper, control.settle)
    return made


def _bound(control: Control, handler: Callable[[Control, web.Request], Awaitable[Any]]) -> Handler:
    async def bound(request: web.Request) -> web.StreamResponse:
        return web.json_response(await handler(control, request))

    return bound


def _guard(token: str) -> Any:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return web.json_response({"error": "give the token of control.yaml"}, status=401)
        try:
            return await handler(request)
        except UnknownPerson as unknown:
            raise refuse(f"there is no person or service {unknown}", 404) from None
        except actions.ActionRefused as refused:
            raise refuse(str(refused), 409) from None

    return guard


async def _show(control: Control, _request: web.Request) -> Any:
    state = control.state
    return {
        "change": control.changes.count,
        "now": control.clock.now(),
        "profile": state.profile.id,
        "accounts": [_account(state, each) for each in state.registry.accounts.values()],
        "people": [people.summary(each) for each in state.people.values()],
        "faults": [_fault(each) for each in state.faults.armed],
    }


def _account(state: State, account: Account) -> dict[str, Any]:
    held = state.directory.held.get(account.jid)
    mailbox = state.mailboxes.get(account.jid)
    return {
        "jid": str(account.jid),
        "identifier": account.identifier,
        "name": account.name,
        "enlisted": account.enlisted,
        "connected": account.connection is not None,
        "connection": account.connection,
        "last_seen": account.last_seen,
        "read_receipts": account.read_receipts,
        "identity": None if held is None else held.identity.hex(),
        "prekeys": 0 if held is None else len(held.one_time),
        "signed_prekey_id": None if held is None else held.signed.id,
        "mailbox": 0 if mailbox is None else len(mailbox.entries),
    }


async def _changes(control: Control, request: web.Request) -> Any:
    after = int(request.query.get("after", "0"))
    timeout = min(float(request.query.get("timeout", "10")), MAX_WAIT_SECONDS)
    try:
        async with control.clock.limit(timeout):
            await control.changes.wait(after)
    except TimeoutError:
        pass
    return {"change": control.changes.count}


async def _log(control: Control, request: web.Request) -> Any:
    log = control.state.log.to_json(int(request.query.get("after", "0")))
    return {**log, "faults": dict(control.state.faults.happened)}


async def _clock(control: Control, request: web.Request) -> Any:
    body = await read_body(request)
    advance, offset = body.values.get("advance"), body.values.get("offset")
    if isinstance(advance, int | float):
        offset = control.folder.clock_offset() + advance
    if not isinstance(offset, int | float):
        raise refuse("advance or offset is missing")
    control.folder.set_clock_offset(float(offset))
    now = control.clock.now()
    control.gatekeeper.tick(now)
    control.perform()
    return {"offset": float(offset), "now": now}


async def _registry(control: Control, request: web.Request) -> Any:
    body, state = await read_body(request), control.state
    if "blocked" in body.values:
        state.registry.blocked = set(body.texts("blocked"))
    if "not_eligible" in body.values:
        state.registry.not_eligible = set(body.texts("not_eligible"))
    if "minimum_version" in body.values:
        primary, secondary, tertiary = (int(part) for part in body.text("minimum_version").split("."))
        state.minimum_version = (primary, secondary, tertiary)
    if "partner_registered" in body.values:
        registered = body.flag("partner_registered", True)
        actions.remove_partner(state, state.profile.own.integrator, registered, control.clock.now())
    control.settle()
    return {}


async def _faults(control: Control, _request: web.Request) -> Any:
    return {"armed": [_fault(each) for each in control.state.faults.armed]}


async def _arm(control: Control, request: web.Request) -> Any:
    body, state = await read_body(request), control.state
    try:
        kind = Kind(body.text("kind"))
    except ValueError:
        raise refuse(f"unknown kind; use one of {', '.join(each.value for each in Kind)}") from None
    named = body.optional_text("account")
    account = None if named is None else member(state, named)
    parameters = body.inner("parameters").parameters() if body.values.get("parameters") else {}
    fault = state.faults.arm(kind, account, body.whole("times", 1), parameters)
    if kind in (Kind.JWKS_OUTAGE, Kind.UNKNOWN_KID):
        # Cached keys would hide the fault.
        state.tokens.keys = {number: PartnerKeys() for number in state.tokens.keys}
    return {"number": fault.number}


async def _clear(control: Control, request: web.Request) -> Any:
    number = request.match_info.get("number")
    control.state.faults.clear(None if number is None else int(number))
    return {}


async def _action(control: Control, request: web.Request) -> Any:
    state, name = control.state, request.match_info["action"]
    account = state.registry.accounts.get(member(state, request.match_info["member"]))
    action = actions.ACTIONS.get(name)
    if account is None or action is None:
        raise refuse(f"unknown account or action; actions are {', '.join(actions.ACTIONS)}", 404)
    parameters = (await read_body(request)).parameters()
    action(actions.Call(state, account, control.clock.now(), parameters))
    control.settle()
    return {}


def _fault(fault: Fault) -> dict[str, Any]:
    account = None if fault.account is None else str(fault.account)
    return {**asdict(fault), "kind": fault.kind.value, "account": account}
