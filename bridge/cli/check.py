"""``interop-bridge check``: everything that an admin should act on, each with its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import click

from bridge.cli.check_registration import check_registrations
from bridge.cli.check_state import Checked, as_finding, check_state
from bridge.cli.files import facts_of, read_config, read_text
from bridge.cli.outcomes import FINE
from bridge.config import (
    Config,
    Finding,
    Severity,
    check_connection,
    examine,
    holds_secrets,
    judge_readable,
    judge_secret_file,
    read_profile,
)
from bridge.errors import Misconfigured


def check(
    config_path: str, registration_path: str, others: Sequence[str], environment: Mapping[str, str]
) -> tuple[Checked, ...]:
    """All subjects that can be looked at; a config that cannot be read is the only one.

    ``others``: registration files of other bridges on the homeserver.
    """
    try:
        text = read_config(config_path)
        examined = examine(text, name=config_path, environment=environment, read_file=read_text)
    except Misconfigured as error:
        return (Checked("config", (as_finding(error),)),)
    # A key that means nothing is an admin's mistake: at a start a warning, here an error.
    findings = tuple(replace(f, severity=Severity.ERROR) if f.unknown_key else f for f in examined.findings)
    subjects = [
        Checked("config", findings),
        Checked(
            "config mode",
            (*config_mode(config_path, text), *secret_files(examined.secret_files)),
        ),
    ]
    if examined.config is not None:
        config, profile_id = examined.config, None
        if _names_a_profile(findings):
            profile, profile_id = _profile(config)
            subjects.append(profile)
        subjects += check_registrations(config, registration_path, others)
        if all(finding.path != "database.uri" for finding in findings):
            subjects += check_state(config, profile_id)
    return tuple(subjects)


def config_mode(path: str, text: str) -> Iterator[Finding]:
    """Who else can read the config, when that matters."""
    facts = facts_of(path)
    found = judge_readable(path, facts) if facts and holds_secrets(text, path) else None
    if found:
        yield found


def secret_files(named: Mapping[str, str]) -> Iterator[Finding]:
    """Who else can read the files that variables (the keys) name for secrets."""
    for variable, path in named.items():
        facts = facts_of(path)
        found = judge_secret_file(variable, path, facts) if facts else None
        if found:
            yield found


def _names_a_profile(findings: tuple[Finding, ...]) -> bool:
    """Whether there is a profile to look at: else that is said already."""
    return all(finding.path != "network.profile" for finding in findings)


def _profile(config: Config) -> tuple[Checked, str | None]:
    """The profile, and its id when it can be read."""
    try:
        profile = read_profile(config.network.profile, read_text)
    except Misconfigured as error:
        return Checked("profile", (as_finding(error),)), None
    try:
        check_connection(config, profile)
    except Misconfigured as error:
        return Checked("profile", (as_finding(error),)), profile.id
    return Checked("profile", ()), profile.id


def report(checked: tuple[Checked, ...], *, as_json: bool) -> int:
    """Print what was found, one line a fact; the exit code."""
    findings = [finding for subject in checked for finding in subject.findings]
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if as_json:
        click.echo(json.dumps({"ok": not errors, "findings": [_plain(f) for f in findings]}, indent=2))
    else:
        for subject in checked:
            if not subject.findings:
                click.echo(f"OK       {subject.subject}")
            for finding in subject.findings:
                click.echo(f"{finding.severity.value.upper():8} {finding.sentence}")
    return errors[0].exit_code if errors else FINE


def _plain(finding: Finding) -> dict[str, str | int]:
    return {
        "severity": finding.severity.value,
        "path": finding.path,
        "where": finding.where,
        "what": finding.what,
        "remedy": finding.remedy,
        "exit_code": finding.exit_code if finding.severity is Severity.ERROR else FINE,
    }
