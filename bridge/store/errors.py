"""What the store says when a unit did not fit, or when the database cannot be used.

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
    """A unit was refused; nothing of it was stored."""


class WrongCount(StoreError):
    """A statement touched another number of rows than it must, and names no error of its own."""


class Stale(StoreError):
    """The row was changed since it was read: load it again and decide again."""


class AlreadySealed(StoreError):
    """The entry has moved on already: somebody else sealed or opened it."""


class AlreadySettled(StoreError):
    """The entry is gone: it was settled before."""


class AlreadyThere(StoreError):
    """A row of that key exists already: adopt it."""


class Fenced(StoreError):
    """Another process owns the account, or the whole database, now. Write no more."""


class Malformed(StoreError):
    """Rows that do not fit their statement or the schema: a mistake of ours, never to be repeated."""


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
    """Somebody who is no bridge holds a lock in the database, longer than we wait."""
    return Misconfigured(
        where,
        "another program has it locked.",
        "End that program, or wait until it is done; then start again.",
        exit_code=EXIT_CANNOT_OPEN,
    )


def no_answer(where: str, error: BaseException) -> Misconfigured:
    """What a start does with a ``TryAgain`` or ``StoreError``: nobody waits for a start to try again."""
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
