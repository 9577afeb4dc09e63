"""The control API's calls for external people, whose client is another program, such as libsignal.

The program holds the keys. Its calls become encoded stanzas, and the server's stanzas become JSON. Bytes
are hexadecimal throughout.

    POST /people/{member}/keys      {"registration_id", "identity", "signed": {"id", "public", "signature"},
                                     "one_time": [{"id", "public"}]} -> {"error": null or code}
    POST /people/{member}/bundle    {"of"} -> a bundle or {"error": code}
    POST /people/{member}/send      {"to", "id", "kind", "ciphertext", "count"?} -> {"error": null or code}
    POST /people/{member}/receipt   {"to", "ids", "type"?}
    POST /people/{member}/retry     {"to", "id", "count", "registration_id", "t"?, "keys"?: a bundle}
    POST /people/{member}/inbox     -> {"stanzas": [...]}: what came since the last call
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.sandbox.control.request import Body, member, read_body, refuse
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.people.simulated import SimulatedPerson
from bridge.sandbox.rules.person import Person
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import iq, parse, prekeys
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.keys import PublicBundle, PublicPreKey, PublicSignedPreKey, UploadedKeys
from bridge.wire.vocabulary.message import Kind, Message
from bridge.wire.vocabulary.notification import IdentityChanged, KeysLow
from bridge.wire.vocabulary.receipt import Receipt, RetryReceipt

Handler = Callable[["ExternalClient", Body], dict[str, Any]]


class ExternalClient:
    """Sends a program's stanzas as its person."""

    def __init__(self, gatekeeper: Gatekeeper, person: Person, settle: Callable[[], float]) -> None:
        self.gatekeeper, self.person, self._settle = gatekeeper, person, settle

    def member(self, text: str) -> Jid:
        """A member named in a request."""
        return member(self.gatekeeper.state, text)

    def say(self, stanza: Stanza) -> None:
        """Send a stanza and carry out everything that follows."""
        self.person.send(stanza)
        self._settle()

    def ask(self, stanza: Stanza) -> Stanza | None:
        """Send a request; the answer, removed from the inbox."""
        self.say(stanza)
        return self.take(
            lambda came: (came.tag, came.attributes.get("id")) == ("iq", stanza.attributes["id"])
        )

    def take(self, wanted: Callable[[Stanza], bool]) -> Stanza | None:
        """The newest matching stanza, removed from the inbox."""
        inbox = self.person.inbox
        found = next((each for each in reversed(inbox) if wanted(each)), None)
        if found is not None:
            inbox.remove(found)
        return found

    def new_id(self) -> str:
        """An id for a request."""
        return self.gatekeeper.state.new_id()


