"""Exit codes of the command line itself; those of the parts stand with the parts."""

from __future__ import annotations

FINE = 0
FATAL = 1
"""Exit code: unknown flags, a file in the way, or a bug."""
NO_UPDATE = 5
"""Exit code: --no-update was given together with --generate-registration, which writes the config."""
LOGGER = 12
"""Exit code: the logging cannot be set up."""
REGISTRATION_NOT_SAVED = 21
"""Exit code: the registration could not be saved."""
