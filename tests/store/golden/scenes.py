"""Moments in the life of a bridge at which its database is kept: work under way in every state.

A scene drives a whole simulated bridge and leaves it in the middle of its work. What must become of
that work is the scene's result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from bridge.errors import TryAgain
from bridge.ids import Jid
from bridge.matrix.errors import Rejected
from bridge.network.errors import LoginRefused
from bridge.ports import Step
from bridge.profile import Reason, Refusal
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import message as messages
from bridge.wire.vocabulary import receipt
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.notification import IdentityChanged, KeysLow
from tests.sim.contact import NUMBER, SimulatedContact, bundle_of
from tests.sim.homeserver import BOT, Asked, Event
from tests.sim.network import SERVICE
from tests.sim.whole import ADA, Whole
from tests.store.golden.world import Expected

DAY_S = 86_400.0
UNAVAILABLE = Reason(state=Refusal.RETRY, sentence="network.unavailable")
SUSPENDED = Reason(state=Refusal.SUSPENDED, sentence="network.banned_for_now")
STRANGER = "4915199999999"
"""The number of a contact who has no portal yet."""
AGREEMENT = ("opt-in", "ok", "ok", "agree")

Scene = Callable[[Whole], Awaitable[Expected]]


def homeserver_is_away(asked: Asked) -> None:
    """A rule: nothing is answered."""
    raise TryAgain(f"{asked.step.value}: no answer")


async def stop_pump(bridge: Whole) -> None:
    """What arrives from now on is stored, and nothing more happens to it."""
    bridge._tasks[0].cancel()
    await bridge.settled()


def last_message(bridge: Whole) -> Stanza:
    """The message that the bridge sent last."""
    return [stanza for stanza in bridge.network.sent if stanza.tag == "message"][-1]


async def acknowledge(bridge: Whole, stanza: Stanza) -> None:
    """The network has a message that was sent."""
    assert bridge.network.link is not None
    ack = Ack("message", str(stanza.attributes["id"]), bridge.contact.jid)
    await bridge.network.link.on_stanzas([ack.to_stanza("from")])
    await bridge.settled()


async def deliver(bridge: Whole, *stanzas: Stanza) -> None:
    """Stanzas arrive from the network."""
    await bridge.network.deliver(*stanzas)
    await bridge.settled()


def unreadable(bridge: Whole, stanza_id: str) -> Stanza:
    """A message that nobody can open."""
    garbage = b"\x33" + bytes(80)
    return messages.Message(
        stanza_id, bridge.contact.jid, "msg", garbage, t=int(bridge.clock.now()), notify=bridge.contact.name
    ).to_stanza("from")


async def agree(bridge: Whole) -> None:
    """The user opts in, whatever the network answers."""
    bridge.talk = bridge.home.make_room(ADA)
    await bridge.member(bridge.talk, BOT, "invite")
    for words in AGREEMENT:
        await bridge.says(words, bridge.talk)


async def past(bridge: Whole) -> None:
    """A chat with messages that are over, in every state."""
    await bridge.enlist()
    await bridge.chat()
    await bridge.says("Out 1: read")
    await bridge.told_by_contact(receipt.READ)
    await bridge.says("Out 2: delivered")
    await bridge.told_by_contact(receipt.DELIVERED)
    await bridge.says("Out 3: accepted")
    bridge.network.refuses = 479
    await bridge.says("Out: refused")
    bridge.network.refuses = None
    await bridge.hears("In 1: shown")
    await deliver(bridge, unreadable(bridge, "BEEF01"))
    await bridge.passes(2 * 3_600.0)


async def conversation(bridge: Whole) -> Expected:
    """Both ways are full while the network is silent and the homeserver is away."""
    await past(bridge)
    events: dict[str, str] = {}

    async def says(text: str) -> Event:
        event = await bridge.says(text)
        events[text] = event.event_id
        return event

    bridge.network.acknowledges = False
    await bridge.hears("In 2: shown, receipt owed")
    await deliver(bridge, unreadable(bridge, "BEEF02"))
    await says("Out 4: accepted, asked for again")
    asked_for = last_message(bridge)
    await acknowledge(bridge, asked_for)
    for count in (1, 2):
        retry = receipt.RetryReceipt(
            str(asked_for.attributes["id"]), bridge.contact.jid, count, bridge.contact._own.registration_id
        )
        await deliver(bridge, retry.to_stanza("from"))
    await _homeserver_leaves(bridge)
    await says("Out 5: accepted, status owed")
    bridge.contact.read(messages.parse(last_message(bridge), "to"))
    await acknowledge(bridge, last_message(bridge))
    in_doubt = await says("Out 6: sealed, in doubt")
    bridge.contact.read(messages.parse(last_message(bridge), "to"))
    await bridge.passes(11.0)
    await says("Out 7: behind it")
    await bridge.reads(bridge.portal, in_doubt.event_id)
    await says("Out 8: last")
    stranger = await _arrivals(bridge)
    await _words_to_the_bot(bridge)
    received = list(bridge.contact.received)
    # The contact has what it could read; what it asked for again comes when its retry is answered.
    later = ["Out 4: accepted, asked for again", "Out 7: behind it", "Out 8: last"]
    return Expected(
        to_contact=[*received, *later],
        events=events,
        to_user={
            NUMBER: ["In 1: shown", "In 2: shown, receipt owed", "In 3: opened", "In 4: accepted"],
            stranger.jid.user: ["In: first words of a stranger"],
        },
        account_state="enlisted",
    )


async def _homeserver_leaves(bridge: Whole) -> None:
    """The bot has been invited to another room, came in, and has read nothing there yet."""
    room = bridge.home.make_room(ADA)
    looks: list[Asked] = []

    def rule(asked: Asked) -> None:
        if asked.room == room and asked.step is Step.LOOK_UP:
            looks.append(asked)
        if asked.room != room or len(looks) > 1:
            homeserver_is_away(asked)

    bridge.home.refuse = rule
    await bridge.member(room, BOT, "invite")
    bridge.home.refuse = homeserver_is_away


async def _arrivals(bridge: Whole) -> SimulatedContact:
    """The contact, under a new name, and a stranger write; receipts and news stand behind."""
    bridge.contact.name = "Anna Maria"
    await bridge.hears("In 3: opened", "In 4: accepted")
    await bridge.told_by_contact(receipt.READ)
    news = IdentityChanged("1F", bridge.contact.jid, int(bridge.clock.now()))
    await deliver(bridge, news.to_stanza())
    stranger = SimulatedContact(bridge._random.draw, bridge.clock)
    stranger.jid = Jid.parse(f"{STRANGER}@s.whatsapp.net")
    assert bridge.network.directory is not None
    bundle = bundle_of(*bridge.network.directory)
    await deliver(bridge, stranger.write("CAFE01", "In: first words of a stranger", bundle))
    return stranger


async def _words_to_the_bot(bridge: Whole) -> None:
    """Answers, a search and a new room are owed; what came last stands behind them."""
    await bridge.says("status", bridge.talk)
    await bridge.says(f"start-chat {SERVICE} +{NUMBER}", bridge.talk)
    encrypted = bridge.home.happens(bridge.talk, ADA, "m.room.encrypted", {"ciphertext": ""}, None)
    await bridge._pushed("event", bridge.talk, encrypted.event_id, encrypted.pushed())
    another = bridge.home.make_room(ADA)
    await bridge.member(another, BOT, "invite")


async def arrived(bridge: Whole) -> Expected:
    """Killed between the commit that stores what arrives and everything that would follow."""
    await past(bridge)
    await stop_pump(bridge)
    event = await bridge.says("Out 4: stored")
    await bridge.reads(bridge.portal, event.event_id)
    await bridge.hears("In 2: stored", "In 3: stored")
    await bridge.told_by_contact(receipt.READ)
    await bridge.says("ping", bridge.talk)
    await deliver(bridge, KeysLow("2F", bridge.contact.jid, 3).to_stanza())
    bridge.clock.jump(8 * DAY_S)
    bridge.network.lose_link()
    await bridge.passes(600.0)
    return Expected(
        to_contact=[*bridge.contact.received, "Out 4: stored"],
        events={"Out 4: stored": event.event_id},
        to_user={NUMBER: ["In 1: shown", "In 2: stored", "In 3: stored"]},
        account_state="enlisted",
    )


async def refused(bridge: Whole) -> Expected:
    """A portal refuses its ghost: the message is kept for an hour, another one stands behind it."""
    await past(bridge)
    portal = bridge.portal

    def rule(asked: Asked) -> None:
        if asked.room == portal or asked.step is Step.CREATE_ROOM:
            raise Rejected("M_FORBIDDEN", 403)

    bridge.home.refuse = rule
    await bridge.hears("In 2: kept", "In 3: behind it")
    return Expected(
        to_contact=list(bridge.contact.received),
        events={},
        to_user={NUMBER: ["In 1: shown", "In 2: kept", "In 3: behind it"]},
        account_state="enlisted",
    )


async def enlisting(bridge: Whole) -> Expected:
    """The network does not answer an enlistment; the user was told that it takes long."""
    bridge.network.enlisting = UNAVAILABLE
    await agree(bridge)
    await bridge.passes(600.0)
    await bridge.says("ping", bridge.talk)
    return Expected([], {}, {}, "enlisted")


async def uploading(bridge: Whole) -> Expected:
    """The network knows the account and has no prekeys of it yet; the user has asked for a chat."""
    bridge.network.up = False
    await agree(bridge)
    await bridge.says(f"start-chat {SERVICE} +{NUMBER}", bridge.talk)
    await bridge.passes(60.0)
    return Expected([], {}, {NUMBER: []}, "enlisted")


async def suspended(bridge: Whole) -> Expected:
    """The account is suspended for two hours, with messages in doubt and waiting."""
    await past(bridge)
    bridge.network.acknowledges = False
    in_doubt = await bridge.says("Out 4: sealed, in doubt")
    behind = await bridge.says("Out 5: behind it")
    bridge.network.refuses_login = LoginRefused("402", SUSPENDED, retry_after=7_200.0)
    bridge.network.lose_link()
    bridge.home.refuse = homeserver_is_away
    await bridge.passes(60.0)
    texts = ["Out 4: sealed, in doubt", "Out 5: behind it"]
    return Expected(
        to_contact=[*bridge.contact.received, *texts],
        events=dict(zip(texts, (in_doubt.event_id, behind.event_id), strict=True)),
        to_user={NUMBER: ["In 1: shown"]},
        account_state="enlisted",
    )


async def leaving(bridge: Whole) -> Expected:
    """The user has left, and the network has not confirmed it; a message of theirs is in doubt."""
    await past(bridge)
    bridge.network.acknowledges = False
    in_doubt = await bridge.says("Out 4: sealed, in doubt")
    await bridge.says("opt-out", bridge.talk)
    bridge.network.up = False
    bridge.network.lose_link()
    await bridge.says("leave", bridge.talk)
    await bridge.passes(60.0)
    return Expected(
        to_contact=[*bridge.contact.received, "Out 4: sealed, in doubt"],
        events={"Out 4: sealed, in doubt": in_doubt.event_id},
        to_user={NUMBER: ["In 1: shown"]},
        account_state="left",
    )


SCENES: Mapping[str, Scene] = MappingProxyType(
    {
        scene.__name__: scene
        for scene in (conversation, arrived, refused, enlisting, uploading, suspended, leaving)
    }
)
