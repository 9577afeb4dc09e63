"""Errors of the store: a unit was refused, or the database cannot be used.

A unit's own errors leave no trace of the unit and concern nobody but its caller.
``bridge.errors.TryAgain`` means that the unit may have happened: read back by key.
"""

from __future__ import annotations

from bridge.errors import BridgeError, Misconfigured

EXIT_CANNOT_OPEN = 14
"""Exit code: the database cannot be opened, or is not safe to write to."""
EXIT_WRONG_DATABASE = 15
"""Exit code: the database is not ours, of another profile, or newer than this program."""
EXIT_IN_USE = 40
"""Exit code: another instance holds the lease on the database."""


class StoreError(BridgeError):
    """The unit was refused; nothing of it is stored."""


class WrongCount(StoreError):
    """A statement without an error of its own touched an unexpected number of rows."""


class Stale(StoreError):
    """The row has changed since it was read: load it and decide again."""


class AlreadySealed(StoreError):
    """The entry was already sealed or opened."""


class AlreadySettled(StoreError):
    """The entry was already settled."""


class AlreadyThere(StoreError):
    """A row with this key exists: adopt it."""


class Fenced(StoreError):
    """Another process now owns the account or the database: stop writing."""


class Malformed(StoreError):
    """Rows do not fit their statement or the schema: a bug; do not repeat the unit."""


def locked(where: str, holder: str) -> Misconfigured:
    """The database is in use by another process."""
    return Misconfigured(
        where,
        f"another instance holds the lease on this database{holder}.",
        "Stop it first, or give this one a database of its own.",
        exit_code=EXIT_IN_USE,
    )


def cannot_open(where: str, what: str, remedy: str) -> Misconfigured:
    """The database cannot be opened, or is not safe to write to."""
    return Misconfigured(where, what, remedy, exit_code=EXIT_CANNOT_OPEN)


def busy(where: str) -> Misconfigured:
    """Another program holds a lock in the database for longer than we wait."""
    return Misconfigured(
        where,
        "another program has it locked.",
        "End that program, or wait until it is done; then start again.",
        exit_code=EXIT_CANNOT_OPEN,
    )


def no_answer(where: str, error: BaseException) -> Misconfigured:
    """The refusal of a start for a ``TryAgain`` or ``StoreError``: a start does not retry."""
    if isinstance(error, Fenced):
        return locked(where, "")
    if isinstance(error, StoreError):
        what = f"does not take what a start writes ({type(error).__name__})."
        return cannot_open(where, what, "Restore it from your backup.")
    reason = type(error.__cause__ or error).__name__
    return cannot_open(where, f"does not answer ({reason}).", "See that it runs; then start again.")


def wrong_database(where: str, what: str, remedy: str) -> Misconfigured:
    """The database is not ours, newer than us, or belongs to another profile."""
    return Misconfigured(where, what, remedy, exit_code=EXIT_WRONG_DATABASE)
