"""What is asked of the network on a live connection, as it travels."""

from __future__ import annotations

import asyncio

import pytest

from bridge.e2ee.keys import new_prekeys
from bridge.errors import GiveUp, TryAgain
from bridge.ids import Jid
from bridge.network import keys
from bridge.network.errors import NetworkBusy, PersonUnreachable, QuestionRefused
from bridge.network.interop.connector import people_names
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import iq, people, prekeys
from bridge.wire.vocabulary.people import Person
from tests.network.support import CONTACT, OWN, SIGNED, Both, connected, profile
from tests.wire.support import dice

NAMES = people_names(profile().stanzas)
PERSON = Person(CONTACT, "whatsapp", "+4915112345678", "Jonas")
ONE_TIME = new_prekeys(1, 3, dice("one-time"))


async def _asked(both: Both) -> iq.Request:
    found = iq.parse(await both.peer.receive())
    assert isinstance(found, iq.Request)
    return found


async def test_person_is_found_by_service_and_identifier() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.resolve("whatsapp", "+4915112345678"))
        asked = await _asked(both)
        assert (asked.xmlns, asked.content[0].tag) == ("x:third", "whois")
        assert people.parse_request(asked, NAMES) == people.ResolveIdentifier("whatsapp", "+4915112345678")
        await both.peer.send(people.person_answer(asked.id, PERSON))
        assert await asking == PERSON


async def test_person_is_found_by_internal_identifier() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.resolve_jid(CONTACT))
        asked = await _asked(both)
        assert people.parse_request(asked, NAMES) == people.ResolveJid(CONTACT)
        await both.peer.send(people.person_answer(asked.id, PERSON))
        assert await asking == PERSON


async def test_unknown_person_is_none_other_refusals_raise() -> None:
    async with connected() as both:
        for code, refused in ((404, None), (403, QuestionRefused), (429, NetworkBusy)):
            asking = asyncio.create_task(both.link.resolve("whatsapp", "+1"))
            asked = await _asked(both)
            await both.peer.send(iq.Failure(asked.id, iq.IqError(code)).to_stanza())
            if refused is None:
                assert await asking is None
            else:
                with pytest.raises(refused):
                    await asking


async def test_fetched_keys_start_a_session() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.fetch_keys(CONTACT))
        asked = await _asked(both)
        assert prekeys.parse_request(asked) == prekeys.FetchRequest((CONTACT,))
        public = keys.to_public_bundle(OWN, SIGNED, ONE_TIME[0])
        await both.peer.send(prekeys.fetch_answer(asked.id, {CONTACT: public}))
        bundle = await asking
        bundle.verify()
        assert bundle.identity == OWN.identity.public
        assert (bundle.prekey_id, bundle.prekey) == (ONE_TIME[0].id, ONE_TIME[0].pair.public)


async def test_bundle_may_come_without_a_one_time_prekey() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.fetch_keys(CONTACT))
        asked = await _asked(both)
        public = keys.to_public_bundle(OWN, SIGNED, None)
        await both.peer.send(prekeys.fetch_answer(asked.id, {CONTACT: public}))
        bundle = await asking
        bundle.verify()
        assert bundle.prekey is None


@pytest.mark.parametrize(
    ("code", "error"), [(404, PersonUnreachable), (410, PersonUnreachable), (429, NetworkBusy)]
)
async def test_person_without_keys_is_unreachable(code: int, error: type[Exception]) -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.fetch_keys(CONTACT))
        asked = await _asked(both)
        await both.peer.send(prekeys.fetch_answer(asked.id, {CONTACT: iq.IqError(code)}))
        with pytest.raises(error):
            await asking


async def test_unreachable_people_share_one_sentence() -> None:
    sentences = {PersonUnreachable(code).sentence.key for code in (403, 404, 410)}
    assert len(sentences) == 1
    assert issubclass(PersonUnreachable, GiveUp)


async def test_answer_about_another_person_is_refused() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.fetch_keys(CONTACT))
        asked = await _asked(both)
        other = Jid("4915100000000", "s.whatsapp.net")
        public = keys.to_public_bundle(OWN, SIGNED, None)
        await both.peer.send(prekeys.fetch_answer(asked.id, {other: public}))
        with pytest.raises(TryAgain, match="another person"):
            await asking


async def test_meaningless_answer_keeps_the_connection() -> None:
    async with connected() as both:
        for ask in (both.link.prekey_count(), both.link.fetch_keys(CONTACT), both.link.resolve("x", "y")):
            asking = asyncio.create_task(ask)
            asked = await _asked(both)
            await both.peer.send(iq.Result(asked.id, (Stanza("what"),)).to_stanza())
            with pytest.raises(TryAgain, match="cannot be read"):
                await asking
        assert both.link.end is None


async def test_only_public_keys_are_uploaded() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.upload_keys(OWN, SIGNED, ONE_TIME))
        asked = await _asked(both)
        assert prekeys.parse_request(asked) == keys.to_upload(OWN, SIGNED, ONE_TIME)
        sent = repr(asked)
        for private in (OWN.identity.private, SIGNED.pair.private, *(key.pair.private for key in ONE_TIME)):
            assert repr(private)[2:-1] not in sent
        await both.peer.send(iq.Result(asked.id).to_stanza())
        await asking


async def test_signed_prekey_can_be_uploaded_alone() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.upload_keys(OWN, SIGNED, ()))
        asked = await _asked(both)
        public = keys.to_upload(OWN, SIGNED, ()).signed
        assert prekeys.parse_request(asked) == prekeys.RotateRequest(public)
        await both.peer.send(iq.Result(asked.id).to_stanza())
        await asking


async def test_directory_counts_remaining_prekeys() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.prekey_count())
        asked = await _asked(both)
        assert prekeys.parse_request(asked) == prekeys.CountRequest()
        await both.peer.send(prekeys.count_answer(asked.id, 7))
        assert await asking == 7


async def test_reach_and_delete_use_the_profile_stanza_names() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.reach(CONTACT))
        asked = await _asked(both)
        assert people.parse_request(asked, NAMES) == people.Reach(CONTACT)
        await both.peer.send(iq.Result(asked.id).to_stanza())
        await asking
        asking = asyncio.create_task(both.link.delete())
        asked = await _asked(both)
        assert people.parse_request(asked, NAMES) == people.Delete()
        await both.peer.send(iq.Result(asked.id).to_stanza(), Stanza("stream:error", {"code": "401"}))
        await asking
        assert (await both.link.ended()).code == "401"
