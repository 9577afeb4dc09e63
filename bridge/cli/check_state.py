"""The part of ``check`` that looks at what earlier starts left: key files and database.

It takes no lock and changes nothing, so it may run beside a running bridge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bridge.adapters.clock import RealClock
from bridge.app.keys import check_master_key, master_key_file, signing_key_file
from bridge.app.startup_checks import check_ghost_prefix
from bridge.config import Config, Finding
from bridge.config.findings import NOT_CONFIGURED, warning
from bridge.errors import Misconfigured
from bridge.network.signing_keys import read_signing_keys
from bridge.store.inspection import Inspected, inspect
from bridge.store.master_key import read_master_key


@dataclass(frozen=True)
class Checked:
    """One subject: what it is, and what there is to say about it."""

    subject: str
    findings: tuple[Finding, ...]


def check_state(config: Config, profile_id: str | None) -> tuple[Checked, ...]:
    """The key files, the database, and whether they fit each other."""
    database: list[Finding] = []
    found: Inspected | None = None
    try:
        found = asyncio.run(inspect(config.database.url, profile_id=profile_id, clock=RealClock()))
    except Misconfigured as error:
        database.append(as_finding(error))
    if found is not None:
        ghost = found.ghost
        database += _unless(lambda: check_ghost_prefix(ghost, config))
    keys = [*_master_key(config, found), *_signing_key(config, found)]
    return Checked("key files", tuple(keys)), Checked("database", tuple(database))


def _master_key(config: Config, found: Inspected | None) -> Iterator[Finding]:
    if found is not None:
        yield from _unless(lambda: check_master_key(found.kept, config))
    elif config.bridge.master_key is None:
        yield from _unless(lambda: read_master_key(master_key_file(config)))


def _signing_key(config: Config, found: Inspected | None) -> Iterator[Finding]:
    file = signing_key_file(config)
    try:
        keys = read_signing_keys(file)
    except Misconfigured as error:
        yield as_finding(error)
        return
    if keys is None:
        yield from _unless(file.check_folder)
    if keys is None and found is not None and found.accounts:
        yield warning(
            file.name,
            f"does not exist, and accounts sign in with it ({found.accounts}).",
            "Restore it from your backup. Otherwise the next start makes a new one, and nobody can connect"
            " until the network has fetched that.",
        )


def _unless(check: Callable[[], object]) -> Iterator[Finding]:
    """What ``check`` raises, as a finding."""
    try:
        check()
    except Misconfigured as error:
        yield as_finding(error)


def as_finding(error: Misconfigured) -> Finding:
    """The same as what ends a start."""
    return Finding(error.where, error.what, error.remedy, exit_code=error.exit_code or NOT_CONFIGURED)
