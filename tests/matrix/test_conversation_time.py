"""What time does: connections that close and wake, and a network that forgets who stays away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrix.world import LINGER_S, Network, User, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S, DAY_S = 3_600.0, 86_400.0
UNTIL_CLEARED = 1_000_000
"""So often a fault happens."""


async def test_an_idle_connection_closes_and_a_wake_up_opens_it(
    world: World, network: Network, ada: User
) -> None:
    anna = await world.contact(network)
    id = await network.write(anna.jid, ada.id, "While you are there")
    await network.sent_by(anna, id, lambda each: each["delivered"])
    account = await network.asleep(ada.id)
    before = await network.logins(ada.id)
    pushes = len((await network.log())["pushes"])
    await network.write(anna.jid, ada.id, "Wake up!")
    await ada.text("Wake up!")
    assert await network.logins(ada.id) == before + 1
    (push,) = (await network.log())["pushes"][pushes:]
    assert (push["account"], push["status"]) == (account["jid"], 200)
    (entry,) = [each for each in (await network.log())["n_in"] if each["account"] == account["jid"]][-1:]
    assert [sending["offline"] for sending in entry["sent"]] == [True]


async def test_a_message_that_crosses_the_end_of_an_idle_connection_arrives_without_a_wake_up(
    world: World, network: Network, ada: User
) -> None:
    anna, portal = await world.chat(network, ada)
    before, pushes = await network.logins(ada.id), len((await network.log())["pushes"])
    await network.fault("under_way", account=ada.id)
    await network.write(anna.jid, ada.id, "Are you leaving?")
    await ada.until(
        lambda each: each.body == "Are you leaving?", meanwhile=lambda: network.advance(LINGER_S + 1)
    )
    assert await ada.count(portal, "Are you leaving?") == 1
    assert await network.logins(ada.id) > before
    assert len((await network.log())["pushes"]) == pushes


async def test_what_the_user_writes_opens_a_closed_connection(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    await network.asleep(ada.id)
    await ada.client.send_text(portal, "Good evening")
    await network.read_by(mira, "Good evening")
    assert (await network.account(ada.id))["connected"]


async def test_a_forged_wake_up_opens_nothing(world: World, network: Network, eva: User) -> None:
    account = await network.asleep(eva.id)
    before = await network.logins(eva.id)
    await network.act(eva.id, "forged_push", how="bad_signature")

    async def answered() -> Any:
        pushes = [each for each in (await network.log())["pushes"] if each["account"] == account["jid"]]
        return pushes[-1]["status"] if pushes else None

    assert await network.until(answered) == 401
    assert await network.logins(eva.id) == before


async def test_who_is_kept_away_is_reminded_and_after_thirty_days_comes_back_under_the_same_address(
    world: World, network: Network, eva: User
) -> None:
    anna = await world.contact(network)
    id = await network.write(anna.jid, eva.id, "See you next month")
    portal = (await eva.text("See you next month")).room
    await network.sent_by(anna, id, lambda each: each["delivered"])
    before = await network.asleep(eva.id)
    await network.fault("refuse_login", account=eva.id, times=UNTIL_CLEARED)
    passed = 0
    for day in (20, 25, 28):
        await network.advance((day - passed) * DAY_S)
        passed = day
        reminder = await eva.until(
            lambda each, day=day: f"for {day} days" in (each.body or "")  # type: ignore[misc]
        )
        assert f"In {30 - day} days" in (reminder.body or "") and reminder.room == eva.talk
    await network.advance(2 * DAY_S)
    await eva.hears("login.forgotten")
    await network.clear_faults()
    assert not (await network.account(eva.id))["enlisted"]
    reminders = [body for body in await eva.bodies(eva.talk) if "not been connected" in body]
    assert len(reminders) == 3
    assert "no longer reachable" in ((await eva.says("status", "status.is")).body or "")
    refused = await eva.client.send_text(portal, "I am back")
    notice = await eva.hears("outbound.not_sent", room=portal)
    assert notice.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == refused
    invitation = await eva.says("opt-in", "enlist.invitation")
    assert eva.id in (invitation.body or "")
    after = await network.account(eva.id)
    assert [after[each] for each in ("jid", "identity", "enlisted")] == [
        before["jid"],
        before["identity"],
        True,
    ]
    await eva.client.send_text(portal, "I am back again")
    await network.read_by(anna, "I am back again")
    await network.write(anna.jid, eva.id, "So I see")
    assert (await eva.text("So I see")).room == portal


async def test_a_ping_keeps_an_account_known(world: World, network: Network, eva: User) -> None:
    await network.asleep(eva.id)
    await network.fault("refuse_login", account=eva.id, times=UNTIL_CLEARED)
    await network.advance(28 * DAY_S)
    await eva.hears("reminder.unenlist")
    await network.clear_faults()
    await eva.says("ping", "ping.well")
    await network.asleep(eva.id)
    await network.fault("refuse_login", account=eva.id, times=UNTIL_CLEARED)
    await network.advance(15 * DAY_S)
    state = (await eva.says("status", "status.is")).body or ""
    assert "reachable on" in state and "Last connected: 15 days ago" in state
    assert (await network.account(eva.id))["enlisted"]


@pytest.mark.fault("F42")
async def test_a_message_without_a_wake_up_arrives_within_six_hours(
    world: World, network: Network, eva: User
) -> None:
    anna = await world.contact(network)
    await network.asleep(eva.id)
    await network.fault("missing_push", account=eva.id)
    await network.write(anna.jid, eva.id, "Nobody woke you")
    await network.advance(6 * HOUR_S)
    await eva.text("Nobody woke you")


async def test_a_signed_prekey_is_renewed_every_week_and_old_ones_serve_until_nobody_can_use_them(
    world: World, network: Network, eva: User
) -> None:
    handed_out = [(await network.account(eva.id))["signed_prekey_id"]]
    for week in range(8):
        await network.advance(7.5 * DAY_S)
        await network.asleep(eva.id)
        stranger = await world.contact(network)
        if week % 2:
            await network.fault("prekeys_exhausted", account=eva.id)
        await network.write(stranger.jid, eva.id, f"Hello in week {week}")

        async def renewed() -> Any:
            found = (await network.account(eva.id))["signed_prekey_id"]
            return found if found != handed_out[-1] else None

        handed_out.append(await network.until(renewed))
        await eva.text(f"Hello in week {week}")
    kept = world.rows(
        "SELECT prekey_id FROM prekey JOIN account USING (account_id) WHERE kind = 'signed' AND user_id = ?"
        " ORDER BY made_at",
        eva.id,
    )
    assert len(set(handed_out)) == 9
    assert [each["prekey_id"] for each in kept] == handed_out[2:]


async def test_an_account_that_leaves_takes_its_renewed_prekeys_with_it(
    world: World, network: Network, eva: User
) -> None:
    before = (await network.account(eva.id))["signed_prekey_id"]
    await network.advance(8 * DAY_S)
    await eva.says("ping", "ping.well")

    async def renewed() -> bool:
        return bool((await network.account(eva.id))["signed_prekey_id"] != before)

    await network.until(renewed)
    await eva.says("opt-out", "opt_out.ask")
    await eva.says("leave", "leave.done")
    query = "SELECT prekey_id FROM prekey JOIN account USING (account_id) WHERE user_id = ?"
    assert world.rows(query, eva.id) == []
