"""The master key: made once, at the first start, and kept in a private file (S28)."""

from __future__ import annotations

from bridge.errors import Misconfigured
from bridge.ports import KeyFile, Random
from bridge.store.vault import KEY_BYTES

EXIT_OTHER_KEY = 42
"""Exit code: the database was sealed with another master key, or its master key is missing."""

HEX_DIGITS = 2 * KEY_BYTES
FILE_BYTES = HEX_DIGITS + 2
"""The key in hex and a line's end; one byte more shows that the file is too long."""

EXPOSED = (
    "If others may have read it, they can decrypt every copy of the database: keep both from them. Do not"
    " replace the key: the database would be lost."
)
"""What to do when the key's file was open to others."""
_RESTORE = "Restore the master key that belongs to this database from your backup."
_WITHOUT_BACKUP = (
    "Without it all accounts, contacts and waiting messages are lost: if there is no backup, move the"
    " database away and start with an empty one, and everyone opts in again."
)


def load_master_key(file: KeyFile, random: Random, *, may_make: bool) -> bytes:
    """Read the key in ``file``; make a missing one if it ``may_make`` one.

    Raises ``Misconfigured`` when others may read the file or it holds no key (11), or when it is
    missing where something is sealed (42). A wrong file is never replaced, and no other key made for
    what is sealed: that would hide what was lost.
    """
    key = read_master_key(file)
    if key is None:
        if not may_make:
            raise other_key(file.name, "does not exist, and this database is sealed with it.")
        file.make(random.bytes(KEY_BYTES).hex().encode() + b"\n")
        key = read_master_key(file)
    return key if key is not None else parse_master_key("", file.name)


def read_master_key(file: KeyFile) -> bytes | None:
    """The key in ``file``; None when there is no file. ``Misconfigured`` as for ``load_master_key``."""
    data = file.read(FILE_BYTES)
    if data is None:
        return None
    return parse_master_key(data.decode("ascii", "replace") if len(data) <= FILE_BYTES else "", file.name)


def other_key(where: str, what: str) -> Misconfigured:
    """The error for a database that was sealed with a key we do not have."""
    return Misconfigured(where, what, f"{_RESTORE} {_WITHOUT_BACKUP}", exit_code=EXIT_OTHER_KEY)


def parse_master_key(text: str, where: str) -> bytes:
    """The key in its written form: 64 hexadecimal digits. ``Misconfigured`` when it is not one."""
    digits = text.strip()
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or len(digits) != HEX_DIGITS:
        raise Misconfigured(where, f"is damaged: a master key is {HEX_DIGITS} hexadecimal digits.", _RESTORE)
    return key
