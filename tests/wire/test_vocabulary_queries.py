"""Questions and answers: keep-alive, the prekey directory, people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import PeopleNames, iq, people, prekeys
from bridge.wire.vocabulary.iq import Failure, IqError, Request, Result
from bridge.wire.vocabulary.keys import PublicBundle, PublicPreKey, PublicSignedPreKey, UploadedKeys
from bridge.wire.vocabulary.people import Delete, Person, Reach, ResolveIdentifier, ResolveJid
from bridge.wire.vocabulary.prekeys import CountRequest, DigestRequest, FetchRequest, KeyDigest, RotateRequest
from bridge.wire.vocabulary.reading import MAX_TEXT_CHARACTERS
from tests.wire.support import QUICK, names, stanzas
from tests.wire.vocabulary import (
    CONTACT,
    NAMES,
    US,
    bundles,
    counts,
    ids,
    key_ids,
    persons,
    public_keys,
    registrations,
    sent,
    signed_prekeys,
    uploads,
    words,
)

contents = st.lists(stanzas, max_size=2).map(tuple)
errors = st.builds(IqError, st.integers(0, 999), st.none() | words)
iqs = st.one_of(
    st.builds(Request, ids, st.sampled_from(["get", "set"]), words, contents),
    st.builds(Result, ids, contents),
    st.builds(Failure, ids, errors),
)
SIGNED = PublicSignedPreKey(5, b"s" * 32, b"g" * 64)
UPLOAD = UploadedKeys(4711, b"i" * 32, SIGNED, (PublicPreKey(1, b"a" * 32), PublicPreKey(2, b"b" * 32)))


def asked(stanza: Stanza) -> Request:
    """The question as the server reads it."""
    request = iq.parse(sent(stanza))
    assert isinstance(request, Request)
    return request


def answered(stanza: Stanza) -> Result:
    """The answer as the client reads it."""
    result = iq.parse(sent(stanza))
    assert isinstance(result, Result)
    return result


@QUICK
@given(iqs)
def test_query_and_answer_round_trip(word: iq.Iq) -> None:
    assert iq.parse(sent(word.to_stanza())) == word


def test_ping_is_recognised() -> None:
    assert iq.ping("1") == Stanza("iq", {"id": "1", "type": "get", "xmlns": "w:p"})
    assert iq.is_ping(asked(iq.ping("1")))
    assert not iq.is_ping(asked(prekeys.count("1")))


@pytest.mark.parametrize(
    "stanza",
    [
        Stanza("iq"),
        Stanza("iq", {"id": "1"}),
        Stanza("iq", {"type": "result"}),
        Stanza("iq", {"id": "1", "type": "get"}),
        Stanza("iq", {"id": "1", "type": "guess", "xmlns": "w:p"}),
        Stanza("iq", {"id": "1", "type": "error"}),
        Stanza("iq", {"id": "1", "type": "error"}, (Stanza("error", {"code": "bad"}),)),
    ],
)
def test_malformed_query_is_rejected(stanza: Stanza) -> None:
    with pytest.raises(RemoteProtocolError):
        iq.parse(stanza)


def test_incomplete_answer_is_rejected() -> None:
    for attempt in (prekeys.parse_count, prekeys.parse_fetch, prekeys.parse_digest, people.parse_person):
        with pytest.raises(RemoteProtocolError):
            attempt(Result("1"))


@QUICK
@given(uploads)
def test_upload_round_trips(uploaded: UploadedKeys) -> None:
    assert prekeys.parse_request(asked(prekeys.upload("1", uploaded))) == uploaded


def test_upload_has_documented_shape() -> None:
    stanza = prekeys.upload("1", UPLOAD)
    assert stanza.attributes == {"id": "1", "type": "set", "xmlns": "encrypt"}
    registration, type_, identity, listed, skey = stanza.children()
    assert registration == Stanza("registration", {}, b"\x00\x00\x12\x67")
    assert type_ == Stanza("type", {}, b"\x05")
    assert identity == Stanza("identity", {}, b"i" * 32)
    assert listed.children()[0] == Stanza(
        "key", {}, (Stanza("id", {}, b"\0\0\1"), Stanza("value", {}, b"a" * 32))
    )
    assert skey == Stanza(
        "skey",
        {},
        (Stanza("id", {}, b"\0\0\5"), Stanza("value", {}, b"s" * 32), Stanza("signature", {}, b"g" * 64)),
    )


def test_upload_with_missing_or_wrong_part_is_rejected() -> None:
    parts = prekeys.upload("1", UPLOAD).children()
    for at, part in enumerate(parts):
        others = parts[:at] + parts[at + 1 :]
        with pytest.raises(RemoteProtocolError):
            prekeys.parse_request(Request("1", "set", "encrypt", others))
        with pytest.raises(RemoteProtocolError):
            prekeys.parse_request(Request("1", "set", "encrypt", (*others, Stanza(part.tag, {}, b"xx"))))


def test_upload_with_repeated_id_is_rejected() -> None:
    twice = UploadedKeys(4711, b"i" * 32, SIGNED, (PublicPreKey(1, b"a" * 32), PublicPreKey(1, b"b" * 32)))
    with pytest.raises(RemoteProtocolError, match="twice"):
        prekeys.parse_request(asked(prekeys.upload("1", twice)))


def test_largest_upload_in_use_fits_limits() -> None:
    many = tuple(PublicPreKey(number, b"k" * 32) for number in range(1, 813))
    uploaded = UploadedKeys(4711, b"i" * 32, SIGNED, many)
    assert prekeys.parse_request(asked(prekeys.upload("1", uploaded))) == uploaded


@pytest.mark.parametrize("registration_id", [0, 16_381])
def test_registration_id_out_of_range_is_not_written(registration_id: int) -> None:
    with pytest.raises(LocalProtocolError):
        prekeys.upload("1", UploadedKeys(registration_id, b"i" * 32, SIGNED))


@pytest.mark.parametrize("key_id", [-1, 2**24])
def test_key_id_out_of_range_is_not_written(key_id: int) -> None:
    with pytest.raises(LocalProtocolError):
        prekeys.rotate("1", PublicSignedPreKey(key_id, b"s" * 32, b"g" * 64))


@QUICK
@given(signed_prekeys)
def test_other_key_queries_round_trip(signed: PublicSignedPreKey) -> None:
    assert prekeys.parse_request(asked(prekeys.rotate("1", signed))) == RotateRequest(signed)
    assert prekeys.parse_request(asked(prekeys.count("1"))) == CountRequest()
    assert prekeys.parse_request(asked(prekeys.digest("1"))) == DigestRequest()


@QUICK
@given(st.lists(persons, min_size=1, max_size=4).map(tuple), st.none() | words)
def test_fetch_round_trips(jids: tuple[Jid, ...], reason: str | None) -> None:
    request = prekeys.fetch("1", jids, reason=reason)
    assert prekeys.parse_request(asked(request)) == FetchRequest(jids, reason)


@QUICK
@given(st.dictionaries(persons, bundles | errors, max_size=4))
def test_fetch_answers_each_person(found: dict[Jid, PublicBundle | IqError]) -> None:
    answer = prekeys.fetch_answer("1", found)
    assert prekeys.parse_fetch(answered(answer)) == found


def test_bundle_type_defaults_and_others_are_rejected() -> None:
    bundle = PublicBundle(4711, b"i" * 32, 5, b"s" * 32, b"g" * 64)
    user = answered(prekeys.fetch_answer("1", {CONTACT: bundle})).child("list").children()[0]
    parts = [part for part in user.children() if part.tag != "type"]
    for extra, passes in (((), True), ((Stanza("type", {}, b"\x06"),), False)):
        node = Stanza("user", user.attributes, (*parts, *extra))
        result = Result("1", (Stanza("list", {}, (node,)),))
        if passes:
            assert prekeys.parse_fetch(result) == {CONTACT: bundle}
        else:
            with pytest.raises(RemoteProtocolError, match="Curve25519"):
                prekeys.parse_fetch(result)


def test_repeated_person_in_answer_is_rejected() -> None:
    user = Stanza("user", {"jid": CONTACT}, (IqError(404).to_stanza(),))
    with pytest.raises(RemoteProtocolError, match="twice"):
        prekeys.parse_fetch(Result("1", (Stanza("list", {}, (user, user)),)))


@QUICK
@given(
    counts,
    st.builds(
        KeyDigest, registrations, public_keys, signed_prekeys, st.lists(key_ids, max_size=5).map(tuple)
    ),
)
def test_directory_answer_round_trips(left: int, held: KeyDigest) -> None:
    assert prekeys.parse_count(answered(prekeys.count_answer("1", left))) == left
    assert prekeys.parse_digest(answered(prekeys.digest_answer("1", held))) == held


@pytest.mark.parametrize(
    "request_",
    [
        Request("1", "get", "encrypt"),
        Request("1", "get", "encrypt", (Stanza("guess"),)),
        Request("1", "get", "encrypt", (Stanza("key"),)),
        Request("1", "get", "encrypt", (Stanza("key", {}, (Stanza("user"),)),)),
        Request("1", "set", "encrypt", (Stanza("rotate"),)),
        Request("1", "get", "w:p", (Stanza("count"),)),
    ],
)
def test_unknown_key_query_is_rejected(request_: Request) -> None:
    with pytest.raises(RemoteProtocolError):
        prekeys.parse_request(request_)


questions = st.one_of(
    st.builds(ResolveIdentifier, words, names),
    st.builds(ResolveJid, persons),
    st.builds(Reach, persons),
    st.just(Delete()),
)


@QUICK
@given(questions, st.builds(PeopleNames, words, words, st.just("x"), st.just("y")))
def test_people_query_round_trips_under_profile_names(
    question: people.PeopleRequest, under: PeopleNames
) -> None:
    assert people.parse_request(asked(people.request("1", question, under)), under) == question


def test_every_name_comes_from_the_profile() -> None:
    who = people.request("1", ResolveIdentifier("whatsapp", "+49 151"), NAMES)
    assert who == Stanza(
        "iq",
        {"id": "1", "type": "get", "xmlns": "between"},
        (Stanza("who", {"service": "whatsapp", "identifier": "+49 151"}),),
    )
    assert people.request("1", ResolveJid(CONTACT), NAMES).child("who") == Stanza("who", {"jid": CONTACT})
    assert people.request("1", Reach(CONTACT), NAMES).child("knock") == Stanza("knock", {"jid": CONTACT})
    assert people.request("1", Delete(), NAMES).child("forget") == Stanza("forget")


@QUICK
@given(st.builds(Person, persons, words, names, st.none() | words))
def test_person_answer_round_trips(person: Person) -> None:
    assert people.parse_person(answered(people.person_answer("1", person))) == person


def test_email_read_as_identifier_is_the_same_address() -> None:
    # Other encoders take every text with an @ for an identifier.
    request = asked(people.request("1", ResolveIdentifier("birdychat", "ann@firm.eu"), NAMES))
    native = Stanza("who", {"service": "birdychat", "identifier": Jid("ann", "firm.eu")})
    other = Request("1", "get", "between", (sent(native),))
    assert people.parse_request(other, NAMES) == people.parse_request(request, NAMES)


@pytest.mark.parametrize(
    "request_",
    [
        Request("1", "get", "between"),
        Request("1", "get", "elsewhere", (Stanza("who", {"jid": US}),)),
        Request("1", "get", "between", (Stanza("who"),)),
        Request("1", "get", "between", (Stanza("who", {"service": "x"}),)),
        Request("1", "set", "between", (Stanza("who", {"jid": US}),)),
        Request("1", "get", "between", (Stanza("forget"),)),
        Request("1", "set", "between", (Stanza("knock"),)),
        Request("1", "set", "between", (Stanza("forget"), Stanza("forget"))),
    ],
)
def test_unknown_people_query_is_rejected(request_: Request) -> None:
    with pytest.raises(RemoteProtocolError):
        people.parse_request(request_, NAMES)


def test_long_name_does_not_cost_the_look_up() -> None:
    answer = people.person_answer("1", Person(CONTACT, "whatsapp", "+4915100", "x" * 10_000))
    assert people.parse_person(answered(answer)).name == "x" * MAX_TEXT_CHARACTERS


def test_repr_shows_no_identifier_or_name() -> None:
    assert "secret" not in repr(ResolveIdentifier("x", "secret"))
    assert "secret" not in repr(Person(CONTACT, "x", "secret", "secret"))
