"""Two ends of ours, and a network that loses, duplicates and reorders."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.e2ee.conversation import Conversation, Ours

SIDES = st.integers(0, 1)
PICKS = st.integers(0, 50)


class AnyInterleaving(RuleBasedStateMachine):
    """Every step checks itself (``Conversation``); in the end both must agree on one session."""

    @initialize(both=st.booleans())
    def begin(self, both: bool) -> None:
        self.talk = Conversation(Ours("alice"), Ours("bob"))
        self.talk.send(0)
        if both:
            self.talk.send(1)

    @rule(who=SIDES, one_time=st.booleans())
    def send(self, who: int, one_time: bool) -> None:
        self.talk.send(who, one_time=one_time)

    @rule(who=SIDES)
    def send_and_deliver(self, who: int) -> None:
        self.talk.send(who)
        self.talk.newest(1 - who)

    @rule(who=SIDES, pick=PICKS)
    def deliver(self, who: int, pick: int) -> None:
        self.talk.deliver(who, pick)

    @rule(who=SIDES, pick=PICKS)
    def lose(self, who: int, pick: int) -> None:
        self.talk.lose(who, pick)

    @rule(who=SIDES)
    def archive(self, who: int) -> None:
        self.talk.archive(who)

    @rule(who=SIDES, one_time=st.booleans())
    def start_anew(self, who: int, one_time: bool) -> None:
        self.talk.start(who, one_time=one_time)

    def teardown(self) -> None:
        if hasattr(self, "talk"):
            self.talk.settle()


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(
    max_examples=60, stateful_step_count=40, derandomize=True, deadline=None
)


def test_simultaneous_starts_converge_on_one_session() -> None:
    talk = Conversation(Ours("alice"), Ours("bob"))
    talk.send(0)
    talk.send(1)
    talk.newest(0)
    talk.newest(1)
    assert talk.sides[0].current != talk.sides[1].current, "each end goes on in the other's session"
    talk.settle()
    assert talk.sides[0].current == talk.sides[1].current


def test_simultaneous_starts_read_all_crossed_messages() -> None:
    talk = Conversation(Ours("alice"), Ours("bob"))
    for who in (0, 1, 0, 1, 0, 1):
        talk.send(who)
    for pick in (2, 0, 1):
        talk.deliver(0, pick)
        talk.deliver(1, pick)
    assert all(sent.read for side in talk.sides for sent in side.to_come)
    talk.settle()


def test_message_is_readable_for_five_turns() -> None:
    talk = Conversation(Ours("alice"), Ours("bob"))
    talk.send(0)
    talk.newest(1)
    for _ in range(8):
        talk.send(1)
        talk.send(1)
        talk.newest(0)
        talk.send(0)
        talk.newest(1)
    for pick in range(len(talk.sides[0].to_come)):
        talk.deliver(0, pick)
    unread = [sent for sent in talk.sides[0].to_come if not sent.read]
    assert len(unread) == 3
