"""One process per SQLite database: an flock on a file beside it, released when the process ends (F29)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bridge.store.errors import cannot_open, locked

LOCK_SUFFIX = ".lock"
PID_BYTES = 20
"""More than any process id has digits."""


class FileLock:
    """A held lock."""

    def __init__(self, database: Path) -> None:
        """Take the lock of ``database`` at once, or raise ``Misconfigured`` with code 40."""
        path = database.with_name(database.name + LOCK_SUFFIX)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            remedy = (
                "Name a file in database.uri in a folder that exists and that the bridge's user can write to."
            )
            raise cannot_open(str(path), f"cannot be made ({error.strerror}).", remedy) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, PID_BYTES, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise locked(str(database), f" (process {holder})" if holder.isdigit() else "") from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def free(self) -> None:
        """Release the lock. The file stays: if it were deleted, two processes could hold a lock each."""
        os.close(self._file)
