"""The command line. Every way it ends is an exit code and at most one sentence with its remedy.

Exit codes are the ecosystem's (``docs/reference/exit-codes.md``); ours are 40 and above.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import structlog

from bridge.cli.outcomes import FATAL, FINE
from bridge.cli.verbs import PROGRAM, cli
from bridge.errors import Misconfigured
from bridge.store.errors import Fenced, locked

OUR_MISTAKE = (
    "Something went wrong that should not have: a mistake in this program ({name}). "
    "Set logging.min_level to debug, try again, and report what the log says."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console command."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; the exit code. Never a traceback."""
    try:
        outcome = cli.main(
            None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False
        )
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - the last place to tell
        return told(error)
    return outcome if isinstance(outcome, int) else FINE


def told(error: BaseException) -> int:
    """Say on standard error what ended the program; the exit code."""
    match error:
        case Misconfigured():
            click.echo(str(error), err=True)
            return error.exit_code
        case Fenced():
            return told(locked("database", ""))  # another bridge took over while this one ran
        case click.ClickException():
            error.show()
            return FATAL
        case KeyboardInterrupt() | click.Abort():
            return FINE  # stopped on purpose
        case BaseExceptionGroup():
            # Of what several tasks ended with, what the admin can change comes first.
            wrong = error.subgroup((Misconfigured, Fenced))
            return told(wrong.exceptions[0]) if wrong is not None else _our_mistake(error)
        case _:
            return _our_mistake(error)


def _our_mistake(error: BaseException) -> int:
    click.echo(OUR_MISTAKE.format(name=type(error).__name__), err=True)
    if structlog.is_configured():  # the places it passed, at debug; before that there is no log
        structlog.get_logger().debug("the program ended by a mistake", exc_info=error)
    return FATAL
