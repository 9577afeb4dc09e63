"""What the program logs is fixed sentences, with keys on the list of what may be written (threat S26)."""

from __future__ import annotations

import ast

import pytest

from bridge.cli import log
from tests.house.source import modules, show


@pytest.mark.threat("S26")
def test_every_event_of_the_program_is_a_constant_with_allowed_keys() -> None:
    problems = []
    for module in modules("bridge"):
        for call in ast.walk(module.tree):
            if not (isinstance(call, ast.Call) and is_log_call(call)):
                continue
            event = call.args[0] if len(call.args) == 1 else None
            if not isinstance(event, ast.Constant) or log.sentence(event.value) == log.DROPPED:
                problems.append(f"{module.path}:{call.lineno}: an event that is no fixed sentence")
            keys = {word.arg for word in call.keywords} - log.ALLOWED - {"exc_info"}
            problems += [f"{module.path}:{call.lineno}: {key} is not on the list" for key in keys]
            problems += [f"{module.path}:{call.lineno}: {text} is dropped" for text in dropped(call)]
    assert not problems, show(problems)


def dropped(call: ast.Call) -> list[str]:
    """Values that never get into the log, so that they need not be given to it."""
    texts = [word.value for word in call.keywords if word.arg != "exc_info"]
    return [
        ast.unparse(value)
        for value in texts
        if isinstance(value, ast.JoinedStr)
        or (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in {"str", "repr"}
        )
        or (isinstance(value, ast.Constant) and log.harmless(value.value) == log.DROPPED)
    ]


def is_log_call(call: ast.Call) -> bool:
    target = call.func
    return (
        isinstance(target, ast.Attribute)
        and target.attr in {"debug", "info", "warning", "error", "exception", "critical"}
        and isinstance(target.value, ast.Name)
        and target.value.id.lower().strip("_") in {"log", "logger"}
    )
