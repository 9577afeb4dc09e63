"""The commands, as a table: the parser, ``help`` and the documentation read the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.states import Level

MAX_COMMAND_CHARACTERS = 2_000
"""A command is a line; more is a text for somebody else."""


@dataclass(frozen=True)
class Command:
    """One command. ``summary`` is the key of its sentence in ``help``.

    Below ``level`` it is refused. Below ``COMMANDS`` only those are listened to who still have an account:
    what is at ``BLOCK`` is there so that nobody is kept from leaving.
    """

    name: str
    aliases: tuple[str, ...]
    usage: str
    summary: str
    level: Level

    @property
    def takes_arguments(self) -> bool:
        """Whether words may follow its name."""
        return "<" in self.usage


HELP = Command("help", ("commands",), "help", "help.help", Level.COMMANDS)
OPT_IN = Command("opt-in", ("login", "relogin"), "opt-in", "help.opt_in", Level.USER)
MY_ADDRESS = Command("my-address", ("address",), "my-address", "help.my_address", Level.USER)
OPT_OUT = Command("opt-out", ("logout",), "opt-out", "help.opt_out", Level.BLOCK)
STATUS = Command("status", ("list-logins",), "status", "help.status", Level.COMMANDS)
START_CHAT = Command(
    "start-chat", ("pm",), "start-chat <service> <identifier>", "help.start_chat", Level.USER
)
PING = Command("ping", ("sync",), "ping", "help.ping", Level.USER)
CANCEL = Command("cancel", (), "cancel", "help.cancel", Level.BLOCK)

COMMANDS: Sequence[Command] = (HELP, OPT_IN, MY_ADDRESS, START_CHAT, STATUS, PING, OPT_OUT, CANCEL)
"""In the order of ``help``."""

TALKS = (OPT_IN, OPT_OUT)
"""Commands with questions: only in the room that belongs to the talk with the bot."""

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


@dataclass(frozen=True)
class Spoken:
    """A command as somebody said it, with the rest of the line."""

    command: Command
    arguments: str


def parse(text: str, prefix: str) -> Spoken | None:
    """The command in a line, with or without the prefix; None when the line is something else."""
    line = text.strip()
    if len(line) > MAX_COMMAND_CHARACTERS or len(line.splitlines()) > 1:
        return None
    word, rest = _first_word(line)
    is_addressed = word.lower() == prefix.lower()
    if is_addressed:
        word, rest = _first_word(rest)
    command = _BY_NAME.get(word.lower().removeprefix("!").removeprefix("/"))
    if command is None:
        return None
    if rest and not (command.takes_arguments or is_addressed):
        return None  # a sentence, or a name, that only begins like a command
    return Spoken(command, rest)


def _first_word(line: str) -> tuple[str, str]:
    word, *rest = line.split(maxsplit=1) or [""]
    return word, "".join(rest)
