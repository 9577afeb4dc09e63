"""Running the bridge, or the sandbox: from files and environment to a running program and its exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import click

from bridge.adapters.randomness import OperatingSystemRandom
from bridge.cli import log
from bridge.cli.check import config_mode
from bridge.cli.files import read_config, read_text, write_private
from bridge.cli.generate import generated
from bridge.config import NOT_SAVED, Config, Finding, Purpose, Severity, load, write_back

PRIVATE_UMASK = 0o077
"""Whatever this program makes is its user's alone."""


def load_config(path: str, environment: Mapping[str, str], *, may_write: bool) -> Config:
    """The config to run with; what is odd about it goes to standard error. Misconfigured 10, 11, 14, 22."""
    text = read_config(path)
    warnings: list[Finding] = []
    for finding in config_mode(path, text):
        if finding.severity is Severity.ERROR:
            raise finding.as_error()
        warnings.append(finding)
    purpose = Purpose(may_write=may_write)
    loaded = load(text, name=path, environment=environment, read_file=read_text, purpose=purpose)
    values = generated(loaded.config, OperatingSystemRandom())
    if values:
        text = write_back(text, values, name=path)
        write_private(path, text, exit_code=NOT_SAVED)
        loaded = load(text, name=path, environment=environment, read_file=read_text, purpose=purpose)
    for finding in (*warnings, *loaded.warnings):
        click.echo(f"Warning: {finding.sentence}", err=True)
    return loaded.config


def health_config(path: str, environment: Mapping[str, str]) -> Config:
    """As much of the config as a health check needs, without a word about the rest."""
    purpose = Purpose(generating=True)
    text = read_config(path)
    return load(text, name=path, environment=environment, read_file=read_text, purpose=purpose).config


def run_bridge(config: Config) -> int:
    """Run until stopped; the exit code."""
    os.umask(PRIVATE_UMASK)
    log.set_up(config)
    import bridge.app as app  # after the log: what it brings along may log while it is read

    return asyncio.run(app.run(config))


def run_sandbox(folder: Path, partner: str, bind: str) -> int:
    """Run the sandbox until stopped; the exit code."""
    os.umask(PRIVATE_UMASK)
    from bridge.sandbox import main

    return asyncio.run(main.run(folder, partner=partner, bind=bind, random=OperatingSystemRandom()))
