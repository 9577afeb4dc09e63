"""M2: handshake, login and its refusals, ping, invalid bytes (dossier 12.3, 12.11)."""

from __future__ import annotations

import os

import pytest

from bridge.errors import RemoteProtocolError
from bridge.sandbox.edges.folder import load_variant
from bridge.sandbox.rules.reasons import EndReason, LoginRefusal
from bridge.wire.frame import encode as frame
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import iq
from bridge.wire.vocabulary.info import OfflineDone, OfflinePreview
from bridge.wire.vocabulary.iq import Failure, Result
from bridge.wire.vocabulary.login import CONFLICT_REPLACED, LoginFailure, Success
from tests.contract.bare_client import BareClient, Ended
from tests.contract.conftest import NewClient
from tests.contract.support import VARIANTS, Running, SandboxControl


def word(running: Running, condition: LoginRefusal) -> str:
    return running.variant.login[condition].word


async def refusal(client: BareClient, **login: object) -> LoginFailure:
    outcome = await client.log_in(**login)
    assert isinstance(outcome, LoginFailure)
    assert await client.ended() is None
    return outcome


async def test_login_gets_a_preview_and_pings_are_answered(new_client: NewClient) -> None:
    client = new_client()
    await client.enlist()
    outcome = await client.log_in()
    assert isinstance(outcome, Success) and outcome.t
    assert await client.next(OfflinePreview) == OfflinePreview(0)
    assert await client.next(OfflineDone) == OfflineDone(0)
    assert isinstance(await client.ask(iq.ping), Result)


async def test_server_with_another_root_is_rejected(new_client: NewClient) -> None:
    client = new_client()
    await client.enlist()
    client.expect(root_key=os.urandom(32))
    with pytest.raises(RemoteProtocolError):
        await client.open()


@pytest.mark.parametrize("what", ["header", "prologue"])
async def test_wrong_header_or_prologue_gets_no_connection(new_client: NewClient, what: str) -> None:
    client = new_client()
    await client.enlist()
    client.expect(**{what: b"other"})
    with pytest.raises((RemoteProtocolError, Ended)):
        await client.open()


async def test_client_with_the_other_payload_setting_gets_no_connection(new_client: NewClient) -> None:
    client = new_client()
    await client.enlist()
    client.expect(mix_empty_payload=not client.partner.profile.chat.mix_empty_payload)
    with pytest.raises((RemoteProtocolError, Ended)):
        await client.open()


def test_variants_differ_in_mixing_an_empty_first_payload() -> None:
    assert {load_variant(name).chat.mix_empty_payload for name in VARIANTS} == {False, True}


async def test_unknown_account_is_refused(new_client: NewClient, running: Running) -> None:
    client = new_client()
    await client.enlist()
    failure = await refusal(client, account_id=2**33 + 1)
    assert failure.reason == word(running, LoginRefusal.UNKNOWN_ACCOUNT)


async def test_login_with_another_static_key_is_refused(new_client: NewClient, running: Running) -> None:
    one, other = new_client(), new_client()
    await one.enlist()
    other.jid = one.jid
    assert (await refusal(other)).reason == word(running, LoginRefusal.BAD_TOKEN)


async def test_login_with_a_foreign_or_expired_token_is_refused(
    new_client: NewClient, running: Running
) -> None:
    client = new_client()
    await client.enlist()
    now = int(running.clock.now())
    for changes, condition in (
        ({"sub": "@somebody:hs.example"}, LoginRefusal.BAD_TOKEN),
        ({"aud": "elsewhere"}, LoginRefusal.BAD_TOKEN),
        ({"iat": now - 400, "exp": now - 90}, LoginRefusal.TOKEN_EXPIRED),
    ):
        failure = await refusal(client, token=client.token(**changes).encode())
        assert failure.reason == word(running, condition)


