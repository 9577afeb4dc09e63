"""Any interleaving with the official libsignal as one end: losses, duplicates, reordering, new sessions."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2ee.conversation import Conversation, Ours, Theirs
from tests.e2ee.peer.libsignal import Program

ACTIONS = ("send", "send", "newest", "newest", "deliver", "deliver", "lose", "archive", "start")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 1),
        st.integers(0, 30),
    ),
    min_size=8,
    max_size=60,
)
NAMES = count()


@settings(
    max_examples=80,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_any_interleaving_with_libsignal(libsignal: Program, steps: list[tuple[str, int, int]]) -> None:
    name = f"interleaved {next(NAMES)}"
    talk = Conversation(Ours(name), Theirs(libsignal.person(name)))
    talk.send(0)
    for step, who, pick in steps:
        if step == "send":
            talk.send(who, one_time=pick % 2 == 0)
        elif step == "newest":
            talk.send(1 - who)
            talk.newest(who)
        elif step == "deliver":
            talk.deliver(who, pick)
        elif step == "lose":
            talk.lose(who, pick)
        elif step == "archive":
            talk.archive(who)
        else:
            talk.start(who, one_time=pick % 2 == 0)
    talk.settle()
    assert talk.sides[0].current == talk.sides[1].current
