"""The example config, which is part of the program."""

from __future__ import annotations

from importlib import resources

EXAMPLE_FILE = "config.example.yaml"


def example_text() -> str:
    """What ``interop-bridge -e`` writes."""
    return (resources.files(__package__) / EXAMPLE_FILE).read_text(encoding="utf-8")
