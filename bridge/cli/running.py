"""Running the bridge, or the sandbox: from files and environment to a running program and its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import click

from bridge.adapters.clock import ControlledClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.web_client import WebClient
from bridge.cli import log
from bridge.cli.check import config_mode, secret_files
from bridge.cli.files import read_config, read_text, why
from bridge.config import Config, Finding, Purpose, Severity, is_address, load
from bridge.errors import Misconfigured

PRIVATE_UMASK = 0o077
"""Whatever this program makes is its user's alone."""


def load_config(path: str, environment: Mapping[str, str]) -> Config:
    """The config to run with; what is odd about it goes to standard error. Misconfigured 10, 11, 14."""
    text = read_config(path)
    warnings: list[Finding] = []
    for finding in config_mode(path, text):
        if finding.severity is Severity.ERROR:
            raise finding.as_error()
        warnings.append(finding)
    loaded = load(text, name=path, environment=environment, read_file=read_text)
    for finding in (*warnings, *loaded.warnings, *secret_files(loaded.secret_files)):
        warn(finding)
    return loaded.config


def warn(finding: Finding) -> None:
    """Show the admin something to act on; the log may not show what the config says."""
    click.echo(f"Warning: {finding.sentence}", err=True)


def health_config(path: str, environment: Mapping[str, str]) -> Config:
    """As much of the config as a health check needs, without a word about the rest."""
    purpose = Purpose(looking=True)
    text = read_config(path)
    return load(text, name=path, environment=environment, read_file=read_text, purpose=purpose).config


def run_bridge(config: Config) -> int:
    """Run until stopped; the exit code."""
    os.umask(PRIVATE_UMASK)
    log.set_up(config)
    from bridge.app.bridge import run  # after the log is set up: imports may log

    return asyncio.run(run(config, tell=warn))


def run_sandbox(folder: Path, partner: str, bind: str) -> int:
    """Run the sandbox until SIGINT or SIGTERM; the exit code."""
    os.umask(PRIVATE_UMASK)
    if not is_address(partner):
        raise Misconfigured("--partner", f"{partner!r} is not an address.", "Write it as http://host:port.")
    return asyncio.run(_sandbox(folder, partner, bind))


async def _sandbox(folder: Path, partner: str, bind: str) -> int:
    from bridge.sandbox import main

    loop, client = asyncio.get_running_loop(), WebClient()
    clock = ControlledClock(main.offset_file(folder))
    running = loop.create_task(
        main.run(
            folder, partner=partner, random=OperatingSystemRandom(), clock=clock, client=client, bind=bind
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        return await running
    except asyncio.CancelledError:
        return 0
    except OSError as error:
        if error.filename is not None:
            raise
        remedy = "Write an address of this machine; 127.0.0.1 is always one."
        raise Misconfigured("--bind", f"cannot listen on {bind} ({why(error)}).", remedy) from error
    finally:
        await client.close()
