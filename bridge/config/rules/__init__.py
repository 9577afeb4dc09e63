"""Whether the values fit together: tables of small rules, each with the sentence an admin reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bridge.config.findings import NO_DOMAIN, Finding, Findings
from bridge.config.model import Config
from bridge.config.rules import matrix, operation, people


@dataclass(frozen=True)
class Purpose:
    """What the config is read for."""

    generating: bool = False
    """A registration is made: it needs no tokens yet, and no profile."""
    looking: bool = False
    """A running bridge is asked whether it is well: its port is all that is needed."""


Rule = Callable[[Config], Findings]

ALWAYS: tuple[Rule, ...] = (
    matrix.domain, matrix.appservice, people.custody, people.commands, operation.database, operation.keys,
    operation.listeners, operation.secrets, operation.encryption, operation.logging,
)  # fmt: skip
TO_RUN: tuple[Rule, ...] = (
    people.profile,
    people.permissions,
    matrix.homeserver,
    matrix.tokens,
    matrix.rooms,
)


def judge(config: Config, purpose: Purpose) -> Iterator[Finding]:
    """Everything the rules say."""
    for rule in ALWAYS if purpose.generating or purpose.looking else TO_RUN + ALWAYS:
        for finding in rule(config):
            without_domain = purpose.generating and finding.path == "homeserver.domain"
            yield replace(finding, exit_code=NO_DOMAIN) if without_domain else finding
