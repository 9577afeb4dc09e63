"""``<iq xmlns=encrypt>``: the prekey directory.

    set  registration, type, identity, <list><key/>...</list>, <skey/>   upload
    set  <rotate><skey/></rotate>                                        a new signed prekey
    get  <count/>                       -> <count value/>
    get  <digest/>                      -> <digest> registration, type, identity, skey, list of ids
    get  <key><user jid [reason]/></key> -> <list><user jid> registration, bundle | <error/> </user></list>

The content of the digest's answer is our choice (docs/differences.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import AttributeValue, Stanza
from bridge.wire.vocabulary import iq, keys
from bridge.wire.vocabulary.keys import PublicBundle, PublicSignedPreKey, UploadedKeys
from bridge.wire.vocabulary.reading import Reading, attributes

XMLNS: Final = "encrypt"
REASON_IDENTITY: Final = "identity"
"""Asked because the person's identity changed."""


@dataclass(frozen=True)
class CountRequest:
    """Ask for the number of one-time prekeys left."""


@dataclass(frozen=True)
class DigestRequest:
    """Ask what the directory holds for the account."""


@dataclass(frozen=True)
class RotateRequest:
    """Replace the signed prekey."""

    signed: PublicSignedPreKey


@dataclass(frozen=True)
class FetchRequest:
    """Ask for a bundle of each person, with at most one one-time prekey each."""

    jids: tuple[Jid, ...]
    reason: str | None = None


@dataclass(frozen=True)
class KeyDigest:
    """What the directory holds for an account, without the one-time keys themselves."""

    registration_id: int
    identity: bytes
    signed: PublicSignedPreKey
    prekey_ids: tuple[int, ...]


PreKeyRequest = UploadedKeys | CountRequest | DigestRequest | RotateRequest | FetchRequest


def upload(id: str, uploaded: UploadedKeys) -> Stanza:
    """Upload these keys; known keys change nothing."""
    listed = Stanza("list", {}, tuple(keys.prekey(key) for key in uploaded.one_time))
    content = (
        keys.registration(uploaded.registration_id),
        keys.key_type(),
        keys.identity(uploaded.identity),
        listed,
        keys.signed_prekey(uploaded.signed),
    )
    return iq.Request(id, "set", XMLNS, content).to_stanza()


def rotate(id: str, signed: PublicSignedPreKey) -> Stanza:
    """Replace the signed prekey; the answer is empty."""
    content = (Stanza("rotate", {}, (keys.signed_prekey(signed),)),)
    return iq.Request(id, "set", XMLNS, content).to_stanza()


def count(id: str) -> Stanza:
    """Ask how many one-time prekeys are left."""
    return iq.Request(id, "get", XMLNS, (Stanza("count"),)).to_stanza()


def digest(id: str) -> Stanza:
    """Ask what the directory holds for us."""
    return iq.Request(id, "get", XMLNS, (Stanza("digest"),)).to_stanza()


def fetch(id: str, jids: Sequence[Jid], *, reason: str | None = None) -> Stanza:
    """Ask for a bundle for each of ``jids``; ``reason`` may be ``REASON_IDENTITY``."""
    users = tuple(Stanza("user", attributes(jid=jid, reason=reason)) for jid in jids)
    return iq.Request(id, "get", XMLNS, (Stanza("key", {}, users),)).to_stanza()


def parse_request(request: iq.Request) -> PreKeyRequest:
    """Read a query to the directory; RemoteProtocolError for an unknown one."""
    if request.xmlns != XMLNS:
        raise RemoteProtocolError("<iq>: not a question about keys")
    whole = Stanza("iq", {}, request.content)
    if request.action == "set":
        rotated = whole.child("rotate")
        if rotated is not None:
            return RotateRequest(keys.read_signed_prekey(rotated))
        return _parse_upload(whole)
    if whole.child("count") is not None:
        return CountRequest()
    if whole.child("digest") is not None:
        return DigestRequest()
    return _parse_fetch_request(whole)


def count_answer(id: str, left: int) -> Stanza:
    """The answer with the number of one-time prekeys left."""
    return iq.Result(id, (Stanza("count", attributes(value=left)),)).to_stanza()


def parse_count(result: iq.Result) -> int:
    """How many one-time prekeys are left."""
    reading = Reading(result.child("count"), "count")
    left = reading.number("value")
    reading.done()
    return left


def digest_answer(id: str, held: KeyDigest) -> Stanza:
    """The answer with what the directory holds."""
    content = (
        keys.registration(held.registration_id),
        keys.key_type(),
        keys.identity(held.identity),
        keys.signed_prekey(held.signed),
        Stanza("list", {}, tuple(keys.key_id(number) for number in held.prekey_ids)),
    )
    return iq.Result(id, (Stanza("digest", {}, content),)).to_stanza()


def parse_digest(result: iq.Result) -> KeyDigest:
    """What the directory holds for us."""
    found = result.child("digest")
    keys.check_key_type(found)
    return KeyDigest(
        registration_id=keys.read_registration(found),
        identity=keys.read_identity(found),
        signed=keys.read_signed_prekey(found),
        prekey_ids=keys.read_ids(keys.read_list(found, "id")),
    )


def fetch_answer(id: str, found: Mapping[Jid, PublicBundle | iq.IqError]) -> Stanza:
    """The answer with a bundle or an error for each person."""
    users = tuple(_user(jid, what) for jid, what in found.items())
    return iq.Result(id, (Stanza("list", {}, users),)).to_stanza()


def parse_fetch(result: iq.Result) -> dict[Jid, PublicBundle | iq.IqError]:
    """Read the answer for each person; the caller checks signatures."""
    found: dict[Jid, PublicBundle | iq.IqError] = {}
    for user in keys.read_list(Stanza("iq", {}, result.content), "user"):
        reading = Reading(user, "user")
        jid = reading.jid("jid")
        if jid in found:
            reading.fault("jid stands twice")
        reading.done()
        error = user.child("error")
        if error is not None:
            found[jid] = iq.parse_error(error)
        else:
            found[jid] = keys.read_bundle(user, keys.read_registration(user))
    return found


def _user(jid: Jid, what: PublicBundle | iq.IqError) -> Stanza:
    named: dict[str, AttributeValue] = {"jid": jid}
    if isinstance(what, iq.IqError):
        return Stanza("user", named, (what.to_stanza(),))
    return Stanza("user", named, (keys.registration(what.registration_id), *keys.bundle(what)))


def _parse_upload(whole: Stanza) -> UploadedKeys:
    keys.check_key_type(whole)
    one_time = tuple(keys.read_prekey(node) for node in keys.read_list(whole, "key"))
    if len({key.id for key in one_time}) != len(one_time):
        raise RemoteProtocolError("<iq>: a prekey id stands twice")
    return UploadedKeys(
        registration_id=keys.read_registration(whole),
        identity=keys.read_identity(whole),
        signed=keys.read_signed_prekey(whole),
        one_time=one_time,
    )


def _parse_fetch_request(whole: Stanza) -> FetchRequest:
    asked = whole.child("key")
    if asked is None:
        raise RemoteProtocolError("<iq>: an unknown question about keys")
    jids: list[Jid] = []
    reason: str | None = None
    for user in asked.children("user"):
        reading = Reading(user, "user")
        jids.append(reading.jid("jid"))
        reason = reading.optional_text("reason") or reason
        reading.done()
    if not jids:
        raise RemoteProtocolError("<iq>: keys of nobody are asked for")
    return FetchRequest(tuple(jids), reason)
