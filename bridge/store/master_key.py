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


def load_master_key(file: KeyFile, random: Random, *, may_make: bool) -> bytes:
    """Read the key in ``file``; make a missing one if it ``may_make`` one.

    Raises ``Misconfigured`` when others may read the file or it holds no key (11), or when it is
    missing where something is sealed (42). A wrong file is never replaced, and no other key made for
    what is sealed: that would hide what was lost.
    """
    data = file.read(FILE_BYTES)
    if data is None:
        if not may_make:
            raise other_key(file.name, "is not there, and this database was sealed with it.")
        file.make(random.bytes(KEY_BYTES).hex().encode() + b"\n")
        data = file.read(FILE_BYTES) or b""
    return parse_master_key(data.decode("ascii", "replace") if len(data) <= FILE_BYTES else "", file.name)


def other_key(where: str, what: str) -> Misconfigured:
    """The sealed data of the database cannot be opened."""
    return Misconfigured(
        where,
        what,
        "Restore the master key from your backup, the one that belongs to this database.",
        exit_code=EXIT_OTHER_KEY,
    )


def parse_master_key(text: str, where: str) -> bytes:
    """Parse a key of 64 hexadecimal digits."""
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
