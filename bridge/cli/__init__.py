"""The command line. Every command ends with an exit code and at most one sentence with its remedy.

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

BUG = (
    "The bridge stopped because of a bug ({name}). "
    "Set logging.min_level to debug, try again, and report what the log says."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console command."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Never prints a traceback."""
    try:
        outcome = cli.main(
            None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False
        )
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - the last place to tell
        return told(error)
    return outcome if isinstance(outcome, int) else FINE


def told(error: BaseException) -> int:
    """Print to standard error why the program ended; the exit code."""
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
            return told(wrong.exceptions[0]) if wrong is not None else _report_bug(error)
        case OSError() if error.filename is not None:
            reason = (error.strerror or type(error).__name__).lower()
            click.echo(
                f"{error.filename}: cannot be used ({reason}). Check the path and its folder.", err=True
            )
            return FATAL
        case _:
            return _report_bug(error)


def _report_bug(error: BaseException) -> int:
    click.echo(BUG.format(name=type(error).__name__), err=True)
    if structlog.is_configured():  # the traceback, at debug; earlier there is no log
        structlog.get_logger().debug("program stopped (unexpected error)", exc_info=error)
    return FATAL
