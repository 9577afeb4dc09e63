"""The conformance milestones with the bridge's own connector and public endpoints (dossier 12.11)."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from bridge.e2ee import session
from bridge.e2ee.keys import new_prekeys
from bridge.errors import TryAgain
from bridge.ids import Jid
from bridge.network.backoff import Why
from bridge.network.connector import Enlisted, EnlistRefused
from bridge.network.errors import LoginRefused, PersonUnreachable
from bridge.ports import Step
from bridge.profile import Refusal
from bridge.wire import payload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import info
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.receipt import Receipt
from tests.contract.own_edges import Bridge, User, bridge_at, is_a, live
from tests.contract.support import PATIENCE_S, VARIANTS, Running, SandboxControl, control_of, sandbox_process
from tests.network.support import each

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=VARIANTS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A sandbox for this module: it caches our keys only."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), request.param) as process:
        yield process


@pytest.fixture
async def bridge(running: Running) -> AsyncIterator[Bridge]:
    async with bridge_at(running) as bridge:
        yield bridge


@pytest.fixture
async def control(running: Running) -> AsyncIterator[SandboxControl]:
    async with control_of(running) as control:
        await control.clear_faults()
        yield control


# First milestone, identity and enlistment


async def test_repeated_enlistment_gives_the_same_account(bridge: Bridge) -> None:
    user, login = await bridge.enlisted()
    assert bridge.profile.is_ours(login)
    assert await bridge.connector.enlist(user.enlistment) == Enlisted(login)


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ("bad_integrator", Refusal.SUSPENDED),
        ("token_expired", Refusal.REAUTHENTICATE),
        ("identifier_mismatch", Refusal.REFUSED),
        ("old_version", Refusal.OUTDATED),
        ("unavailable", Refusal.RETRY),
    ],
)
async def test_refused_enlistment_carries_the_account_state(
    bridge: Bridge, control: SandboxControl, condition: str, state: Refusal
) -> None:
    await control.fault("refuse_enlistment", condition=condition, retry_after=90)
    user = User(f"@refused-{next(_numbers)}:hs.example")
    found = await bridge.connector.enlist(user.enlistment)
    assert isinstance(found, EnlistRefused)
    assert (found.reason.state, found.retry_after) == (state, 90)


async def test_keys_in_use_cannot_enlist_another_identifier(bridge: Bridge) -> None:
    user, _ = await bridge.enlisted()
    thief = User(f"@thief-{next(_numbers)}:hs.example", static=user.static, own=user.own)
    found = await bridge.connector.enlist(thief.enlistment)
    assert isinstance(found, EnlistRefused)
    assert found.reason.state is Refusal.REFUSED


# Second milestone, the chat channel


async def test_every_login_uses_a_fresh_token(bridge: Bridge) -> None:
    user, login = await bridge.enlisted()
    for _ in range(3):
        async with live(bridge, user, login) as link:
            assert link.server_time is not None
            assert isinstance(await bridge.first(user, is_a(info.OfflineDone)), info.OfflineDone)
            assert await link.prekey_count() == 0


async def test_older_connection_is_replaced(bridge: Bridge) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as older, live(bridge, user, login) as newer:
        assert (await older.ended()).why is Why.REPLACED
        assert newer.end is None


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ("bad_token", Refusal.REAUTHENTICATE),
        ("unknown_account", Refusal.ENLIST_AGAIN),
        ("outdated", Refusal.OUTDATED),
        ("locked", Refusal.SUSPENDED),
        ("unavailable", Refusal.RETRY),
    ],
)
async def test_refused_login_carries_the_account_state(
    bridge: Bridge, control: SandboxControl, condition: str, state: Refusal
) -> None:
    user, login = await bridge.enlisted()
    await control.fault("refuse_login", condition=condition)
    with pytest.raises(LoginRefused) as caught:
        await bridge.connector.connect(user.credentials(login), user)
    assert caught.value.reason.state is state


@pytest.mark.fault("F40")
async def test_forgotten_account_must_enlist_again(bridge: Bridge, control: SandboxControl) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        await control.act(user.identifier, "un_enlist")
        assert (await link.ended()).why is Why.DISMISSED
    with pytest.raises(LoginRefused) as caught:
        await bridge.connector.connect(user.credentials(login), user)
    assert caught.value.reason.state is Refusal.ENLIST_AGAIN
    assert await bridge.connector.enlist(user.enlistment) == Enlisted(login)
    async with live(bridge, user, login) as link:
        assert link.end is None


async def test_ban_carries_its_remaining_time(bridge: Bridge, control: SandboxControl) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login):
        await control.act(user.identifier, "ban", seconds=3600)
    with pytest.raises(LoginRefused) as caught:
        await bridge.connector.connect(user.credentials(login), user)
    assert caught.value.reason.state is Refusal.SUSPENDED
    assert caught.value.retry_after is not None
    assert 3500 < caught.value.retry_after <= 3600


@pytest.mark.parametrize(
    ("act", "why"),
    [
        ("disconnect", Why.LOST),
        ("end", Why.DISMISSED),
    ],
)
async def test_every_stream_end_has_its_reason(
    bridge: Bridge, control: SandboxControl, act: str, why: Why
) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        await control.act(user.identifier, act)
        assert (await link.ended()).why is why


@pytest.mark.parametrize("act", ["malformed_bytes", "zip_bomb", "deep_nesting"])
async def test_unreadable_stanza_keeps_the_connection(
    bridge: Bridge, control: SandboxControl, act: str
) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        await control.act(user.identifier, act)
        await link.prekey_count()  # an answer that stands behind it
        assert link.end is None


@pytest.mark.fault("F31")
@pytest.mark.parametrize("direction", ["cut_outgoing", "cut_incoming"])
async def test_connection_cut_during_login_can_be_retried(
    bridge: Bridge, control: SandboxControl, direction: str
) -> None:
    user, login = await bridge.enlisted()
    for after in (0, 2, 40, 150):
        await control.fault(direction, after_bytes=after)
        with pytest.raises(TryAgain):
            await bridge.connector.connect(user.credentials(login), user)
    async with live(bridge, user, login) as link:
        assert link.end is None


async def test_leaving_deletes_the_account_and_ends_the_connection(bridge: Bridge) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        await link.delete()
        assert (await link.ended()).why is Why.DISMISSED
    with pytest.raises(LoginRefused) as caught:
        await bridge.connector.connect(user.credentials(login), user)
    assert caught.value.reason.state is Refusal.ENLIST_AGAIN


# Keys and people


async def test_uploaded_prekeys_are_kept_and_reupload_changes_nothing(
    bridge: Bridge,
) -> None:
    user, login = await bridge.enlisted()
    made = new_prekeys(1, 20, os.urandom)
    async with live(bridge, user, login) as link:
        for _ in range(2):
            await link.upload_keys(user.own, user.signed, made)
            assert await link.prekey_count() == 20


async def test_person_is_resolved_both_ways_and_bundle_verifies(
    bridge: Bridge, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", "+491510000301", "Mira")
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        person = await link.resolve("whatsapp", "+491510000301")
        assert person is not None
        assert (str(person.jid), person.service) == (mira["jid"], "whatsapp")
        (await link.fetch_keys(person.jid)).verify()
        await link.reach(person.jid)


async def test_unknown_person_cannot_be_resolved_or_written_to(bridge: Bridge) -> None:
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        assert await link.resolve("whatsapp", "+491519999999") is None
        with pytest.raises(PersonUnreachable):
            await link.fetch_keys(Jid("491519999999", bridge.profile.services[0].jid_server))


# Third milestone, one text each way


async def test_text_out_is_accepted_and_delivered(bridge: Bridge, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", "+491510000302", "Mira")
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        to = Jid.parse(mira["jid"])
        now = bridge.clock.now()
        record = session.start(None, user.own, await link.fetch_keys(to), os.urandom, now)
        text = payload.pad(payload.TextPayload("Hello").to_bytes(), os.urandom)
        sealed = session.seal(record, user.own, text, os.urandom, now)
        message = Message("3EB01", to, sealed.kind, sealed.ciphertext)
        await link.send(message.to_stanza("to"), step=Step.SEND)
        accepted = await bridge.first(user, is_a(Ack))
        assert (accepted.id, accepted.error) == ("3EB01", None)
        receipt = await bridge.first(user, is_a(Receipt))
        assert (receipt.ids, receipt.type) == (("3EB01",), None)
    held = await control.received(mira["jid"])
    assert [each["text"] for each in held] == ["Hello"]


async def test_mailbox_is_redelivered_until_acknowledged(bridge: Bridge, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", "+491510000303", "Mira")
    user, login = await bridge.enlisted()
    async with live(bridge, user, login) as link:
        await link.upload_keys(user.own, user.signed, new_prekeys(1, 20, os.urandom))
    written = await control.write(mira["jid"], str(login), "Good morning")
    async with live(bridge, user, login):
        first = await bridge.first(user, is_a(Message))

    async def acknowledge(stanza: Stanza) -> Stanza | None:
        await user([stanza])
        word = bridge.read(stanza)
        return Ack("message", word.id, word.peer).to_stanza("to") if isinstance(word, Message) else None

    async with live(bridge, user, login, each(acknowledge)):
        again = await bridge.first(user, is_a(Message))
        assert (first.id, again.id, again.ciphertext) == (written, written, first.ciphertext)
        assert again.offline

        async def empty() -> bool:
            return bool((await control.account(user.identifier))["mailbox"] == 0)

        assert await control.until(empty)


@pytest.mark.fault("F42")
async def test_message_crossing_the_close_is_stored(bridge: Bridge, control: SandboxControl) -> None:
    user, login = await bridge.enlisted()
    mira = await control.add_person("whatsapp", f"+4915100004{next(_numbers):02}", "Mira")
    async with live(bridge, user, login) as link:
        await link.upload_keys(user.own, user.signed, new_prekeys(1, 20, os.urandom))
        await control.fault("under_way", account=user.identifier)
        written = await control.write(mira["jid"], str(login), "Are you leaving?")
        await link.finish()
        assert (await link.ended()).why is Why.CLOSED
        assert (await bridge.first(user, is_a(Message))).id == written


# Push


async def test_duplicate_wake_up_wakes_once(bridge: Bridge, control: SandboxControl) -> None:
    user, login = await bridge.enlisted()
    mira = await control.add_person("whatsapp", f"+4915100004{next(_numbers):02}", "Mira")
    async with live(bridge, user, login) as link:
        await link.upload_keys(user.own, user.signed, new_prekeys(1, 20, os.urandom))
    await control.fault("duplicate_push")
    await control.write(mira["jid"], str(login), "Are you there?")
    async with asyncio.timeout(PATIENCE_S):
        assert await bridge.woken.get() == user.identifier
    statuses = await control.until(lambda: _pushes(control, login, 2))
    assert statuses == [200, 200]
    assert bridge.woken.empty()


FORGERIES = (
    "wrong_audience",
    "wrong_issuer",
    "expired",
    "long_life",
    "unsigned",
    "bad_signature",
    "unknown_kid",
    "no_token",
)


@pytest.mark.threat("S8")
async def test_forged_wake_ups_are_refused(bridge: Bridge, control: SandboxControl) -> None:
    user, login = await bridge.enlisted()
    for how in FORGERIES:
        await control.act(user.identifier, "forged_push", how=how)
    statuses = await control.until(lambda: _pushes(control, login, len(FORGERIES)))
    assert statuses == [401] * len(FORGERIES)
    assert bridge.woken.empty()


async def _pushes(control: SandboxControl, login: Jid, count: int) -> list[int]:
    """The statuses of an account's wake-ups, once ``count`` are answered; empty before."""
    statuses = [each["status"] for each in (await control.log())["pushes"] if each["account"] == str(login)]
    return statuses if len(statuses) == count and None not in statuses else []
