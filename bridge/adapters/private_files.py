"""Files that hold a key: owned by the bridge's user, 0600 or 0400, no link, in a safe folder (S28)."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from bridge.errors import Misconfigured

MODE = 0o600
MODES = frozenset({MODE, 0o400})
"""A mounted or careful admin's key may be read-only; the bridge never writes to it again."""
NAME_ANOTHER = "Name a file in a folder that exists and that the bridge's user can write to."


class PrivateFile:
    """The real form of the ``KeyFile`` port. A refusal names the command that repairs it.

    ``exposed``: what to do, besides the mode, when others may have read the key. It depends on the key:
    one can be replaced, another would leave the database unreadable.
    """

    def __init__(self, path: Path, *, exposed: str = "") -> None:
        self._path = path
        self._exposed = exposed

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
            what = "is a link." if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})."
            raise Misconfigured(
                self.name, what, "Name a file that the bridge's user owns and nobody else can read."
            ) from error
        try:
            self._check(os.fstat(file))
            return os.read(file, max_bytes + 1)
        finally:
            os.close(file)

    def check_folder(self) -> None:
        """Check that ``make`` finds a folder; ``Misconfigured`` when there is none."""
        folder = self._path.parent
        if not folder.is_dir():
            raise Misconfigured(self.name, f"cannot be made ({folder} is not a folder).", NAME_ANOTHER)

    def make(self, data: bytes) -> None:
        """Put ``data`` where there is no file yet; one that another process just made is left alone."""
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
            raise Misconfigured(self.name, what, NAME_ANOTHER) from error

    def _check(self, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise Misconfigured(self.name, "is not a plain file.", "Name a file for the key.")
        if status.st_uid != os.geteuid():
            remedy = f"Run `chown {os.geteuid()} {self._path}` if it is yours."
            raise Misconfigured(self.name, "belongs to another user.", remedy)
        folder = self._path.parent.stat().st_mode
        if folder & (stat.S_IWGRP | stat.S_IWOTH) and not folder & stat.S_ISVTX:
            raise Misconfigured(
                str(self._path.parent),
                "is a folder in which other users can replace the key.",
                f"Run `chmod 700 {self._path.parent}`.",
            )
        if mode not in MODES:
            what = f"holds a key, and its mode {mode:04o} lets others in; it must be 0600 or 0400."
            remedy = f"Run `chmod 600 {self._path}`. {self._exposed}".strip()
            raise Misconfigured(self.name, what, remedy)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable as well: a file's own fsync does not cover it."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
