"""The master key's file: made at the first start and never again, 0600, the bridge's own, no link (S28)."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from bridge.errors import Misconfigured
from bridge.ports import Random
from bridge.store.files import sync_folder
from bridge.store.vault import KEY_BYTES

EXIT_OTHER_KEY = 42
"""Exit code: the database was sealed with another master key, or its master key is missing."""

MODE = 0o600
HEX_DIGITS = 2 * KEY_BYTES
FILE_BYTES = HEX_DIGITS + 2
"""The key in hex and a line's end; one byte more shows that the file is too long."""


def load_master_key(path: Path, random: Random, *, may_make: bool) -> bytes:
    """The key in ``path``; when there is none it is made, if it ``may_make`` one.

    Raises ``Misconfigured`` when the file is a link, belongs to another user, can be read by
    others, or holds no key (11), or is missing where something is sealed (42). A wrong file is never
    replaced, and no other key made for what is sealed: that would hide what was lost.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        if not may_make:
            raise other_key(str(path), "is not there, and this database was sealed with it.") from None
        _make(path, random)
        return _read(path)


def other_key(where: str, what: str) -> Misconfigured:
    """What the database has sealed cannot be opened."""
    return Misconfigured(
        where,
        what,
        "Restore the master key from your backup, the one that belongs to this database.",
        exit_code=EXIT_OTHER_KEY,
    )


def parse_master_key(text: str, where: str) -> bytes:
    """The key in the form in which it is written: 64 hexadecimal digits."""
    digits = text.strip()
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or len(digits) != HEX_DIGITS:
        raise Misconfigured(
            where, f"holds no master key of {HEX_DIGITS} hexadecimal digits.", "Restore it from your backup."
        )
    return key


def _read(path: Path) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = "is a link." if path.is_symlink() else f"cannot be read ({error.strerror})."
        raise Misconfigured(
            str(path), what, "Name a file that the bridge's user owns and alone may read."
        ) from error
    try:
        _check(path, os.fstat(file))
        text = os.read(file, FILE_BYTES + 1)
    finally:
        os.close(file)
    return parse_master_key(text.decode("ascii", "replace") if len(text) <= FILE_BYTES else "", str(path))


def _check(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise Misconfigured(str(path), "is not a file.", "Name a file for the master key.")
    if status.st_uid != os.geteuid():
        raise Misconfigured(
            str(path), "belongs to another user.", f"Run: chown {os.geteuid()} {path}, if it is yours."
        )
    folder = path.parent.stat().st_mode
    if folder & (stat.S_IWGRP | stat.S_IWOTH) and not folder & stat.S_ISVTX:
        raise Misconfigured(
            str(path.parent),
            "is a folder in which others may replace the key.",
            f"Run: chmod 0700 {path.parent}",
        )
    if mode != MODE:
        raise Misconfigured(
            str(path), f"has the mode {mode:04o}, so others may read it.", f"Run: chmod 0600 {path}"
        )


def _make(path: Path, random: Random) -> None:
    """Write the file under another name first: a kill leaves none or a whole one."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        _write(partial, random.bytes(KEY_BYTES).hex().encode() + b"\n")
        with suppress(FileExistsError):
            os.link(partial, path)  # unlike a rename it never replaces a key that somebody just made
        partial.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise Misconfigured(
            str(path), f"cannot be made ({error.strerror}).", "Make its folder writable for the bridge."
        ) from error


def _write(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        os.fchmod(file, MODE)
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
