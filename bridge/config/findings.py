"""What is wrong in a configuration, as data: where, what was seen, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from bridge.errors import Misconfigured

UNREADABLE = 10
"""Exit code: the config cannot be read or parsed, or the environment names what does not exist."""
NOT_CONFIGURED = 11
"""Exit code: a field is missing, still a placeholder, or has a wrong value."""
DATABASE = 14
"""Exit code: the database cannot be opened as configured."""
NO_DOMAIN = 20
"""Exit code: the domain is unset when the registration is to be made."""


class Severity(Enum):
    """Whether a start goes on."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing an admin should act on. ``path`` is the dotted key; no secret's value is ever in it.

    ``unknown_key`` marks the warning that ``check`` counts as an error.
    """

    path: str
    what: str
    remedy: str
    severity: Severity = Severity.ERROR
    exit_code: int = NOT_CONFIGURED
    where: str = ""
    """File and line, or the environment variable; filled in by the loader."""
    unknown_key: bool = False

    @property
    def sentence(self) -> str:
        """What a person reads."""
        place = f"{self.path} ({self.where})" if self.path and self.where else self.path or self.where
        return f"{place}: {self.what} {self.remedy}"

    def as_error(self, further: int = 0) -> Misconfigured:
        """The same as what ends a start; ``further`` errors are pointed at, not listed."""
        place = f"{self.path} ({self.where})" if self.path and self.where else self.path or self.where
        more = f" ({further} more: run `interop-bridge check`.)" if further else ""
        return Misconfigured(place, self.what, self.remedy + more, exit_code=self.exit_code)


Findings = Iterator[Finding]
ReadFile = Callable[[str], str]
"""A file's text by its path; OSError when it cannot be read."""


def warning(path: str, what: str, remedy: str) -> Finding:
    """Something to act on that does not end a start."""
    return Finding(path, what, remedy, severity=Severity.WARNING)