async def test_token_is_accepted_for_one_login_only(new_client: NewClient, running: Running) -> None:
    client = new_client()
    await client.enlist()
    token = client.token().encode()
    assert isinstance(await client.log_in(token=token), Success)
    await client.close()
    assert (await refusal(client, token=token)).reason == word(running, LoginRefusal.BAD_TOKEN)


async def test_outdated_version_is_refused(new_client: NewClient, running: Running) -> None:
    client = new_client()
    await client.enlist()
    primary, secondary, tertiary = running.profile.chat.protocol_version
    failure = await refusal(client, version=(primary, secondary, tertiary - 1))
    assert failure.reason == word(running, LoginRefusal.OUTDATED)


async def test_ban_ends_the_connection_and_gives_the_remaining_time(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    await control.act(alice.identifier, "ban", seconds=500)
    ending = await alice.ended()
    assert ending is not None and ending.code == running.variant.endings[EndReason.ENDED]
    failure = await refusal(alice)
    assert failure.reason == word(running, LoginRefusal.BANNED_FOR_NOW)
    assert 490 <= int(failure.details["expire"]) <= 500
    await control.act(alice.identifier, "ban", seconds=0)
    assert isinstance(await alice.log_in(), Success)


async def test_locked_account_and_removed_partner_are_refused(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    await control.act(alice.identifier, "lock")
    assert (await refusal(alice)).reason == word(running, LoginRefusal.LOCKED)
    await control.act(alice.identifier, "lock", on=False)
    await control.registry(partner_registered=False)
    failure = await refusal(alice)
    await control.registry(partner_registered=True)
    assert failure.reason == word(running, LoginRefusal.PARTNER_REMOVED)
    assert isinstance(await alice.log_in(), Success)


@pytest.mark.parametrize("condition", list(LoginRefusal), ids=lambda each: each.value)
async def test_every_login_refusal_can_be_forced(
    new_client: NewClient, control: SandboxControl, running: Running, condition: LoginRefusal
) -> None:
    client = new_client()
    await client.enlist()
    await control.fault("refuse_login", account=client.identifier, condition=condition.value)
    assert (await refusal(client)).reason == word(running, condition)
    assert word(running, condition) in running.profile.login_failures
    assert isinstance(await client.log_in(), Success)


async def test_older_connection_gets_a_replaced_conflict(
    alice: BareClient, new_client: NewClient, running: Running
) -> None:
    second = new_client()
    second.identifier, second.jid = alice.identifier, alice.jid
    second.static, second.own = alice.static, alice.own
    assert isinstance(await second.log_in(), Success)
    ending = await alice.ended()
    assert ending is not None
    assert (ending.code, ending.conflict) == (running.variant.endings[EndReason.REPLACED], CONFLICT_REPLACED)
    assert isinstance(await second.ask(iq.ping), Result)


async def test_unknown_iq_is_refused_and_unknown_stanza_ignored(alice: BareClient) -> None:
    for xmlns, expected in (("nobody:knows", 501), ("encrypt", 400)):
        answer = await alice.ask(lambda id, xmlns=xmlns: iq.Request(id, "get", xmlns).to_stanza())  # type: ignore[misc]
        assert isinstance(answer, Failure) and answer.error.code == expected
    await alice.send(Stanza("surprise", {"id": "1"}))
    await alice.send(Stanza("message"))
    assert isinstance(await alice.ask(iq.ping), Result)


async def test_garbage_ends_only_its_own_connection(alice: BareClient, new_client: NewClient) -> None:
    bob = new_client("Bob")
    await bob.start()
    await alice.send_bytes(frame(os.urandom(64)))
    assert await alice.ended() is None
    assert isinstance(await bob.ask(iq.ping), Result)
    await alice.connect()


async def test_wrong_header_ends_only_its_own_connection(alice: BareClient, new_client: NewClient) -> None:
    bob = new_client("Bob")
    await bob.enlist()
    bob.expect(header=os.urandom(400))
    with pytest.raises((Ended, RemoteProtocolError)):
        await bob.open()
    assert isinstance(await alice.ask(iq.ping), Result)
