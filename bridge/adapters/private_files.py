"""Files that hold a key: the bridge's own, 0600, no link, in a folder of its own (S28)."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from bridge.errors import Misconfigured

MODE = 0o600


class PrivateFile:
    """The real form of the ``KeyFile`` port. A refusal names the command that mends it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Its path, as the admin wrote it."""
        return str(self._path)

    def read(self, max_bytes: int) -> bytes | None:
        """At most ``max_bytes`` and one more, which shows that it is too long; None when there is no file."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            what = "is a link." if self._path.is_symlink() else f"cannot be read ({error.strerror})."
            raise Misconfigured(
                self.name, what, "Name a file that the bridge's user owns and alone may read."
            ) from error
        try:
            self._check(os.fstat(file))
            return os.read(file, max_bytes + 1)
        finally:
            os.close(file)

    def make(self, data: bytes) -> None:
        """Put ``data`` where there is no file yet; one that somebody else just made is left alone."""
        self._write(data, replace=False)

    def replace(self, data: bytes) -> None:
        """Put ``data`` in the place of what the file holds."""
        self._write(data, replace=True)

    def _write(self, data: bytes, *, replace: bool) -> None:
        """Under another name first: a kill leaves the old file, none, or the whole new one."""
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            partial.unlink(missing_ok=True)
            file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
            with os.fdopen(file, "wb") as stream:
                os.fchmod(file, MODE)
                stream.write(data)
                stream.flush()
                os.fsync(file)
            if replace:
                partial.replace(self._path)
            else:
                with suppress(FileExistsError):
                    os.link(partial, self._path)
                partial.unlink()
            _sync_folder(self._path.parent)
        except OSError as error:
            what = f"cannot be made ({error.strerror})."
            raise Misconfigured(self.name, what, "Make its folder writable for the bridge.") from error

    def _check(self, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise Misconfigured(self.name, "is not a file.", "Name a file for the key.")
        if status.st_uid != os.geteuid():
            remedy = f"Run: chown {os.geteuid()} {self._path}, if it is yours."
            raise Misconfigured(self.name, "belongs to another user.", remedy)
        folder = self._path.parent.stat().st_mode
        if folder & (stat.S_IWGRP | stat.S_IWOTH) and not folder & stat.S_ISVTX:
            raise Misconfigured(
                str(self._path.parent),
                "is a folder in which others may replace the key.",
                f"Run: chmod 0700 {self._path.parent}",
            )
        if mode != MODE:
            what = f"has the mode {mode:04o}, so others may read it."
            raise Misconfigured(self.name, what, f"Run: chmod 0600 {self._path}")


def _sync_folder(folder: Path) -> None:
    """Make the new name durable as well: a file's own fsync does not cover it."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
