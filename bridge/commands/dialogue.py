"""Where a talk with the bot stands, and what comes next: pure steps over plain values.

A talk is a small record in the room's row, so that it survives a stop. Each step gives the
sentences to say, the record that follows, and what the bot is to do besides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bridge.commands.identifiers import own_choices
from bridge.ids import UserId
from bridge.labels import MAX_NAME_CHARACTERS, clean_name, protection
from bridge.sentences import Sentence, say
from bridge.states import Custody


@dataclass(frozen=True)
class Agree:
    """The user agreed, under this name and identifier."""

    shown_name: str = field(repr=False)
    identifier: str = field(repr=False)


@dataclass(frozen=True)
class Leave:
    """The user confirmed that they leave."""


@dataclass(frozen=True)
class Talk:
    """Where a talk stands. ``at`` is empty when nothing is asked."""

    at: str = ""
    shown_name: str = field(default="", repr=False)
    identifier: str = field(default="", repr=False)

    def to_text(self) -> str:
        """For the room's row."""
        return json.dumps(self.__dict__) if self.at else ""

    @staticmethod
    def from_text(text: str) -> Talk:
        """What ``to_text`` gave."""
        return Talk(**json.loads(text)) if text else Talk()


NOTHING = Talk()


@dataclass(frozen=True)
class Answer:
    """What a step leads to."""

    said: Sequence[Sentence]
    talk: Talk = NOTHING
    act: Agree | Leave | None = None


_YES = {"ok", "okay", "yes", "y", "default"}


def begin_opt_in(user_id: UserId, display_name: str, custody: Custody, label: str) -> Answer:
    """Explain what opting in means, and ask for the name to be shown."""
    default = clean_name(display_name) or own_choices(user_id)[0]
    explained = say("opt_in.explained", label=label, protection=protection(custody, encrypted_portal=False))
    return Answer([explained, say("opt_in.ask_name", default=default)], Talk("name", default))


def begin_opt_out(contacts: int, label: str) -> Answer:
    """Say what is lost, and ask."""
    return Answer([say("opt_out.ask", contacts=contacts, label=label)], Talk("leave"))


def go_on(talk: Talk, text: str, user_id: UserId) -> Answer:
    """The next step of a talk, by what the user answered. Where nothing was asked, nothing is agreed to."""
    answer = text.strip()
    if answer.lower() in ("cancel", "no", "stop"):
        return Answer([say("talk.cancelled")])
    match talk.at:
        case "name":
            return _name_given(talk, answer, user_id)
        case "identifier":
            return _identifier_given(talk, answer, user_id)
        case "agree":
            return _agreed(talk, answer)
        case "leave":
            return _left(talk, answer)
        case _:
            return Answer([say("bot.not_understood")])


def _name_given(talk: Talk, answer: str, user_id: UserId) -> Answer:
    name = talk.shown_name if answer.lower() in _YES else clean_name(answer)
    if not name:
        return Answer([say("opt_in.name_unusable", longest=MAX_NAME_CHARACTERS)], talk)
    first, second = own_choices(user_id)
    asked = say("opt_in.ask_identifier", default=first, other=second)
    return Answer([asked], replace(talk, at="identifier", shown_name=name))


def _identifier_given(talk: Talk, answer: str, user_id: UserId) -> Answer:
    first, second = own_choices(user_id)
    chosen = first if answer.lower() in _YES else answer
    if chosen not in (first, second):
        return Answer([say("opt_in.identifier_not_yours", default=first, other=second)], talk)
    shown = say("opt_in.confirm", name=talk.shown_name, identifier=chosen)
    return Answer([shown], replace(talk, at="agree", identifier=chosen))


def _agreed(talk: Talk, answer: str) -> Answer:
    if answer.lower() != "agree":
        return Answer([say("opt_in.needs_agree")], talk)
    return Answer([say("opt_in.started")], NOTHING, Agree(talk.shown_name, talk.identifier))


def _left(talk: Talk, answer: str) -> Answer:
    if answer.lower() != "leave":
        return Answer([say("opt_out.needs_leave")], talk)
    return Answer([say("opt_out.started")], NOTHING, Leave())
