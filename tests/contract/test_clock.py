"""Expiry by the shared clock (dossier 2.11, 12.11)."""

from __future__ import annotations

import pytest

from bridge.ids import Jid
from bridge.sandbox.rules.reasons import LoginRefusal
from bridge.wire.vocabulary.info import OfflineDone
from bridge.wire.vocabulary.iq import Result
from bridge.wire.vocabulary.login import LoginFailure, Success
from tests.contract.bare_client import BareClient
from tests.contract.support import Running, SandboxControl

DAY_S = 86_400.0


@pytest.fixture
def running(own_sandbox: Running) -> Running:
    """A sandbox of its own, because the clock is moved."""
    return own_sandbox


async def closed(alice: BareClient, control: SandboxControl) -> None:
    await alice.close()

    async def gone() -> bool:
        return not (await control.account(alice.identifier))["connected"]

    await control.until(gone)


async def test_both_sides_read_the_shared_clock(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    before = running.clock.now()
    await control.advance(3600)
    assert running.clock.now() - before >= 3600
    outcome = await alice.log_in()
    assert isinstance(outcome, Success) and outcome.t is not None
    assert outcome.t - before >= 3599


async def test_idle_account_is_unenlisted_on_the_last_day(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    days = running.profile.timers.unenlisted_after_days
    await closed(alice, control)
    await control.advance(days * DAY_S - 600)
    assert isinstance(await alice.log_in(), Success)
    await closed(alice, control)
    await control.advance(days * DAY_S)
    outcome = await alice.log_in()
    assert isinstance(outcome, LoginFailure)
    assert outcome.reason == running.variant.login[LoginRefusal.UNKNOWN_ACCOUNT].word
    assert not (await control.account(alice.identifier))["enlisted"]
    before = alice.jid
    assert await alice.enlist() == before
    await alice.connect()


async def test_connected_account_stays_enlisted(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    await control.advance(2 * running.profile.timers.unenlisted_after_days * DAY_S)
    assert await alice.count() == 20
    assert (await control.account(alice.identifier))["enlisted"]


async def test_mailbox_entry_expires(alice: BareClient, control: SandboxControl, running: Running) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    kept = running.profile.timers.mailbox_days * DAY_S
    await control.write(mira["jid"], str(alice.jid), "too old")
    await control.advance(kept - 3600)
    await control.write(mira["jid"], str(alice.jid), "young")
    await control.advance(3601)
    await alice.connect()
    assert (await alice.read())[1] == "young"
    assert await alice.next(OfflineDone) == OfflineDone(1)
    assert [each["expired"] for each in (await control.log())["n_in"]] == [True, False]


async def test_expired_token_is_rejected(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    token = alice.token().encode()
    await control.advance(DAY_S)
    outcome = await alice.log_in(token=token)
    assert isinstance(outcome, LoginFailure)
    assert outcome.reason == running.variant.login[LoginRefusal.TOKEN_EXPIRED].word


async def test_person_renews_a_session_unanswered_for_long(
    alice: BareClient, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await control.write(mira["jid"], str(alice.jid), "hello?")
    first, _ = await alice.read()
    await control.advance(31 * DAY_S)
    await control.write(mira["jid"], str(alice.jid), "still there?")
    second, text = await alice.read()
    assert (first.kind, second.kind, text) == ("pkmsg", "pkmsg", "still there?")
    accepted = await alice.write(Jid.parse(mira["jid"]), "yes")
    assert accepted.error is None
    assert isinstance(await alice.upload(1), Result)
