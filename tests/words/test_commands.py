"""What is a command and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.commands.table import (
    CANCEL,
    COMMANDS,
    HELP,
    MAX_COMMAND_CHARACTERS,
    MY_ADDRESS,
    OPT_IN,
    OPT_OUT,
    PING,
    START_CHAT,
    STATUS,
    Command,
    Spoken,
    parse,
)
from bridge.sentences import render, say
from bridge.states import Level

QUICK = settings(max_examples=100, derandomize=True, deadline=None)
PREFIX = "!ib"


@pytest.mark.parametrize(
    ("line", "command", "arguments"),
    [
        ("help", HELP, ""),
        ("  Help ", HELP, ""),
        ("!ib help", HELP, ""),
        ("!ib   help", HELP, ""),
        ("!help", HELP, ""),
        ("/help", HELP, ""),
        ("opt-in", OPT_IN, ""),
        ("login", OPT_IN, ""),
        ("LOGOUT", OPT_OUT, ""),
        ("list-logins", STATUS, ""),
        ("sync", PING, ""),
        ("my-address", MY_ADDRESS, ""),
        ("cancel", CANCEL, ""),
        ("start-chat whatsapp +49 151 0000001", START_CHAT, "whatsapp +49 151 0000001"),
        ("pm   haiket\t@tom ", START_CHAT, "haiket\t@tom"),
        ("start-chat\twhatsapp +49", START_CHAT, "whatsapp +49"),
        ("start-chat\u00a0whatsapp +49", START_CHAT, "whatsapp +49"),
        ("!ib start-chat birdychat Anna@Firm.Example", START_CHAT, "birdychat Anna@Firm.Example"),
    ],
)
def test_command_is_understood(line: str, command: Command, arguments: str) -> None:
    assert parse(line, PREFIX) == Spoken(command, arguments)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "!ib",
        "!ib ",
        "!ibhelp",
        "!ibis help",
        "!other help",
        "helpme",
        "I need help",
        "please help",
        "!!help",
        "help\nand more",
        "hello",
        "Ping Li",
        "help me, please",
        "!ib !ib help",
    ],
)
def test_other_lines_are_not_commands(line: str) -> None:
    assert parse(line, PREFIX) is None


def test_command_length_is_limited() -> None:
    longest = "pm " + "a" * (MAX_COMMAND_CHARACTERS - 3)
    assert parse(longest, PREFIX) == Spoken(START_CHAT, "a" * (MAX_COMMAND_CHARACTERS - 3))
    assert parse(longest + "a", PREFIX) is None


@QUICK
@given(st.text(max_size=40))
def test_parser_accepts_any_text(text: str) -> None:
    spoken = parse(text, PREFIX)
    assert spoken is None or spoken.command in COMMANDS


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_working_aliases(command: Command) -> None:
    for name in (command.name, *command.aliases):
        assert parse(name, PREFIX) == Spoken(command, "")
        assert parse(f"{PREFIX} {name} rest", PREFIX) == Spoken(command, "rest")


def test_no_two_commands_share_a_name() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_its_line_of_help(command: Command) -> None:
    assert render(say(command.summary))
    assert command.usage.split()[0] == command.name


def test_names_that_other_bridges_use_are_known() -> None:
    known = {name for command in COMMANDS for name in (command.name, *command.aliases)}
    assert {"login", "logout", "list-logins", "pm", "sync", "help", "ping", "cancel"} <= known


def test_help_stop_and_leave_need_no_level() -> None:
    """A permission that was taken away must not keep anybody in."""
    assert {HELP, OPT_OUT, STATUS, CANCEL} == {c for c in COMMANDS if c.level <= Level.COMMANDS}
