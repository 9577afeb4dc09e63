"""The files of the command line: read whole, written whole, readable by nobody else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from bridge.config import UNREADABLE, FileFacts
from bridge.errors import Misconfigured

PRIVATE = 0o600


def read_text(path: str) -> str:
    """A file's text; OSError, or UnicodeDecodeError when it is not UTF-8."""
    return Path(path).read_text(encoding="utf-8")


def read_config(path: str) -> str:
    """The config's text; Misconfigured (exit 10) when it cannot be read."""
    try:
        return read_text(path)
    except FileNotFoundError:
        raise Misconfigured(
            path,
            "there is no such file.",
            "Name your config with -c, or write a new one with `interop-bridge -e`.",
            exit_code=UNREADABLE,
        ) from None
    except UnicodeDecodeError:
        raise Misconfigured(
            path, "the file is not valid UTF-8.", "Save it as UTF-8.", exit_code=UNREADABLE
        ) from None
    except OSError as error:
        raise Misconfigured(
            path,
            f"it cannot be read ({why(error)}).",
            "Name a file that this program's user can read.",
            exit_code=UNREADABLE,
        ) from None


def facts_of(path: str) -> FileFacts | None:
    """What the file system says about ``path``; None when there is no such file."""
    try:
        status = os.stat(path)
        return FileFacts(status.st_mode, status.st_uid, os.geteuid(), os.path.islink(path))
    except OSError:
        return None  # where the file is needed, reading it says why


def write_private(path: str, text: str, *, exit_code: int, new: bool = False) -> None:
    """Write ``path`` whole, mode 0600; Misconfigured with ``exit_code`` when that fails.

    ``new``: a file that is there already is not touched.
    """
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        _write(partial, text)
        if new:
            os.link(partial, target)
            partial.unlink()
        else:
            _replace(partial, target, text)
    except FileExistsError:
        partial.unlink(missing_ok=True)
        raise Misconfigured(
            path, "a file exists there already.", "Move it away, or choose another name.", exit_code=exit_code
        ) from None
    except OSError as error:
        raise Misconfigured(
            path,
            f"it cannot be written ({why(error)}).",
            "Give this program's user write access to that folder, or choose another path.",
            exit_code=exit_code,
        ) from None


def _replace(partial: Path, target: Path, text: str) -> None:
    try:
        partial.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # A container may mount this one file: it can be filled, not replaced.
        target.write_text(text, encoding="utf-8", newline="")
        partial.unlink()


def _write(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(file, "w", encoding="utf-8", newline="") as open_file:
        os.fchmod(file, PRIVATE)
        open_file.write(text)
        open_file.flush()
        os.fsync(file)


def why(error: OSError) -> str:
    """The system's reason in small letters."""
    return (error.strerror or type(error).__name__).lower()
