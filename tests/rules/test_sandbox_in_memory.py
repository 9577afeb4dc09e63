"""The sandbox's rules run without a socket, a clock, or randomness of their own."""

from __future__ import annotations

from bridge.sandbox.people.simulated import SimulatedPerson
from bridge.wire.vocabulary import iq
from bridge.wire.vocabulary.info import OfflineDone, OfflinePreview
from bridge.wire.vocabulary.iq import Result
from bridge.wire.vocabulary.login import StreamError, Success
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.prekeys import upload
from tests.rules.sandbox_support import NOW, PARTNER, Memory, User, make_world


def user_and_person(world: Memory) -> tuple[User, SimulatedPerson]:
    """An enlisted user and a person who can write to them."""
    user = world.user("@alice:hs.example")
    assert user.enlist()["status"] == "ok"
    person = world.gatekeeper.add_person("whatsapp", "+491510000001", "Mira", world.now)
    assert isinstance(person, SimulatedPerson)
    return user, person


def scenario(world: Memory) -> None:
    """A run through login, messages and expiry."""
    user, person = user_and_person(world)
    user.log_in()
    user.send(iq.ping("1"))
    person.write(user.jid, "hello", world.now)
    world.gatekeeper.settle(world.now)
    world.carry()
    user.log_in()
    world.now += 40 * 86_400
    world.gatekeeper.tick(world.now)
    world.carry()


def test_login_and_message_cross_the_wire_in_memory() -> None:
    world = Memory()
    user, person = user_and_person(world)
    user.log_in()
    assert user.seen == [Success(int(NOW)), OfflinePreview(0), OfflineDone(0)]
    user.send(iq.ping("1"))
    assert user.seen[-1] == Result("1")
    person.write(user.jid, "hello", world.now)
    world.gatekeeper.settle(world.now)
    world.carry()
    (message,) = [word for word in user.seen if isinstance(word, Message)]
    assert (message.peer, message.kind, message.t, message.notify) == (person.jid, "pkmsg", int(NOW), "Mira")


def test_same_seed_gives_the_same_bytes() -> None:
    worlds = [Memory(seed="a"), Memory(seed="a"), Memory(seed="b")]
    for world in worlds:
        scenario(world)
    first, again, other = [world.bytes_sent for world in worlds]
    assert first == again != other


def test_message_to_offline_account_sends_a_wake_up() -> None:
    world = Memory()
    user, person = user_and_person(world)
    person.write(user.jid, "hello", world.now)
    world.gatekeeper.settle(world.now)
    world.carry()
    (push,) = world.pushes
    assert push.url == PARTNER + world.state.profile.push.path
    assert push.body == b'{"to": "@alice:hs.example"}'


def test_replaced_connection_is_closed_after_its_stream_error() -> None:
    world = Memory()
    user, _ = user_and_person(world)
    user.log_in()
    older, seen = user.link, user.seen
    second = world.user(user.identifier)
    second.jid, second.static, second.own = user.jid, user.static, user.own
    second._tokens = 100
    second.log_in()
    assert isinstance(seen[-1], StreamError)
    assert world.hung_up == [older]


def test_login_waits_for_the_partner_keys() -> None:
    world = Memory()
    user, _ = user_and_person(world)
    world.state.tokens.keys.clear()
    before = world.key_fetches
    user.log_in()
    assert world.key_fetches == before + 1
    assert user.seen[0] == Success(int(NOW))


def test_account_numbers_are_stable_and_exceed_32_bits() -> None:
    numbers = set()
    for name in ("alice", "bob", "carol"):
        jids = [make_world().registry.account_jid(7, name) for _ in range(2)]
        assert jids[0] == jids[1]
        assert int(jids[0].user) > 2**32
        numbers.add(jids[0].user)
    assert len(numbers) == 3


def test_upload_with_foreign_keys_is_refused() -> None:
    world = Memory()
    user, person = user_and_person(world)
    user.log_in()
    user.send(upload("7", person.keyring.make(1)))
    assert isinstance(user.seen[-1], iq.Failure), "the keys are somebody else's"
