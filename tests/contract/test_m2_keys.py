"""M2 and 3.1: the prekey directory over the wire (dossier 4.6, 12.4)."""

from __future__ import annotations

from dataclasses import replace

from bridge.e2ee.keys import new_own_keys, new_signed_prekey
from bridge.ids import Jid
from bridge.wire.vocabulary import iq, prekeys
from bridge.wire.vocabulary.iq import Failure, IqError, Result
from bridge.wire.vocabulary.keys import PublicBundle, PublicSignedPreKey
from bridge.wire.vocabulary.notification import KeysLow
from tests.contract.bare_client import BareClient
from tests.contract.support import Running, SandboxControl


async def test_repeated_key_upload_changes_nothing(alice: BareClient) -> None:
    assert await alice.count() == 20
    made = alice.keys(5)
    for _ in range(2):
        assert isinstance(await alice.ask(lambda id: prekeys.upload(id, made)), Result)
        assert await alice.count() == 25


async def test_digest_shows_a_rotated_signed_prekey(alice: BareClient) -> None:
    signed = new_signed_prekey(alice.own, 2, alice_rng)
    public = PublicSignedPreKey(signed.id, signed.pair.public, signed.signature)
    assert isinstance(await alice.ask(lambda id: prekeys.rotate(id, public)), Result)
    answer = await alice.ask(prekeys.digest)
    assert isinstance(answer, Result)
    held = prekeys.parse_digest(answer)
    assert (held.identity, held.signed, len(held.prekey_ids)) == (alice.own.identity.public, public, 20)


def alice_rng(count: int) -> bytes:
    return bytes(range(count))


async def test_upload_with_another_identity_is_refused(alice: BareClient) -> None:
    stranger = new_own_keys(alice_rng)
    signed = new_signed_prekey(stranger, 2, alice_rng)
    public = PublicSignedPreKey(signed.id, signed.pair.public, signed.signature)
    of_a_stranger = replace(alice.keys(1), identity=stranger.identity.public, signed=public)
    for made in (of_a_stranger, replace(alice.keys(1), signed=public)):
        answer = await alice.ask(lambda id, made=made: prekeys.upload(id, made))  # type: ignore[misc]
        assert isinstance(answer, Failure)
    assert isinstance(await alice.ask(lambda id: prekeys.rotate(id, public)), Failure)
    assert await alice.count() == 20


async def test_upload_over_the_limit_is_refused(alice: BareClient, running: Running) -> None:
    most = running.profile.limits.prekeys_uploaded
    assert isinstance(await alice.upload(most + 1), Failure)
    assert isinstance(await alice.upload(most), Result)


async def test_one_time_prekey_is_handed_out_once(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", "+491510000101", "Mira")
    jid = Jid.parse(mira["jid"])
    seen = set()
    for _ in range(3):
        found = await alice.fetch(jid)
        assert isinstance(found, PublicBundle) and found.prekey_id is not None
        seen.add(found.prekey_id)
    assert len(seen) == 3
    await control.fault("prekeys_exhausted", account=mira["jid"])
    found = await alice.fetch(jid)
    assert isinstance(found, PublicBundle) and found.prekey_id is None
    alice.begin_from(jid, found)
    assert (await alice.write(jid, "without a one-time key")).error is None
    assert (await control.received(mira["jid"]))[0]["text"] == "without a one-time key"


async def test_low_prekeys_are_announced_once_and_spent_ids_stay_spent(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    low, all_of_them = running.profile.limits.prekeys_low, 20
    for number in range(all_of_them - low + 2):
        anna = await control.add_person("birdychat", f"{alice.jid.user}.{number}@firm.example", "Anna")
        await control.write(anna["jid"], str(alice.jid), "hello")
    told = await alice.next(KeysLow)
    assert told.left == low - 1
    left = await alice.count()
    assert left == low - 2
    assert len([word for word in alice.seen if isinstance(word, KeysLow)]) == 1
    alice.next_prekey = 1
    assert isinstance(await alice.upload(all_of_them), Result)
    assert await alice.count() == left


async def test_bundle_fetches_per_person_are_rate_limited(alice: BareClient, running: Running) -> None:
    person = await alice.resolve("whatsapp", "+491510000002")
    assert person is not None
    burst = running.variant.allowances.key_fetches_burst
    found = [await alice.fetch(person.jid) for _ in range(burst + 1)]
    assert all(isinstance(each, PublicBundle) for each in found[:burst])
    assert found[burst] == IqError(429)


async def test_bundle_of_an_unreachable_member_is_not_found(
    alice: BareClient,
) -> None:
    person = await alice.resolve("birdychat", "anna@firm.example")
    assert person is not None
    for jid in (replace(person.jid, device=1), replace(person.jid, user="1"), alice.jid):
        assert await alice.fetch(jid) == IqError(404)


async def test_fetch_for_several_people_answers_each(alice: BareClient) -> None:
    jonas, anna = (
        await alice.resolve("whatsapp", "+491510000001"),
        await alice.resolve("birdychat", "anna@firm.example"),
    )
    assert jonas is not None and anna is not None
    jids = [jonas.jid, Jid("1", jonas.jid.server), anna.jid]
    answer = await alice.ask(lambda id: prekeys.fetch(id, jids))
    assert isinstance(answer, iq.Result)
    found = prekeys.parse_fetch(answer)
    assert [isinstance(found[jid], PublicBundle) for jid in jids] == [True, False, True]