def add_routes(routes: web.UrlDispatcher, gatekeeper: Gatekeeper, settle: Callable[[], float]) -> None:
    """All routes for external people."""

    def bound(handle: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            person = gatekeeper.person(str(member(gatekeeper.state, request.match_info["member"])))
            if isinstance(person, SimulatedPerson):
                raise refuse("this person's client is inside the sandbox", 409)
            return web.json_response(
                handle(ExternalClient(gatekeeper, person, settle), await read_body(request))
            )

        return handler

    for handle in (_keys, _bundle, _send, _receipt, _retry, _inbox):
        routes.add_post(f"/people/{{member}}/{handle.__name__.strip('_')}", bound(handle))


def _keys(client: ExternalClient, body: Body) -> dict[str, Any]:
    uploaded = UploadedKeys(
        body.whole("registration_id"),
        body.data("identity"),
        _read_signed(body.inner("signed")),
        tuple(PublicPreKey(each.whole("id"), each.data("public")) for each in body.bodies("one_time")),
    )
    answer = client.ask(prekeys.upload(client.new_id(), uploaded))
    return {"error": _error(answer)}


def _bundle(client: ExternalClient, body: Body) -> dict[str, Any]:
    of = client.member(body.text("of"))
    answer = client.ask(prekeys.fetch(client.new_id(), [of]))
    found = None if answer is None else iq.parse(answer)
    if not isinstance(found, iq.Result):
        return {"error": _error(answer)}
    bundle = prekeys.parse_fetch(found)[of]
    return {"error": bundle.code} if isinstance(bundle, iq.IqError) else _bundle_json(bundle)


def _send(client: ExternalClient, body: Body) -> dict[str, Any]:
    kind: Kind = "pkmsg" if body.text("kind") == "pkmsg" else "msg"
    carried = Message(
        body.text("id"),
        client.member(body.text("to")),
        kind,
        body.data("ciphertext"),
        count=body.whole("count", 0),
    )
    client.say(carried.to_stanza("to"))
    answer = client.take(lambda came: (came.tag, came.attributes.get("id")) == ("ack", carried.id))
    return {"error": None if answer is None else answer.attributes.get("error")}


def _receipt(client: ExternalClient, body: Body) -> dict[str, Any]:
    to = client.member(body.text("to"))
    ids = tuple(body.texts("ids"))
    if not ids:
        raise refuse("ids is missing")
    client.say(Receipt(ids, to, body.optional_text("type")).to_stanza("to"))
    return {}


def _retry(client: ExternalClient, body: Body) -> dict[str, Any]:
    given = body.values.get("keys")
    registration_id = body.whole("registration_id")
    word = RetryReceipt(
        body.text("id"),
        client.member(body.text("to")),
        body.whole("count", 1),
        registration_id,
        None if given is None else _read_bundle(body.inner("keys"), registration_id),
        body.whole("t", 0) or None,
    )
    client.say(word.to_stanza("to"))
    return {}


def _inbox(client: ExternalClient, _body: Body) -> dict[str, Any]:
    inbox, client.person.inbox = client.person.inbox, []
    return {"stanzas": [_stanza_json(client.gatekeeper, each) for each in inbox]}


def _error(answer: Stanza | None) -> int | None:
    found = None if answer is None else iq.parse(answer)
    return found.error.code if isinstance(found, iq.Failure) else None


def _read_signed(body: Body) -> PublicSignedPreKey:
    return PublicSignedPreKey(body.whole("id"), body.data("public"), body.data("signature"))


def _read_bundle(body: Body, registration_id: int) -> PublicBundle:
    with_one_time = body.values.get("prekey_id") is not None
    return PublicBundle(
        registration_id=registration_id,
        identity=body.data("identity"),
        signed_prekey_id=body.whole("signed_prekey_id"),
        signed_prekey=body.data("signed_prekey"),
        signature=body.data("signature"),
        prekey_id=body.whole("prekey_id") if with_one_time else None,
        prekey=body.data("prekey") if with_one_time else None,
    )


def _bundle_json(bundle: PublicBundle) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in vars(bundle).items()}


def _stanza_json(gatekeeper: Gatekeeper, stanza: Stanza) -> dict[str, Any]:
    try:
        word = parse(stanza, "from", gatekeeper.state.names)
    except RemoteProtocolError:
        return {"tag": stanza.tag, "unread": True}
    shown: dict[str, Any] = {"tag": stanza.tag}
    match word:
        case Message():
            shown |= {"id": word.id, "kind": word.kind, "ciphertext": word.ciphertext.hex(), "t": word.t}
            shown |= {"count": word.count, "name": word.notify}
        case RetryReceipt():
            keys = None if word.keys is None else _bundle_json(word.keys)
            shown |= {"ids": [word.id], "type": "retry", "count": word.count, "keys": keys}
            shown |= {"registration_id": word.registration_id}
        case Receipt():
            shown |= {"ids": list(word.ids), "type": word.type, "t": word.t}
        case Ack():
            shown |= {"class": word.cls, "id": word.id, "type": word.type, "error": word.error}
        case KeysLow():
            shown |= {"keys_left": word.left}
        case IdentityChanged():
            shown |= {"identity_changed": True}
    peer = getattr(word, "peer", None)
    return shown if peer is None else {**shown, "from": str(peer)}
