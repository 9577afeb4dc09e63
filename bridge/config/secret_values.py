"""Whether a config's text holds secrets, so that who else may read it matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.config.document import Path, read_document
from bridge.config.rules.placeholders import PLACEHOLDER_TOKENS
from bridge.config.schema import KEYS

NO_SECRETS = {""} | PLACEHOLDER_TOKENS
_DATABASE = ("database", "uri")


def holds_secrets(text: str, name: str = "config.yaml") -> bool:
    """Whether ``text`` contains a secret; Misconfigured when it cannot be read."""
    values = read_document(text, name).values
    return any(_is_secret(path, value) for path in KEYS.secrets for value in _at(values, path))


def _at(values: Mapping[str, Any], path: Path) -> list[Any]:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return list(found.values()) if isinstance(found, Mapping) else [found]


def _is_secret(path: Path, value: Any) -> bool:
    if value is None or str(value) in NO_SECRETS:
        return False
    return path != _DATABASE or "@" in str(value)
