"""The control API's calls about people.

GET   /people                    everybody, in brief
POST  /people                    {"service", "identifier", "name", "answer"?, "opted_in"?, "external"?}
GET   /people/{member}           with keys and history (see ``people.history``)
PATCH /people/{member}           {"opted_in", "answers_pings", "online", "name", "answer", "reads",
                                  "sends_receipts"}: what is given is changed
POST  /people/{member}/write     {"to", "text" or "texts", "reply_to"?} -> {"ids"}
POST  /people/{member}/read      {"sender", "ids"}
POST  /people/{member}/type      {"to", "composing"}
POST  /people/{member}/ask_again {"sender", "id", "count"?, "with_keys"?}
POST  /people/{member}/reinstall
POST  /people/{member}/rotate    {"forget_old"?}
POST  /people/{member}/forget_sessions
POST  /people/{member}/block     {"member", "on"?}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bridge.ids import Jid
from bridge.ports import Clock
from bridge.sandbox.control.request import Body, member, read_body, refuse
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.people.simulated import SimulatedPerson
from bridge.sandbox.rules.chat import reachability
from bridge.sandbox.rules.person import Person


@dataclass(frozen=True)
class PersonCall:
    """A request that a simulated person acts on."""

    gatekeeper: Gatekeeper
    person: SimulatedPerson
    body: Body
    now: float

    def member(self, name: str) -> Jid:
        """The member named in the body."""
        return member(self.gatekeeper.state, self.body.text(name))


Handler = Callable[[PersonCall], dict[str, Any]]


def add_routes(
    routes: web.UrlDispatcher, gatekeeper: Gatekeeper, clock: Clock, settle: Callable[[], float]
) -> None:
    """Routes under ``/people`` for all people and for simulated ones."""
    state = gatekeeper.state

    def person_of(request: web.Request) -> Person:
        return gatekeeper.person(str(member(state, request.match_info["member"])))

    async def everybody(_request: web.Request) -> web.Response:
        return web.json_response({"people": [summary(each) for each in state.people.values()]})

    async def add(request: web.Request) -> web.Response:
        body = await read_body(request)
        person = gatekeeper.add_person(
            body.text("service"),
            body.text("identifier"),
            body.text("name"),
            clock.now(),
            external=body.flag("external", False),
            answer=body.optional_text("answer"),
            opted_in=body.flag("opted_in", True),
        )
        settle()
        return web.json_response(summary(person))

    async def show(request: web.Request) -> web.Response:
        return web.json_response(whole(person_of(request)))

    async def change(request: web.Request) -> web.Response:
        person, body = person_of(request), await read_body(request)
        _change(gatekeeper, person, body, clock.now())
        settle()
        return web.json_response(summary(person))

    def bound(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer_request(request: web.Request) -> web.Response:
            person = person_of(request)
            if not isinstance(person, SimulatedPerson):
                raise refuse("this person's client is an external program", 409)
            answer = handler(PersonCall(gatekeeper, person, await read_body(request), clock.now()))
            settle()
            return web.json_response(answer)

        return answer_request

    routes.add_get("/people", everybody)
    routes.add_post("/people", add)
    routes.add_get("/people/{member}", show)
    routes.add_patch("/people/{member}", change)
    for handler in (_write, _read, _type, _ask_again, _reinstall, _rotate, _forget_sessions, _block):
        routes.add_post(f"/people/{{member}}/{handler.__name__.strip('_')}", bound(handler))


def summary(person: Person) -> dict[str, Any]:
    """A person in brief."""
    return {
        "jid": str(person.jid),
        "service": person.service,
        "identifier": person.identifier,
        "name": person.name,
        "opted_in": person.opted_in,
        "online": person.online,
        "pings": person.pings,
        "external": not isinstance(person, SimulatedPerson),
    }


def whole(person: Person) -> dict[str, Any]:
    """A person with keys and history."""
    if not isinstance(person, SimulatedPerson):
        return summary(person)
    identity = person.keyring.own.identity.public.hex()
    return {**summary(person), "identity": identity, **person.history.to_json()}


def _change(gatekeeper: Gatekeeper, person: Person, body: Body, now: float) -> None:
    person.name = body.text("name", person.name)
    person.answers_pings = body.flag("answers_pings", person.answers_pings)
    reachability.set_opted_in(gatekeeper.state, person.jid, body.flag("opted_in", person.opted_in), now)
    if isinstance(person, SimulatedPerson):
        if "answer" in body.values:
            person.answer = body.optional_text("answer")
        person.reads = body.flag("reads", person.reads)
        person.sends_receipts = body.flag("sends_receipts", person.sends_receipts)
    online = body.flag("online", person.online)
    if online and not person.online:
        person.come_online(now)
    person.online = online


def _write(call: PersonCall) -> dict[str, Any]:
    to, body = call.member("to"), call.body
    texts = body.texts("texts") or [body.text("text")]
    reply_to = body.optional_text("reply_to")
    return {"ids": [call.person.write(to, text, call.now, reply_to=reply_to) for text in texts]}


def _read(call: PersonCall) -> dict[str, Any]:
    call.person.read(call.member("sender"), call.body.texts("ids"))
    return {}


def _type(call: PersonCall) -> dict[str, Any]:
    call.person.type_(call.member("to"), call.body.flag("composing", True))
    return {}


def _ask_again(call: PersonCall) -> dict[str, Any]:
    body = call.body
    with_keys = body.flag("with_keys", False)
    call.person.ask_again(call.member("sender"), body.text("id"), body.whole("count", 1), with_keys=with_keys)
    return {}


def _reinstall(call: PersonCall) -> dict[str, Any]:
    call.person.reinstall()
    return {"identity": call.person.keyring.own.identity.public.hex()}


def _rotate(call: PersonCall) -> dict[str, Any]:
    call.person.rotate(forget_old=call.body.flag("forget_old", False))
    return {}


def _forget_sessions(call: PersonCall) -> dict[str, Any]:
    call.person.forget_sessions()
    return {}


def _block(call: PersonCall) -> dict[str, Any]:
    other = call.member("member")
    if call.body.flag("on", True):
        call.person.blocked.add(other)
    else:
        call.person.blocked.discard(other)
    return {}
