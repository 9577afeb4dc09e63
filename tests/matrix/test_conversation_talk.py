"""The talk with the bot: what it answers, what opting in takes, and what it needs to say no."""

from __future__ import annotations

import asyncio

import pytest

from bridge.commands.table import COMMANDS
from bridge.sentences.english import ENGLISH
from bridge.states import Level
from tests.matrix.world import (
    BLOCKED,
    BOT,
    ONLOOKER,
    PERMISSIONS,
    SANDBOX_LABEL,
    Network,
    User,
    World,
    sentence,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_what_was_typed_after_the_invitation_is_for_the_bot(world: World) -> None:
    async with world.user() as user:
        room = await user.client.call("POST", "createRoom", body={"preset": "trusted_private_chat"})
        user.talk = room["room_id"]
        await user.client.send_text(user.talk, "help")
        await user.client.call("POST", "rooms", user.talk, "invite", body={"user_id": BOT})
        await user.client.send_text(user.talk, "my-address")
        await user.hears("bot.greeting")
        await user.hears("address.none")
        await user.says("status", "status.none")
        bodies = await user.bodies(user.talk)
        answers = [
            key for key in ("bot.greeting", "address.none", "help.list") for body in bodies if _is(key, body)
        ]
        assert answers == ["bot.greeting", "address.none"]


def _is(key: str, body: str) -> bool:
    return sentence(key).fullmatch(body) is not None


async def test_before_agree_nothing_reaches_the_network(world: World, network: Network) -> None:
    async with world.user() as user:
        await user.meet_bot()
        before = await network.log()
        await user.says("start-chat whatsapp +491510000001", "policy.opt_in_first")
        await user.says("opt-in", "opt_in.ask_name")
        await user.says("Ada Lovelace", "opt_in.ask_identifier")
        await user.says("somebody@else.example", "opt_in.identifier_not_yours")
        await user.says("ok", "opt_in.confirm")
        await user.says("yes", "opt_in.needs_agree")
        await user.says("ping", "address.none")
        after = await network.log()
        assert not await network.has_account(user.id)
        assert after["enlistments"] == before["enlistments"]
        assert [login for login in after["logins"] if login not in before["logins"]] == []
        assert world.rows("SELECT * FROM account WHERE user_id = ?", user.id) == []


async def test_a_talk_that_is_cancelled_leaves_no_trace(world: World, network: Network) -> None:
    async with world.user() as user:
        await user.meet_bot()
        await user.says("opt-in", "opt_in.ask_name")
        await user.says("cancel", "talk.cancelled")
        await user.says("agree", "bot.not_understood")
        assert not await network.has_account(user.id)


async def test_opting_in_explains_and_ends_with_the_address_and_an_invitation(
    world: World, network: Network
) -> None:
    async with world.user() as user:
        await user.meet_bot()
        await user.says("login", "opt_in.ask_name")
        explained = (await user.hears("opt_in.explained")).body or ""
        assert SANDBOX_LABEL in explained and "operator of the bridge holds your keys" in explained
        await user.says("Ada (WhatsApp) Lovelace", "opt_in.ask_identifier")
        shown = (await user.says("ok", "opt_in.confirm")).body or ""
        assert "Ada [WhatsApp] Lovelace" in shown and user.id in shown
        invitation = (await user.says("agree", "enlist.invitation")).body or ""
        done = (await user.hears("enlist.done")).body or ""
        assert user.id in done and user.id in invitation
        account = await network.account(user.id)
        assert (account["name"], account["enlisted"]) == ("Ada [WhatsApp] Lovelace", True)
        (agreed,) = world.rows(
            "SELECT agreement.* FROM agreement JOIN account USING (account_id) WHERE user_id = ?", user.id
        )
        assert agreed["text_version"] and agreed["agreed_at"] and agreed["withdrawn_at"] is None


async def test_the_bot_answers_what_it_is_asked(world: World, network: Network, eva: User) -> None:
    listed = (await eva.says("help", "help.list")).body or ""
    assert all(command.usage in listed for command in COMMANDS)
    address = (await eva.says("my-address", "address.is")).body or ""
    assert eva.id in address and f"Haiket, {SANDBOX_LABEL}" in address
    await eva.says("ping", "ping.well")
    state = (await eva.says("status", "status.is")).body or ""
    assert "reachable" in state and "Last connected: now" in state and "Chats: 0" in state
    await eva.says("opt-in", "opt_in.already")
    await eva.says("Good evening", "bot.not_understood")
    await eva.says("start-chat", "start_chat.usage")
    await eva.says("start-chat whatsapp anna", "start_chat.bad_identifier")
    await eva.says("start-chat whatsapp +491519999999", "start_chat.nobody")
    hidden = await world.contact(network, opted_in=False)
    await eva.says(f"pm whatsapp {hidden.identifier}", "start_chat.nobody")


async def test_in_a_portal_only_the_prefix_makes_a_command(world: World, network: Network, ada: User) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    await ada.client.send_text(portal, "help")
    said = await ada.client.send_text(portal, "!interop status")
    await ada.hears("status.is", room=portal, after=said)
    await ada.client.send_text(portal, "opt-out")
    await network.read_by(mira, "opt-out")
    held = (await network.person(mira.jid))["received"]
    assert [each["text"] for each in held] == ["help", "opt-out"]


async def test_the_bot_answers_only_whose_room_it_is(world: World, ada: User) -> None:
    async with world.user("ben") as ben:
        await ada.client.call("POST", "rooms", ada.talk, "invite", body={"user_id": ben.id})
        await ben.until(lambda each: each.room == ada.talk and each.kind == "event")
        said = await ben.client.send_text(ada.talk, "status")
        answer = await ben.hears("bot.only_owner", room=ada.talk, after=said)
        assert ada.id in (answer.body or "")
        assert answer.event["content"]["m.mentions"] in ({}, {"user_ids": [ben.id]})


async def test_a_blocked_user_is_refused_without_a_word(world: World) -> None:
    async with world.named(BLOCKED) as user:
        room = await user.client.start_dm(BOT)
        await user.until(
            lambda each: (
                each.room == room
                and each.event.get("state_key") == BOT
                and each.event["content"]["membership"] == "leave"
            )
        )
        assert not [each for each in user.seen if each.sender == BOT and each.body is not None]


async def test_who_may_only_use_commands_cannot_opt_in(world: World, network: Network) -> None:
    async with world.named(ONLOOKER) as user:
        await user.meet_bot()
        listed = (await user.says("help", "help.list")).body or ""
        assert [each.usage in listed for each in COMMANDS] == [
            each.level <= Level.COMMANDS for each in COMMANDS
        ]
        await user.says("opt-in", "policy.no_account_permitted")
        await user.says("start-chat whatsapp +491510000001", "policy.no_account_permitted")
        assert not await network.has_account(user.id)


async def test_in_an_encrypted_room_the_bot_says_so_and_opens_a_readable_one(world: World) -> None:
    encryption = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    async with world.user() as user:
        made = await user.client.call(
            "POST",
            "createRoom",
            body={
                "preset": "trusted_private_chat",
                "is_direct": True,
                "invite": [BOT],
                "initial_state": [encryption],
            },
        )
        room = made["room_id"]
        unreadable = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", "session_id": "s"}
        said = await user.client.send(room, "m.room.encrypted", unreadable)
        notice = await user.hears("room.encrypted", room=room)
        assert notice.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == said
        invited = await user.until(lambda each: each.kind == "invite")
        assert invited.room != room
        user.talk = invited.room
        await user.hears("bot.greeting")
        await user.says("opt-in", "opt_in.ask_name")


async def test_opting_out_asks_first_deletes_upstream_and_destroys_the_keys(
    world: World, network: Network, eva: User
) -> None:
    anna = await world.contact(network)
    portal = await eva.start_chat(anna)
    await eva.client.send_text(portal, "Hello Anna")
    await network.read_by(anna, "Hello Anna")
    (account,) = world.rows("SELECT * FROM account WHERE user_id = ?", eva.id)
    assert account["own_keys"] and account["data_key"]
    asked = (await eva.says("opt-out", "opt_out.ask")).body or ""
    assert "1 chats" in asked
    await eva.says("no", "talk.cancelled")
    assert await network.has_account(eva.id)
    await eva.says("logout", "opt_out.ask")
    await eva.says("yes", "opt_out.needs_leave")
    await eva.says("leave", "leave.done")
    assert not await network.has_account(eva.id)
    await eva.hears("leave.portal", room=portal)
    (account,) = world.rows("SELECT * FROM account WHERE user_id = ?", eva.id)
    assert (account["state"], account["own_keys"], account["data_key"]) == ("left", None, b"")
    for table in ("session", "prekey", "contact", "message"):
        query = f"SELECT * FROM {table} WHERE account_id = ?"  # the names stand two lines above
        assert world.rows(query, account["account_id"]) == []
    written = await eva.client.send_text(portal, "Are you still there?")
    notice = await eva.hears("room.ended", room=portal, after=written)
    assert notice.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == written
    await eva.says("status", "status.left")


async def test_who_left_can_come_back_as_somebody_new(world: World, network: Network, eva: User) -> None:
    anna = await world.contact(network)
    before = await network.account(eva.id)
    old = await eva.start_chat(anna)
    await eva.says("opt-out", "opt_out.ask")
    await eva.says("leave", "leave.done")
    await eva.says("opt-in", "opt_in.ask_name")
    await eva.says("ok", "opt_in.ask_identifier")
    await eva.says("ok", "opt_in.confirm")
    await eva.says("agree", "enlist.invitation")
    after = await network.account(eva.id)
    assert (after["jid"] != before["jid"], after["identity"] != before["identity"]) == (True, True)
    await network.write(anna.jid, eva.id, "Welcome back")
    seen = await eva.text("Welcome back")
    assert seen.room != old and seen.sender != await eva.ghost_of(old)


async def test_whose_permission_is_taken_away_still_reads_and_can_leave(
    world: World, network: Network, eva: User
) -> None:
    anna, portal = await world.chat(network, eva)
    world.bridge.stop()
    world.bridge.configure({"bridge": {"permissions": {**PERMISSIONS, eva.id: "block"}}})
    try:
        await asyncio.to_thread(world.bridge.start)
        await eva.client.send_text(portal, "Am I still heard?")
        refused = await eva.hears("outbound.not_sent", room=portal)
        assert ENGLISH["policy.permission_taken"] in (refused.body or "")
        await network.write(anna.jid, eva.id, "I still write")
        await eva.text("I still write", room=portal)
        await eva.says(f"start-chat whatsapp {anna.identifier}", "policy.permission_taken")
        await eva.says("opt-out", "opt_out.ask")
        await eva.says("leave", "leave.done")
        assert not await network.has_account(eva.id)
        assert [each["text"] for each in (await network.person(anna.jid))["received"]] == [
            f"{anna.name} reads"
        ]
    finally:
        world.bridge.stop()
        world.bridge.configure({"bridge": {"permissions": PERMISSIONS}})
        await asyncio.to_thread(world.bridge.start)
