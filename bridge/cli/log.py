"""The log: what is on the list is written, everything else is dropped, at every level.

An event is a fixed sentence with values under known keys. Texts of exceptions are never written
(they may quote what a person wrote); their types and, at debug, the places they passed are.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from enum import Enum
from pathlib import PurePath
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.cli.outcomes import LOGGER
from bridge.config import Config
from bridge.errors import Misconfigured

ALLOWED = frozenset(
    {
        "account", "act", "after_s", "attempt", "code", "conflicts", "contact", "count", "entry", "error",
        "exit_code", "failures", "host", "kind", "lane", "limit", "method", "milliseconds", "network", "peer",
        "port", "reason", "room", "seconds", "service", "state", "status", "step", "trace", "user",
        "version", "what", "why",
    }
)  # fmt: skip
"""Keys whose values may be written, when these have the form below."""

DROPPED = "(dropped)"

_SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,;'()-]{0,99}")
"""An event: no digits, no @, no colon, so that nothing of a person fits in."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_]*(?:[.-][A-Za-z_]+)*(?:\d{1,3})?(?:\.\d{1,3}){0,2}")
_HOST = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}|localhost")
_LOG_ID = re.compile(r"[0-9a-f]{8}")
MAX_WORD_CHARACTERS = 60
MAX_NUMBER = 10**9
"""Counts, ports, seconds; a phone number with its country is larger."""

LEVELS: Mapping[str, int] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def only_allowed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep the event's sentence, its level and time, and allowed values of a harmless form."""
    kept: dict[str, Any] = {"event": sentence(event.get("event"))}
    for key in ("level", "timestamp"):
        if key in event:
            kept[key] = event[key]
    for key in sorted(ALLOWED & event.keys()):
        form = _FORMS.get(key, harmless)
        kept[key] = form(event[key])
    return kept


def harmless(value: object) -> str | int | float | bool | None:
    """``value`` when it is a word, a small number or a log id; else a mark that something was dropped."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < MAX_NUMBER else DROPPED
    if isinstance(value, str) and len(value) <= MAX_WORD_CHARACTERS:
        return value if _WORD.fullmatch(value) or _LOG_ID.fullmatch(value) else DROPPED
    return DROPPED


def host(value: object) -> object:
    """``value`` when it is a host name with a dot, ``localhost`` or a numeric address; else the mark."""
    if isinstance(value, str) and _HOST.fullmatch(value):
        return value
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        return DROPPED


def _as_it_is(value: object) -> object:
    """For ``trace``, which only ``exceptions_as_places`` makes."""
    return value


_FORMS: Mapping[str, Callable[[object], object]] = {"trace": _as_it_is, "host": host}
"""Keys whose values have a form of their own."""


def sentence(event: object) -> str:
    """``event`` when it is a plain sentence, else a mark that it was dropped."""
    return event if isinstance(event, str) and _SENTENCE.fullmatch(event) else DROPPED


def exceptions_as_places(debug: bool) -> Processor:
    """A processor that turns ``exc_info`` into the exception's type and, at debug, its places."""

    def process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        given = event.pop("exc_info", None)
        error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
        event.pop("trace", None)
        if isinstance(error, BaseException):
            event["error"] = type(error).__name__
            if debug:
                event["trace"] = places(error.__traceback__)
        return event

    return process


def places(traceback: TracebackType | None) -> list[str]:
    """Where an exception passed: file, line and function, no values and no source."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append(f"{PurePath(code.co_filename).name}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return found


class _Output:
    """Standard output, where a line that cannot be written is dropped.

    A full disk or a closed pipe behind the log must not end the step that logs.
    """

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()


class _Libraries(logging.Handler):
    """What libraries log: that they did, never their text, which may hold anything."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno,
            "library log record",
            what=record.name.partition(".")[0],
            error=record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None,
        )


def set_up(config: Config) -> None:
    """Log to standard output as the config says; Misconfigured (exit 12) when no writer is left."""
    writers = [w for w in config.logging.writers if w.type == "stdout"]
    if not writers:
        raise Misconfigured(
            "logging.writers",
            "no writer has the type stdout.",
            "Add a writer with type: stdout.",
            exit_code=LOGGER,
        )
    level = LEVELS[config.logging.min_level]
    structlog.configure(
        processors=processors(writers[0].format, debug=level <= logging.DEBUG),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Output())),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)


def processors(form: str, *, debug: bool) -> list[Processor]:
    """The way of an event: exceptions reduced, the list applied, written as one line."""
    last: Processor = structlog.processors.JSONRenderer(sort_keys=True) if form == "json" else _pretty
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exceptions_as_places(debug),
        only_allowed,
        last,
    ]


def _pretty(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> str:
    """``time LEVEL sentence key=value ...``, one line."""
    head = f"{event.pop('timestamp', '')} {str(event.pop('level', '')).upper():7} {event.pop('event')}"
    return " ".join([head.strip(), *(f"{key}={value}" for key, value in event.items())])
