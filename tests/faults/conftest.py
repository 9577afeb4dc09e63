"""A PostgreSQL server for the bridges that are killed, and the summary that says where they were."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.faults.failpoints import SEED, SHARES, seed
from tests.faults.kills import KILLED, NOT_REACHED
from tests.store.engines import PostgresServer, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL server."""
    with running_server() as server:
        yield server


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> str:
    """An empty database of the test's own."""
    return await postgres.new_database()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed of the kills, and the failpoints and hits at which each engine's bridge was killed."""
    noted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, faults in getattr(report, "user_properties", ()):
            if report.when == "call" and name in (KILLED, NOT_REACHED):
                noted[report.fspath.rpartition("/")[2], name] += faults
    if not noted:
        return
    terminalreporter.section(f"kills: share {seed() % SHARES + 1} of {SHARES} ({SEED}={seed()})")
    for (file, name), faults in sorted(noted.items()):
        terminalreporter.line(f"{file}, {name} ({len(faults)}):")
        listed = textwrap.wrap(", ".join(_by_failpoint(faults)), 110, break_on_hyphens=False)
        for line in listed:
            terminalreporter.line(f"  {line}")


def _by_failpoint(faults: list[str]) -> list[str]:
    """``kill-before-store.seal#2`` and the like, with the hits of each failpoint behind it."""
    hits: dict[str, list[int]] = defaultdict(list)
    for fault in faults:
        where, _, hit = fault.removeprefix("kill-").partition("#")
        hits[where].append(int(hit))
    return [f"{where}#{'/'.join(map(str, sorted(each)))}" for where, each in sorted(hits.items())]
