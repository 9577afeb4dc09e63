"""The command line: its flags are those of the ecosystem's bridges, its verbs are ours."""

from __future__ import annotations

import functools
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from bridge import __version__
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.cli import check as checking
from bridge.cli.generate import generate_example, generate_registration
from bridge.cli.health import healthcheck as ask_health
from bridge.cli.outcomes import FINE
from bridge.cli.running import health_config, load_config, run_bridge, run_sandbox

PROGRAM = "interop-bridge"
CONFIG, REGISTRATION = "config.yaml", "registration.yaml"
PARTNER = "http://127.0.0.1:29318"
"""Where the example config has the public listener."""
EPILOG = f"""\b
A first time:
    {PROGRAM} -e          writes config.yaml; fill in the five values marked >>>
    {PROGRAM} -g          writes registration.yaml; give it to your homeserver
    {PROGRAM} check       says what is wrong, and what to write instead
    {PROGRAM}             runs until it is stopped
"""


@dataclass(frozen=True)
class Files:
    """Which files the flags name, and whether the config may be written."""

    config: str
    registration: str
    no_update: bool


def _version_json() -> str:
    return json.dumps({"name": PROGRAM, "version": __version__, "python": platform.python_version()})


def _say_and_end(text: str) -> None:
    click.echo(text)
    raise click.exceptions.Exit(FINE)


@click.group(
    invoke_without_command=True, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "-c", "--config", default=CONFIG, show_default=True, help="The config; with -e a - prints the example."
)
@click.option(
    "-r", "--registration", default=REGISTRATION, show_default=True, help="The registration; - prints it."
)
@click.option("-e", "--generate-example-config", is_flag=True, help="Write an example config and end.")
@click.option(
    "-g", "--generate-registration", "generate", is_flag=True, help="Write registration and tokens; end."
)
@click.option("-n", "--no-update", is_flag=True, help="Never write the config.")
@click.option("-v", "--version", "show_version", is_flag=True, help="Show the version and end.")
@click.option("--version-json", is_flag=True, help="Show the version as JSON and end.")
@click.pass_context
def cli(
    context: click.Context,
    config: str,
    registration: str,
    generate_example_config: bool,
    generate: bool,
    no_update: bool,
    show_version: bool,
    version_json: bool,
) -> None:
    """A bridge between a Matrix homeserver and the EU's interop network. Without a verb it runs."""
    # -v and -e never read the config.
    if show_version or version_json:
        _say_and_end(_version_json() if version_json else f"{PROGRAM} {__version__}")
    if generate_example_config:
        generate_example(config)
        raise click.exceptions.Exit(FINE)
    if generate:
        generate_registration(
            config,
            registration,
            no_update=no_update,
            environment=os.environ,
            random=OperatingSystemRandom(),
        )
        raise click.exceptions.Exit(FINE)
    context.obj = Files(config, registration, no_update)
    if context.invoked_subcommand is None:
        context.invoke(run, config=None, registration=None, no_update=False)


def _named_again(command: Callable[..., None]) -> Callable[..., None]:
    """The flags that name files, after the verb too: people write them where they think of them."""
    for option in (
        click.option("-c", "--config", default=None, help="The config."),
        click.option("-r", "--registration", default=None, help="The registration."),
        click.option("-n", "--no-update", is_flag=True, help="Never write the config."),
    ):
        command = option(command)

    @functools.wraps(command)
    def with_files(
        *, config: str | None, registration: str | None, no_update: bool, **others: object
    ) -> None:
        before = click.get_current_context().find_object(Files) or Files(CONFIG, REGISTRATION, False)
        named = Files(
            config or before.config,
            registration or before.registration,
            no_update or before.no_update,
        )
        command(named, **others)

    return with_files


@cli.command()
@_named_again
def run(files: Files) -> None:
    """Run the bridge until it is stopped."""
    config = load_config(files.config, os.environ)
    raise click.exceptions.Exit(run_bridge(config))


@cli.command()
@_named_again
@click.argument("others", nargs=-1, metavar="[OTHER_REGISTRATION]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def check(files: Files, others: tuple[str, ...], as_json: bool) -> None:
    """Say what is wrong, and what to write instead.

    Name the registration files of other bridges on the homeserver to see whether they take this bridge's
    names.
    """
    found = checking.check(files.config, files.registration, others, os.environ)
    raise click.exceptions.Exit(checking.report(found, as_json=as_json))


@cli.command()
@_named_again
def healthcheck(files: Files) -> None:
    """End with 0 when the bridge on this machine lives."""
    ask_health(health_config(files.config, os.environ))


@cli.command()
def version() -> None:
    """Show the version."""
    click.echo(f"{PROGRAM} {__version__}")


@cli.command()
@click.option(
    "--dir", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Its files."
)
@click.option("--partner", default=PARTNER, show_default=True, help="The bridge's public listener.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
def sandbox(folder: Path, partner: str, bind: str) -> None:
    """Run a simulated network to talk to."""
    raise click.exceptions.Exit(run_sandbox(folder, partner, bind))
