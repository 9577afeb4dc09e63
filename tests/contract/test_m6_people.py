"""M5 and M6: resolving people, reachability requests, deletion (dossier 12.11)."""

from __future__ import annotations

import pytest

from bridge.ids import Jid
from bridge.sandbox.rules.reasons import EndReason, LoginRefusal
from bridge.wire.vocabulary import people
from bridge.wire.vocabulary.iq import Failure, IqError, Result
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.login import LoginFailure
from bridge.wire.vocabulary.notification import Reachability
from tests.contract.bare_client import BareClient
from tests.contract.conftest import NewClient
from tests.contract.support import Running, SandboxControl

WRITTEN_OTHERWISE = [
    ("whatsapp", "+49 (151) 000-0001", "+491510000001"),
    ("birdychat", " Anna@Firm.example ", "anna@firm.example"),
    ("haiket", "Tom", "@tom"),
]


@pytest.mark.parametrize(("service", "written", "identifier"), WRITTEN_OTHERWISE)
async def test_person_is_found_by_identifier_and_by_jid(
    alice: BareClient, running: Running, service: str, written: str, identifier: str
) -> None:
    found = await alice.resolve(service, written)
    assert found is not None
    assert (found.service, found.identifier) == (service, identifier)
    owner = running.profile.service_of(found.jid)
    assert owner is not None and owner.id == service
    back = await alice.ask(lambda id: people.request(id, people.ResolveJid(found.jid), alice.names))
    assert isinstance(back, Result) and people.parse_person(back) == found


async def test_unreachable_people_look_alike(alice: BareClient, control: SandboxControl) -> None:
    shy = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Shy", opted_in=False)
    questions = [
        people.ResolveIdentifier("whatsapp", shy["identifier"]),
        people.ResolveIdentifier("whatsapp", "+1"),
        people.ResolveIdentifier("no such service", "+1"),
        people.ResolveJid(Jid.parse(shy["jid"])),
        people.ResolveJid(Jid("1", "s.whatsapp.net")),
    ]
    for asked in questions:
        answer = await alice.ask(lambda id, asked=asked: people.request(id, asked, alice.names))  # type: ignore[misc]
        assert isinstance(answer, Failure) and answer.error == IqError(404)


@pytest.mark.parametrize("answers_at_once", [True, False])
async def test_reach_request_leads_to_opt_in_and_first_message(
    alice: BareClient, control: SandboxControl, answers_at_once: bool
) -> None:
    shy = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Shy", opted_in=False)
    jid = Jid.parse(shy["jid"])
    await control.change_person(shy["jid"], answers_pings=answers_at_once)
    for target in (Jid("1", jid.server), jid):
        answer = await alice.ask(
            lambda id, target=target: people.request(id, people.Reach(target), alice.names)  # type: ignore[misc]
        )
        assert isinstance(answer, Result), "the same answer whoever is asked for"
    if not answers_at_once:
        assert isinstance(await alice.fetch(jid), IqError)
        await control.change_person(shy["jid"], opted_in=True)
    told = await alice.next(Reachability)
    assert (told.peer, told.reachable) == (jid, True)
    assert (await alice.write(jid, "thank you")).error is None
    await control.change_person(shy["jid"], opted_in=False)
    told = await alice.first(lambda word: isinstance(word, Reachability) and not word.reachable)
    assert told.peer == jid
    assert (await control.person(shy["jid"]))["pings"] == 1


async def test_deletion_removes_the_account_and_frees_its_identifier(
    alice: BareClient, control: SandboxControl, running: Running, new_client: NewClient
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await alice.write(Jid.parse(mira["jid"]), "goodbye")
    answer = await alice.ask(lambda id: people.request(id, people.Delete(), alice.names))
    assert isinstance(answer, Result)
    ending = await alice.ended()
    assert ending is not None and ending.code == running.variant.endings[EndReason.ENDED]
    failure = await alice.log_in()
    assert isinstance(failure, LoginFailure)
    assert failure.reason == running.variant.login[LoginRefusal.UNKNOWN_ACCOUNT].word
    before = alice.jid
    assert await alice.enlist() != before


async def test_person_cannot_write_to_a_deleted_account(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await control.write(mira["jid"], str(alice.jid), "hello")
    await alice.read()
    await control.act(alice.identifier, "un_enlist")
    await control.write(mira["jid"], str(alice.jid), "are you gone?")
    assert [each["state"] for each in (await control.person(mira["jid"]))["sent"]] == ["accepted", "refused"]
    await alice.start()
    assert isinstance(await alice.fetch(Jid.parse(mira["jid"])), PublicBundle)
    await control.write(mira["jid"], str(alice.jid), "you are back")
    assert (await alice.read())[1] == "you are back"
