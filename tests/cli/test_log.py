"""The log writes what is on its list and nothing else (threat S26)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog

from bridge.cli import log
from bridge.config import Config
from bridge.config.model import Logging, Writer
from bridge.errors import Misconfigured
from bridge.ports import Step
from bridge.states import AccountState

SENTENCE = "meet me at noon"
"""It could be an event of ours: that events are constants of the program is another test's subject."""

CANARIES = (
    SENTENCE, "+491701234567", "491701234567", "@anna:home.test", "!room:home.test",
    "anna@company.test", "https://home.test/secret", "c2VjcmV0LWtleS1ieXRlcw==", "0f" * 32,
    "syt_YW5uYQ_abcdefgh_123", "bird:noon", "Lunch at noon, 12", "12-anna@interop",
)  # fmt: skip
"""What people write, and what identifies or admits them."""


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _config(level: str = "debug", form: str = "json") -> Config:
    settings = {"min_level": level, "writers": [{"type": "stdout", "format": form}]}
    return Config(logging=Logging.model_validate(settings))


@pytest.mark.threat("S26")
@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.parametrize("level", ["trace", "debug", "info"])
def test_canaries_are_dropped_at_every_level(
    capsys: pytest.CaptureFixture[str], level: str, form: str
) -> None:
    log.set_up(_config(level, form))
    logger = structlog.get_logger("x")
    for canary in CANARIES:
        if canary != SENTENCE:
            logger.error(canary)
        logger.error("a fixed sentence", **dict.fromkeys(log.ALLOWED, canary))
        logger.error("a fixed sentence", body=canary, **{"content": canary, canary: 1})
        logger.error("a fixed sentence", what=[canary], error={canary: canary}, why=canary.encode())
        logger.bind(text=canary).warning("a fixed sentence", port=canary)
        logging.getLogger("aiohttp.access").error("GET %s", canary)
        try:
            raise ValueError(canary)
        except ValueError:
            logger.exception("a fixed sentence")
            logging.getLogger("asyncio").exception("Task failed: %s", canary)
    seen = capsys.readouterr()
    assert seen.out.count("a fixed sentence") == 5 * len(CANARIES)
    assert not any(canary in seen.out + seen.err for canary in CANARIES)


def _written(**values: Any) -> Mapping[str, Any]:
    event: dict[str, Any] = {"event": "a fixed sentence", **values}
    for process in log.processors("json", debug=True):
        event = process(None, "info", event)  # type: ignore[assignment]
    line = json.loads(str(event))
    assert isinstance(line, dict)
    return line


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("TryAgain", "TryAgain"),
        ("on-demand", "on-demand"),
        ("ns.kind", "ns.kind"),
        ("m.room.message", "m.room.message"),
        ("v1.18", "v1.18"),
        ("M123", "M123"),
        ("M1234", log.DROPPED),
        ("0badcafe", "0badcafe"),
        (Step.FETCH_KEYS, "fetch-keys"),
        (AccountState.ENLISTED, "enlisted"),
        (29317, 29317),
        (0.25, 0.25),
        (True, True),
        (None, None),
        (491701234567, log.DROPPED),
        (10**9, log.DROPPED),
        (10**9 - 1, 10**9 - 1),
        (-(10**9), log.DROPPED),
        ("a" * 60, "a" * 60),
        ("a" * 61, log.DROPPED),
        (b"bytes", log.DROPPED),
        (object(), log.DROPPED),
    ],
)
def test_words_small_numbers_and_log_ids_are_written(value: object, written: object) -> None:
    assert _written(what=value)["what"] == written


def test_unlisted_keys_are_dropped() -> None:
    assert _written(what="x", body="y", password="z").keys() == {"event", "level", "timestamp", "what"}


def test_trace_is_logged_at_debug_only(capsys: pytest.CaptureFixture[str]) -> None:
    for level, expected in (("debug", True), ("info", False)):
        log.set_up(_config(level))
        try:
            raise ValueError("quoted")
        except ValueError:
            structlog.get_logger().exception("it failed")
        line = json.loads(capsys.readouterr().out)
        assert line["error"] == "ValueError"
        assert ("trace" in line) is expected
        assert not expected or line["trace"][0].startswith("test_log.py:")


def test_trace_cannot_be_forged() -> None:
    assert "trace" not in _written(trace=["meet me at noon"])


def test_levels_below_the_configured_one_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(_config("warn", "pretty"))
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud", port=8008, network="sandbox")
    out = capsys.readouterr().out
    assert "quiet" not in out
    assert out.rstrip().endswith("WARNING loud network=sandbox port=8008")


def test_start_without_a_writer_is_refused() -> None:
    with pytest.raises(Misconfigured) as caught:
        log.set_up(Config(logging=Logging(writers=(Writer(type="file"),))))
    assert caught.value.exit_code == 12
